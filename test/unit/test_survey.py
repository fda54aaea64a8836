import numpy as np
import pytest

from icpi_ros.core.errors import UsageError
from icpi_ros.evaluate.survey import SurveyPlan, landscape, survey, survey_draws
from icpi_ros.report.task_picture import save_landscape
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.sim.rollout import rollout
from icpi_ros.tasks.slide import SLIDE, SLIDE_GC

SMALL = SurveyPlan(draws=2, samples=32, local=6, line=9, seed=4)


@pytest.fixture(scope="module")
def found():
    return survey(SLIDE_GC, UR5E, SMALL)


def test_figures_are_those_of_the_simulation(found):
    physics, goals = survey_draws(SLIDE_GC, SMALL)
    np.testing.assert_array_equal(found.physics, physics)
    np.testing.assert_array_equal(found.goals, goals)
    for phi, goal, theta, cost in zip(
        physics, goals, found.best_theta, found.best_cost, strict=True
    ):
        path = rollout(SLIDE_GC, UR5E, phi, theta[np.newaxis]).trajectories[0]
        assert SLIDE_GC.cost(SLIDE_GC.error(path, goal)) == pytest.approx(cost, abs=1e-12)
    assert (found.best_cost < found.other_cost).all()
    assert (found.noise > 0.0).all()


@pytest.mark.slow
def test_a_survey_is_repeatable_whatever_the_threads(found):
    again = survey(SLIDE_GC, UR5E, SurveyPlan(2, 32, 6, 9, 4, threads=2))
    for name in ("best_theta", "best_cost", "other_cost", "first_cost", "noise"):
        np.testing.assert_array_equal(getattr(found, name), getattr(again, name))


def test_one_draw_has_no_other():
    one = survey(SLIDE, UR5E, SurveyPlan(draws=1, samples=16, local=4, line=9))
    assert np.isnan(one.other_cost).all()


@pytest.mark.slow
def test_landscape_and_its_picture(found, tmp_path):
    shown = landscape(SLIDE, UR5E, found.physics, SMALL, size=5)
    assert shown.cost.shape == (2, 5, 5)
    theta = np.array([[shown.x[3], shown.y[1]]])
    path = rollout(SLIDE, UR5E, found.physics[1], theta).trajectories[0]
    expected = SLIDE.cost(SLIDE.error(path, shown.goal))
    assert shown.cost[1, 1, 3] == pytest.approx(expected)
    file = tmp_path / "landscape.png"
    save_landscape(file, SLIDE, shown)
    assert file.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match="nowhere"):
        save_landscape("/proc/nowhere/a.png", SLIDE, shown)
