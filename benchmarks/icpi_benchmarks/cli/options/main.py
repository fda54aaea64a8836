"""Options of `icpi bench`."""

from __future__ import annotations

import argparse
from pathlib import Path

from icpi_benchmarks.contest.conditions import DRAWS, PRESETS
from icpi_ros.cli.arguments import (
    add_arm,
    add_cassette,
    add_mix,
    add_workers,
    length,
    number,
    whole,
)
from icpi_ros.cli.json_output import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    presets = "; ".join(f"{name}: {preset.summary}" for name, preset in PRESETS.items())
    parser.add_argument(
        "--preset", default="main", metavar="P", help=f"what to run (default main). {presets}"
    )
    parser.add_argument("--tasks", metavar="T,..", help="instead of the preset's")
    add_arm(parser, "each task's own")
    parser.add_argument(
        "--dataset",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="examples of one of the tasks instead of the shipped set; may be repeated",
    )
    add_mix(parser, "examples of another arm")
    parser.add_argument(
        "--improvers",
        metavar="I,..",
        help="instead of the preset's; with options NAME:KEY=VALUE, for example ridge:k=10",
    )
    parser.add_argument(
        "--model",
        help="model of the improvers llm..., an entry of models.yaml (default: ICPI_MODEL, else "
        "icpi-in-context, which is `icpi serve`)",
    )
    add_cassette(parser)
    parser.add_argument(
        "--instances", type=whole(1, 100_000), metavar="N", help="per task (preset: 200)"
    )
    parser.add_argument(
        "--trials",
        type=whole(1, 1000),
        metavar="K",
        help="per instance, the common first attempt included (preset: 6)",
    )
    parser.add_argument("--seed", type=whole(0, 2**63), default=0)
    parser.add_argument(
        "--draws",
        choices=DRAWS,
        help="hidden physics, goal and first attempt: test (default), shifted (physics outside "
        "the data), or train (for tuning)",
    )
    parser.add_argument(
        "--time-limit",
        type=number(0.001, 86_400.0),
        metavar="S",
        help="of one proposal [s]; an improver that exceeds it has failed (default: 30, with "
        "language models their deadline and 5 s)",
    )
    parser.add_argument(
        "--threshold",
        type=length(1e-6, 100.0),
        metavar="M",
        default=0.005,
        help="cost that counts as success [m], or 5mm (default 5mm)",
    )
    add_json(parser, "the results; with FILE resumable, without it nothing is kept; all of them")
    add_workers(parser)
