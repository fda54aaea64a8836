import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from struck_path import StruckPath

from icpi_ros.core.errors import InvalidValue
from icpi_ros.perception.smoother import SmootherSettings, smooth

NOISE = 3e-4


def stamps(rng, rate=60.0, stop=3.0, drops=0.05):
    times = np.arange(0.0, stop, 1.0 / rate)
    return times[rng.random(len(times)) >= drops]


def rms(x):
    return float(np.sqrt(np.mean(np.sum(x**2, axis=-1))))


@pytest.mark.parametrize("push", [0.2, 0.01], ids=["pushed", "struck"])
def test_a_strike_is_followed_and_rest_is_smooth(push):
    raw, smoothed, ordinary, speed = [], [], [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        path, times = StruckPath(push=push), stamps(rng)
        truth = path.at(times)
        points = truth + NOISE * rng.standard_normal(truth.shape)
        result = smooth(times, points, np.full(len(times), NOISE))
        gaussian = SmootherSettings(quiet=20.0, process_freedom=1e9)
        plain = smooth(times, points, np.full(len(times), NOISE), gaussian)
        raw.append(rms(points - truth))
        smoothed.append(rms(result.positions - truth))
        ordinary.append(rms(plain.positions - truth))
        speed.append(rms(result.velocities - path.velocity(times)))
    assert np.mean(smoothed) < 0.75 * np.mean(raw)
    assert np.mean(smoothed) < 0.75 * np.mean(ordinary)
    assert np.mean(speed) < 0.04


def test_covariances_tell_the_truth():
    ratios = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        path, times = StruckPath(), stamps(rng)
        points = path.at(times) + NOISE * rng.standard_normal((len(times), 2))
        result = smooth(times, points, np.full(len(times), NOISE))
        ratios.append(
            np.mean((result.positions - path.at(times)) ** 2 / result.covariances[:, :1, 0])
        )
        eigenvalues = np.linalg.eigvalsh(result.covariances)
        assert (eigenvalues > 0.0).all()
    assert 0.5 < np.mean(ratios) < 1.6


def test_an_outlier_hardly_moves_the_path():
    rng = np.random.default_rng(0)
    times = np.arange(60) / 60.0
    points = NOISE * rng.standard_normal((60, 2))
    points[30] += 0.01
    result = smooth(times, points, np.full(60, NOISE))
    assert np.abs(result.positions).max() < 1e-3
    assert result.residual > 1e-3


def test_a_gaussian_path_is_the_least_squares_solution():
    """Against the same model solved as one linear system."""
    rng = np.random.default_rng(3)
    times = np.cumsum(rng.uniform(0.01, 0.05, 12))
    points, std, power = rng.standard_normal((12, 2)), 0.3, 2.0
    options = SmootherSettings(
        quiet=power, process_freedom=1e12, measurement_freedom=1e12, passes=1
    )
    result = smooth(times, points, np.full(12, std), options)
    rows, right = [], []
    for k in range(12):
        row = np.zeros((1, 24))
        row[0, 2 * k] = 1.0 / std
        rows.append(row)
        right.append(points[k : k + 1] / std)
    rows.append(np.eye(24)[1:2] / options.start_speed)
    right.append(np.zeros((1, 2)))
    for k, dt in enumerate(np.diff(times)):
        noise = power * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
        row = np.zeros((2, 24))
        row[:, 2 * k : 2 * k + 4] = [[-1, -dt, 1, 0], [0, -1, 0, 1]]
        rows.append(np.linalg.inv(np.linalg.cholesky(noise)) @ row)
        right.append(np.zeros((2, 2)))
    matrix = np.concatenate(rows)
    solution = np.linalg.lstsq(matrix, np.concatenate(right), rcond=None)[0]
    np.testing.assert_allclose(result.positions, solution[::2], atol=1e-8)
    np.testing.assert_allclose(result.velocities, solution[1::2], atol=1e-6)
    covariance = np.linalg.inv(matrix.T @ matrix)
    np.testing.assert_allclose(result.covariances[5], covariance[10:12, 10:12], rtol=1e-6)


@settings(deadline=None, max_examples=40)
@given(
    steps=st.lists(st.floats(1e-4, 2.0), min_size=1, max_size=30),
    scale=st.floats(1e-5, 1.0),
    seed=st.integers(0, 1000),
)
def test_any_stamps_give_finite_numbers_between_the_ends(steps, scale, seed):
    rng = np.random.default_rng(seed)
    times = np.cumsum(steps)
    points = scale * rng.standard_normal((len(times), 2))
    result = smooth(times, points, rng.uniform(1e-5, 1e-2, len(times)))
    dense = result.at(np.linspace(times[0], times[-1], 50))
    for values in (result.positions, result.velocities, result.covariances, dense):
        assert np.isfinite(values).all()
    np.testing.assert_allclose(result.at(times), result.positions, atol=1e-12)


@pytest.mark.parametrize(
    ("times", "points", "stds"),
    [
        (np.empty(0), np.empty((0, 2)), np.empty(0)),
        (np.array([0.0, 0.0]), np.zeros((2, 2)), np.ones(2)),
        (np.array([0.0, 1.0]), np.full((2, 2), np.nan), np.ones(2)),
        (np.array([0.0, 1.0]), np.zeros((2, 2)), np.array([1.0, 0.0])),
        (np.array([0.0, 1.0]), np.zeros((2, 3)), np.ones(2)),
    ],
)
def test_what_cannot_be_smoothed_is_refused(times, points, stds):
    with pytest.raises(InvalidValue):
        smooth(times, points, stds)
