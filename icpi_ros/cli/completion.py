"""Script with which a shell completes commands, options, choices and files."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import shtab

from icpi_ros.cli.json_output import JsonOutput


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script of a shell for a parser that has every command."""
    for action in _actions(parser):
        if action.type in (Path, JsonOutput):
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # where shtab looks
    return str(shtab.complete(parser, shell))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _actions(below)
