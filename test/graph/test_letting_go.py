"""The moment of a release, on a clock that the test sets: a gripper is told then, or never."""

import math
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from rclpy.task import Future

from icpi_ros.core.errors import MotionRefused
from icpi_ros.core.types import SECOND
from icpi_ros.motion.primitives import point_to_point
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.ros.arm_ports.arm_feed import ArmState
from icpi_ros.ros.arm_ports.gripper_port import (
    ActionGripper,
    GripperOrder,
    GripperPort,
    TopicGripper,
    TriggerGripper,
)
from icpi_ros.ros.base.convert import MotionStatus
from icpi_ros.ros.following.following import MotionFollower
from icpi_ros.ros.following.letting_go import MAX_LATE, LettingGo
from icpi_ros.ros.following.prepared_stops import Leads
from icpi_ros.ros.following.rules import ExecutorSettings
from icpi_ros.ros.following.sending import Running
from icpi_ros.ros.following.trial_ended import Code, TrialEnded

GATE = SafetyGate(UR5E)
PATH = point_to_point(UR5E, UR5E.home, UR5E.home + 0.05, 0.2)
QUICK = point_to_point(UR5E, UR5E.home, UR5E.home + 0.5, 0.9)
RELEASE, LATENCY = 0.4, 0.1
BEGIN = 5 * SECOND
DUE = BEGIN + round((RELEASE - LATENCY) * SECOND)
FREE = BEGIN + round(RELEASE * SECOND)
WAIT = 60.0


class Port:
    """An arm that stands where its motion begins, on a clock that stands."""

    controller_seen = True
    has_controller, answers, reports_start, pace = True, False, False, 0.0
    doubt = unusable = ""

    def __init__(self):
        self.now, self.q, self.age, self.ended = BEGIN, UR5E.home, 0.0, ""
        self.log = []

    @property
    def state(self):
        return ArmState(self.now, self.q, np.zeros(6), time.monotonic() - self.age)

    def label(self, name):
        return name

    def write(self, motion):
        return motion

    def send(self, command):
        self.log.append(f"send {command.label}")

    def hold(self, label, attempt=0, *known):
        self.log.append(f"hold {label}")
        return 0.0

    def exact(self, label):
        return False

    def status(self, label, *states):
        ended = MotionStatus(label, self.ended, self.now)
        return ended if self.ended in states else None


class Hand(GripperPort):
    """A gripper that writes down what it is told, and does it at once unless ``end`` says why."""

    missing = ""

    def __init__(self, port, end=""):
        super().__init__("hand")
        self.port, self.log, self.what = port, port.log, end

    def command(self, opens, latest=math.inf):
        order = GripperOrder(opens)
        order.went_out()
        self.log.append(order.verb)
        if self.what != "silent":
            order.end(self.what if opens else "")
        return order


class Throw:
    """A release under way."""

    def __init__(self, end="", latency=LATENCY, release=RELEASE):
        self.port = Port()
        self.hand = Hand(self.port, end)
        self.settings = ExecutorSettings(gripper_latency=latency, reply_timeout=0.2)
        checked = GATE.check(PATH, UR5E.home, release)
        self.one = LettingGo(self.hand, checked, self.port, Leads(250.0), self.settings)
        self.running = Running(PATH, BEGIN, True)
        self.one.prepare("throw", lambda: self.running, self.wait)
        self.one.follow(self.running)

    @staticmethod
    def wait(done, limit, failure):
        deadline = time.monotonic() + limit
        while not done():
            if time.monotonic() > deadline:
                raise failure()
            time.sleep(0.002)

    def at(self, ns):
        """Set the clock and let the release look at it."""
        self.port.now = ns
        time.sleep(0.05)
        return self

    def ended(self):
        """Wait until its thread has come to its end; nothing more is sent."""
        deadline = time.monotonic() + WAIT
        while self.one._sending:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        return self

    def failure(self):
        with pytest.raises(TrialEnded) as caught:
            self.one.end(0.0, self.wait)
        assert caught.value.code == Code.ARM_FAILED
        return str(caught.value)


def test_it_is_told_its_latency_before_the_release_and_no_earlier():
    throw = Throw().at(DUE - 2_000_000)
    assert throw.port.log == []
    throw.at(DUE + 1_000_000).ended()
    assert throw.port.log == ["open"]
    note = throw.one.end(0.0, throw.wait)
    assert note.startswith("release at 0.4000 s: the gripper was told to open +")
    assert note.endswith(" ms from 0.3000 s, gripper_latency 0.100 s")
    late = float(note.split("open +")[1].split(" ms")[0])
    assert 1.0 <= late < 1e3 * MAX_LATE


