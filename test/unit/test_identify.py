"""Hidden physics out of recorded trials: recovery, and honesty about what is not known."""

from dataclasses import replace

import numpy as np
import pytest
from recorded_trials import FRICTION, MASS, PHYSICS, THETAS, TILT, recorded

from icpi_ros.core.errors import InvalidValue, UsageError
from icpi_ros.core.types import ObjectTrajectory
from icpi_ros.evaluate.physics.estimate import estimate_of
from icpi_ros.evaluate.physics.fit import FitEffort, fit
from icpi_ros.evaluate.physics.physics_file import load, save
from icpi_ros.learn.building.plan import DatasetPlan
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.tasks.belief import Belief
from icpi_ros.tasks.roll import ROLL_GC
from icpi_ros.tasks.rope_swing import ROPE_SWING
from icpi_ros.tasks.slide import SLIDE, SLIDE_GC

pytestmark = pytest.mark.slow

COARSE = FitEffort(screened=8, starts=1, evaluations=3, rounds=2)
QUICK = FitEffort(screened=4, starts=1, evaluations=3, rounds=1)
SPAN = SLIDE.physics_space.upper - SLIDE.physics_space.lower


def estimate(trials, seed=0, task=SLIDE, effort=QUICK):
    return estimate_of(task, trials, fit(task, UR5E, trials, seed, effort))


@pytest.fixture(scope="module")
def plain():
    return estimate(recorded(), effort=COARSE)


def assert_recovered(found, share=0.02):
    error = np.abs(np.array(found.belief.mean) - PHYSICS) / SPAN
    assert error[FRICTION] < share
    assert error[TILT] < share


def moved(trial, delay=0.0, offset=(0.0, 0.0, 0.0)):
    path = trial.path
    return replace(trial, trajectory=ObjectTrajectory(path.times + delay, path.positions + offset))


def test_known_physics_are_recovered_as_surely_as_stated(plain):
    assert_recovered(plain, share=0.01)
    for index in (FRICTION, TILT):
        found = plain.parameters[index]
        low, high = found.interval
        assert low < found.value < high
        assert high - low < 0.1 * SPAN[index]
        assert abs(found.value - PHYSICS[index]) < 4.0 * found.deviation
        assert found.known
    assert plain.poor == ()
    assert 3e-4 < plain.noise < 8e-4


def test_what_the_trials_do_not_depend_on_is_called_unknown(plain):
    mass = plain.parameters[MASS]
    assert not mass.known
    assert mass.interval[1] - mass.interval[0] > 0.8 * SPAN[MASS]


def test_the_same_seed_gives_the_same_whatever_the_threads():
    trials, effort = recorded(thetas=THETAS[:1]), FitEffort(2, 1, 2, 1)
    one, two = (fit(SLIDE, UR5E, trials, 0, effort, threads) for threads in (1, 2))
    np.testing.assert_array_equal(one.scaled, two.scaled)
    np.testing.assert_array_equal(one.covariance, two.covariance)
    np.testing.assert_array_equal(one.residuals, two.residuals)


def test_gaps_a_late_clock_and_a_camera_that_is_off_do_no_harm():
    trials = [moved(trial, 0.04, (0.004, -0.003, 0.01)) for trial in recorded(thetas=THETAS[:2])]
    for trial in trials:
        trial.path.positions[20:60] = np.nan
    found = estimate(trials, effort=COARSE)
    assert_recovered(found)
    assert [round(t.delay, 2) for t in found.trials] == [0.04, 0.04]


def test_a_trial_that_does_not_fit_is_named_and_counts_little():
    trials = recorded()
    bumped = trials[2].path.positions + np.linspace(0.0, 0.3, len(trials[2].path.times))[:, None]
    trials[2] = replace(trials[2], trajectory=ObjectTrajectory(trials[2].path.times, bumped))
    found = estimate(trials)
    assert [trial.name for trial in found.poor] == ["run/2"]
    assert_recovered(found, share=0.05)


def test_a_theta_out_of_today_s_box_tells_as_much():
    beyond = SLIDE.space.upper * [1.05, 1.0] - [0.0, 0.2]
    effort = FitEffort(screened=1, starts=1, evaluations=1, rounds=1)
    found = estimate(recorded(thetas=np.array([beyond, THETAS[0]])), effort=effort)
    assert np.isfinite([p.value for p in found.parameters]).all()
    assert found.parameters[FRICTION].deviation < 0.1 * SPAN[FRICTION]


