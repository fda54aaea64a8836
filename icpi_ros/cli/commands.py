"""Table of the commands: what each is for, without importing any of them.

A command's module is ``icpi_ros.cli.<name with underscores>``, or for `bench NAME`
``icpi_benchmarks.cli.<name>``; the first line of its docstring is the summary here, which a test
checks.  Its options are added by a function named like its module, which is in the module of its
group in ``icpi_ros.cli.options``, or in ``icpi_benchmarks.cli.options``.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING

from icpi_ros.core.errors import IcpiError, UnknownName, UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser

NO_BENCHMARKS = (
    "the benchmarks are not installed: run `make setup SETUP_FLAGS=--with=bench`, or "
    "`pip install ./benchmarks` in a checkout of icpi_ros"
)
GROUPS = ("use it", "robots", "data", "measure", "language models")


@dataclass(frozen=True)
class Command:
    """One command: its name of one or two words, its group in the help, and one line."""

    name: str
    group: str
    summary: str

    @property
    def module(self) -> str:
        """Name of the module that carries it out."""
        return ".".join(self._place)

    @property
    def options(self) -> str:
        """Name of the module with the options of its group."""
        group = "" if self.group == "measure" else f".{self.group.replace(' ', '_')}"
        return f"{self._place[0]}.options{group}"

    def add_options(self, parser: ArgumentParser) -> None:
        """Add its options; only the module with them is imported."""
        getattr(load(self.options), self._place[1])(parser)

    @property
    def _place(self) -> tuple[str, str]:
        """Package and name of its modules."""
        first, _, second = self.name.partition(" ")
        if first == "bench":
            return "icpi_benchmarks.cli", second or "main"
        return "icpi_ros.cli", first.replace("-", "_")

    @property
    def installed(self) -> bool:
        """True unless it is one of the benchmarks, and they are not installed."""
        return find_spec(_package(self.module)) is not None


_TABLE = {
    "use it": {
        "demo": "One improvement run on slide, through the ROS graph or in process: the main job, "
        "small.",
        "run": "Run the improvement loop on a task: through the ROS graph, or in process.",
        "runs": "List the stored runs, compare two, or delete one.",
        "report": "Show a benchmark, a stored run or a bag: tables, one HTML page, figures, "
        "a video, exports.",
        "view": "Show a stored run, a bag or the graph that is up, live, as a page in the browser.",
        "task": "List the tasks, describe one, or make one from a demonstrated motion.",
        "improver": "List the improvers, or describe one and its options.",
        "check-plugin": "Check all that a plug-in registers by the contract tests.",
        "doctor": "Check that everything this package needs is there.",
    },
    "robots": {
        "up": "Start a graph of nodes without ros2 launch; Ctrl-C ends it.",
        "status": "Show whether a graph is ready for a run, line by line, with what to do about "
        "each open line.",
        "approve": "Approve, change or reject what the executor wants to do; confirm that the "
        "scene is back.",
        "stop": "Press the executor's software stop, or release it; not a certified emergency "
        "stop.",
        "arm": "List the arms, or check one: is its description sound, and what can it do of a "
        "task.",
        "calibrate": "Calibrate a camera (print a board, intrinsics, where it stands) or the "
        "simulated physics.",
        "perception": "Show what perception makes of recorded images.",
    },
    "data": {
        "dataset": "Build a data set of examples in simulation, make one from stored trials, or "
        "show one.",
        "replay": "Evaluate a bag offline: perception again, what improvers would propose, what "
        "it would cost.",
    },
    "measure": {
        "bench": "Compare improvers on the same instances of the tasks, in simulation.",
        "bench sim": "Time our simulation path against raw mujoco.rollout.",
        "bench graph": "Measure the ROS graph: overhead per trial, speed, and distance from the "
        "in-process rollout.",
        "bench stop": "Measure how fast a moving arm is stopped through a graph of real processes.",
        "bench view": "Measure how late the live page shows the arm, how fast its STOP is, and "
        "what it costs.",
        "bench soak": "Run hundreds of trials through the graph: nothing lost, no memory growing, "
        "nothing left.",
        "bench memory": "Measure the memory of a run's nodes: the largest of each, and of all "
        "together.",
        "bench pixels": "Measure what observing through a simulated camera costs, against ground "
        "truth.",
        "bench demonstration": "Improve motions from demonstrations in worlds that their tasks "
        "know nothing of, without data.",
        "bench spending": "Measure what repeats under noise and the stop of converged runs are "
        "worth.",
        "bench llm": "Time what the improver llm costs besides the model, against a bare HTTP "
        "round trip.",
        "bench pack": "Pack the recorded cassettes of language models, small and ready to be "
        "shipped.",
        "bench bag": "Time how fast a bag is read that is made for it.",
    },
    "language models": {
        "prompt": "Print the prompt that a language model would get, without sending it.",
        "serve": "Serve a language model, or a stand-in, as an OpenAI-compatible endpoint on this "
        "machine.",
    },
}
COMMANDS = {
    name: Command(name, group, summary)
    for group, entries in _TABLE.items()
    for name, summary in entries.items()
}
ALIASES = {name.replace(" ", "-"): name for name in COMMANDS if " " in name}
"""Names that commands had before, which the help does not show."""


def load(module: str) -> ModuleType:
    """Import a module of a command; those of the benchmarks are in a package of their own.

    Raises:
        UsageError: that package is not installed.
    """
    if find_spec(_package(module)) is None:
        raise UsageError(NO_BENCHMARKS)
    return import_module(module)


def _package(module: str) -> str:
    return module.partition(".")[0]


def find(words: Sequence[str]) -> tuple[Command, list[str]]:
    """Return the command that ``words`` begin with, and the words behind its name.

    Raises:
        UnknownName: the first word is no command.
    """
    pair = " ".join(words[:2])
    if len(words) > 1 and pair in COMMANDS:
        return COMMANDS[pair], list(words[2:])
    name = ALIASES.get(words[0], words[0])
    if name not in COMMANDS:
        raise UnknownName("command", name, [n for n in COMMANDS if " " not in n])
    return COMMANDS[name], list(words[1:])


def under(name: str) -> list[Command]:
    """Return the commands whose first word is ``name`` and that have a second one."""
    return [command for command in COMMANDS.values() if command.name.startswith(f"{name} ")]


def overview() -> str:
    """Return all commands with their summaries, group by group."""
    return "\n\n".join(
        f"{group}:\n{listed([c for c in COMMANDS.values() if c.group == group])}"
        for group in GROUPS
    )


def listed(commands: Sequence[Command]) -> str:
    """Return commands with their summaries, as wide as the terminal."""
    width = min(shutil.get_terminal_size().columns, 100) - 2
    column = max(map(len, COMMANDS)) + 4
    lines = [
        textwrap.fill(
            f"  {command.name}".ljust(column) + command.summary,
            max(width, 40),
            subsequent_indent=" " * column,
        )
        for command in commands
    ]
    return "\n".join(lines)


def need_ros(instead: str = "") -> None:
    """Refuse to go on without ROS; ``instead`` says what else could be done.

    Raises:
        IcpiError: ROS is not installed.
    """
    if find_spec("rclpy") is None or find_spec("icpi_msgs") is None:
        raise IcpiError(f"ROS 2 is not installed here: run `make setup`{instead}")
