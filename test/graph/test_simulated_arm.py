"""The simulated arm without ROS around it: the controller's dialect and what is checked again."""

from dataclasses import replace

import numpy as np
import pytest

from icpi_ros.core.errors import MotionRefused
from icpi_ros.core.types import ObjectTrajectory
from icpi_ros.motion.carried_stop import carried_stop, rested
from icpi_ros.motion.primitives import point_to_point
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.motion.stop import controlled_stop
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.robots import ARMS
from icpi_ros.ros.sim.arm_faults import FaultPlan
from icpi_ros.ros.sim.simulated_arm import SimulatedArm
from icpi_ros.sim.controller_orders import MotionTolerances, Order, Tolerance
from icpi_ros.sim.rollout import rollout
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
    return Order(label, point_to_point(ARM, here, here + distance * UP, 0.5), **fields)


def until_events(simulated, ticks=500):
    """What becomes of motions next, but for their start."""
    for _ in range(ticks):
        if events := tuple(e for e in simulated.tick() if e.state != "accepted"):
            return events
    raise AssertionError("nothing happened")


def run_for(simulated, seconds):
    for _ in range(round(seconds / 0.01)):
        simulated.tick()


def point(q, seconds):
    zero = np.zeros((1, N))
    return JointTrajectory(ARM.joints, np.array([seconds]), q[np.newaxis], zero, zero.copy())


def test_a_motion_from_rest_is_done_where_it_ends(simulated):
    order = move(simulated, 0.1)
    assert simulated.start(order) == ()
    (event,) = simulated.tick()
    assert (event.label, event.state, event.ns) == ("move", "accepted", 0)
    done = until_events(simulated)
    assert [(event.label, event.state) for event in done] == [("move", "done")]
    assert np.abs(simulated.snapshot.q - order.trajectory.positions[-1]).max() < 0.01


def test_nothing_is_checked_a_motion_that_does_not_fit_is_taken_as_it_is(simulated):
    """As by a real controller: the gate of the executor is the only one."""
    first, second = move(simulated, 0.3, "first"), move(simulated, 0.05, "second")
    simulated.start(first)
    run_for(simulated, 0.2)
    replaced = simulated.start(second)
    assert [(event.label, event.state) for event in replaced] == [("first", "replaced")]
    assert [event.label for event in until_events(simulated)] == ["second"]


def test_a_stop_ahead_of_time_replaces_the_motion_without_a_jump(simulated):
    order = move(simulated, 0.5, goal=True)
    simulated.start(order)
    run_for(simulated, 0.3)
    begin = simulated.snapshot.ns / 1e9 + 0.017
    stop = carried_stop(SafetyGate(ARM), order.trajectory, begin)
    first, trajectory = round(stop.first * 1e9), stop.checked.trajectory
    events = simulated.start(Order("stop", trajectory, first, goal=True))
    assert [(e.label, e.state) for e in events] == [("move", "replaced")]
    (event,) = simulated.tick()
    assert (event.label, event.state, event.ns) == ("stop", "accepted", first)
    done = until_events(simulated)
    assert [(event.label, event.state) for event in done] == [("stop", "done")]
    assert (simulated.snapshot.ns - first) / 1e9 < trajectory.duration + 0.02
    assert np.abs(simulated.snapshot.q - trajectory.positions[-1]).max() < 0.01


def test_a_stop_that_comes_too_late_is_taken_all_the_same(simulated):
    order = move(simulated, 0.5)
    simulated.start(order)
    run_for(simulated, 0.4)
    begin = simulated.snapshot.ns - 20_000_000
    stop = controlled_stop(order.trajectory, begin / 1e9, ARM.limits)
    simulated.start(Order("late", stop, begin))
    assert until_events(simulated)[0].label == "late"


def test_one_point_at_rest_stops_a_moving_arm(simulated):
    order = move(simulated, 0.5, goal=True)
    simulated.start(order)
    run_for(simulated, 0.3)
    now = simulated.snapshot
    simulated.start(Order("hold", point(now.q + 0.1 * now.qd, 0.2)))
    # The goal was not preempted: it ends with what came on the topic.
    assert [e.label for e in until_events(simulated)] == ["hold", "move"]
    run_for(simulated, 0.1)
    assert np.abs(simulated.snapshot.qd).max() < 0.02