def test_a_start_that_is_known_better_by_now_moves_the_moment():
    throw = Throw()
    throw.one.follow(Running(PATH, BEGIN + 50_000_000, True))
    throw.at(DUE + 10_000_000)
    assert throw.port.log == []
    throw.at(DUE + 51_000_000).ended()
    assert throw.port.log == ["open"]


def test_a_start_that_is_only_estimated_is_noted():
    throw = Throw()
    throw.one.follow(Running(PATH, BEGIN, False))
    throw.running = Running(PATH, BEGIN, False)
    throw.port.q = PATH.at(RELEASE - LATENCY).position
    throw.at(DUE).ended()
    assert throw.one.end(0.0, throw.wait).endswith("the motion's start is only estimated")


def test_an_estimated_start_that_the_arm_contradicts_keeps_it_closed():
    throw = Throw()
    throw.one.follow(Running(QUICK, BEGIN, False))
    throw.running = Running(QUICK, BEGIN, False)
    throw.port.q = QUICK.at(RELEASE - LATENCY - 0.06).position
    throw.at(DUE).ended()
    assert throw.port.log == []
    assert throw.failure().endswith("the motion's start is only estimated, and 60 ms off")


def test_what_is_called_off_before_its_moment_stays_closed():
    throw = Throw()
    throw.one.call_off()
    throw.at(FREE).ended()
    assert throw.port.log == []


def test_what_was_told_to_open_and_has_not_let_go_yet_is_told_to_close():
    throw = Throw().at(DUE).ended()
    throw.one.call_off()
    throw.one.call_off()
    assert throw.port.log == ["open", "close"]


def test_what_has_let_go_is_left_open():
    throw = Throw().at(DUE).ended().at(FREE)
    throw.one.call_off()
    assert throw.port.log == ["open"]


def test_a_command_that_would_be_late_is_not_sent_and_ends_the_trial():
    throw = Throw().at(DUE + round((MAX_LATE + 0.001) * SECOND)).ended()
    assert throw.port.log == []
    assert throw.failure() == (
        "the gripper stayed closed: its command would be sent 31 ms late, allowed 30 ms"
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda throw: setattr(throw, "running", None), "the motion was stopped"),
        (lambda throw: setattr(throw.port, "age", 5.0), "the joint states are silent"),
        (lambda throw: setattr(throw.port, "ended", "aborted"), "the controller ended the motion"),
        (lambda throw: setattr(throw.port, "q", UR5E.home + 0.3), "rad off its path"),
        (lambda throw: setattr(throw.port, "doubt", "two publishers"), "two publishers"),
    ],
)
def test_what_is_not_as_it_was_shown_keeps_it_closed(change, why):
    throw = Throw()
    change(throw)
    throw.at(DUE).ended()
    assert throw.port.log == []
    assert why in throw.failure()


def test_a_gripper_that_does_not_open_ends_the_trial():
    throw = Throw(end="the gripper rejected the command to open").at(DUE).ended()
    assert throw.failure() == "the gripper rejected the command to open"


def test_a_gripper_that_does_not_answer_ends_the_trial():
    throw = Throw(end="silent").at(DUE).ended()
    assert throw.failure() == "hand: nothing was heard of the release within 0.2 s"


def broken(opens, latest=math.inf):
    raise RuntimeError("no network")


def test_a_command_that_cannot_be_sent_ends_the_trial():
    throw = Throw()
    throw.hand.command = broken
    throw.at(DUE).ended()
    assert throw.failure() == "hand could not be told to open: no network"


def test_a_command_to_close_that_cannot_be_sent_does_not_keep_the_arm_from_braking():
    throw = Throw().at(DUE).ended()
    throw.hand.command = broken
    throw.one.call_off()
    assert throw.failure() == "hand could not be told to close: no network"


def test_no_motion_lets_go_without_a_gripper_or_without_the_gate():
    port, settings = Port(), ExecutorSettings()
    for hand, release in ((None, RELEASE), (Hand(port), None)):
        checked = GATE.check(PATH, UR5E.home, release)
        with pytest.raises(MotionRefused, match="no gripper"):
            LettingGo(hand, checked, port, Leads(250.0), settings)


