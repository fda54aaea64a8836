import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icpi_ros.core.types import ObjectTrajectory
from icpi_ros.perception.quality import QualitySettings, judge


def trajectory(missing=(), count=201):
    """Two seconds at 10 ms with samples from ``first`` to ``last`` missing."""
    positions = np.zeros((count, 3))
    for first, last in missing:
        positions[first:last] = np.nan
    return ObjectTrajectory(0.01 * np.arange(count), positions)


def test_a_whole_path_is_good():
    quality = judge(trajectory(), 3e-4, 60.0)
    assert quality.good
    assert (quality.coverage, quality.longest_gap, quality.reason) == (1.0, 0.0, None)


def test_an_arm_may_hide_the_object_for_a_while():
    quality = judge(trajectory([(50, 80)]), 3e-4, 60.0)
    assert quality.good
    assert quality.longest_gap == pytest.approx(0.31)


@pytest.mark.parametrize(
    ("missing", "residual", "rate", "words"),
    [
        ([(0, 201)], np.nan, np.nan, "never seen"),
        (
            [(0, 35), (55, 85), (100, 140), (160, 180)],
            3e-4,
            60.0,
            "38% of the samples, at least 50%",
        ),
        ([(50, 95)], 3e-4, 60.0, "not seen for 0.46 s"),
        ([(185, 201)], 3e-4, 60.0, "in the last 0.16 s"),
        ([], 0.006, 60.0, "residual 6.0 mm"),
        ([], np.nan, 60.0, "residual nan"),
        ([], 3e-4, 9.0, "9.0 measured frames per second"),
        ([], 3e-4, np.nan, "nan measured frames"),
    ],
)
def test_a_poor_path_says_why(missing, residual, rate, words):
    quality = judge(trajectory(missing), residual, rate)
    assert not quality.good
    assert words in quality.reason


def test_no_samples_are_poor():
    empty = ObjectTrajectory(np.empty(0), np.empty((0, 3)))
    assert "never seen" in judge(empty, np.nan, np.nan).reason


@given(first=st.integers(0, 200), length=st.integers(0, 200))
def test_a_longer_gap_is_never_better(first, length):
    last = min(201, first + length)
    gap, longer = (judge(trajectory([(first, end)]), 0.0, 60.0) for end in (last, last + 5))
    assert longer.longest_gap >= gap.longest_gap - 1e-12
    assert longer.coverage <= gap.coverage
    assert gap.good or not longer.good


def test_limits_are_settings():
    strict = QualitySettings(max_gap=0.1)
    assert not judge(trajectory([(50, 80)]), 3e-4, 60.0, strict).good
