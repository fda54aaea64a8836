"""Calibrated physics as YAML: written by `icpi calibrate physics`, read by simulations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from icpi_ros.core.errors import InvalidValue, UsageError
from icpi_ros.core.yaml_files import FileKind, read_yaml, shown, unknown_key, write_yaml
from icpi_ros.evaluate.physics.estimate import PhysicsEstimate
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.belief import Belief

SCHEMA = 1
PHYSICS_FILE = FileKind(max_bytes=100_000, invalid="{path} is not YAML")
KEYS = ("icpi_physics", "task", "scene", "names", "physics", "covariance", "parameters", "made")


def save(path: Path, estimate: PhysicsEstimate, how: str, date: str) -> None:
    """Write an estimate; ``how`` it was made, in one line, and ``date`` (ISO 8601, UTC).

    The file is whole or not there at all.
    """
    belief = estimate.belief
    content = {
        "icpi_physics": SCHEMA,
        "task": belief.task,
        "scene": belief.scene,
        "names": list(belief.names),
        "physics": list(belief.mean),
        "covariance": [list(row) for row in belief.covariance],
        "parameters": {
            p.name: {
                "unit": p.unit,
                "value": p.value,
                "deviation": p.deviation,
                "interval_90": list(p.interval),
                "known": p.known,
                "at_border": p.border or "",
            }
            for p in estimate.parameters
        },
        "made": {
            "how": how,
            "date": date,
            "trials": len(estimate.trials),
            "noise_m": estimate.noise,
        },
    }
    write_yaml(path, content)


def load(path: Path, task: Task) -> Belief:
    """Return the belief in a file, checked against ``task``.

    Raises:
        UsageError: missing, damaged, newer, or about another scene.
    """
    content = _read(path)
    schema = content.get("icpi_physics")
    if not isinstance(schema, int) or schema != SCHEMA:
        what = "is of a newer icpi_ros" if isinstance(schema, int) else "holds no physics"
        raise UsageError(f"{path} {what}: expected what `icpi calibrate physics` writes")
    try:
        belief = Belief(
            str(content["task"]),
            str(content["scene"]),
            tuple(str(name) for name in content["names"]),
            tuple(float(value) for value in content["physics"]),
            tuple(tuple(float(value) for value in row) for row in content["covariance"]),
        )
        belief.check(task)
    except (LookupError, TypeError, ValueError, OverflowError) as exc:
        why = f"{exc.args[0]!r} is missing" if isinstance(exc, KeyError) else str(exc)
        raise UsageError(f"{path} is damaged ({why}): calibrate again") from None
    except InvalidValue as exc:
        raise UsageError(f"{path}: {exc}") from None
    if unknown := unknown_key(content, KEYS):
        key, hint = unknown
        allowed = ", ".join(KEYS)
        raise UsageError(f"{path}: unknown key {shown(key)}: allowed are {allowed}{hint}")
    return belief


def _read(path: Path) -> Mapping[str, Any]:
    content = read_yaml(path, PHYSICS_FILE)
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no physics: expected what `icpi calibrate physics` writes")
    return content