class Following:
    """A follower in a motion with a release; its rest in front is 0.2 s."""

    REST = round(0.2 * SECOND)

    def __init__(self):
        self.port = Port()
        settings = ExecutorSettings(
            gripper_latency=LATENCY, reply_timeout=0.3, stop_limit=0.3, joint_state_timeout=WAIT
        )
        self.changed = threading.Condition()
        self.one = MotionFollower(
            UR5E, GATE, self.port, self.changed, settings, gripper=Hand(self.port)
        )
        self.ended = []
        self.worker = threading.Thread(target=self._run, daemon=True)
        self.worker.start()
        self.until(lambda: "send /throw" in self.port.log)
        self.until(lambda: self.one._running is not None)

    def _run(self):
        try:
            self.one.follow(PATH, "throw", release=RELEASE)
        except TrialEnded as exc:
            self.ended.append(exc)
            self.one.stop_arm()

    @staticmethod
    def until(done):
        deadline = time.monotonic() + WAIT
        while not done():
            assert time.monotonic() < deadline
            time.sleep(0.002)

    def stop(self):
        self.one.interrupt(TrialEnded(Code.STOPPED, "the software stop was pressed"))
        self.worker.join(WAIT)
        return [word for word in self.port.log if word != "send /throw"]


def test_a_stop_before_the_release_leaves_it_closed_for_good():
    follower = Following()
    log = follower.stop()
    follower.port.now = FREE + follower.REST
    time.sleep(0.1)
    assert log
    assert "open" not in follower.port.log
    assert [exc.code for exc in follower.ended] == [Code.STOPPED]


def test_a_stop_takes_the_release_back_before_it_brakes():
    follower = Following()
    follower.port.now = DUE + follower.REST + 1_000_000
    follower.until(lambda: "open" in follower.port.log)
    log = follower.stop()
    assert log[:2] == ["open", "close"]
    assert log[2].split()[0] in ("send", "hold")


def test_a_controller_s_fault_before_the_release_leaves_it_closed():
    follower = Following()
    follower.port.ended = "aborted"
    follower.worker.join(WAIT)
    follower.port.now = FREE + follower.REST
    time.sleep(0.1)
    assert "open" not in follower.port.log
    assert [exc.code for exc in follower.ended] == [Code.ARM_FAILED]


class Busy:
    """The client of an action in a process whose own thread is busy: it sends when it is told."""

    present = True

    def __init__(self):
        self.waiting, self.sent = [], []

    def ready(self):
        return True

    def send(self, goal, on_feedback, on_send):
        reply = Future()

        def send():
            try:
                on_send()
                self.sent.append(goal)
            except RuntimeError as exc:
                reply.set_exception(exc)

        self.waiting.append(send)
        return reply

    def go_on(self):
        while self.waiting:
            self.waiting.pop(0)()


@pytest.fixture
def busy(monkeypatch):
    """An action's gripper behind a busy client; its goals are True to open, False to close."""
    one, client = ActionGripper.__new__(ActionGripper), Busy()
    GripperPort.__init__(one, "gripper_cmd")
    one._client, one._goals, one._lock = client, {}, threading.Lock()
    monkeypatch.setattr(ActionGripper, "_goal", lambda self, opens: opens)
    return one, client


def test_an_action_s_command_that_waited_too_long_to_be_sent_is_not_sent(busy):
    gripper, client = busy
    order = gripper.command(True, time.monotonic() + 0.02)
    time.sleep(0.03)
    client.go_on()
    assert client.sent == []
    assert order.trouble == "the gripper was not told to open: its moment had passed"
    gripper.command(True, time.monotonic() + WAIT)
    client.go_on()
    assert client.sent == [True]


def test_an_action_s_command_that_is_taken_back_before_it_was_sent_is_not_sent(busy):
    gripper, client = busy
    order = gripper.command(True, time.monotonic() + WAIT)
    gripper.take_back(order)
    client.go_on()
    assert client.sent == [False]


def quick(kind, **fields):
    """A port that sends at once, with what it sends to in place of a node."""
    one = kind.__new__(kind)
    GripperPort.__init__(one, "hand")
    vars(one).update(fields)
    return one


@pytest.mark.parametrize("kind", [TriggerGripper, TopicGripper])
def test_no_gripper_is_told_to_open_after_its_moment(kind):
    sent = []
    client = SimpleNamespace(call_async=lambda request: sent.append(request) or Future())
    fields = {"_clients": [client, client]} if kind is TriggerGripper else {}
    gripper = quick(kind, _out=SimpleNamespace(publish=sent.append), **fields)
    with pytest.raises(RuntimeError, match="its moment had passed"):
        gripper.command(True, time.monotonic() - 0.001)
    assert sent == []
    gripper.command(True, time.monotonic() + WAIT)
    assert len(sent) == 1
