"""Labels of one physics draw: search, hindsight, noise, and rollouts that give nothing."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from pushing_task import PUSHING, PUSHING_GOALS, closed_form
from toy_task import TOY

from icpi_ros.core.errors import DatasetError, InvalidValue
from icpi_ros.core.types import ObjectTrajectory
from icpi_ros.learn.building import search as search_module
from icpi_ros.learn.building.build import build, label_draw
from icpi_ros.learn.building.plan import DatasetPlan
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import SimulationUnstable
from icpi_ros.tasks.slide import SLIDE, Slide


@pytest.fixture
def toy_world(monkeypatch):
    monkeypatch.setattr(search_module, "rollout", closed_form)


def unstable_above(monkeypatch, speed):
    monkeypatch.setattr(search_module, "rollout", partial(closed_form, unstable_above=speed))


@pytest.mark.slow
def test_search_solves_slide_well_below_a_millimetre():
    plan = DatasetPlan(examples=8, draws=1, seed=5)
    part = label_draw(SLIDE, UR5E, plan, 0)
    assert len(part) == 8
    assert part.label_cost.max() < 0.0008
    physics = SLIDE.sample_physics(np.random.default_rng([5, 0]))
    solved = (part.theta + part.dtheta)[:1]
    trajectory = rollout(SLIDE, UR5E, physics, solved).trajectories[0]
    cost = SLIDE.cost(SLIDE.error(trajectory, SLIDE.default_goal))
    assert cost == pytest.approx(part.label_cost[0], abs=1e-3)
    again = rollout(SLIDE, UR5E, physics, part.theta[:2]).trajectories
    errors = [SLIDE.error(t, SLIDE.default_goal) for t in again]
    np.testing.assert_array_equal(errors, part.error[:2])


def test_several_goals_share_the_rollouts_of_a_draw(toy_world):
    part = label_draw(PUSHING_GOALS, UR5E, DatasetPlan(examples=20, draws=2), 1)
    assert len(np.unique(part.goal, axis=0)) == 5
    assert part.group.tolist() == [1] * 10
    assert part.label_cost.max() < search_module.SOLVED_COST
    assert part.provenance["rollouts"] < 256 + 5 * 60
    solved = part.theta + part.dtheta
    for x in part.goal[:, 0]:
        assert np.ptp(solved[part.goal[:, 0] == x], axis=0).max() < 1e-12


def test_hindsight_labels_are_exact(toy_world):
    data = build(PUSHING, UR5E, DatasetPlan("hindsight", examples=30, draws=3))
    assert len(data) == 30
    assert data.label_cost.max() == 0.0
    np.testing.assert_allclose(data.cost, np.linalg.norm(data.error, axis=1))
    assert data.provenance["counts"] == {"rollouts": 33, "dropped": 0, "missing": 0}
    solved = data.theta + data.dtheta
    grip = PUSHING.physics_space.sample(np.random.default_rng([0, 0]))
    outcome = closed_form(PUSHING, UR5E, grip, solved[:1]).trajectories[0]
    np.testing.assert_allclose(PUSHING.error(outcome, data.goal[0]), 0.0, atol=1e-12)


def test_hindsight_for_slide_reads_the_goal_off_the_outcome():
    path = np.array([[0.6, -0.15, 0.01], [0.62, 0.9, 0.01]])
    assert SLIDE.outcome_goal(ObjectTrajectory(np.array([0.0, 1.0]), path)).tolist() == [0.62, 0.9]


def test_a_task_without_hindsight_goals_says_so(toy_world):
    with pytest.raises(DatasetError, match=r"toy-push has no hindsight labels.*brute-force"):
        label_draw(TOY, UR5E, DatasetPlan("hindsight", examples=4, draws=1), 0)


def test_label_noise_changes_dtheta_only_by_what_was_asked_for(toy_world):
    clean = build(PUSHING, UR5E, DatasetPlan(examples=400, draws=4))
    noisy = build(PUSHING, UR5E, DatasetPlan(examples=400, draws=4, label_noise=0.1))
    np.testing.assert_array_equal(clean.theta, noisy.theta)
    np.testing.assert_array_equal(clean.error, noisy.error)
    noise = (noisy.dtheta - clean.dtheta) / PUSHING.space.half_range
    assert noise.std() == pytest.approx(0.1, rel=0.1)
    assert np.isnan(noisy.label_cost).all()


def test_shifted_physics_lie_outside_the_documented_range():
    plan = DatasetPlan(physics="shifted")
    drawn = [plan.sample_physics(PUSHING, plan.rng(n)) for n in range(50)]
    assert not any(PUSHING.physics_space.contains(p) for p in drawn)
    assert all(PUSHING.shifted_space.contains(p) for p in drawn)


def test_narrower_ranges_are_kept_to(toy_world):
    plan = DatasetPlan(physics_range={"grip": (0.5, 0.51)}, goal_range={"y": (0.4, 0.4)})
    drawn = [plan.sample_physics(PUSHING_GOALS, plan.rng(n))[0] for n in range(50)]
    assert 0.5 <= min(drawn) < max(drawn) <= 0.51
    goals = plan.sample_goals(PUSHING_GOALS, plan.rng(0))
    assert (goals[:, 1] == 0.4).all()
    assert len(np.unique(goals[:, 0])) == 5


# --- rollouts that give nothing -----------------------------------------------------------------


def test_unstable_rollouts_are_dropped_and_counted(monkeypatch):
    unstable_above(monkeypatch, 1.4)
    data = build(
        PUSHING, UR5E, DatasetPlan(examples=40, draws=4, physics_range={"grip": (0.6, 0.8)})
    )
    counts = data.provenance["counts"]
    assert len(data) == 40
    assert data.theta[:, 0].max() <= 1.4
    assert 0.05 < counts["dropped"] / counts["rollouts"] < 0.15
    assert counts["missing"] == 0


def test_examples_that_could_not_be_made_are_missing_not_invented(monkeypatch):
    unstable_above(monkeypatch, 0.51)  # about 3 of 256 remain
    data = build(PUSHING, UR5E, DatasetPlan(examples=40, draws=1))
    assert data.provenance["counts"]["missing"] == 40 - len(data) > 0


def test_nothing_at_all_is_a_clear_error(monkeypatch):
    unstable_above(monkeypatch, 0.0)
    with pytest.raises(DatasetError, match=r"no example: all \d+ rollouts were dropped"):
        build(PUSHING, UR5E, DatasetPlan(examples=2, draws=1))


class Diverging(Slide):
    def apply_physics(self, model, physics):
        super().apply_physics(model, physics)
        model.opt.gravity[:] = [1e13, 0.0, 0.0]


def test_a_rollout_that_mujoco_reset_is_not_an_outcome(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    physics, thetas = SLIDE.physics_space.lower, SLIDE.space.lower[np.newaxis]
    made = search_module.simulate(Diverging(), UR5E, physics, thetas, threads=1)
    assert made.dropped == 1
    with pytest.raises(SimulationUnstable):
        rollout(Diverging(), UR5E, physics, thetas)
    assert not Path("MUJOCO_LOG.TXT").exists(), "it could be another user's link"


def test_an_object_that_was_not_seen_is_dropped(monkeypatch):
    def blind(*args, **kwargs):
        made = closed_form(*args, **kwargs)
        made.trajectories[0].positions[:] = np.nan
        return made

    monkeypatch.setattr(search_module, "rollout", blind)
    made = search_module.simulate(
        PUSHING, UR5E, np.array([0.5]), PUSHING.space.sample(np.random.default_rng(0), 5), 1
    )
    assert (len(made.thetas), made.dropped) == (4, 1)


# --- plans that cannot be built -----------------------------------------------------------------

BAD = {
    "more draws than examples": (
        DatasetPlan,
        {"examples": 5, "draws": 6},
        "draws = 6 does not fit",
    ),
    "no draws": (DatasetPlan, {"draws": 0}, "draws = 0"),
    "more than there are": (DatasetPlan, {"examples": 1000, "draws": 1}, "at most 256 examples"),
    "unknown label": (
        DatasetPlan,
        {"label": "guess"},
        "unknown label 'guess': choose one of brute",
    ),
    "unknown physics": (DatasetPlan, {"physics": "moon"}, "unknown physics 'moon'"),
    "noise": (DatasetPlan, {"label_noise": float("nan")}, "label noise = nan"),
    "goals of hindsight": (
        DatasetPlan,
        {"label": "hindsight", "goals_per_draw": 2},
        "with hindsight",
    ),
    "too few": ({"examples": 19, "draws": 1}, "examples = 19 is fewer than the k = 20"),
    "unknown name": ({"physics_range": {"mass": (1, 2)}}, "has no 'mass': it has grip"),
    "reversed": ({"physics_range": {"grip": (0.7, 0.6)}}, "grip = 0.7 to 0.6 is empty"),
    "outside": ({"physics_range": {"grip": (0.5, 0.9)}}, "outside the documented.*0.4 to 0.8"),
    "not finite": ({"goal_range": {"x": (0.5, float("inf"))}}, "not finite: allowed 0.4 to 0.8"),
    "goal outside": ({"goal_range": {"y": (0.0, 0.4)}}, "goal range y = 0 to 0.4 m is outside"),
    "goals of a fixed goal": ({"goals_per_draw": 2}, "one fixed goal: goals per draw must be 1"),
    "too many goals": ({"goals_per_draw": 11}, "goals per draw = 11: allowed 1 to 10"),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_plans_that_cannot_be_built(case):
    options, message = case[-2:]
    with pytest.raises(InvalidValue, match=message):
        DatasetPlan(**options).check(PUSHING, k=20)
