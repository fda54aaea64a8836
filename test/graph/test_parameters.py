"""Parameters as ROS sees them are those of the table of settings."""

import math

import pytest
import rclpy
from rclpy.parameter import Parameter

from icpi_ros.core.errors import UsageError
from icpi_ros.perception.sources import SOURCES
from icpi_ros.ros.base.parameters import INTEGERS, declare, descriptor
from icpi_ros.ros.base.topics import CONTROLLER
from icpi_ros.ros.bringup.arguments import with_names
from icpi_ros.settings.table import OWN, find, of_node

KINDS = {float: Parameter.Type.DOUBLE, int: Parameter.Type.INTEGER}


@pytest.fixture(scope="module")
def context(domain):
    context = rclpy.Context()
    rclpy.init(context=context)
    yield context
    rclpy.shutdown(context=context)


def declared(context, node, **given):
    """Return the values of the parameters of a node that is started with ``given``."""
    overrides = [Parameter(name, KINDS[type(value)], value=value) for name, value in given.items()]
    one = rclpy.create_node(
        "one",
        context=context,
        parameter_overrides=overrides,
        enable_rosout=False,
        start_parameter_services=False,
    )
    try:
        return declare(one, node)
    finally:
        one.destroy_node()


def ranges(node):
    """Return the ends of the ranges of the parameters of a node by name."""
    bounded = [s for s in of_node(node) if math.isfinite(s.lower) and math.isfinite(s.upper)]
    return {
        s.name: (type(s.default)(s.lower), type(s.default)(min(s.upper, INTEGERS))) for s in bounded
    }


@pytest.mark.parametrize("node", OWN)
def test_the_parameters_of_a_node_are_those_of_the_table(context, node):
    values = declared(context, node)
    table = {s.name: s.usual if node == "replay" else s.default for s in of_node(node)}
    assert values == table


@pytest.mark.parametrize("node", OWN)
@pytest.mark.parametrize("end", [0, 1], ids=["lower", "upper"])
def test_the_range_of_a_parameter_is_that_of_its_setting(context, node, end):
    given = {name: ends[end] for name, ends in ranges(node).items()}
    values = declared(context, node, **given)
    assert {name: values[name] for name in given} == given
    for name, ends in ranges(node).items():
        whole = isinstance(ends[0], int)
        beyond = ends[end] + (2 * end - 1) * (1 if whole else 0.01 * (ends[1] - ends[0]))
        if beyond > INTEGERS:
            continue
        with pytest.raises(UsageError, match=rf"parameter {name} = .* is not allowed: .* from "):
            declared(context, node, **{name: beyond})


def test_a_description_says_unit_and_choices():
    assert descriptor(find("start_timeout")).description.endswith(" [s]")
    assert descriptor(find("scene")).additional_constraints == "one of service, operator"


def test_what_stands_elsewhere_too_is_the_same():
    assert find("controller_name").default == CONTROLLER
    assert set(with_names(find("source")).choices) == set(SOURCES.names())
