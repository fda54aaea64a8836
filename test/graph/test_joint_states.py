"""Joint states of many drivers at the executor's feed, and what a trial makes of them; no graph."""

import math
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from sensor_msgs.msg import JointState

from icpi_msgs.action import ExecuteMotion
from icpi_ros.robots import ARMS
from icpi_ros.ros.arm_ports import arm_watch
from icpi_ros.ros.arm_ports.arm_feed import ArmFeed
from icpi_ros.ros.base import convert
from icpi_ros.ros.base.topics import JOINT_STATES
from icpi_ros.ros.following.trial_ended import TrialEnded

from .test_arm_following import GOAL, Port, follower

ARM = ARMS.get("ur5e")
NAMES = sorted(ARM.joints)
NS = 1_000_000_000
Code = ExecuteMotion.Result


class Node:
    """Keeps the callbacks of subscriptions and what is logged."""

    topic_name = "/joint_states"

    def __init__(self):
        self.calls, self.logged, self.publishers = {}, [], 1

    def create_subscription(self, kind, topic, call, profile):
        self.calls[topic] = call
        return self

    def count_publishers(self, topic):
        return self.publishers

    def get_logger(self):
        return self

    def get_parameter(self, name):
        return SimpleNamespace(value=False)  # use_sim_time

    def warning(self, text):
        self.logged.append(text)


class Heard:
    """A feed that is told joint states."""

    def __init__(self):
        self.node = Node()
        self.feed = ArmFeed(self.node, ARM, threading.Condition(), "arm")

    def tell(self, seconds, names=NAMES, position=0.0, velocity=None):
        at = dict(zip(ARM.joints, ARM.home + position, strict=True))
        msg = JointState(name=names, position=[at.get(n.removeprefix("ur_"), 9.0) for n in names])
        msg.header.stamp = convert.time_msg(round(seconds * NS))
        msg.velocity = [0.0] * len(names) if velocity is None else velocity
        self.node.calls[JOINT_STATES](msg)

    def stream(self, rate, count, **given):
        for i in range(count):
            self.tell(5.0 + i / rate, **given)


@pytest.fixture
def heard():
    return Heard()


@pytest.mark.parametrize("velocity", [[], [math.nan] * 6], ids=["empty", "NaN"])
def test_velocities_that_no_driver_publishes_are_taken_from_positions(heard, velocity):
    heard.tell(5.0, velocity=velocity)
    assert not heard.feed.state.has_velocity
    assert not heard.feed.state.stands  # nobody knows yet
    for i in range(1, 20):
        heard.tell(5.0 + 0.01 * i, position=0.005 * i, velocity=velocity)
    np.testing.assert_allclose(heard.feed.state.qd, 0.5, rtol=1e-6)
    assert not heard.feed.state.stands
    for i in range(20, 30):
        heard.tell(5.0 + 0.01 * i, position=0.1, velocity=velocity)
    assert heard.feed.state.stands
    assert arm_watch.trouble(heard.feed, 1.0, 1.0) == ""
    assert heard.node.logged == ["joint_states carry no velocities: they are taken from positions"]


def test_zeros_that_a_driver_fills_in_for_velocities_are_not_believed(heard):
    for i in range(30):
        heard.tell(5.0 + 0.01 * i, position=0.005 * i)
    np.testing.assert_allclose(heard.feed.state.qd, 0.5, rtol=1e-6)
    assert not heard.feed.state.stands
    for i in range(30, 40):
        heard.tell(5.0 + 0.01 * i, position=0.15)
    assert heard.feed.state.stands
    (said,) = heard.node.logged
    assert "zeros for velocities although the arm moves" in said
    heard.tell(5.4, position=0.15, velocity=[0.3] * 6)  # it knows them after all
    assert heard.feed.state.qd == pytest.approx(0.3)
    heard.tell(5.41, position=0.15)
    assert not heard.feed.state.qd.any()


def test_zeros_are_not_believed_either_where_states_are_rare(heard):
    for i in range(5):
        heard.tell(5.0 + 0.1 * i, position=0.03 * i)
    assert not heard.feed.state.stands
    said = arm_watch.trouble(heard.feed, 1.0, 1.0)
    assert "zeros for velocities although the arm moves and come at 10 Hz" in said


def test_an_arm_that_stops_after_a_motion_is_believed_at_once(heard):
    for i in range(20):
        heard.tell(5.0 + 0.01 * i, position=0.005 * i, velocity=[0.5] * 6)
    for i in range(20, 30):
        heard.tell(5.0 + 0.01 * i, position=0.095)
        assert heard.feed.state.stands
    assert heard.node.logged == []


def test_velocities_cannot_be_taken_from_positions_that_are_too_rare(heard):
    heard.stream(10.0, 5, velocity=[])
    assert not heard.feed.state.stands
    said = arm_watch.trouble(heard.feed, 1.0, 1.0)
    assert said.startswith("the arm's speed is unknown: joint_states carry no velocities")
    assert "come at 10 Hz: at least 40 Hz are needed" in said


def test_the_velocities_of_other_devices_may_be_missing(heard):
    heard.stream(100.0, 3, names=["finger", *NAMES], velocity=[math.nan] + [0.0] * 6)
    assert heard.feed.state.stands
    assert heard.node.logged == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"names": NAMES[:-1]}, "joint_states lack wrist_3_joint"),
        ({"names": ["finger"]}, "they name finger"),
        ({"position": math.nan}, "is at nan rad"),
        ({"velocity": [0.0] * 5}, "6 names and 5 velocities"),
        ({"names": [*NAMES, NAMES[0]]}, "more than once"),
    ],
    ids=["missing joint", "other device", "NaN", "sizes", "twice"],
)
def test_the_reason_why_states_cannot_be_used_is_kept_and_told(heard, given, words):
    heard.stream(100.0, 3, **given)
    assert heard.feed.state is None
    said = arm_watch.trouble(heard.feed, 0.5, 10.0)
    assert said.startswith("no usable joint state for 10 s: ")
    assert words in said
    heard.tell(6.0)
    assert arm_watch.trouble(heard.feed, 0.5, 10.0) == ""
    assert heard.feed.unusable == ""


