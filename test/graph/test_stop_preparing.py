"""Stops that lie ready, holds that know the path, and what is known of the last command."""

import threading
import time
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest

from icpi_ros.motion.primitives import slow_move
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.robots import ARMS
from icpi_ros.ros.arm_ports import action_port
from icpi_ros.ros.arm_ports.action_port import ActionPort, Tolerances
from icpi_ros.ros.arm_ports.arm_feed import ArmState
from icpi_ros.ros.arm_ports.arm_port import MotionCommand
from icpi_ros.ros.following.memory import LastCommand
from icpi_ros.ros.following.prepared_stops import GRID, Leads, PreparedStops
from icpi_ros.ros.following.sending import REST, Running, path_start, sending
from icpi_ros.ros.following.stopping import Stopper
from icpi_ros.tasks import TASKS

ARM = ARMS.get("ur5e")
GATE = SafetyGate(ARM)
STROKE = TASKS.get("slide").motion(np.array([1.2, 0.0]), ARM).trajectory
START = 1_000_000_000


@dataclass
class Port:
    """An arm that stands still in the middle of a stroke; it notes what it is sent."""

    state: ArmState
    pace: float = 1.0
    answers: bool = True
    reports_start: bool = True
    sent: list = field(default_factory=list)
    held: list = field(default_factory=list)

    @property
    def now(self):
        return self.state.ns

    def label(self, name):
        return name

    def write(self, motion):
        return SimpleNamespace(of=motion)

    def send(self, command):
        sent = (command.label, command.start_ns, command.message)
        self.sent.append((command.motion.trajectory, *sent))

    def hold(self, label, attempt=0, known=None, start_ns=0):
        self.held.append((attempt, known, start_ns))
        return 0.0

    def status(self, label, *states):
        return None


def at(seconds, off=0.0):
    q, qd, _ = STROKE.sample(np.array([seconds]))
    return ArmState(START + round(seconds * 1e9), q[0] + off, qd[0], time.monotonic() + 1e6)


def prepared():
    return PreparedStops(GATE, STROKE, 0.0, lambda checked: checked, Leads(500.0))


def wait(done):
    deadline = time.monotonic() + 60.0
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_stops_lie_ready_on_a_grid_and_those_of_the_past_are_forgotten():
    stops = prepared()
    wait(lambda: stops.take(0.1) is not None)
    found = stops.take(0.1)
    assert 0.1 <= found.stop.begin <= 0.1 + GRID
    assert found.message is found.stop.checked
    stops.passed(found.stop.begin + 1e-3)
    wait(lambda: stops.take(0.0) is not None)
    assert stops.take(0.0).stop.begin > found.stop.begin
    stops.close()


class Looks(threading.Event):
    """An event that comes with the fourth look at it."""

    looks = 0

    def wait(self, timeout=None):
        self.looks += 1
        if self.looks == 4:
            self.set()
        return self.is_set()


def test_none_is_prepared_while_it_would_come_too_late():
    made, made_one = [], threading.Lock()
    made_one.acquire()

    def write(checked):
        made.append(checked)
        made_one.acquire()
        return checked

    stops = PreparedStops(GATE, STROKE, 0.0, write, Leads(500.0))
    stops.passed(0.0, in_time=False)
    stops._end = Looks()
    made_one.release()
    stops._thread.join(60.0)
    assert len(made) == 1


def test_a_stop_that_is_ready_is_sent_by_whoever_is_told_to_stop():
    port, leads = Port(at(0.2)), Leads(500.0)
    stopper = Stopper(port, GATE, threading.Condition(), 1e9, 0.1, leads)
    running = Running(STROKE, START, exact=True)
    stopper.prepare(running)
    wait(lambda: stopper._prepared.take(0.2 + leads.prepared) is not None)
    stopper.fire(running, 0.1, "trial")
    stopper.fire(running, 0.1, "trial")  # a second request sends no second stop
    ((path, label, stamp, message),) = port.sent
    assert label == "trial/stop"
    assert message.of.trajectory is path
    first = (stamp - START) / 1e9
    assert first < 0.2 + leads.prepared < first + path.duration
    np.testing.assert_allclose(path.positions[0], STROKE.at(first).position, atol=1e-9)
    stopper.stop(running, 0.1, "trial")  # what is left: to see it stand
    assert len(port.sent) == 1
    stopper.forget()


def test_nothing_is_fired_at_an_arm_that_left_its_path():
    port = Port(at(0.2, off=0.2))
    stopper = Stopper(port, GATE, threading.Condition(), 1e9, 0.1, Leads(500.0))
    running = Running(STROKE, START, exact=True)
    stopper.prepare(running)
    wait(lambda: stopper._prepared.take(0.25) is not None)
    stopper.fire(running, 0.1, "trial")
    assert port.sent == []
    stopper.forget()


