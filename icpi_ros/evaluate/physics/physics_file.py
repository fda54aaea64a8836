"""Calibrated physics as YAML: written by `icpi calibrate physics`, read by simulations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from icpi_ros.core.errors import InvalidValue, UsageError
from icpi_ros.core.files import replacing
from icpi_ros.evaluate.physics.estimate import PhysicsEstimate
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.belief import Belief

SCHEMA = 1
_MAX_SIZE = 100_000
"""Bytes; such a file has 1,500."""


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
                "at_border": p.border,
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
    with replacing(path) as temporary:
        text = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=100)
        temporary.write_text(text, encoding="utf-8")


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
    except (LookupError, TypeError, ValueError) as exc:
        why = f"{exc.args[0]!r} is missing" if isinstance(exc, KeyError) else str(exc)
        raise UsageError(f"{path} is damaged ({why}): calibrate again") from None
    except InvalidValue as exc:
        raise UsageError(f"{path}: {exc}") from None
    return belief


def _read(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > _MAX_SIZE:
            raise UsageError(f"{path} is too large to hold physics")
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise UsageError(f"cannot read {path}: {exc.strerror or exc}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise UsageError(f"{path} is not YAML") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no physics: expected what `icpi calibrate physics` writes")
    return content
