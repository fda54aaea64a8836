"""Options of `icpi report`."""

from __future__ import annotations

import argparse
from pathlib import Path

from icpi_ros.cli.arguments import add_mix, add_store
from icpi_ros.cli.json_output import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `icpi report` takes."""
    parser.add_argument(
        "what",
        nargs="+",
        metavar="RUN|BAG|FILE",
        help="id of a stored run (see `icpi runs`), a bag, or the JSON file of `icpi bench`; "
        "several runs, or several files, are shown one below the other",
    )
    add_mix(parser, "report on runs or files of several arms or backends")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write one page that needs no network"
    )
    parser.add_argument(
        "--png", type=Path, metavar="FOLDER", help="write the figures for papers (200 dpi)"
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a run's trials as CSV")
    parser.add_argument(
        "--parquet", type=Path, metavar="FILE", help="write a run's trials as Parquet"
    )
    add_json(parser, "the runs, or what the tables of a benchmark show,")
    parser.add_argument(
        "--run", dest="run_id", default="", metavar="ID", help="which run of a bag that has several"
    )
    parser.add_argument(
        "--topics", type=Path, metavar="FILE", help="YAML: our topic names to those of the bag"
    )
    add_store(parser)
