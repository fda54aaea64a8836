import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icpi_ros.core.errors import InvalidValue, Kind
from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.motion.step_limit import StepLimit

SPACE = ParameterSpace(
    (
        Parameter("speed", "m/s", 0.5, 1.5),
        Parameter("heading", "rad", -0.4, 0.4),
        Parameter("fixed", "m", 2.0, 2.0),
    )
)
LIMIT = StepLimit(SPACE, 0.25)
thetas = st.tuples(st.floats(0.5, 1.5), st.floats(-0.4, 0.4), st.just(2.0)).map(np.array)


def shares(theta, executed):
    """The smallest of the largest differences, in shares of the ranges 1 m/s and 0.8 rad."""
    differences = np.abs(np.array(executed) - theta)[:, :2] / [1.0, 0.8]
    return differences.max(axis=1).min()


def test_the_first_theta_is_free():
    assert LIMIT.refuse(np.array([1.5, 0.4, 2.0]), []) is None
    np.testing.assert_array_equal(LIMIT.nearest_allowed([1.5, 0.4, 2.0], []), [1.5, 0.4, 2.0])


def test_a_step_too_far_is_refused_with_parameter_value_and_what_is_allowed():
    reason = LIMIT.refuse(np.array([1.0, 0.3, 2.0]), [np.array([1.0, 0.0, 2.0])])
    assert str(reason) == (
        "heading = 0.3 rad is too far from what this run has executed: allowed -0.2 to 0.2 rad "
        "(max_step 0.25 of its range)"
    )
    assert (reason.kind, reason.field, reason.unit) == (Kind.STEP, "heading", "rad")
    assert (reason.value, reason.limit) == (0.3, pytest.approx((-0.2, 0.2)))


def test_any_executed_theta_will_do():
    executed = [np.array([0.5, -0.4, 2.0]), np.array([1.0, 0.2, 2.0])]
    assert LIMIT.refuse(np.array([1.25, 0.4, 2.0]), executed) is None
    assert LIMIT.refuse(np.array([1.25 + 1e-6, 0.4, 2.0]), executed) is not None
    np.testing.assert_allclose(
        LIMIT.nearest_allowed(np.array([1.5, 0.2, 2.0]), executed), [1.25, 0.2, 2.0]
    )


@given(thetas, st.lists(thetas, min_size=1, max_size=6), st.floats(0.01, 1.0))
def test_the_nearest_allowed_is_allowed_straight_ahead_and_unchanged_if_it_may(
    theta, executed, max_step
):
    limit = StepLimit(SPACE, max_step)
    allowed = limit.refuse(theta, executed) is None
    assert allowed == (shares(theta, executed) <= max_step + 1e-9)
    moved = limit.nearest_allowed(theta, executed)
    assert SPACE.contains(moved)
    assert limit.refuse(moved, executed) is None
    assert allowed == np.array_equal(moved, theta)
    if not allowed:
        assert shares(moved, executed) == pytest.approx(max_step)
        base = min(executed, key=lambda e: shares(theta, [e]))
        (a, b, _), (c, d, _) = theta - base, moved - base
        assert abs(a * d - b * c) < 1e-12


@pytest.mark.parametrize("max_step", [0.0, -0.1, 1.0001, np.nan, np.inf])
def test_a_limit_that_is_none_is_refused(max_step):
    with pytest.raises(InvalidValue, match="max_step"):
        StepLimit(SPACE, max_step)


@pytest.mark.parametrize("theta", [[1.0, 0.0], [np.nan, 0.0, 2.0], ["fast", 0.0, 2.0]])
def test_what_is_no_theta_is_an_error(theta):
    with pytest.raises(InvalidValue, match="theta"):
        LIMIT.refuse(theta, [np.array([1.0, 0.0, 2.0])])


@given(theta=thetas, executed=st.lists(thetas, min_size=1, max_size=4))
def test_the_bounds_of_a_step_are_what_is_allowed_around_the_nearest(theta, executed):
    low, high = LIMIT.allowed(theta, executed)
    assert (SPACE.lower <= low).all()
    assert (high <= SPACE.upper).all()
    for corner in (low, high):
        assert LIMIT.refuse(corner, executed) is None
    inside = ((low - 1e-9 <= theta) & (theta <= high + 1e-9)).all()
    assert inside == (LIMIT.refuse(theta, executed) is None)


def test_without_a_limit_or_a_step_there_are_no_bounds_of_a_step():
    theta = np.array([1.0, 0.0, 2.0])
    assert LIMIT.allowed(theta, []) is None
    assert StepLimit(SPACE, 1.0).allowed(theta, [theta]) is None
