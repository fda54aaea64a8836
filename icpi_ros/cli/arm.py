"""List the arms, or check one: is its description sound, and what can it do of a task."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from icpi_ros.cli.arguments import checked_picture
from icpi_ros.cli.progress import progress_bar
from icpi_ros.core.errors import DescriptionError, UsageError
from icpi_ros.core.text import printable
from icpi_ros.report.arm_picture import save_reach
from icpi_ros.report.picture import FORMATS
from icpi_ros.robots import find_arm
from icpi_ros.robots.arm_check import ArmFinding, check_arm
from icpi_ros.robots.arm_text import limits_text, origin_text
from icpi_ros.robots.base import Arm
from icpi_ros.robots.described_arm import DescribedArm
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.reach import Reach, reach

MAX_STRIKES = 20_000
USUAL_STRIKES = 2500
"""Motions of a grid that are tried unless ``--points`` says otherwise: 7 points of 4 parameters."""


def check_one(args: argparse.Namespace) -> int:
    """Check a description and, with ``--task``, what the arm can do.

    Raises:
        DescriptionError: it is not sound.
    """
    task, points = _wanted(args)
    arm = find_arm(args.arm)
    findings = check_arm(arm)
    _print_arm(arm, findings)
    bad = [finding.what for finding in findings if not finding.sound]
    found = _try_motions(task, arm, points) if task and not bad else None
    if args.json:
        args.json.write(_as_json(arm, findings, found))
    if bad:
        raise DescriptionError(f"{args.arm} is not sound: mend {', '.join(bad)}; see docs/arms.md")
    if task and found:
        _print_reach(found)
        if args.picture:
            _draw(args.picture, task, arm, found)
    return 1 if found and not found.possible else 0


def _wanted(args: argparse.Namespace) -> tuple[Task | None, int]:
    """Return the task and its grid points, with all arguments checked before any work.

    Raises:
        UsageError: arguments that do not fit together, or a file that cannot be written.
    """
    if (args.picture or args.points) and not args.task:
        raise UsageError("--picture and --points are about a task's motions: add --task slide")
    if args.picture:
        checked_picture(args.picture, FORMATS)
    if not args.task:
        return None, 0
    task = TASKS.get(args.task)
    points = args.points or _usual_points(task.space.dim)
    if points**task.space.dim > MAX_STRIKES:
        raise UsageError(
            f"--points {points} gives {points**task.space.dim} motions: allowed are {MAX_STRIKES}"
        )
    return task, points


def _usual_points(dim: int) -> int:
    """Return the points of a grid along each of ``dim`` parameters."""
    if dim < 3:
        return 21
    return next((n for n in range(7, 2, -1) if n**dim <= USUAL_STRIKES), 2)


def _print_arm(arm: Arm, findings: list[ArmFinding]) -> None:
    print(f"{arm.name}: {len(arm.joints)} joints")
    print(printable(f"  from: {origin_text(arm)}"))
    if isinstance(arm, DescribedArm):
        for line in arm.description.source:
            print(printable(f"  source: {line}"))
    print(f"  limits: {limits_text(arm.limits)}")
    for finding in findings:
        mark = "ok " if finding.sound else "BAD"
        print(printable(f"  {mark} {finding.what}: {finding.text}"))


def _try_motions(task: Task, arm: Arm, points: int) -> Reach:
    total = points**task.space.dim
    with progress_bar(total, "motion", leave=False) as bar:

        def advance() -> None:
            bar.update()

        return reach(task, arm, points, advance)


def _draw(path: Path, task: Task, arm: Arm, found: Reach) -> None:
    save_reach(path, task, arm, found)
    print(f"picture: {path.absolute()}")


def _print_reach(found: Reach) -> None:
    total = len(found.thetas)
    print(f"motions of {found.task}: {found.possible} of {total} possible")
    print(f"  {found.possible / total:6.1%} possible")
    for reason, share in found.shares.items():
        print(f"  {share:6.1%} refused: {reason}")


def _as_json(arm: Arm, findings: list[ArmFinding], found: Reach | None) -> dict[str, Any]:
    content: dict[str, Any] = {
        "name": arm.name,
        "joints": list(arm.joints),
        "checks": [vars(finding) for finding in findings],
    }
    if found:
        content |= {
            "task": found.task,
            "possible": found.possible,
            "motions": len(found.thetas),
            "refused": found.shares,
            "thetas": found.thetas.tolist(),
            "reasons": list(found.refusals),
        }
    return content
