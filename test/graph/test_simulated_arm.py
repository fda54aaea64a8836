"""The simulated arm without ROS around it: the controller's dialect and what is checked again."""

import numpy as np
import pytest

from icpi_ros.arms import ARMS
from icpi_ros.errors import MotionRefused
from icpi_ros.motion.primitive import point_to_point
from icpi_ros.motion.stop import controlled_stop
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.nodes.arm_faults import FaultPlan
from icpi_ros.sim.motions import Order, Watch
from icpi_ros.nodes.simulated_arm import SimulatedArm
from icpi_ros.sim.world import World
from icpi_ros.tasks import TASKS

TASK, ARM = TASKS.get("slide"), ARMS.get("ur5e")
N = len(ARM.joints)
UP = np.array([0.0, -1.0, 0.0, 0.0, 0.0, 0.0])
"""Shoulder lift: away from the table."""


def arm(fault=None):
    return SimulatedArm(World(TASK, ARM, TASK.seeded_physics(0)), ARM, TASK, fault=fault)


@pytest.fixture
def simulated():
    return arm()


def move(simulated, distance, label="move", **fields):
    here = simulated.snapshot.q
    order = Order(label, point_to_point(ARM, here, here + distance * UP, 0.5), **fields)
    return order, simulated.prepare(order)


def send(simulated, order):
    return simulated.start(order, simulated.prepare(order))


def until_events(simulated, ticks=500):
    for _ in range(ticks):
        if events := simulated.tick():
            return events
    raise AssertionError("nothing happened")


def run_for(simulated, seconds):
    for _ in range(round(seconds / 0.01)):
        simulated.tick()


def point(q, seconds):
    zero = np.zeros((1, N))
    return JointTrajectory(ARM.joints, np.array([seconds]), q[np.newaxis], zero, zero.copy())


def test_a_motion_from_rest_is_done_where_it_ends(simulated):
    order, prepared = move(simulated, 0.1)
    assert [event.state for event in simulated.start(order, prepared)] == ["accepted"]
    done = until_events(simulated)
    assert [(event.label, event.state) for event in done] == [("move", "done")]
    assert np.abs(simulated.snapshot.q - order.trajectory.positions[-1]).max() < 0.01


def test_a_motion_that_does_not_fit_the_one_under_way_is_refused(simulated):
    first, second = move(simulated, 0.3, "first"), move(simulated, 0.05, "second")
    simulated.start(*first)
    run_for(simulated, 0.2)
    with pytest.raises(MotionRefused, match="acceleration"):
        simulated.start(*second)
    assert [event.label for event in until_events(simulated)] == ["first"]


def test_a_motion_that_was_checked_before_the_arm_moved_is_refused(simulated):
    first, second = move(simulated, 0.1), move(simulated, -0.1)
    simulated.start(*first)
    until_events(simulated)
    with pytest.raises(MotionRefused, match="the arm has moved"):
        simulated.start(*second)


def test_a_stop_ahead_of_time_replaces_the_motion_without_a_jump(simulated):
    order, prepared = move(simulated, 0.5)
    simulated.start(order, prepared)
    run_for(simulated, 0.3)
    begin = simulated.snapshot.ns + 17_000_000
    stop = controlled_stop(order.trajectory, begin / 1e9, ARM.limits)
    events = send(simulated, Order("stop", stop, begin))
    assert [(e.label, e.state) for e in events] == [("move", "replaced"), ("stop", "accepted")]
    assert events[-1].ns == begin
    done = until_events(simulated)
    assert [(event.label, event.state) for event in done] == [("stop", "done")]
    assert (simulated.snapshot.ns - begin) / 1e9 < stop.duration + 0.02
    assert np.abs(simulated.snapshot.q - stop.positions[-1]).max() < 0.01


def test_a_stop_that_comes_too_late_to_be_joined_is_refused(simulated):
    order, prepared = move(simulated, 0.5)
    simulated.start(order, prepared)
    run_for(simulated, 0.4)
    begin = simulated.snapshot.ns - 60_000_000
    stop = controlled_stop(order.trajectory, begin / 1e9, ARM.limits)
    with pytest.raises(MotionRefused, match=r"past|acceleration|velocity"):
        send(simulated, Order("stop", stop, begin))


