"""Options of `icpi check-plugin`."""

from __future__ import annotations

import argparse

from icpi_ros.cli.json_output import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the plug-ins."""
    parser.epilog = "Exit code 0: every check passed; 1: one did not; 2: it cannot be loaded."
    parser.add_argument(
        "plugins",
        nargs="*",
        metavar="MODULE_OR_FILE",
        help="default: all that installed packages, --plugin and $ICPI_PLUGINS add",
    )
    add_json(parser, "a row per check")
