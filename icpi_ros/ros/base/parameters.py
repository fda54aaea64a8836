"""Parameters of nodes, made from the table of settings: type, unit, range, choices, all checked."""

from __future__ import annotations

import math
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    ParameterUninitializedException,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from icpi_ros.core.errors import UsageError
from icpi_ros.core.plugins import as_text, load_all, task_name
from icpi_ros.core.text import printable
from icpi_ros.ros.bringup.arguments import TASK_NAMES, with_names
from icpi_ros.settings.nodes import PLAYER
from icpi_ros.settings.setting import Setting
from icpi_ros.settings.table import of_node

_TYPES: dict[type, tuple[Parameter.Type, str]] = {
    bool: (Parameter.Type.BOOL, "true or false"),
    int: (Parameter.Type.INTEGER, "a whole number"),
    float: (Parameter.Type.DOUBLE, "a number with a decimal point, such as 1.0"),
    str: (Parameter.Type.STRING, "text"),
    list: (Parameter.Type.DOUBLE_ARRAY, "numbers with decimal points, such as [0.2, 1.0]"),
}


PLUGINS = "plugins"
INTEGERS = 2**63 - 1
"""Largest integer of a parameter."""


def descriptor(setting: Setting) -> ParameterDescriptor:
    """Return a setting as ROS sees it (`ros2 param describe`)."""
    found = ParameterDescriptor(
        description=f"{setting.description} [{setting.unit}]"
        if setting.unit
        else setting.description,
        read_only=setting.read_only,
        additional_constraints=setting.allowed if setting.choices else "",
    )
    low, high = setting.lower, setting.upper
    if math.isfinite(low) and math.isfinite(high):
        if isinstance(setting.default, float):
            limits = FloatingPointRange(from_value=float(low), to_value=float(high))
            found.floating_point_range = [limits]
        else:
            whole = IntegerRange(from_value=int(low), to_value=min(int(high), INTEGERS))
            found.integer_range = [whole]
    return found


def declare(node: Node, name: str) -> dict[str, Any]:
    """Declare the parameters that the table of settings has of node ``name``; return their values.

    Plug-ins among them are loaded first.

    Raises:
        UsageError: a value given at start is not allowed; names parameter, value and what is.
    """
    relaxed = name == PLAYER
    wanted = {setting.name: setting for setting in of_node(name)}
    values = {}
    if PLUGINS in wanted:
        values[PLUGINS] = _declare(node, wanted.pop(PLUGINS), relaxed)
        load_all(values[PLUGINS])
        if brought := as_text():  # those of the environment, too
            values[PLUGINS] = brought
            node.get_logger().warning(f"plug-ins: {printable(brought)}")
    return values | {s.name: _declare(node, with_names(s), relaxed) for s in wanted.values()}


def _declare(node: Node, setting: Setting, relaxed: bool) -> Any:
    kind, _ = _TYPES[type(setting.default)]
    default = setting.usual if relaxed else setting.default
    try:
        # An empty list has no type in rclpy: declare the type and leave the value unset.
        first = kind if default == [] else default
        node.declare_parameter(setting.name, first, descriptor(setting))
        value = node.get_parameter(setting.name).value
    except ParameterUninitializedException:
        return []
    except (InvalidParameterTypeException, InvalidParameterValueException) as exc:
        raise UsageError(_refusal(node, setting)) from exc
    if setting.name in TASK_NAMES:
        value = task_name(value)
    if setting.choices and value not in (*setting.choices, setting.default):
        raise UsageError(_refusal(node, setting))
    return list(value) if kind is Parameter.Type.DOUBLE_ARRAY else value


def _refusal(node: Node, setting: Setting) -> str:
    given = node._parameter_overrides.get(setting.name)
    value = "" if given is None else f" = {given.value!r}"
    kind = _TYPES[type(setting.default)][1]
    allowed = setting.allowed if setting.choices else setting.ranged(kind)
    return f"{node.get_name()}: parameter {setting.name}{value} is not allowed: {allowed}"
