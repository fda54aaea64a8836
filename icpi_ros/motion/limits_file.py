"""A lab's own limits as YAML: any limit of the arm, tightened.

velocity: 1.5                                  # rad/s, all joints
acceleration: [20, 20, 20, 30, 30, 30]         # rad/s^2, each joint
workspace_lower: [0.3, -0.5, 0.008]            # m, frame base
tool_speed: 1.2                                # m/s
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from icpi_ros.core.errors import InvalidValue, Kind, Refusal, UsageError
from icpi_ros.core.files import HashedFile
from icpi_ros.core.yaml_files import FileKind, number, parse_yaml, read_text
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.robots.base import Arm, ArmLimits

LIMITS_FILE = FileKind(
    InvalidValue,
    max_bytes=100_000,
    name="limits ",
    invalid="{path} is no YAML",
    twice="it has {key} twice: leave one of them",
)


def load_limits(path: Path, arm: Arm) -> tuple[ArmLimits, HashedFile]:
    """Return the limits of ``arm``, tightened by a file, and the file with its hash.

    Raises:
        InvalidValue: one line: the file is missing or no YAML, a key is unknown or there twice,
            a value is not a finite number or looser than the arm's own.
    """
    text = read_text(path, LIMITS_FILE)
    changes = _read(text, path)
    try:
        limits = arm.limits.tightened(changes, arm.joints)
    except UsageError as exc:
        why = f"{path}, limits of {arm.name}: {exc}"
        raise InvalidValue(replace(exc.refusal, text=why)) from exc
    return limits, HashedFile.of(path, text.encode())


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


def _read(text: str, path: Path) -> dict[str, object]:
    content = parse_yaml(text, path, LIMITS_FILE)
    if not isinstance(content, dict) or not content:
        text = f"{path} holds no limits: expected keys like velocity: 1.5"
        raise InvalidValue(Refusal(text, Kind.MISSING))
    return {
        str(key): [number(item) for item in value] if isinstance(value, list) else number(value)
        for key, value in content.items()
    }
