"""Time how fast a bag is read that is made for it."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path

from icpi_benchmarks.speed.bags import measure, write_camera_bag, write_pose_bag
from icpi_ros.cli.arguments import checked_folder, number, whole
from icpi_ros.cli.json_output import add_json
from icpi_ros.core.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the benchmark lets one change."""
    parser.add_argument("--source", choices=("tracked_pose", "camera"), default="tracked_pose")
    parser.add_argument("--seconds", type=whole(10, 100_000), default=600, help="of a pose bag")
    parser.add_argument("--gigabytes", type=number(0.01, 100.0), default=0.2, help="of images")
    parser.add_argument("--folder", type=Path, help="where the bag is made; default: a temporary")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Make the bag, read it, print the figures."""
    if args.folder and not args.folder.is_dir():
        raise UsageError(f"--folder {args.folder}: there is no such folder")
    if args.folder:
        checked_folder("--folder", args.folder)
    with tempfile.TemporaryDirectory(dir=args.folder, prefix="icpi-bench-") as folder:
        path = Path(folder) / "bench.mcap"
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
