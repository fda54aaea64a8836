"""How a stop is chosen: a port that records what is sent stands for the arm."""

import threading
import time
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

from icpi_ros.motion.safety import SafetyGate
from icpi_ros.robots import ARMS
from icpi_ros.ros.arm_ports.arm_feed import ArmState
from icpi_ros.ros.arm_ports.topic_port import TopicPort, hold_point
from icpi_ros.ros.base.convert import MotionStatus
from icpi_ros.ros.following.stopping import LEADS, Running, Stopper
from icpi_ros.tasks import TASKS

ARM = ARMS.get("ur5e")
STROKE = TASKS.get("slide").motion(np.array([1.2, 0.0]), ARM).trajectory
START = 1_000_000_000
SILENCE = 20.0
OLD = 2.0 * SILENCE


@dataclass
class Port:
    """Stands after every command; refuses the first ``refusals`` of them."""

    state: ArmState
    refusals: int = 0
    sent: list = field(default_factory=list)
    held: list = field(default_factory=list)
    refused: set = field(default_factory=set)
    pace: float = 1.0
    silent: bool = False

    @property
    def now(self):
        return self.state.ns

    def label(self, name):
        return f"{name}/{len(self.sent) + len(self.held)}"

    def _obey(self, label):
        if self.refusals:
            self.refusals -= 1
            self.refused.add(label)
            return
        if self.silent:
            return
        later = self.state.ns + 500_000_000
        threading.Thread(target=self._stand, args=(later,), daemon=True).start()

    def _stand(self, later):
        for ns in range(later, later + 50_000_000, 10_000_000):
            self.state = ArmState(ns, self.state.q, np.zeros(6), time.monotonic())
            time.sleep(0.06)

    def send(self, command):
        self.sent.append((command.motion.trajectory, command.start_ns))
        self._obey(command.label)

    def hold(self, label, attempt=0, *known):
        self.held.append(attempt)
        self._obey(label)
        return 0.0

    def status(self, label, *states):
        return MotionStatus(label, "rejected", 0) if label in self.refused else None


def state_at(seconds, off=0.0, age=0.0):
    q, qd, _ = STROKE.sample(np.array([seconds]))
    ns = START + round(seconds * 1e9)
    return ArmState(ns, q[0] + off, qd[0], time.monotonic() - age)


def stopped(port, running):
    gate = SafetyGate(ARM)
    # A thread of a busy machine may stand for seconds: that is no silence.
    stopper = Stopper(port, gate, threading.Condition(), joint_state_timeout=SILENCE, limit=60.0)
    return stopper.stop(running, 0.1, "trial")


def exact():
    return Running(STROKE, START, exact=True)


def test_a_motion_under_way_is_braked_on_its_path():
    port = Port(state_at(0.2))
    assert stopped(port, exact())
    ((stop, begin),) = port.sent
    wanted, speed, _ = STROKE.sample(np.array([(begin - START) / 1e9]))
    np.testing.assert_allclose(stop.positions[0], wanted[0], atol=1e-9)
    np.testing.assert_allclose(stop.velocities[0], speed[0], atol=1e-9)
    assert not stop.velocities[-1].any()
    assert not port.held


def test_a_refused_stop_is_sent_again_further_ahead():
    port = Port(state_at(0.2), refusals=1)
    assert stopped(port, exact())
    assert len(port.sent) == 2
    assert port.sent[1][1] > port.sent[0][1]


def test_what_refuses_every_stop_is_held():
    port = Port(state_at(0.2), refusals=len(LEADS))
    assert stopped(port, exact())
    assert (len(port.sent), port.held) == (len(LEADS), [0])


def test_a_refused_hold_is_repeated_more_gently():
    port = Port(state_at(0.2), refusals=2)
    assert stopped(port, None)
    assert port.held == [0, 1, 2]


def test_an_arm_off_its_path_is_held():
    port = Port(state_at(0.2, off=0.2))
    assert stopped(port, exact())
    assert (port.sent, port.held) == ([], [0])


def test_a_stop_is_sent_blindly_when_joint_states_are_stale():
    port = Port(state_at(0.2, off=0.2, age=OLD), silent=True)
    assert not stopped(port, exact())
    assert len(port.sent) == 1


@pytest.mark.parametrize("error", [-0.06, 0.04])
def test_a_start_that_is_only_estimated_is_aligned_with_the_arm(error):
    running = Running(STROKE, START + round(error * 1e9), exact=False)
    aligned, off = running.aligned(state_at(0.2))
    assert abs(aligned.start - START) < 2_000_000
    assert off.max() < 5e-3


