import numpy as np
import pytest

from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import ObjectTrajectory
from icpi_ros.tasks.observation import PERFECT, Observation, observe
from icpi_ros.tasks.roll import ROLL_GC, RollGc

TIMES = 0.01 * np.arange(200)
PATH = np.stack([np.minimum(TIMES, 1.0), TIMES**2, np.full(200, 0.03)], axis=-1)
TRUE = ObjectTrajectory(TIMES, PATH)


def rng():
    return np.random.default_rng(7)


def test_a_perfect_sensor_changes_nothing():
    assert observe(TRUE, PERFECT, rng()) is TRUE
    assert ROLL_GC.observation == PERFECT


def test_noise_has_the_asked_size_and_follows_the_generator():
    seen = observe(TRUE, Observation(noise=0.003), rng())
    again = observe(TRUE, Observation(noise=0.003), rng())
    np.testing.assert_array_equal(seen.positions, again.positions)
    np.testing.assert_array_equal(seen.times, TRUE.times)
    assert (seen.positions - PATH).std() == pytest.approx(0.003, rel=0.15)
    assert abs((seen.positions - PATH).mean()) < 0.0005


@pytest.mark.parametrize("latency", [0.03, 0.034])
def test_latency_shows_the_past_and_still_ends_at_the_end(latency):
    seen = observe(TRUE, Observation(latency=latency), rng())
    assert len(seen.times) == 200 + np.ceil(latency / 0.01 - 1e-9)
    np.testing.assert_allclose(np.diff(seen.times), 0.01)
    np.testing.assert_array_equal(seen.positions[0], PATH[0])
    np.testing.assert_allclose(seen.positions[-1], PATH[-1])
    middle = np.interp(seen.times[100] - latency, TIMES, PATH[:, 1])
    assert seen.positions[100, 1] == pytest.approx(middle)


def test_missing_samples_stay_missing():
    holes = PATH.copy()
    holes[50:60] = np.nan
    for observation in (Observation(0.001), Observation(0.001, 0.05)):
        seen = observe(ObjectTrajectory(TIMES, holes), observation, rng())
        assert np.isnan(seen.positions).all(axis=1).sum() >= 10
        assert np.isfinite(seen.positions[-1]).all()
    nothing = ObjectTrajectory(np.empty(0), np.empty((0, 3)))
    assert len(observe(nothing, Observation(0.001, 0.05), rng()).times) == 0


@pytest.mark.parametrize(
    "values", [(-0.001, 0.0), (0.2, 0.0), (np.nan, 0.0), (0.0, -1.0), (0.0, np.inf)]
)
def test_sensors_that_do_not_exist_are_refused(values):
    with pytest.raises(InvalidValue, match="observation"):
        Observation(*values)


def test_a_noisy_roll_is_the_same_task_to_data_sets():
    noisy = RollGc(Observation(0.003, 0.05))
    assert noisy.definition_hash() == ROLL_GC.definition_hash()
    error = noisy.error(observe(TRUE, noisy.observation, rng()), noisy.default_goal)
    assert np.isfinite(error).all()
