"""What the action's feedback tells of a motion's start; controllers differ."""

from types import SimpleNamespace

import numpy as np
import pytest

from icpi_ros.motion.carried_stop import rested
from icpi_ros.robots import ARMS
from icpi_ros.ros.arm_ports.action_port import ActionPort, _Goal
from icpi_ros.ros.base import convert
from icpi_ros.ros.following.sending import REST
from icpi_ros.tasks import TASKS

ARM = ARMS.get("ur5e")
STROKE = TASKS.get("slide").motion(np.array([1.2, 0.0]), ARM).trajectory
START, ELAPSED = 5_000_000_000, 0.1052


def feedback(told, path=STROKE, elapsed=ELAPSED):
    desired = SimpleNamespace(
        positions=path.at(elapsed).position[::-1].tolist(),
        time_from_start=convert.duration_msg(told),
    )
    stamp = convert.time_msg(START + round(elapsed * 1e9))
    return SimpleNamespace(
        feedback=SimpleNamespace(
            header=SimpleNamespace(stamp=stamp), joint_names=ARM.joints[::-1], desired=desired
        )
    )


@pytest.mark.parametrize(
    ("told", "exact"),
    [(ELAPSED, True), (0.0, False), (ELAPSED + 0.005, False)],
    ids=["elapsed", "left at zero", "of the next point"],
)
def test_a_start_counts_as_exact_only_if_the_command_is_on_the_path_then(told, exact):
    port = ActionPort.__new__(ActionPort)  # without a node: nothing is sent
    port._arm = ARM
    goal = _Goal(STROKE, start_ns=START + 7_000_000)
    port._on_feedback(goal, feedback(told))
    assert goal.exact is exact
    assert goal.start_ns == START if exact else goal.start_ns == START + 7_000_000


@pytest.mark.parametrize(
    ("told", "exact"),
    [((0.03, 0.08), True), ((REST, REST), False), ((0.0, 0.0), False), ((0.03, 0.03), False)],
    ids=["elapsed", "of the next point", "left at zero", "the same message twice"],
)
def test_in_the_rest_before_a_motion_it_counts_if_the_time_goes_on(told, exact):
    port = ActionPort.__new__(ActionPort)  # without a node: nothing is sent
    port._arm = ARM
    path = rested(STROKE, REST)
    goal = _Goal(path, start_ns=START + 7_000_000)
    port._on_feedback(goal, feedback(told[0], path, 0.03))
    assert not goal.exact  # the path is the same whatever the time
    later = 0.03 if told == (0.03, 0.03) else 0.08
    port._on_feedback(goal, feedback(told[1], path, later))
    assert goal.exact is exact
    assert (goal.start_ns == START) is exact


def test_on_the_way_to_a_path_that_is_joined_the_command_is_not_on_it_yet():
    port = ActionPort.__new__(ActionPort)  # without a node: nothing is sent
    port._arm = ARM
    goal = _Goal(rested(STROKE, REST, joined=True), known_from=0.3)
    for elapsed in (0.03, 0.08):
        message = feedback(elapsed, elapsed=elapsed)
        message.feedback.desired.positions = (np.array(ARM.home) + 0.02).tolist()
        assert not goal.exact
        port._on_feedback(goal, message)
    assert goal.exact
    assert goal.start_ns == START