def test_a_hold_brakes_within_the_limits():
    state = state_at(0.2)
    point = hold_point(ARM, state, 0)
    peak = 1.5 * np.abs(state.qd) / point.duration
    assert (peak <= 0.5 * ARM.limits.acceleration + 1e-9).all()
    np.testing.assert_allclose(point.positions[0], state.q + 0.5 * point.duration * state.qd)


class TakesTheStopButMovesOn(Port):
    """The first stop is taken; the arm swings back at its end, and stands after a hold."""

    def send(self, command):
        path = command.motion.trajectory
        self.sent.append((path, command.start_ns))
        last = path.positions[-1]
        later = command.start_ns + round(path.duration * 1e9) + 200_000_000
        self.state = ArmState(later, last, np.full(6, 0.05), time.monotonic())

    def hold(self, label, attempt=0, *known):
        self.held.append(attempt)
        self._obey(label)
        return 0.0


def test_a_stop_that_was_taken_is_not_planned_again_on_the_path_that_was_left():
    port = TakesTheStopButMovesOn(state_at(0.2))
    assert stopped(port, exact())
    assert (len(port.sent), port.held) == (1, [0])


class RefusesInSilence(Port):
    """The joint states are old, and the answer to a stop comes a little later: refused."""

    def _obey(self, label):
        if self.held:
            return
        threading.Timer(0.05, self.refused.add, [label]).start()


def test_a_refused_stop_of_a_silent_arm_is_followed_by_a_hold():
    port = RefusesInSilence(state_at(0.2, age=OLD))
    assert not stopped(port, exact())
    assert len(port.held) > 0


@pytest.mark.parametrize(("age", "points"), [(0.0, 1), (1.0, 0)])
def test_on_the_topic_a_hold_never_goes_to_where_a_silent_arm_was(age, points):
    sent = []
    node = SimpleNamespace(
        create_publisher=lambda *_: SimpleNamespace(publish=sent.append, topic_name="t"),
    )
    feed = SimpleNamespace(state=state_at(0.2, age=age))
    TopicPort(node, ARM, feed, "controller").hold("trial/hold")
    assert len(sent) == points


class Ringing(Port):
    """It takes the stop, and rings on long after its end; a hold is what it obeys."""

    def send(self, command):
        self.sent.append((command.motion.trajectory, command.start_ns))
        ringing = np.full(6, 0.03)
        self.state = ArmState(START + 3 * 10**9, self.state.q, ringing, time.monotonic())


def test_the_hold_after_a_stop_that_was_taken_knows_nothing_of_the_path_that_was_left():
    port, told = Ringing(state_at(0.2)), []
    hold = port.hold
    port.hold = lambda label, attempt=0, *known: told.append(known) or hold(label, attempt)
    assert stopped(port, exact())
    assert len(port.sent) == 1
    assert told == [()]


@pytest.mark.parametrize(
    "state",
    [
        None,
        state_at(0.2, age=OLD),
        ArmState(START, STROKE.positions[0], np.full(6, np.nan), float("inf")),
    ],
    ids=["never heard", "old", "no velocity"],
)
def test_there_is_no_hold_of_an_arm_of_which_nothing_is_known(state):
    assert hold_point(ARM, state, 0) is None


class Ticking(Port):
    """Its clock goes on as the steady one does."""

    begun = 0.0

    @property
    def now(self):
        return START + round((time.monotonic() - self.begun) * 1e9)

    def _stand(self, later):
        super()._stand(later + 10**12)  # whenever the stop that it obeys ends


@pytest.mark.parametrize("fired", [True, False])
def test_a_stop_waits_for_the_part_of_a_slow_move_that_is_known(fired):
    port = Ticking(state_at(0.0))
    port.begun = time.monotonic()
    running = Running(STROKE, START, exact=True, known_from=0.2)
    gate = SafetyGate(ARM)
    stopper = Stopper(port, gate, threading.Condition(), joint_state_timeout=SILENCE, limit=60.0)
    arrived = []
    port.send = lambda command: (
        arrived.append((port.now, command.start_ns)),
        Port.send(port, command),
    )
    if fired:
        port.write = lambda motion: None
        stopper.prepare(running)
        stopper.fire(running, 0.1, "trial")
        assert arrived == []
    assert stopper.stop(running, 1.0, "trial")
    ((now, begin),) = arrived
    assert START + 200_000_000 <= begin <= now  # commanded, and begun: it is sampled, not joined
    stopper.forget()
