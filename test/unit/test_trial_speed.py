"""What `icpi bench graph` makes of its measurements."""

from types import SimpleNamespace

import numpy as np
import pytest
from icpi_benchmarks.graph.trial_speed import SingleRollouts, Speed

from icpi_ros.robots import ARMS
from icpi_ros.sim.rollout import rollout
from icpi_ros.tasks import TASKS

TASK, ARM = TASKS.get("slide"), ARMS.get("ur5e")


def block(seconds, processor):
    """Two trials, each as long as a rollout of a quarter of a second that simulates 1 s of 4."""
    two = np.ones(2)
    return Speed(
        seconds * two, 4.0 * two, [1e-6, 0.0] * two, 0.25 * two, two, processor, 0.4 * seconds
    )


def test_ratios_are_those_of_sums_over_all_blocks():
    found = Speed.joined([block(0.5, 1.0), block(1.5, 3.0)]).figures()
    assert found == pytest.approx(
        {
            "trials": 4,
            "seconds": 1.0,
            "moving": 4.0,
            "overhead": 0.25,
            "overhead_worst": 0.375,
            "speed": 4.0,
            "rollout_seconds": 0.25,
            "rollout_ratio": 4.0,
            "rollout_ratio_processor": 5.0,
            "rollout_ratio_per_simulated_second": 1.0,
            "distance_median": 5e-7,
            "distance_worst": 1e-6,
        }
    )


def test_rollouts_are_of_the_thetas_and_the_physics_of_the_trials():
    physics = TASK.seeded_physics(3)
    thetas = np.array([[0.6, 0.1], [0.8, -0.1]])
    path = rollout(TASK, ARM, physics, thetas[:1]).trajectories[0]
    trials = [SimpleNamespace(theta=t, trajectory=path, seconds=1.0, moving=2.0) for t in thetas]
    found = SingleRollouts(TASK, ARM, physics).beside(trials)
    assert found.distances[0] == 0.0
    assert found.distances[1] > 0.01
    assert found.rollout_moving[0] == path.times[-1]
    assert found.rollout_seconds.min() > 0.0
    assert found.rollout_processor > 0.0