def test_one_point_at_rest_stops_a_moving_arm(simulated):
    order, prepared = move(simulated, 0.5)
    simulated.start(order, prepared)
    run_for(simulated, 0.3)
    now = simulated.snapshot
    send(simulated, Order("hold", point(now.q + 0.1 * now.qd, 0.2)))
    assert [e.label for e in until_events(simulated)] == ["hold"]
    run_for(simulated, 0.1)
    assert np.abs(simulated.snapshot.qd).max() < 0.02


def test_holding_keeps_the_arm_where_it_is(simulated):
    order, prepared = move(simulated, 0.5)
    simulated.start(order, prepared)
    run_for(simulated, 0.3)
    here = simulated.snapshot.q
    assert [(e.label, e.state) for e in simulated.hold("cancelled")] == [("move", "cancelled")]
    run_for(simulated, 1.0)
    assert np.abs(simulated.snapshot.q - here).max() < 5e-3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.velocities.__setitem__((-1, 2), 1e-6), "must end at rest"),
        (lambda t: t.positions.__setitem__((1, 0), np.nan), "not finite"),
        (lambda t: t.times.__setitem__(1, 0.0), "increase"),
        (lambda t: t.times.__setitem__(0, -0.1), "0 or later"),
        (lambda t: t.positions.__iadd__(0.3), "is at"),
        (lambda t: t.positions.__setitem__((1, 1), 9.0), "shoulder_lift_joint"),
    ],
)
def test_what_a_controller_rejects_is_rejected(simulated, change, words):
    here = simulated.snapshot.q
    trajectory = point_to_point(ARM, here, here + 0.1, 0.5)
    change(trajectory)
    with pytest.raises(MotionRefused, match=words):
        send(simulated, Order("bad", trajectory))


def test_a_trajectory_that_ended_in_the_past_is_rejected(simulated):
    run_for(simulated, 1.0)
    order, _ = move(simulated, 0.01)
    with pytest.raises(MotionRefused, match="past"):
        send(simulated, Order("old", order.trajectory, start_ns=1))


def test_a_left_path_aborts_and_holds():
    simulated = arm(FaultPlan("drift", after=0.1))
    simulated.start(*move(simulated, 0.8, watch=Watch(path=np.full(N, 0.05))))
    (event,) = until_events(simulated)
    assert (event.state, "off its path: 0.05 allowed" in event.reason) == ("aborted", True)
    run_for(simulated, 1.0)
    assert np.abs(simulated.snapshot.qd).max() < 0.02


def test_an_erased_path_tolerance_watches_nothing():
    simulated = arm(FaultPlan("drift", after=0.1))
    simulated.start(*move(simulated, 0.8, watch=Watch(path=np.zeros(N))))
    (event,) = until_events(simulated, 1000)
    assert event.state == "done"


def test_a_goal_that_is_not_reached_in_its_time_aborts():
    simulated = arm(FaultPlan("drift", after=0.0))
    watch = Watch(goal=np.full(N, 0.01), goal_time=0.2)
    simulated.start(*move(simulated, 0.8, watch=watch))
    (event,) = until_events(simulated, 1000)
    assert (event.state, "from the goal" in event.reason) == ("aborted", True)


def test_a_protective_stop_refuses_motions_until_it_is_cleared():
    simulated = arm(FaultPlan("protective_stop", after=0.2))
    simulated.start(*move(simulated, 0.5))
    (event,) = until_events(simulated)
    assert (event.state, event.reason) == ("aborted", "protective stop")
    run_for(simulated, 0.5)
    with pytest.raises(MotionRefused, match="clear_fault"):
        simulated.start(*move(simulated, 0.1))
    simulated.faults.clear()
    simulated.start(*move(simulated, 0.1))
    assert until_events(simulated)[0].state == "done"


def test_a_fault_meets_the_motion_it_is_meant_for():
    simulated = arm(FaultPlan("reject", motion=2))
    for refused in (False, True, False):
        if refused:
            with pytest.raises(MotionRefused, match="fault"):
                simulated.start(*move(simulated, 0.05))
        else:
            simulated.start(*move(simulated, 0.05))
            assert until_events(simulated)[0].state == "done"
