import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icpi_ros.core.errors import InvalidValue, UnknownName
from icpi_ros.core.registry import Registry
from icpi_ros.core.space import Parameter, ParameterSpace

SPACE = ParameterSpace(
    (Parameter("speed", "m/s", 0.6, 1.6), Parameter("heading", "rad", -0.4, 0.4))
)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1.0], ["2 values", "speed, heading", "got 1"]),
        ([1.0, 0.0, 0.0], ["2 values", "got 3"]),
        ([math.nan, 0.0], ["speed", "nan", "finite"]),
        ([1.0, math.inf], ["heading", "inf"]),
        ([9.0, 0.0], ["speed = 9 m/s", "0.6 to 1.6 m/s"]),
        ([1.0, -0.41], ["heading = -0.41 rad", "-0.4 to 0.4"]),
        (["fast", 0.0], ["not a list of numbers"]),
        ([[1.0, 0.0]], ["shape (1, 2)"]),
    ],
)
def test_bad_values_are_named_with_what_is_allowed(values, words):
    with pytest.raises(InvalidValue) as caught:
        SPACE.validate(values)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("low", "high"), [(1.0, 0.0), (math.nan, 1.0), (0.0, math.inf)])
def test_empty_and_unbounded_ranges_are_refused(low, high):
    with pytest.raises(InvalidValue, match="heading"):
        Parameter("heading", "rad", low, high)


def test_bounds_themselves_are_allowed():
    np.testing.assert_array_equal(SPACE.validate(SPACE.lower), SPACE.lower)
    np.testing.assert_array_equal(SPACE.validate(SPACE.upper), SPACE.upper)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=2))
def test_projection_is_inside_and_says_whether_it_moved(values):
    vector = np.array(values)
    inside, moved = SPACE.project(vector)
    assert SPACE.contains(inside)
    assert moved == (not SPACE.contains(vector))


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=2))
def test_normalise_and_back(values):
    vector = np.array(values)
    back = SPACE.denormalise(SPACE.normalise(vector))
    np.testing.assert_allclose(back, vector, rtol=1e-12, atol=1e-12)


def test_registry_lists_the_valid_names_and_takes_new_ones():
    registry: Registry[int] = Registry("thing", {"pi": "math:pi"})
    assert registry.get("pi") == math.pi
    registry.register("two", 2)
    assert registry.names() == ["pi", "two"]
    with pytest.raises(UnknownName, match=r"unknown thing 'e': choose one of pi, two"):
        registry.get("e")
    with pytest.raises(ValueError, match="already"):
        registry.register("pi", 3)


def test_parameters_at_a_bound_are_named_with_its_side():
    space = ParameterSpace(
        (Parameter("speed", "m/s", 0.6, 1.6), Parameter("fixed", "m", 0.1, 0.1),
         Parameter("heading", "rad", -0.3, 0.3))
    )  # fmt: skip
    assert space.at_edge(np.array([1.599, 0.1, 0.0])) == [(0, True)]
    assert space.at_edge(np.array([0.6, 0.1, -0.3])) == [(0, False), (2, False)]
    assert space.at_edge(np.array([1.0, 0.1, 0.2])) == []
