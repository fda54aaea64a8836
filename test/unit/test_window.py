"""Samples on a grid: the nearest counts, nothing is invented."""

import numpy as np

from icpi_ros.motion.rest import RestRule
from icpi_ros.perception.poses.history import ObjectHistory, on_grid

MS = 1_000_000
PERIOD = 10 * MS


def cut(stamps, start, stop):
    stamps = np.array(stamps, dtype=np.int64)
    positions = np.column_stack([stamps / MS, np.zeros((len(stamps), 2))])
    return on_grid(stamps, positions, start, stop, PERIOD)


def test_samples_on_the_grid_are_taken_as_they_are():
    found = cut(range(0, 101 * MS, PERIOD), 20 * MS, 60 * MS)
    np.testing.assert_allclose(found.times, [0.0, 0.01, 0.02, 0.03, 0.04])
    np.testing.assert_allclose(found.positions[:, 0], [20, 30, 40, 50, 60])


def test_the_nearest_of_several_counts_with_its_own_time():
    found = cut([1 * MS, 9 * MS, 12 * MS, 20 * MS], 0, 20 * MS)
    np.testing.assert_allclose(found.positions[:, 0], [1, 9, 20])
    np.testing.assert_allclose(found.times, [0.001, 0.009, 0.02])


def test_of_two_equally_near_ones_the_earlier_counts():
    found = cut([8 * MS, 12 * MS], 0, 10 * MS)
    np.testing.assert_allclose(found.positions[1, 0], 8)


def test_what_was_not_seen_is_missing():
    found = cut([0, 30 * MS], 0, 30 * MS)
    np.testing.assert_array_equal(np.isnan(found.positions[:, 0]), [False, True, True, False])
    assert cut([100 * MS], 0, 30 * MS) is None
    assert cut([], 0, 30 * MS) is None


def test_history_keeps_what_is_new_and_drops_it_when_the_clock_starts_again():
    history = ObjectHistory(RestRule(0.01, 0.1), 0.05)
    assert history.add(0, np.zeros(3))
    assert not history.add(0, np.ones(3))
    for ns in range(PERIOD, 200 * MS, PERIOD):
        assert history.add(ns, np.full(3, ns / MS))
    found = history.cut(100 * MS, 190 * MS)
    assert np.isnan(found.positions[:4]).all()  # older than the history's length
    np.testing.assert_allclose(found.positions[-1], 190)
    assert not history.add(185 * MS, np.zeros(3))
    late = 10_000 * MS
    assert history.add(late, np.zeros(3))
    assert history.add(0, np.zeros(3))
    assert history.newest == 0
    assert history.cut(late, late + PERIOD) is None
