"""Build a data set in simulation: draw by draw, anywhere, resumable.

The same bytes every time on one kind of processor, and ``REBUILD_TOLERANCE`` between kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from icpi_ros.core.errors import DatasetError, IcpiError
from icpi_ros.learn.building import search
from icpi_ros.learn.building.labelling import label_draw, versions
from icpi_ros.learn.building.plan import GLOBAL_SAMPLES, Plan
from icpi_ros.learn.building.workers import Workers, require_versions
from icpi_ros.learn.dataset.dataset import Dataset, save
from icpi_ros.learn.dataset.execution import arm_hash
from icpi_ros.learn.dataset.mixing import ArmId
from icpi_ros.learn.dataset.parts import PART_FILES, Parts
from icpi_ros.learn.dataset.side_folder import side_folder
from icpi_ros.robots import ARMS
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task


@dataclass(frozen=True)
class Progress:
    """How far a build is: ``done`` of ``draws``, ``dropped`` rollouts so far."""

    done: int
    draws: int
    dropped: int


def build(
    task: Task,
    arm: Arm,
    plan: Plan,
    workers: Workers | None = None,
    threads: int = 1,
    parts: Parts | None = None,
    on_draw: Callable[[Progress], None] = lambda _: None,
) -> Dataset:
    """Return a labelled data set; it depends on task, arm, plan and kind of processor.

    Args:
        task: what to execute.
        arm: that executes it.
        plan: see :class:`Plan`.
        workers: who does it; None = this process.
        threads: simulation threads of each worker.
        parts: where finished draws are kept and taken from; None = nowhere.
        on_draw: told after every draw, and once before the first.

    Raises:
        InvalidValue: the plan does not fit the task.
        DatasetError: no rollout gave an example, or a draw cannot be kept.
        IcpiError: a worker failed.
    """
    plan.check(task, k=1)
    done = {n: part for n, part in (parts.done() if parts else {}).items() if n < plan.draws}
    dropped = sum(int(part.provenance["dropped"]) for part in done.values())
    on_draw(Progress(len(done), plan.draws, dropped))
    missing = [draw for draw in range(plan.draws) if draw not in done]
    work = partial(label_draw, task, arm, plan, threads=threads)
    for draw, part in (workers or Workers()).run(work, missing):
        _check_versions(part.provenance["versions"])
        if parts:
            parts.add(draw, part)
        done[draw] = part
        dropped += int(part.provenance["dropped"])
        on_draw(Progress(len(done), plan.draws, dropped))
    return _join(task, arm, plan, [done[draw] for draw in range(plan.draws)])


def build_file(
    task: Task,
    arm: Arm,
    plan: Plan,
    out: Path,
    workers: Workers | None = None,
    threads: int = 1,
    on_draw: Callable[[Progress], None] = lambda _: None,
) -> Dataset:
    """Build into a Parquet file by way of ``out.parts/``; the same call continues a broken one.

    Raises:
        IcpiError: see :func:`build` and :class:`Parts`; says how many draws are kept.
    """
    with Parts(out, task, _provenance(task, arm, plan)) as parts:
        try:
            dataset = build(task, arm, plan, workers, threads, parts, on_draw)
            save(dataset, out, task)
        except IcpiError as exc:
            exc.args = (f"{exc}; {kept(out, plan)}",)
            raise
        parts.remove()
    return dataset


def kept(out: Path, plan: Plan) -> str:
    """Say what of a broken build is kept, and how to go on."""
    folder = side_folder(out)
    count = len(list(folder.glob(PART_FILES)))
    return (
        f"{count} of {plan.draws} draws are kept in {folder}: run the same command again to "
        "continue"
    )


def _join(task: Task, arm: Arm, plan: Plan, parts: list[Dataset]) -> Dataset:
    names = ("theta", "error", "dtheta", "goal", "cost", "label_cost", "group")
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(p, name) for p in parts]) for name in names
    }
    rollouts, dropped = (
        sum(int(part.provenance[name]) for part in parts) for name in ("rollouts", "dropped")
    )
    joined = Dataset(task=task.name, **columns, arms=(ArmId.of(arm),))
    if len(joined) == 0:
        raise DatasetError(
            f"no example: all {rollouts} rollouts were dropped (unstable or not observed); check "
            f"the scene and the physics of task {task.name}"
        )
    counts = {"rollouts": rollouts, "dropped": dropped, "missing": plan.examples - len(joined)}
    return replace(joined, provenance=_provenance(task, arm, plan) | {"counts": counts})


def _provenance(task: Task, arm: Arm, plan: Plan) -> dict[str, Any]:
    """Return what the examples depend on; nothing of where and when they were made."""
    made = plan.as_dict(task) | {
        "command": plan.command(task) + _arm_option(task, arm),
        "arm": arm.name,
        "arm_hash": arm_hash(arm),
        "definition_hash": task.definition_hash(),
        "versions": versions("mujoco"),
    }
    if plan.label == "brute":
        made["search"] = {
            "global_samples": GLOBAL_SAMPLES,
            "local_samples": search.LOCAL_SAMPLES,
            "radii": list(search.RADII),
            "starts": search.STARTS,
            "solved": search.SOLVED,
        }
    return made


def _arm_option(task: Task, arm: Arm) -> str:
    """Return the option for an arm that is not the task's own; a file by its arm's name."""
    if arm.name == task.arm:
        return ""
    return f" --arm {arm.name}" if arm.name in ARMS else f" --arm {arm.name}.yaml"


def _check_versions(found: Mapping[str, str]) -> None:
    """Refuse results of a worker that runs other versions than this process."""
    require_versions(found, versions("mujoco"))
