"""Build a data set in simulation: one physics sample after another, anywhere, resumable.

ICPI, arXiv 2508.15021: triplets (theta, state, dtheta) labelled by brute-force search
(:mod:`icpi_ros.learn.building.search`) or by hindsight
(:mod:`icpi_ros.learn.building.hindsight`).  A physics sample depends on the task, the plan and its
own number only, so samples can be labelled anywhere and in any order.  The result has the same
bytes every time on one kind of processor, and is within ``REBUILD_TOLERANCE`` between kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from icpi_ros import __version__
from icpi_ros.core.errors import DatasetError, IcpiError
from icpi_ros.core.types import Array
from icpi_ros.learn.building.hindsight import choose_pairs, relabel
from icpi_ros.learn.building.plan import GLOBAL_SAMPLES, DatasetPlan
from icpi_ros.learn.building.search import (
    LOCAL_SAMPLES,
    RADII,
    SOLVED_COST,
    STARTS,
    ExecutedThetas,
    explore,
    search,
)
from icpi_ros.learn.building.workers import Workers, require_versions
from icpi_ros.learn.dataset.dataset import Dataset, empty, save
from icpi_ros.learn.dataset.execution import arm_hash
from icpi_ros.learn.dataset.joining import join
from icpi_ros.learn.dataset.mixing import ArmId
from icpi_ros.learn.dataset.side_folder import PART_FILES, DatasetParts, side_folder
from icpi_ros.learn.paths import path_times, sample_paths
from icpi_ros.robots import ARMS
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task


@dataclass(frozen=True)
class BuildProgress:
    """Progress of a build: ``done`` of ``draws`` physics samples, ``dropped`` rollouts so far."""

    done: int
    draws: int
    dropped: int


def build(
    task: Task,
    arm: Arm,
    plan: DatasetPlan,
    workers: Workers | None = None,
    threads: int = 1,
    parts: DatasetParts | None = None,
    on_draw: Callable[[BuildProgress], None] = lambda _: None,
) -> Dataset:
    """Return a labelled data set; it depends on task, arm, plan and kind of processor.

    Args:
        task: to execute.
        arm: that executes it.
        plan: see :class:`DatasetPlan`.
        workers: that label; None = this process.
        threads: simulation threads of each worker.
        parts: folder of finished draws; None = none are kept.
        on_draw: called after every draw, and once before the first.

    Raises:
        InvalidValue: the plan does not fit the task.
        DatasetError: no rollout gave an example, or a draw cannot be kept.
        IcpiError: a worker failed.
    """
    plan.check(task, k=1)
    done = {n: part for n, part in (parts.done() if parts else {}).items() if n < plan.draws}
    dropped = sum(int(part.provenance["dropped"]) for part in done.values())
    on_draw(BuildProgress(len(done), plan.draws, dropped))
    missing = [draw for draw in range(plan.draws) if draw not in done]
    work = partial(label_draw, task, arm, plan, threads=threads)
    for draw, part in (workers or Workers()).run(work, missing):
        _check_versions(part.provenance["versions"])
        if parts:
            parts.add(draw, part)
        done[draw] = part
        dropped += int(part.provenance["dropped"])
        on_draw(BuildProgress(len(done), plan.draws, dropped))
    return _join(task, arm, plan, [done[draw] for draw in range(plan.draws)])


def build_file(
    task: Task,
    arm: Arm,
    plan: DatasetPlan,
    out: Path,
    workers: Workers | None = None,
    threads: int = 1,
    on_draw: Callable[[BuildProgress], None] = lambda _: None,
) -> Dataset:
    """Build into a Parquet file by way of ``out.parts/``; the same call continues a broken one.

    Raises:
        IcpiError: see :func:`build` and :class:`DatasetParts`; names how many draws are kept.
    """
    with DatasetParts(out, task, _provenance(task, arm, plan)) as parts:
        try:
            dataset = build(task, arm, plan, workers, threads, parts, on_draw)
            save(dataset, out, task)
        except IcpiError as exc:
            exc.args = (f"{exc}; {kept(out, plan)}",)
            raise
        parts.remove()
    return dataset


def kept(out: Path, plan: DatasetPlan) -> str:
    """Return a line on the draws kept of a broken build, and how to continue it."""
    folder = side_folder(out)
    count = len(list(folder.glob(PART_FILES)))
    return (
        f"{count} of {plan.draws} draws are kept in {folder}: run the same command again to "
        "continue"
    )


def _join(task: Task, arm: Arm, plan: DatasetPlan, parts: list[Dataset]) -> Dataset:
    rollouts, dropped = (
        sum(int(part.provenance[name]) for part in parts) for name in ("rollouts", "dropped")
    )
    joined = replace(join(task, parts), arms=(ArmId.of(arm),))
    if len(joined) == 0:
        raise DatasetError(
            f"no example: all {rollouts} rollouts were dropped (unstable or not observed); check "
            f"the scene and the physics of task {task.name}"
        )
    counts = {"rollouts": rollouts, "dropped": dropped, "missing": plan.examples - len(joined)}
    return replace(joined, provenance=_provenance(task, arm, plan) | {"counts": counts})


def _provenance(task: Task, arm: Arm, plan: DatasetPlan) -> dict[str, Any]:
    """Return everything that the examples depend on; neither place nor time."""
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
            "local_samples": LOCAL_SAMPLES,
            "radii": list(RADII),
            "starts": STARTS,
            "solved": SOLVED_COST,
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


_NOISE_STREAM = 0x401
"""Label noise has a generator of its own: with and without it the examples are the same."""


def versions(*packages: str) -> dict[str, str]:
    """Return the versions that examples depend on: icpi_ros, numpy and ``packages``."""
    found = {"icpi_ros": __version__, "numpy": np.__version__}
    for name in packages:
        found[name] = _version(name)
    return found


@cache
def _version(package: str) -> str:
    try:
        return version(package)  # reading it takes as long as two rollouts
    except PackageNotFoundError:
        return "unknown"


def label_draw(task: Task, arm: Arm, plan: DatasetPlan, draw: int, threads: int = 1) -> Dataset:
    """Label the examples of physics sample number ``draw``; its number is their group.

    The provenance holds ``rollouts``, how many of them were ``dropped``, and the ``versions``
    of the process that made it.  Where too many were dropped there are fewer examples than
    planned, even none.

    Args:
        task: to execute.
        arm: that executes it.
        plan: see :class:`DatasetPlan`; already checked.
        draw: 0 to plan.draws - 1.
        threads: simulation threads; the result does not depend on it.
    """
    rng, count = plan.rng(draw), plan.counts()[draw]
    physics = plan.sample_physics(task, rng)
    if plan.label == "hindsight":
        dataset, made = _hindsight(task, arm, physics, count, rng, threads)
    else:
        goals = plan.sample_goals(task, rng)
        dataset, made = _brute(task, arm, physics, goals, count, rng, threads)
    facts = {
        "rollouts": len(made.thetas) + made.dropped,
        "dropped": made.dropped,
        "versions": versions("mujoco"),
    }
    group = np.full(len(dataset), draw, dtype=np.int64)
    dataset = replace(dataset, group=group, provenance=facts)
    if plan.label_noise > 0.0:
        dataset = with_label_noise(dataset, task, plan.label_noise, plan.seed)
    return dataset


def _brute(
    task: Task,
    arm: Arm,
    physics: Array,
    goals: Array,
    count: int,
    rng: np.random.Generator,
    threads: int,
) -> tuple[Dataset, ExecutedThetas]:
    """Label ``count`` quasi-random executions, an equal share for each goal of the sample."""
    found = search(task, arm, physics, goals, rng, threads)
    if found.first == 0:
        return empty(task), found.executions
    chosen = rng.choice(found.first, min(count, found.first), replace=False)
    goal = np.arange(len(chosen)) * len(goals) // max(len(chosen), 1)
    thetas, best, trajectories = found.executions.thetas, found.best, found.executions.trajectories
    times = path_times(task)
    path = sample_paths([trajectories[n] for n in chosen], times)
    label_path = sample_paths([trajectories[n] for n in best], times)
    dataset = Dataset(
        task=task.name,
        theta=thetas[chosen],
        error=found.errors[goal, chosen],
        dtheta=thetas[best[goal]] - thetas[chosen],
        goal=goals[goal],
        cost=found.costs[goal, chosen],
        label_cost=found.costs[goal, best[goal]],
        group=np.zeros(len(chosen), dtype=np.int64),
        path=path,
        label_path=label_path[goal],
        path_times=times,
    )
    return dataset, found.executions


def _hindsight(
    task: Task, arm: Arm, physics: Array, count: int, rng: np.random.Generator, threads: int
) -> tuple[Dataset, ExecutedThetas]:
    """Relabel pairs of ``count + 1`` executions: as many trials as a robot would spend."""
    made = explore(task, arm, physics, count + 1, rng, threads)
    pairs = choose_pairs(len(made.thetas), count, rng)
    return relabel(task, made.thetas, made.trajectories, pairs, group=0), made


def with_label_noise(dataset: Dataset, task: Task, std: float, seed: int) -> Dataset:
    """Add noise to the labels; costs and paths of the noisy ones are unknown.

    A data set of seed ``seed`` becomes what a build with this noise would have made of it.

    Args:
        dataset: groups are numbers of physics draws.
        task: of the examples.
        std: of white noise on dtheta, as a share of the half-range of each parameter.
        seed: of the build.
    """
    noise = np.empty_like(dataset.dtheta)
    for draw in np.unique(dataset.group):
        rows = np.flatnonzero(dataset.group == draw)
        rng = np.random.default_rng([seed, int(draw), _NOISE_STREAM])
        noise[rows] = rng.standard_normal((len(rows), noise.shape[1]))
    unknown = np.full(len(dataset), np.nan)
    disturbed = dataset.dtheta + std * task.space.half_range * noise
    no_path = None if dataset.label_path is None else np.full_like(dataset.label_path, np.nan)
    return replace(dataset, dtheta=disturbed, label_cost=unknown, label_path=no_path)
