"""Time how fast a bag is read that is made for it."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path

from icpi_benchmarks.speed.bags import measure, write_camera_bag, write_pose_bag
from icpi_benchmarks.speed.camera_runs import replay, write_camera_run
from icpi_ros.cli.arguments import checked_folder
from icpi_ros.core.errors import UsageError

STAGES = ("read", "perceive", "propose")


def run(args: argparse.Namespace) -> int:
    """Make the bag, read it, print the figures."""
    if args.folder and not args.folder.is_dir():
        raise UsageError(f"--folder {args.folder}: there is no such folder")
    if args.trials and args.source != "camera":
        raise UsageError("--trials is for --source camera")
    if args.folder:
        checked_folder("--folder", args.folder)
    with tempfile.TemporaryDirectory(dir=args.folder, prefix="icpi-bench-") as folder:
        path = Path(folder) / "bench.mcap"
        if args.trials:
            return _run_of_trials(args, path)
        if args.source == "camera":
            write_camera_bag(path, round(args.gigabytes * 1e9))
        else:
            write_pose_bag(path, args.seconds)
        found = measure(path, args.source)
    read, seen = found.recorded / found.read_seconds, ""
    if found.seen_seconds:
        seen = f", with detection {found.recorded / found.seen_seconds:.1f} x"
    print(
        f"{found.bytes / 1e6:.0f} MB, {found.recorded:.0f} s: trials in "
        f"{found.trials_seconds:.2f} s, {found.samples} samples at {read:.1f} x real time{seen}; "
        f"all of it {found.times_real:.1f} x; peak memory {found.peak_memory:.0f} MB"
    )
    if args.json:
        args.json.write(asdict(found) | {"source": args.source, "times_real": found.times_real})
    return 0


def _run_of_trials(args: argparse.Namespace, path: Path) -> int:
    """Make a run's bag, replay it, print the figures."""
    write_camera_run(path, args.trials)
    size, found = path.stat().st_size, replay(path)
    asked = [p for run in found.runs for answer in run.answers.values() for p in answer.proposed]
    same = sum(proposal.same is True for proposal in asked)
    laps = ", ".join(f"{name} {found.seconds[name]:.2f} s" for name in STAGES)
    print(
        f"{size / 1e6:.1f} MB, {args.trials} trials, {found.recorded:.1f} s: evaluated in "
        f"{found.seconds['total']:.2f} s, {found.factor:.1f} x real time ({laps}); "
        f"processor time {found.processor:.2f} s; {same} of {len(asked)} proposals as recorded"
    )
    if args.json:
        values = {name: getattr(found, name) for name in ("recorded", "processor", "factor")}
        values |= {"bytes": size, "proposals": len(asked), "same_proposals": same}
        args.json.write(values | {"seconds": dict(found.seconds)})
    return 0
