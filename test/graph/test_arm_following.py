"""What is asked of an arm before and while a motion is followed: a fake port stands for it."""

import itertools
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from icpi_msgs.action import ExecuteMotion
from icpi_ros.core.errors import MotionRefused
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.robots import ARMS
from icpi_ros.ros.arm_ports.arm_feed import ArmState
from icpi_ros.ros.base.convert import MotionStatus
from icpi_ros.ros.following.following import MotionFollower
from icpi_ros.ros.following.rules import ExecutorSettings
from icpi_ros.ros.following.trial_ended import TrialEnded

ARM = ARMS.get("ur5e")
GOAL = ARM.home + 0.1
START = 1_000_000_000
SILENCE = 20.0
Code = ExecuteMotion.Result


class Port:
    """An arm on the topic that does what ``after`` makes of its state."""

    controller_seen = True
    has_controller, answers, reports_start, pace = True, False, False, 1.0
    doubt = unusable = ""

    def __init__(self, speed=0.0, after=lambda state: state, heard=time.monotonic):
        self._heard = heard
        self._state = ArmState(START, ARM.home, np.full(6, speed), 0.0)
        self._after = after
        self.sent, self.held = [], 0

    @property
    def state(self):
        arrival = self._heard()
        if arrival is None:
            return None
        state = self._after(self._state) if self.sent else self._state
        return ArmState(state.ns, state.q, state.qd, arrival)

    @property
    def now(self):
        return self.state.ns

    def label(self, name):
        return name

    def write(self, motion):
        return motion

    def send(self, command):
        self.sent.append(command.motion)

    def hold(self, label, attempt=0, *known):
        self.held += 1
        return 0.0

    def exact(self, label):
        return False

    def status(self, label, *states):
        return None


def follower(port, start=20.0):
    # A thread of a busy machine may stand for seconds: that is no silence.
    settings = ExecutorSettings(
        start_timeout=start, reply_timeout=0.3, stop_limit=0.3, joint_state_timeout=SILENCE
    )
    return MotionFollower(ARM, SafetyGate(ARM), port, threading.Condition(), settings)


def test_nothing_is_sent_to_an_arm_that_moves_already():
    port = Port(speed=0.5)
    with pytest.raises(TrialEnded, match="moves already") as caught:
        follower(port).move_to(GOAL, "retreat")
    assert caught.value.code == Code.MOTION_REFUSED
    assert port.sent == []


def test_a_clock_that_goes_back_ends_the_motion_and_the_arm_is_held():
    def back(state):
        return SimpleNamespace(ns=state.ns - 10**9, q=state.q, qd=state.qd)

    port = Port(after=back)
    one = follower(port)
    ended = []

    def move():
        try:
            one.move_to(GOAL, "retreat")
        except TrialEnded as exc:
            ended.append(exc)

    worker = threading.Thread(target=move, daemon=True)
    worker.start()
    worker.join(60.0)
    assert [exc.code for exc in ended] == [Code.ARM_SILENT]
    assert "went back by 1 s" in str(ended[0])
    one.stop_arm()
    assert len(port.sent) == 1
    assert port.held > 0


class LateController(Port):
    """Its controller is found after 1 s: later than the reply limit."""

    def __init__(self, **given):
        super().__init__(**given)
        self._begin = time.monotonic() + 1.0

    @property
    def has_controller(self):
        return time.monotonic() > self._begin


def arrives():
    """What becomes of an arm that goes to the goal; its clock goes on by a second per look."""
    seconds = itertools.count(1)
    return lambda state: ArmState(state.ns + next(seconds) * 10**9, GOAL, np.zeros(6), 0.0)


def test_an_arm_that_is_heard_late_is_waited_for():
    begin = time.monotonic() + 0.4  # later than the reply limit
    port = Port(heard=lambda: time.monotonic() if time.monotonic() > begin else None)
    late = follower(port, start=120.0)
    late.await_arm()
    assert time.monotonic() > begin


@pytest.mark.parametrize(
    ("heard", "limit"),
    [(lambda: None, "0.6"), (lambda: time.monotonic() - 2.0 * SILENCE, "0.3")],
    ids=["never heard", "silent since"],
)
def test_an_arm_that_is_not_heard_ends_the_trial(heard, limit):
    with pytest.raises(TrialEnded, match=rf"no joint state for {limit} s: is the arm") as caught:
        follower(Port(heard=heard), start=0.6).await_arm()
    assert caught.value.code == Code.ARM_SILENT


def test_a_pause_may_end_before_anything_moves_and_not_later():
    arrivals = [time.monotonic() - 2.0 * SILENCE] * 4
    port = Port(heard=lambda: arrivals.pop() if arrivals else time.monotonic())
    with pytest.raises(TrialEnded, match=rf"no joint state for {SILENCE:g} s"):
        follower(port).look(0.0)
    assert arrivals
    follower(port).await_arm()
    assert not arrivals


