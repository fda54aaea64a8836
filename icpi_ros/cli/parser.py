"""Parser of the command line whose errors are one line and name what was probably meant.

Every command takes the option ``--plugin``, before and after its name.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from icpi_ros.core.text import did_you_mean, printable

_NEGATIVE = re.compile(r"-(\.?\d|inf|nan)", re.ASCII)

TASK_OPTIONS = ("task", "tasks", "world")
"""Arguments of commands that hold a task, or several with commas between."""


class Parser(argparse.ArgumentParser):
    """Argument parser of one command and, as argparse makes them of the same class, its verbs."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make it; what begins with a minus and a number is a value: -5mm, -0.1,0.4, -inf."""
        super().__init__(*args, **kwargs)
        self._negative_number_matcher = _NEGATIVE

    def error(self, message: str) -> NoReturn:
        """End with one line on stderr and exit code 2."""
        self.exit(2, f"icpi: error: {printable(message)}; see {self.prog} --help\n")

    def parse_known_args(  # type: ignore[override]  # one of argparse's overloads
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse; an option that this parser does not have is refused, other words are returned."""
        found, rest = super().parse_known_args(args, namespace)
        for word in rest:
            if word.startswith("-") and word != "-":
                name = word.partition("=")[0]
                hint = did_you_mean(name, self._option_string_actions)
                self.error(f"unrecognized arguments: {' '.join(rest)}{hint}")
        return found, rest

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse what is not a choice; argparse's own text is here with the nearest choice."""
        choices = action.choices
        if choices is not None and value not in choices:
            known = [str(choice) for choice in choices]
            raise argparse.ArgumentError(
                action,
                f"invalid choice: {value!r} (choose from {', '.join(known)})"
                f"{did_you_mean(str(value), known)}",
            )


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
        help="load tasks, improvers, arms and sensor sources that it registers, see "
        "docs/own_task.md; may be repeated, and stand after the command too; $ICPI_PLUGINS names "
        f"more, with {os.pathsep!r} between",
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
