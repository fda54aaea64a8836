"""Options of `icpi improver`."""

from __future__ import annotations

import argparse

from icpi_ros.cli.json_output import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``list`` and ``describe``."""
    verbs = parser.add_subparsers(required=True, metavar="list|describe")
    listing = verbs.add_parser("list", help="names, one line each, and what they need")
    listing.set_defaults(run="improver:list_improvers")
    describe = verbs.add_parser("describe", help="what it does, and its options")
    describe.add_argument("name", help="improver, see `icpi improver list`")
    describe.set_defaults(run="improver:describe_improver")
    for verb in (listing, describe):
        add_json(verb, "it")
