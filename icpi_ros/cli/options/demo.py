"""Options of `icpi demo`."""

from __future__ import annotations

import argparse

from icpi_ros.cli.arguments import add_arm, add_graph, add_mix, add_store, whole
from icpi_ros.cli.json_output import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the demo lets one change."""
    parser.add_argument("--seed", type=whole(0, 2**62), default=1)
    add_arm(parser)
    add_mix(parser, "learn from a data set of another arm")
    add_json(parser, "the run")
    add_store(parser)
    add_graph(parser)
