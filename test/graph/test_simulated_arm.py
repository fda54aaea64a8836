"""The simulated arm without ROS around it: what is checked again when a motion starts."""

import numpy as np
import pytest

from icpi_ros.arms import ARMS
from icpi_ros.errors import MotionRefused
from icpi_ros.motion.primitive import point_to_point
from icpi_ros.nodes.simulated_arm import SimulatedArm
from icpi_ros.sim.world import World
from icpi_ros.tasks import TASKS

TASK, ARM = TASKS.get("slide"), ARMS.get("ur5e")


@pytest.fixture
def simulated():
    return SimulatedArm(World(TASK, ARM, TASK.seeded_physics(0)), ARM, TASK)


def move(simulated, distance):
    here = simulated.snapshot.q
    return simulated.prepare("move", point_to_point(ARM, here, here + distance, 0.5))


def test_a_motion_that_was_checked_before_another_began_is_refused(simulated):
    first, second = move(simulated, 0.1), move(simulated, -0.1)
    simulated.start(first)
    for _ in range(5):
        simulated.tick()
    with pytest.raises(MotionRefused, match="another motion began first"):
        simulated.start(second)


def test_a_motion_that_was_checked_before_the_arm_moved_is_refused(simulated):
    first, second = move(simulated, 0.1), move(simulated, -0.1)
    simulated.start(first)
    while simulated.tick() is None:
        pass
    with pytest.raises(MotionRefused, match="the arm has moved"):
        simulated.start(second)
    assert np.abs(simulated.snapshot.q - first.positions[-1]).max() < 0.01
