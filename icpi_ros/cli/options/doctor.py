"""Options of `icpi doctor`."""

from __future__ import annotations

import argparse

from icpi_ros.cli.json_output import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    add_json(parser, "the checks")