def test_a_hold_leaves_the_path_that_is_commanded_and_goes_to_where_the_arm_is():
    port = Port(at(0.2, off=0.2))
    stopper = Stopper(port, GATE, threading.Condition(), 1e9, 0.1, Leads(500.0))
    stopper.stop(Running(STROKE, START, exact=True), 0.1, "trial")
    attempt, known, stamp = port.held[0]
    first = (stamp - START) / 1e9
    path = known.trajectory
    assert attempt == 0
    np.testing.assert_allclose(path.positions[0], STROKE.at(first).position, atol=1e-9)
    np.testing.assert_allclose(path.positions[-1], port.state.q + 0.1 * port.state.qd)
    assert all(known is None for _, known, _ in port.held[1:])


def test_a_lead_is_the_floor_and_what_is_measured():
    leads = Leads(500.0)
    assert leads.prepared == leads.floor == pytest.approx(0.007)
    for number in range(100):  # every tenth joint state comes 20 ms late
        late = 0.02 if number % 10 == 9 else 0.0
        leads.observe(number * 10_000_000, 5.0 + number * 0.01 + late, 1.0)
    assert leads.prepared == pytest.approx(0.027, abs=1e-3)
    leads.planning.add(0.01)
    assert leads.planned == pytest.approx(leads.prepared + 0.01)
    leads.delay.add(10.0)
    assert leads.prepared <= 0.1


def test_the_last_command_counts_only_while_the_arm_is_near_it():
    last = LastCommand()
    assert last.near(ARM.home) is None
    last.set(ARM.home)
    np.testing.assert_array_equal(last.near(ARM.home + 0.005), ARM.home)
    assert last.near(ARM.home + 0.02) is None


def test_where_nobody_answers_a_motion_is_dated_with_a_rest_in_front():
    port = Port(at(0.0), answers=False, reports_start=False)
    sent = sending(port, STROKE, joined=False)
    assert sent.command(STROKE, "a") == MotionCommand(STROKE, "a", START)
    running = sent.running(123, exact=False)
    assert (running.start, running.exact, running.known_from) == (START, True, 0.0)
    times = np.linspace(0.0, STROKE.duration, 50)
    ours, path = sent.trajectory.sample(times + REST), STROKE.sample(times)
    np.testing.assert_allclose(ours[0], path[0], atol=1e-9)
    move = slow_move(ARM, ARM.home, ARM.home + 0.1, 0.5, 0.3)
    joined = sending(port, move, joined=True)
    assert joined.command(move, "a") == MotionCommand(move, "a", START, joined=True)
    GATE.check(joined.trajectory, ARM.home)
    told_at_once = Port(at(0.0))
    assert sending(told_at_once, STROKE, joined=False).command(STROKE, "a") == MotionCommand(
        STROKE, "a"
    )


def test_over_the_action_a_motion_begins_with_a_rest_and_when_it_arrives():
    port = Port(at(0.0), reports_start=False)
    sent = sending(port, STROKE, joined=False)
    assert sent.command(STROKE, "a") == MotionCommand(STROKE, "a")
    running = sent.running(START, exact=True)
    assert running.start == START
    assert path_start(sent, running) == START + round(REST * 1e9)
    assert sent.trajectory.duration == pytest.approx(STROKE.duration + REST)


def test_a_hold_over_the_action_is_a_goal_first_then_a_cancel_then_the_topic(monkeypatch):
    port, done = ActionPort.__new__(ActionPort), []
    port._arm, port._goals, port._tolerances = ARM, {}, Tolerances(0.1, 0.01, 0.5)
    port._feed = SimpleNamespace(state=ArmState(START, ARM.home, np.zeros(6), time.monotonic()))
    port._client = SimpleNamespace(
        send=lambda message, feedback: (
            done.append(("goal", message)),
            SimpleNamespace(add_done_callback=lambda call: None),
        )[1]
    )
    port._cancel = SimpleNamespace(service_is_ready=lambda: True)
    port._node = SimpleNamespace(executor=None)
    port._topic = SimpleNamespace(hold=lambda *args: done.append(("topic", args)) or 0.2)
    monkeypatch.setattr(port, "_message", lambda path, given: (path, given), raising=False)
    monkeypatch.setattr(action_port, "call", lambda executor, send: done.append(("cancel", None)))
    for attempt in range(3):
        port.hold("hold", attempt)
    assert [kind for kind, _ in done] == ["goal", "cancel", "topic"]
    (_, (path, given)) = done[0]
    assert len(path.points) == 1
    assert (given.path, given.goal) == (-1.0, -1.0)
