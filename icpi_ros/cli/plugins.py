"""The option ``--plugin``, which every command takes, before and after its name."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from icpi_ros.cli.parser import Parser

TASK_OPTIONS = ("task", "tasks", "world")
"""Arguments of commands that hold a task, or several with commas between."""


class _Splitter(argparse.ArgumentParser):
    """Parser of one option among words that it does not know."""

    error = Parser.error


def add_plugin(parser: argparse.ArgumentParser) -> None:
    """Add ``--plugin``."""
    parser.add_argument(
        "--plugin",
        action="append",
        default=[],
        metavar="MODULE_OR_FILE",
        help="load tasks, improvers and arms that it registers, see docs/own_task.md; may be "
        "repeated, and stand after the command too; $ICPI_PLUGINS names more, with "
        f"{os.pathsep!r} between",
    )


def split_plugins(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the words of a command line without ``--plugin``, and what that names."""
    parser = _Splitter(prog="icpi", add_help=False, allow_abbrev=False)
    add_plugin(parser)
    found, rest = parser.parse_known_args(argv)
    return rest, found.plugin


def load_tasks(args: argparse.Namespace) -> None:
    """Load the tasks that arguments name by a YAML file, and put their names in place.

    Raises:
        UsageError: see :func:`icpi_ros.core.plugins.load`.
    """
    from icpi_ros.core.plugins import task_name

    for option in TASK_OPTIONS:
        if isinstance(given := getattr(args, option, None), str):
            setattr(args, option, ",".join(task_name(each) for each in given.split(",")))


def load_plugins(given: Sequence[str]) -> None:
    """Load the plug-ins of the environment, then the given ones.

    Raises:
        UsageError: see :func:`icpi_ros.core.plugins.load`.
    """
    from icpi_ros.core.plugins import load, load_all

    load_all()
    load(given)
