"""Script with which a shell completes commands, options, choices, names and files."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator
from pathlib import Path

import shtab

from icpi_ros.cli.json_output import JsonOutput
from icpi_ros.improvers import IMPROVERS
from icpi_ros.perception.sources import SOURCES
from icpi_ros.robots import ARMS
from icpi_ros.tasks import TASKS

NAMED: dict[str, Collection[str]] = {
    "task": TASKS,
    "improver": IMPROVERS,
    "arm": ARMS,
    "source": SOURCES,
}
"""Arguments that are names: those which are registered when the script is printed."""


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script of a shell for a parser that has every command."""
    for named, action in _actions(parser):
        if named in NAMED and action.nargs != 0:
            action.choices = sorted(NAMED[named])
        if action.type in (Path, JsonOutput):
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # where shtab looks
    return str(shtab.complete(parser, shell))


def _actions(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    """Yield all arguments, each with what it names: `icpi task describe NAME` names a task."""
    above = parser.prog.split()[-2:][0]
    for action in parser._actions:
        yield above if action.dest == "name" else action.dest, action
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _actions(below)
