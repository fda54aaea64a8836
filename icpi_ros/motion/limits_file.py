"""A lab's own limits as YAML: any limit of the arm, tightened.

velocity: 1.5                                  # rad/s, all joints
acceleration: [20, 20, 20, 30, 30, 30]         # rad/s^2, each joint
workspace_lower: [0.3, -0.5, 0.008]            # m, frame base
tool_speed: 1.2                                # m/s
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import yaml

from icpi_ros.core.errors import InvalidValue, Kind, Refusal, UsageError
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.robots.base import Arm, ArmLimits
from icpi_ros.robots.hashed_file import HashedFile

_LARGEST = 100_000
"""Bytes; a file of limits has a few hundred."""


def load_limits(path: Path, arm: Arm) -> tuple[ArmLimits, HashedFile]:
    """Return the limits of ``arm``, tightened by a file, and the file with its hash.

    Raises:
        InvalidValue: one line: the file is missing or no YAML, a key is unknown or there twice,
            a value is not a finite number or looser than the arm's own.
    """
    content = _read(path)
    changes = {key: _value(node) for key, node in _entries(content, path)}
    try:
        limits = arm.limits.tightened(changes, arm.joints)
    except UsageError as exc:
        text = f"{path}, limits of {arm.name}: {exc}"
        raise InvalidValue(replace(exc.refusal, text=text)) from exc
    return limits, HashedFile.of(path, content)


def gate_of(arm: Arm, limits: str) -> SafetyGate:
    """Return the gate of an arm with its own limits, or tightened by the file ``limits``.

    Raises:
        InvalidValue: see :func:`load_limits`.
    """
    return gate_and_file(arm, limits)[0]


def gate_and_file(arm: Arm, limits: str) -> tuple[SafetyGate, HashedFile | None]:
    """Return the gate as :func:`gate_of` does, and the file of its limits; None = no file.

    Raises:
        InvalidValue: see :func:`load_limits`.
    """
    if not limits:
        return SafetyGate(arm), None
    values, file = load_limits(Path(limits).expanduser(), arm)
    return SafetyGate(arm, values), file


def _read(path: Path) -> bytes:
    """Return the bytes of a file of limits."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as exc:
        text = f"cannot read limits {path}: {exc.strerror or exc}"
        raise InvalidValue(Refusal(text, Kind.UNREADABLE)) from exc
    if len(content) > _LARGEST:
        text = f"{path} is too large for a file of limits"
        raise InvalidValue(Refusal(text, Kind.UNREADABLE))
    return content


def _entries(content: bytes, path: Path) -> list[tuple[str, yaml.Node]]:
    """Return the keys of a file with their nodes; nodes, because a key may be there twice."""
    try:
        root = yaml.compose(content.decode("utf-8"), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        text = f"{path} is no YAML: {' '.join(str(exc).split())[:160]}"
        raise InvalidValue(Refusal(text, Kind.UNREADABLE)) from exc
    if not isinstance(root, yaml.MappingNode) or not root.value:
        text = f"{path} holds no limits: expected keys like velocity: 1.5"
        raise InvalidValue(Refusal(text, Kind.MISSING))
    entries = [(str(key.value), node) for key, node in root.value]
    names = [name for name, _ in entries]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        text = f"{path} has {min(twice)} twice: leave one of them"
        raise InvalidValue(Refusal(text, Kind.DUPLICATE, min(twice), field=min(twice)))
    return entries


def _value(node: yaml.Node) -> object:
    """Return a number, a list of numbers, or the text that is none.

    By hand, because YAML 1.1 takes 1e-3 for text.
    """
    if isinstance(node, yaml.SequenceNode):
        return [_scalar(item) for item in node.value]
    return _scalar(node)


def _scalar(node: yaml.Node) -> object:
    if not isinstance(node, yaml.ScalarNode):
        return "a list or block"
    try:
        return float(node.value)
    except ValueError:
        return str(node.value)
