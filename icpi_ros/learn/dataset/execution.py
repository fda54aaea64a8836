"""Way of execution of a run or a trial: its world, its arm, its limits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

import numpy as np

from icpi_ros.core.errors import DatasetError
from icpi_ros.robots.arm_text import limits_digest
from icpi_ros.robots.base import Arm, ArmLimits

UNKNOWN = "unknown"
"""Value of whatever was not reported to the store."""


class Backend(StrEnum):
    """Executor of a theta."""

    IN_PROCESS = "in_process"
    """The simulation, without a ROS graph."""
    SIMULATED = "simulated_graph"
    """The graph `sim`, however it was started."""
    REAL = "real_graph"
    """The graph `real`: an arm's own driver, or its stand-in."""
    REPLAY = "replay"
    """A recorded bag."""
    UNKNOWN = UNKNOWN
    """An older store, or a node without that information."""


_WORDS: Mapping[Backend, str] = {
    Backend.IN_PROCESS: "in process, in a simulation",
    Backend.SIMULATED: "in a simulation, in a graph",
    Backend.REAL: "on the real graph",
    Backend.REPLAY: "from a recorded bag",
    Backend.UNKNOWN: "in an unknown way",
}
_OPTIONS: Mapping[Backend, str] = {
    Backend.IN_PROCESS: "--in-process",
    Backend.SIMULATED: "the simulated graph",
    Backend.REAL: "--attach",
}
_GRAPHS = (Backend.SIMULATED, Backend.REAL)


@dataclass(frozen=True)
class Execution:
    """Way of execution; every field is ``unknown`` unless it was reported.

    Attributes:
        backend: see :class:`Backend`.
        arm: name of the arm.
        arm_hash: of the arm's description, see :func:`arm_hash`.
        limits: file of tightened limits; empty = the arm's own.
        limits_hash: of the limits in force, see :func:`icpi_ros.robots.arm_text.limits_digest`.
        source: of object positions: ``rollout``, ``tracked_pose`` or ``camera``.
        controller: of the joints: ``none`` in process, ``simulated``, or its name.
        domain: ROS_DOMAIN_ID as text; empty = no ROS.
        namespace: ROS namespace, ``/`` = the root; empty = no ROS.
        dry_run: ``true``: nothing moves; ``false``.
        world: task whose scene is simulated; empty = the run's own, or a real arm.
    """

    backend: Backend = Backend.UNKNOWN
    arm: str = UNKNOWN
    arm_hash: str = UNKNOWN
    limits: str = UNKNOWN
    limits_hash: str = UNKNOWN
    source: str = UNKNOWN
    controller: str = UNKNOWN
    domain: str = UNKNOWN
    namespace: str = UNKNOWN
    dry_run: str = UNKNOWN
    world: str = UNKNOWN

    @classmethod
    def of(cls, backend: Backend, arm: Arm, in_force: ArmLimits, **more: str) -> Execution:
        """Return the way with ``arm`` under the limits ``in_force``; ``more``: other fields."""
        known = {"arm_hash": arm_hash(arm), "limits_hash": limits_digest(in_force)}
        return cls(backend, arm.name, **known, **more)

    def __str__(self) -> str:
        """Return the way in words: ``on the real graph in namespace /cell with ur5e``."""
        words = [_WORDS[self.backend]]
        if self.backend in _GRAPHS and self.namespace not in ("", "/", UNKNOWN):
            words.append(f"in namespace {self.namespace}")
        if self.world not in ("", UNKNOWN):
            words.append(f"in the world of {self.world}")
        if self.arm != UNKNOWN:
            words.append(f"with {self.arm}")
        return " ".join(words)

    def to_json(self) -> str:
        """Return the fields as JSON text."""
        return json.dumps(asdict(self), sort_keys=True)


UNKNOWN_EXECUTION = Execution()
"""Nothing is known."""


def execution_from_json(text: str) -> Execution:
    """Inverse of :meth:`Execution.to_json`; a field that is left out is unknown.

    Raises:
        ValueError: the text is damaged, or has fields or a backend that are unknown here.
    """
    try:
        values: dict[str, Any] = json.loads(text)
        return Execution(**values | {"backend": Backend(values.get("backend", UNKNOWN))})
    except (TypeError, AttributeError, RecursionError) as exc:
        raise ValueError(f"{type(exc).__name__}: {exc}") from exc


def latest(first: Execution, attempts: Iterable[Execution]) -> Execution:
    """Return the way of a run's last attempt that knows its own, else of its beginning."""
    known = [one for one in attempts if one.backend is not Backend.UNKNOWN]
    return known[-1] if known else first


def mixture(before: Execution, now: Execution) -> str:
    """Return both ways in words if one run should not have both; empty = it may go on.

    What is unknown on either side differs from nothing.
    """

    def differ(name: str) -> bool:
        values = {getattr(before, name), getattr(now, name)}
        return UNKNOWN not in values and len(values) == 2

    if differ("backend") or differ("arm") or differ("world"):
        return f"was executed {before}; this would continue it {now}"
    if differ("arm_hash"):
        return (
            f"was executed {before} (description {before.arm_hash}); this would continue it "
            f"{now} (description {now.arm_hash})"
        )
    return ""


def refuse_mixed(run_id: str, mixed: str) -> None:
    """Refuse a run as one table of data: ``mixed`` is that of its :class:`RunRecord`.

    Raises:
        DatasetError: trials of several arms or backends are in it.
    """
    if mixed:
        raise DatasetError(
            f"run {run_id} has trials of several arms or backends ({mixed}): its trials are not of "
            "one physics; use a run that is not mixed"
        )


def remedy(before: Execution) -> str:
    """Return the advice against mixing, as an error ends."""
    how = _OPTIONS.get(before.backend, "the same graph")
    if before.world not in ("", UNKNOWN):
        how += f" --world {before.world}" if how.startswith("--") else f", world {before.world}"
    return f"go on with {how} and the same arm, or give --mix if mixing is meant"


def arm_hash(arm: Arm) -> str:
    """Return a short hash of what an arm is: joints, limits, collision geometry, kinematics.

    Kinematics as tool poses at fixed joint positions, so that it is the same for arms from
    Denavit-Hartenberg tables, URDF and code.  Stored runs and data sets know an arm by it: another
    way to make it would make another arm of each.
    """
    n = len(arm.joints)
    poses = [arm.tool_pose(arm.home), arm.tool_pose(np.zeros(n))]
    poses += [arm.tool_pose(arm.home + 0.5 * np.eye(n)[i]) for i in range(n)]
    body = [
        (c.name, c.link, _rounded(c.start), _rounded(c.end), _rounded(c.radius))
        for c in arm.collision_geometry
    ]
    return _hash(
        {
            "name": arm.name,
            "joints": arm.joints,
            "limits": {f.name: _rounded(getattr(arm.limits, f.name)) for f in fields(arm.limits)},
            "home": _rounded(arm.home),
            "strike_deceleration": str(arm.strike_deceleration),
            "body": body,
            "poses": [[_rounded(part) for part in pose] for pose in poses],
        }
    )


def _rounded(value: Any) -> Any:
    """Return numbers to 1e-6: another processor's last bits make no other arm."""
    return (np.round(np.asarray(value, dtype=np.float64), 6) + 0.0).tolist()  # -0.0 to 0.0


def _hash(values: object) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