@pytest.mark.parametrize("heard", [time.monotonic, lambda: None], ids=["heard", "awaited"])
def test_a_cancellation_counts_before_anything_moves(heard):
    one = follower(Port(heard=heard))
    one.interrupt(TrialEnded(Code.CANCELLED, "cancelled"))
    with pytest.raises(TrialEnded, match="cancelled") as caught:
        one.await_arm()
    assert caught.value.code == Code.CANCELLED


def test_a_cancellation_ends_the_wait():
    one = follower(Port(heard=lambda: None))
    cancel = threading.Timer(0.1, one.interrupt, [TrialEnded(Code.CANCELLED, "cancelled")])
    cancel.start()
    with pytest.raises(TrialEnded, match="cancelled"):
        one.await_arm()
    cancel.join()


def test_a_controller_that_comes_late_is_waited_for_at_the_first_motion():
    port = LateController(after=arrives())
    follower(port).move_to(GOAL, "retreat")
    assert len(port.sent) == 1


def test_an_arm_that_was_moved_by_hand_meanwhile_starts_from_where_it_is():
    port = LateController(after=arrives())
    moved = ArmState(START + 1, ARM.home + 0.05, np.zeros(6), 0.0)
    hand = threading.Timer(0.3, setattr, [port, "_state", moved])  # before the controller comes
    hand.start()
    follower(port).move_to(GOAL, "retreat")
    np.testing.assert_array_equal(port.sent[0].trajectory.positions[0], moved.q)


def test_a_recorder_that_is_waited_for_counts_not_as_a_silent_arm():
    port = LateController(after=arrives())
    follower(port, start=0.1).move_to(GOAL, "approach")  # its controller is seen at once
    assert len(port.sent) == 1


def test_a_controller_that_is_lost_later_ends_the_trial_sooner():
    port = Port()
    port.has_controller = False
    one = follower(port, start=120.0)
    one.sent, begin = True, time.monotonic()
    with pytest.raises(TrialEnded, match="nobody takes joint trajectories") as caught:
        one.move_to(GOAL, "approach")
    assert caught.value.code == Code.ARM_SILENT
    assert time.monotonic() - begin < 120.0  # the start limit
    assert port.sent == []


class GivesUp(Port):
    """Its controller aborts; that is heard after the arm was seen off its path."""

    def __init__(self):
        super().__init__(after=lambda s: ArmState(s.ns + 10**9, ARM.home + 0.5, np.zeros(6), 0.0))
        self.heard_of = False

    def status(self, label, *states):
        known = self.heard_of and label == "/retreat" and "aborted" in states
        return MotionStatus(label, "aborted", START, "protective stop") if known else None


def test_why_the_controller_gave_up_is_told_when_it_is_heard_late():
    port = GivesUp()
    one = follower(port)
    with pytest.raises(TrialEnded, match="left its path"):
        one.move_to(GOAL, "retreat")
    assert one.cause == ""
    port.heard_of = True
    one.stop_arm()
    assert one.cause == "; the controller had ended the motion (aborted: protective stop)"


def test_a_controller_that_gives_up_ends_the_trial_with_its_reason():
    port = GivesUp()
    port.heard_of = True
    with pytest.raises(TrialEnded, match=r"ended the motion \(.*protective stop") as caught:
        follower(port).move_to(GOAL, "retreat")
    assert caught.value.code == Code.ARM_FAILED


def test_an_arm_is_told_to_hold_even_if_a_fault_of_ours_ends_its_stop(monkeypatch):
    port = Port()
    one = follower(port)
    monkeypatch.setattr(one._stopper, "stop", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        one.stop_arm()
    assert port.held == 1


@pytest.mark.parametrize("off", [0.021, np.nan])
def test_a_move_that_was_shown_from_elsewhere_is_not_executed(off):
    port = Port(after=arrives())
    one = follower(port)
    with pytest.raises(MotionRefused, match=r"^approach: the arm is not where this motion"):
        one.move_to(GOAL, "approach", 1.0, ARM.home + off * np.eye(6)[2])
    assert port.sent == []
    assert not one.sent


def test_a_move_within_the_tolerance_of_the_shown_one_is_executed_from_where_the_arm_is():
    port = Port(after=arrives())
    one = follower(port)
    np.testing.assert_array_equal(one.next_start, ARM.home)
    one.move_to(GOAL, "approach", 1.0, ARM.home + 0.009 * np.eye(6)[2])
    np.testing.assert_array_equal(port.sent[0].trajectory.positions[0], ARM.home)
    np.testing.assert_array_equal(one.next_start, GOAL)  # what is commanded now