def test_holding_keeps_the_arm_where_it_is(simulated):
    order = move(simulated, 0.5, goal=True)
    simulated.start(order)
    run_for(simulated, 0.3)
    here = simulated.snapshot.q
    assert [(e.label, e.state) for e in simulated.cancel("move")] == [("move", "cancelled")]
    run_for(simulated, 1.0)
    assert np.abs(simulated.snapshot.q - here).max() < 5e-3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.velocities.__setitem__((-1, 2), 1e-6), "must end at rest"),
        (lambda t: t.positions.__setitem__((1, 0), np.nan), "not finite"),
        (lambda t: t.times.__setitem__(1, 0.0), "increase"),
        (lambda t: t.times.__setitem__(0, -0.1), "0 or later"),
    ],
)
def test_what_a_controller_rejects_is_rejected(simulated, change, words):
    here = simulated.snapshot.q
    trajectory = point_to_point(ARM, here, here + 0.1, 0.5)
    change(trajectory)
    with pytest.raises(MotionRefused, match=words):
        simulated.start(Order("bad", trajectory))


def test_a_trajectory_that_ended_in_the_past_is_rejected(simulated):
    run_for(simulated, 1.0)
    order = move(simulated, 0.01)
    with pytest.raises(MotionRefused, match="past"):
        simulated.start(Order("old", order.trajectory, start_ns=1))


def test_a_left_path_aborts_and_holds():
    simulated = arm(FaultPlan("drift", after=0.1))
    simulated.start(
        move(simulated, 0.8, goal=True, tolerances=MotionTolerances(path=np.full(N, 0.05)))
    )
    (event,) = until_events(simulated)
    assert (event.state, "off its path: 0.05 allowed" in event.reason) == ("aborted", True)
    run_for(simulated, 1.0)
    assert np.abs(simulated.snapshot.qd).max() < 0.02


def test_an_erased_path_tolerance_watches_nothing():
    simulated = arm(FaultPlan("drift", after=0.1))
    simulated.start(move(simulated, 0.8, goal=True, tolerances=MotionTolerances(path=np.zeros(N))))
    (event,) = until_events(simulated, 1000)
    assert event.state == "done"


def test_a_goal_that_is_not_reached_in_its_time_aborts():
    simulated = arm(FaultPlan("drift", after=0.0))
    tolerances = MotionTolerances(goal=np.full(N, 0.01), goal_time=0.2)
    simulated.start(move(simulated, 0.8, goal=True, tolerances=tolerances))
    (event,) = until_events(simulated, 1000)
    assert (event.state, event.violated) == ("aborted", Tolerance.GOAL)
    assert "from the goal 0.2 s after it" in event.reason


def test_a_protective_stop_refuses_motions_until_it_is_cleared():
    simulated = arm(FaultPlan("protective_stop", after=0.2))
    simulated.start(move(simulated, 0.5))
    (event,) = until_events(simulated)
    assert (event.state, event.reason) == ("aborted", "protective stop")
    run_for(simulated, 0.5)
    with pytest.raises(MotionRefused, match="clear_fault"):
        simulated.start(move(simulated, 0.1))
    simulated.clear_fault()
    simulated.start(move(simulated, 0.1))
    assert until_events(simulated)[0].state == "done"


def test_a_fault_meets_the_motion_it_is_meant_for():
    simulated = arm(FaultPlan("reject", motion=2))
    for refused in (False, True, False):
        if refused:
            with pytest.raises(MotionRefused, match="fault"):
                simulated.start(move(simulated, 0.05))
        else:
            simulated.start(move(simulated, 0.05))
            assert until_events(simulated)[0].state == "done"


