"""Options of the live page, for every command that opens one."""

from __future__ import annotations

import argparse

from icpi_ros.cli.arguments import whole


def add_page(parser: argparse.ArgumentParser) -> None:
    """Add where a live page is opened."""
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address of this machine at which the page is opened; default: 127.0.0.1, which no "
        "other machine reaches",
    )
    parser.add_argument(
        "--port",
        type=whole(0, 65535),
        default=0,
        metavar="N",
        help="port of the page; default: any that is free",
    )


def add_frames(parser: argparse.ArgumentParser) -> None:
    """Add ``--frame-ancestor``."""
    parser.add_argument(
        "--frame-ancestor",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="page that may show this one inside it, such as http://localhost:8888 of a notebook; "
        "repeat it for more; not with --operate; default: none",
    )


def add_operate(parser: argparse.ArgumentParser) -> None:
    """Add ``--operate``."""
    parser.add_argument(
        "--operate",
        action="store_true",
        help="let the page approve, edit, reject and release the stop; default: show, stop",
    )
