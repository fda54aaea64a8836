"""Node parameters from a small table: type, default, unit, range, choices, all checked."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    ParameterUninitializedException,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from icpi_ros.errors import UsageError
from icpi_ros.plugins import load_all

_TYPES: dict[type, tuple[Parameter.Type, str]] = {
    bool: (Parameter.Type.BOOL, "true or false"),
    int: (Parameter.Type.INTEGER, "a whole number"),
    float: (Parameter.Type.DOUBLE, "a number with a decimal point, such as 1.0"),
    str: (Parameter.Type.STRING, "text"),
    list: (Parameter.Type.DOUBLE_ARRAY, "numbers with decimal points, such as [0.2, 1.0]"),
}


@dataclass(frozen=True)
class Spec:
    """One parameter, fixed at start unless ``read_only`` is False.

    Attributes:
        name: its name.
        default: default value; its type is the parameter's type (a list means float64[]).
        description: what it does.
        unit: SI unit; empty = none.
        lower, upper: closed range of a number; None = no range (text and lists).
        choices: allowed texts; empty = any.
    """

    name: str
    default: Any
    description: str
    unit: str = ""
    lower: float | None = None
    upper: float | None = None
    choices: Collection[str] = ()
    read_only: bool = True

    @property
    def descriptor(self) -> ParameterDescriptor:
        """The same as ROS sees it (`ros2 param describe`)."""
        unit = f" [{self.unit}]" if self.unit else ""
        constraint = f"one of {', '.join(self.choices)}" if self.choices else ""
        descriptor = ParameterDescriptor(
            description=self.description + unit,
            read_only=self.read_only,
            additional_constraints=constraint,
        )
        if self.lower is not None and self.upper is not None:
            if isinstance(self.default, float):
                limits = FloatingPointRange(
                    from_value=float(self.lower), to_value=float(self.upper)
                )
                descriptor.floating_point_range = [limits]
            else:
                whole = IntegerRange(from_value=int(self.lower), to_value=int(self.upper))
                descriptor.integer_range = [whole]
        return descriptor

    @property
    def allowed(self) -> str:
        """What a value may be, for error messages."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        text = _TYPES[type(self.default)][1]
        if self.lower is not None and self.upper is not None:
            text += f" from {self.lower:g} to {self.upper:g}"
        return f"{text} [{self.unit}]" if self.unit else text


PLUGINS = Spec("plugins", "", "modules or files that add tasks, improvers or arms; : between")
"""Of every node that knows tasks, improvers or arms by name."""


def declare(node: Node, specs: Iterable[Spec]) -> dict[str, Any]:
    """Declare all parameters and return their values; load the plug-ins among them first.

    Raises:
        UsageError: a value given at start is not allowed; names parameter, value and what is.
    """
    wanted = tuple(specs)
    if PLUGINS in wanted:
        load_all(_declare(node, PLUGINS))
    return {spec.name: _declare(node, spec) for spec in wanted if spec is not PLUGINS}


def _declare(node: Node, spec: Spec) -> Any:
    kind, _ = _TYPES[type(spec.default)]
    empty = spec.default == []
    try:
        # An empty list has no type in rclpy: declare the type and leave the value unset.
        node.declare_parameter(spec.name, kind if empty else spec.default, spec.descriptor)
        value = node.get_parameter(spec.name).value
    except ParameterUninitializedException:
        return []
    except (InvalidParameterTypeException, InvalidParameterValueException) as exc:
        raise UsageError(_refusal(node, spec)) from exc
    if spec.choices and value not in spec.choices:
        raise UsageError(_refusal(node, spec))
    return list(value) if kind is Parameter.Type.DOUBLE_ARRAY else value


def _refusal(node: Node, spec: Spec) -> str:
    given = node._parameter_overrides.get(spec.name)
    value = "" if given is None else f" = {given.value!r}"
    return f"{node.get_name()}: parameter {spec.name}{value} is not allowed: {spec.allowed}"
