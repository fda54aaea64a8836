"""The throw of eight parameters, and the table that ends: outcomes as theta and physics say."""

import numpy as np
import pytest

from icpi_ros.core.errors import ObservationMissing
from icpi_ros.core.types import ObjectTrajectory
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.sim.rollout import rollout
from icpi_ros.tasks.slide import EDGE_GC, SLIDE_GC
from icpi_ros.tasks.throw import RIM, THROW_GC, height

MIDDLE = 0.5 * (THROW_GC.space.lower + THROW_GC.space.upper)
PHYSICS = np.array([0.3, 0.015, 0.0, 0.05])
TIMES = 0.01 * np.arange(60)


def thrown(thetas, physics=PHYSICS):
    paths = rollout(THROW_GC, UR5E, np.asarray(physics), np.atleast_2d(thetas)).trajectories
    return np.array([THROW_GC.outcome_goal(path) for path in paths])


def slid(task, speeds, friction=0.2):
    thetas = np.array([[speed, 0.0] for speed in speeds])
    found = rollout(task, UR5E, np.array([friction, 0.2, 0.0]), thetas)
    assert found.rested.all()
    return np.array([path.positions[-1] for path in found.trajectories])


def test_every_parameter_of_a_throw_moves_its_outcome():
    changed = np.vstack([MIDDLE, MIDDLE + np.diag(0.5 * THROW_GC.space.half_range)])
    plain, *others = thrown(changed)
    assert all(np.linalg.norm(other - plain) > 0.01 for other in others)
    turned = others[THROW_GC.space.names.index("heading")]
    assert turned[1] > plain[1] + 0.05


def test_the_hidden_physics_of_a_throw_matter():
    plain, late, tilted, heavy = (
        thrown(MIDDLE, PHYSICS + np.array(change))[0]
        for change in ([0, 0, 0, 0], [0, 0.015, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0.03])
    )
    assert late[2] > plain[2] + 0.01
    assert tilted[1] > plain[1] + 0.02
    assert np.linalg.norm(heavy - plain) > 0.005


def test_the_top_lies_between_samples():
    z = 0.4 + 1.5 * (TIMES - 0.053) - 4.905 * (TIMES - 0.053) ** 2
    path = np.column_stack([TIMES, TIMES, z])
    assert height(ObjectTrajectory(TIMES, path)) == pytest.approx(0.4 + 1.5**2 / 19.62, abs=1e-9)
    path[20] = np.nan
    with pytest.raises(ObservationMissing, match="top of its path"):
        height(ObjectTrajectory(TIMES, path))


def test_noise_that_bends_a_top_the_wrong_way_does_not_throw_it_away():
    z = 0.4 + 1.5 * TIMES - 4.905 * TIMES**2
    noise = 0.005 * np.random.default_rng(0).standard_normal((300, len(z)))
    paths = (np.column_stack([TIMES, TIMES, row]) for row in z + noise)
    off = [height(ObjectTrajectory(TIMES, path)) - z.max() for path in paths]
    assert np.abs(off).max() < 0.012


def test_a_ball_that_stays_above_the_rim_has_no_outcome():
    z = RIM + 0.1 + 0.1 * np.sin(TIMES / 0.2)
    with pytest.raises(ObservationMissing, match="passed z = 0 m downwards"):
        THROW_GC.outcome_goal(ObjectTrajectory(TIMES, np.column_stack([TIMES, TIMES, z])))


def test_a_puck_before_the_edge_stops_as_on_an_endless_table():
    ended, endless = slid(EDGE_GC, [0.9, 1.1]), slid(SLIDE_GC, [0.9, 1.1])
    assert np.abs(ended - endless).max() < 0.006


def test_a_puck_that_goes_too_far_lies_at_the_board_however_fast_it_was():
    near, over, far = slid(EDGE_GC, [1.19, 1.25, 1.5])
    assert near[1] < 0.46
    for fallen in (over, far):
        assert fallen[1] == pytest.approx(0.77, abs=0.002)
        assert fallen[2] < -0.1