@pytest.mark.parametrize("rest", [0.4, 0.402, 0.404, 0.406, 0.408])
def test_a_fault_does_not_begin_in_the_rest_before_a_motion(rest):
    simulated = arm(FaultPlan("drift", motion=1, after=0.1))
    quick = move(simulated, 0.8, goal=True, tolerances=MotionTolerances(path=np.full(N, 0.05)))
    simulated.start(replace(quick, trajectory=rested(quick.trajectory, rest)))
    assert until_events(simulated)[0].state == "aborted"  # and not caught up while it rests


def test_an_inactive_controller_rejects_until_it_is_active_again():
    simulated = arm(FaultPlan("inactive"))
    for _ in range(2):
        with pytest.raises(MotionRefused, match="not active"):
            simulated.start(move(simulated, 0.05))
    simulated.clear_fault()
    simulated.start(move(simulated, 0.05))
    assert until_events(simulated)[0].state == "done"


def test_tolerances_on_the_topic_are_those_of_the_last_goal():
    simulated = arm(FaultPlan("drift", motion=2, after=0.1))
    simulated.start(
        move(simulated, 0.05, goal=True, tolerances=MotionTolerances(path=np.full(N, 0.05)))
    )
    until_events(simulated)
    simulated.start(move(simulated, 0.8, "topic"))
    (event,) = until_events(simulated)
    assert (event.label, event.state) == ("topic", "aborted")


def test_a_cancel_reaches_no_motion_that_came_on_the_topic(simulated):
    simulated.start(move(simulated, 0.5))
    run_for(simulated, 0.2)
    assert simulated.cancel("") == ()
    assert until_events(simulated)[0].state == "done"


def test_a_motion_that_a_cancel_takes_away_before_it_began_is_told(simulated):
    simulated.start(move(simulated, 0.8, "goal", goal=True))
    run_for(simulated, 0.2)
    simulated.start(move(simulated, 0.5, "topic"))
    told = {(event.label, event.state) for event in simulated.cancel("goal")}
    assert told == {("goal", "cancelled"), ("topic", "replaced")}


def test_a_strike_is_commanded_as_a_rollout_commands_it():
    """Step by step the same numbers, from the tick at which it is taken."""
    simulated = arm()
    world, commands = simulated._world, []
    step = world.step
    world.step = lambda q, qd: (commands.append((q, qd)), step(q, qd))
    stroke = TASK.motion(np.array([1.2, 0.1]), ARM).trajectory
    simulated.start(Order("there", point_to_point(ARM, simulated.snapshot.q, stroke.positions[0])))
    until_events(simulated)
    run_for(simulated, 0.3)
    commands.clear()
    simulated.start(Order("stroke", stroke))
    until_events(simulated)
    q, qd, _ = stroke.sample(world.dt * np.arange(len(commands), dtype=np.float64))
    np.testing.assert_array_equal([command[0] for command in commands], q)
    np.testing.assert_array_equal([command[1] for command in commands], qd)


def test_a_ball_in_the_gripper_is_carried_to_the_start_and_thrown_as_in_a_rollout():
    task, theta = TASKS.get("toss-gc"), np.array([1.5, -0.1, 0.01])
    physics, motion = task.seeded_physics(2), task.motion(theta, ARM)
    world = World(task, ARM, physics)
    simulated = SimulatedArm(world, ARM, task)
    there = point_to_point(ARM, simulated.snapshot.q, motion.start, 0.5, 0.3)
    simulated.start(Order("there", there))
    until_events(simulated)
    assert world.gripped
    assert np.linalg.norm(world.object_position - ARM.tool_pose(motion.start)[0]) < 0.045
    simulated.reset_object()
    simulated.start(Order("throw", motion.trajectory))
    world.open_gripper(world.time + motion.release)
    path = [simulated.snapshot.position]
    while len(path) <= round(task.max_duration / task.rest.period):
        simulated.tick()
        path.append(simulated.snapshot.position)
    times = task.rest.period * np.arange(len(path))
    expected = rollout(task, ARM, physics, theta[np.newaxis]).trajectories[0]
    thrown = task.outcome_goal(ObjectTrajectory(times, np.array(path)))
    np.testing.assert_allclose(thrown, task.outcome_goal(expected), atol=1e-6)