def test_other_devices_on_the_topic_hide_no_reason(heard):
    heard.tell(5.0, names=NAMES[:-1])
    heard.tell(5.0, names=["finger"])
    assert "lack wrist_3_joint" in heard.feed.unusable
    assert len(heard.node.logged) == 1


def test_stamps_that_stand_still_are_named(heard):
    heard.tell(5.0)
    time.sleep(0.15)
    heard.tell(5.0)
    assert heard.feed.unusable == "the stamps of joint_states stand still at 5.000 s"


@pytest.mark.parametrize("velocity", [[], [math.nan] * 6, [0.5] * 6], ids=["none", "NaN", "told"])
@pytest.mark.parametrize("late", [1, 3, 7])
def test_a_state_that_was_overtaken_is_no_news(heard, velocity, late):
    for i in range(20):
        heard.tell(5.0 + 0.01 * i, position=0.005 * i, velocity=velocity)
        if i > late:
            heard.tell(5.0 + 0.01 * (i - late), position=0.005 * (i - late), velocity=velocity)
            assert heard.feed.state.ns == round((5.0 + 0.01 * i) * NS)
    np.testing.assert_allclose(heard.feed.state.qd, 0.5, rtol=1e-6)
    assert heard.feed.doubt == heard.feed.unusable == ""


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_names_may_change_from_message_to_message(heard, seed):
    rng = np.random.default_rng(seed)
    for i in range(10):
        names = [str(name) for name in rng.permutation([*NAMES, "finger", "rail_joint"])]
        heard.tell(5.0 + 0.01 * i, names, position=0.005 * i, velocity=[])
        np.testing.assert_allclose(heard.feed.state.q, ARM.home + 0.005 * i)
    np.testing.assert_allclose(heard.feed.state.qd, 0.5, rtol=1e-6)


def test_nothing_at_all_is_still_called_silence(heard):
    said = arm_watch.trouble(heard.feed, 0.5, 10.0)
    assert said == "no joint state for 10 s: is the arm's driver running?"


def test_a_prefix_that_was_not_asked_for_is_named_with_its_remedy(heard):
    heard.stream(100.0, 3, names=[f"ur_{name}" for name in NAMES])
    assert heard.feed.state is None  # it may be another arm's
    said = arm_watch.trouble(heard.feed, 1.0, 1.0)
    assert "prefix 'ur_': start with joint_prefix:=ur_" in said
    heard.tell(6.0)
    assert heard.feed.doubt == ""


def test_a_state_after_a_jump_is_not_taken(heard):
    heard.tell(5.0)
    heard.tell(5.01, position=0.3)
    assert heard.feed.state.ns == 5 * NS  # what is known of the arm is what was before
    assert "jumped from" in heard.feed.doubt


def test_a_jump_is_not_told_any_more_where_nothing_arrives(heard, monkeypatch):
    heard.tell(5.0)
    heard.tell(5.01, position=0.3)
    later = time.monotonic() + 10.0
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert heard.feed.doubt == ""
    assert "no joint state for 0.5 s" in arm_watch.trouble(heard.feed, 0.5, 0.5)


def test_reasons_do_not_flood_the_log(heard):
    for i in range(300):
        heard.tell(5.0 + 0.1 * i + 0.0001 * i * i, velocity=[])
    assert len(heard.node.logged) == 1


# --- trials -----------------------------------------------------------------------------------


def test_a_trial_tells_why_states_cannot_be_used():
    port = Port(heard=lambda: None)
    port.unusable = "joint_states lack wrist_3_joint"
    with pytest.raises(TrialEnded, match=r"no usable joint state for 0\.6 s: joint_states lack"):
        follower(port, start=0.6).await_arm()


def test_no_motion_begins_while_the_state_is_in_doubt():
    port = Port()
    port.doubt = "/joint_states has 2 publishers, /a, /b"
    with pytest.raises(TrialEnded, match="state is unknown: /joint_states has 2") as caught:
        follower(port, start=0.3).await_arm()
    assert caught.value.code == Code.ARM_SILENT
    with pytest.raises(TrialEnded, match="has 2 publishers"):
        follower(port, start=0.3).move_to(GOAL, "retreat")
    assert port.sent == []


def test_a_doubt_that_ends_in_time_is_forgotten():
    port = Port()
    port.doubt = "/joint_states has 2 publishers, /a, /a"  # it was killed and started again
    threading.Timer(0.1, setattr, [port, "doubt", ""]).start()
    follower(port).await_arm()


def test_a_doubt_in_motion_ends_it():
    def doubtful(state):
        port.doubt = "shoulder_pan_joint jumped from 0 to 0.3 rad"
        return state

    port = Port(after=doubtful)
    with pytest.raises(TrialEnded, match="state is unknown: shoulder_pan_joint jumped"):
        follower(port).move_to(GOAL, "retreat")
    assert len(port.sent) == 1


def test_an_arm_whose_speed_is_not_known_does_not_begin():
    port = Port(speed=math.nan)
    port.unusable = "joint_states carry no velocities and come at 5 Hz"
    with pytest.raises(TrialEnded, match="speed is unknown: joint_states carry no velocities"):
        follower(port).await_arm()
    with pytest.raises(TrialEnded, match="speed is unknown"):
        follower(port).move_to(GOAL, "retreat")
    assert port.sent == []