def test_trials_of_one_theta_tell_less():
    """Rolling friction and a slope along the path brake alike: headings tell them apart."""
    physics = np.array([0.003, 0.15, 0.2, -0.1])
    varied = recorded(physics, np.array([[0.9, 0.3], [0.8, -0.3]]), task=ROLL_GC)
    equal = recorded(physics, np.array([[0.8, 0.0]] * 2), task=ROLL_GC)
    many, few = estimate(varied, task=ROLL_GC), estimate(equal, task=ROLL_GC)
    for name in ("friction", "tilt_y"):
        index = ROLL_GC.physics_space.names.index(name)
        off = abs(few.parameters[index].value - physics[index])
        assert off < 4.0 * few.parameters[index].deviation
        assert few.parameters[index].deviation > 1.5 * many.parameters[index].deviation


def test_physics_outside_the_range_end_at_its_border():
    found = estimate(recorded(np.array([0.45, 0.2, -0.9]), THETAS[:2]), effort=COARSE)
    assert found.parameters[FRICTION].border == "upper"
    assert found.parameters[TILT].border is None


def test_the_file_gives_back_what_was_estimated(plain, tmp_path):
    path = tmp_path / "physics.yaml"
    save(path, plain, "a test", "2026-01-01T00:00:00Z")
    assert load(path, SLIDE) == plain.belief
    assert load(path, SLIDE_GC) == plain.belief, "the same scene"
    with pytest.raises(UsageError, match=r"physics.yaml: .* of task slide .* not of rope-swing"):
        load(path, ROPE_SWING)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "", "holds no physics"),
        (lambda text: "{", "is not YAML"),
        (lambda text: text.replace("icpi_physics: 1", "icpi_physics: 2"), "newer"),
        (lambda text: text.replace("covariance:", "other:"), "'covariance' is missing"),
        (lambda text: text.replace("physics: [", "physics: [.nan, ", 1), "needs 3 values"),
        (lambda text: text.replace("[friction", "[7, friction"), "not of slide"),
    ],
)
def test_a_damaged_file_is_one_line(plain, tmp_path, change, message):
    path = tmp_path / "physics.yaml"
    save(path, plain, "a test", "2026-01-01T00:00:00Z")
    path.write_text(change(path.read_text()))
    with pytest.raises(UsageError, match=message) as caught:
        load(path, SLIDE)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(UsageError, match="cannot read"):
        load(tmp_path / "none.yaml", SLIDE)


def believed(deviation):
    half = SLIDE.physics_space.half_range
    return Belief.of(SLIDE, PHYSICS, np.diag((deviation * half) ** 2))


def test_draws_are_spread_like_the_belief_and_stay_in_the_range():
    rng, space = np.random.default_rng(0), SLIDE.physics_space
    draws = np.array([believed(0.02).sample(space, rng) for _ in range(400)])
    np.testing.assert_allclose(draws.std(axis=0), 0.02 * space.half_range, rtol=0.15)
    wide = np.array([believed(3.0).sample(space, rng) for _ in range(100)])
    assert (wide >= space.lower).all()
    assert (wide <= space.upper).all()


def test_a_data_set_plan_draws_around_the_estimate():
    plan = DatasetPlan(examples=20, draws=2, around=believed(0.02))
    plan.check(SLIDE_GC, k=20)
    drawn = plan.sample_physics(SLIDE_GC, np.random.default_rng(0))
    assert np.all(np.abs(drawn - PHYSICS) < 0.1 * SPAN)
    assert plan.as_dict(SLIDE)["around"]["mean"] == PHYSICS.tolist()
    assert "--physics-file physics.yaml" in plan.command(SLIDE)
    assert "around" not in DatasetPlan().as_dict(SLIDE)


def test_a_data_set_plan_refuses_what_contradicts_the_estimate():
    with pytest.raises(InvalidValue, match="leave out --physics"):
        DatasetPlan(around=believed(0.02), physics="shifted")
    with pytest.raises(InvalidValue, match="of task slide"):
        DatasetPlan(around=believed(0.02)).check(ROPE_SWING, k=20)
