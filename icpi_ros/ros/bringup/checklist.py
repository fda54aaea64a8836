"""Checklist of a graph before its first run, line by line; no ROS.

Nodes report their own lines, `icpi up` and `icpi status` show the same :class:`Checklist`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from icpi_ros.core import plugins
from icpi_ros.core.text import printable


class State(StrEnum):
    """State of one line; ``ok`` and ``warn`` let a run begin."""

    OK = "ok"
    WARN = "warn"
    WAITING = "waiting"
    """Not there yet, or something has to be done first."""
    FAILED = "failed"


PASSED = (State.OK, State.WARN)

EXECUTOR, PERCEPTION, IMPROVER = "executor", "perception", "policy_improver"
REPORTED_BY: Mapping[str, str] = {
    "mode": EXECUTOR,
    "limits": EXECUTOR,
    "protections": EXECUTOR,
    "alone": EXECUTOR,
    "joint states": EXECUTOR,
    "controller": EXECUTOR,
    "gripper": EXECUTOR,
    "sensor": PERCEPTION,
    "object": EXECUTOR,
    "gate": EXECUTOR,
    "stop": EXECUTOR,
    "person": EXECUTOR,
    "improver": IMPROVER,
}
"""Every line in the order in which it is shown, and the node that reports it."""
OF_RUNS = ("person", "improver")
"""Lines that change in every run."""
REPORTERS = (EXECUTOR, PERCEPTION, IMPROVER)
TASK, DRY_RUN, STORE, NAMED = "task", "dry run", "store", "improver"
FACTS: Mapping[str, str] = {
    TASK: EXECUTOR,
    DRY_RUN: EXECUTOR,
    STORE: IMPROVER,
    NAMED: IMPROVER,
}
"""Facts for the ready line beside the lines, and the node that reports each."""
TRUE = "true"
"""Value of :data:`DRY_RUN` where nothing will move."""
STALE = 5.0
"""Steady time after which a report is of the past [s]; nodes report once per second."""


@dataclass(frozen=True)
class Line:
    """One line of the checklist.

    Attributes:
        name: what was looked at, a key of :data:`REPORTED_BY`.
        state: whether it is as needed.
        detail: what was found, one line.
        remedy: what to do, one line; empty if nothing.
    """

    name: str
    state: State
    detail: str
    remedy: str = ""

    @property
    def text(self) -> str:
        """The line as a terminal may show it."""
        more = f"{'' if self.detail.endswith('?') else ';'} {self.remedy}" if self.remedy else ""
        return printable(f"{self.state.value:<8} {self.name:<13} {self.detail}{more}")


@dataclass(frozen=True)
class Checklist:
    """All lines of one graph.

    Attributes:
        lines: in the order of :data:`REPORTED_BY`.
        namespace: of the graph, absolute.
        task: that is improved; empty = not reported yet.
        store: file of the trial store; empty = the user's default.
        improver: that the graph was started with; empty = the one of `icpi run`.
        dry_run: nothing will move.
    """

    lines: tuple[Line, ...]
    namespace: str = "/"
    task: str = ""
    store: str = ""
    improver: str = ""
    dry_run: bool = False

    @property
    def ready(self) -> bool:
        """True if a run can begin."""
        return all(line.state in PASSED for line in self.lines)

    @property
    def command(self) -> str:
        """The command that begins a run, as a shell takes it."""
        words = ["icpi", "run", "--attach", *(["--task", self.task] if self.task else [])]
        words += ["--improver", self.improver] if self.improver else []
        words += ["--namespace", self.namespace.strip("/")] if self.namespace != "/" else []
        words += ["--store", self.store] if self.store else []
        words += plugins.as_options()
        return printable(shlex.join(words))

    @property
    def verdict(self) -> str:
        """The last line: how to go on, or how many lines are open."""
        dry = " (DRY RUN: nothing will move)" if self.dry_run else ""
        if self.ready:
            return f"ready{dry}: {self.command}"
        count = sum(line.state not in PASSED for line in self.lines)
        return f"not ready{dry}: {count} of {len(self.lines)} lines open"

    @property
    def text(self) -> str:
        """All of it, a line each."""
        return "\n".join([*(line.text for line in self.lines), self.verdict])

    def as_json(self) -> dict[str, Any]:
        """The same as a JSON object."""
        return {
            "ready": self.ready,
            "dry_run": self.dry_run,
            "namespace": self.namespace,
            "task": self.task,
            "store": self.store,
            "command": self.command,
            "checks": [
                {"name": x.name, "state": x.state.value, "detail": x.detail, "remedy": x.remedy}
                for x in self.lines
            ],
        }


class Announcer:
    """Announcements of a checklist that changes: each line when its state does, ready once."""

    def __init__(self) -> None:
        self._announced: dict[str, tuple[State, str]] = {}
        self._verdict, self._ready = "", False

    def news(self, checklist: Checklist, complete: bool) -> list[str]:
        """Return the lines to append; ``complete``: every node has reported."""
        found = [line.text for line in checklist.lines if self._is_news(line, complete)]
        if complete and not self._ready and (checklist.ready or not self._verdict):
            self._ready, self._verdict = checklist.ready, checklist.verdict
            found.append(self._verdict)
        return found

    def _is_news(self, line: Line, complete: bool) -> bool:
        passed = line.state in PASSED
        if not (passed or complete):  # its node may only be late
            return False
        now = (line.state, "" if passed else line.remedy)
        before, self._announced[line.name] = self._announced.get(line.name), now
        # Once runs begin their own node logs each of them, and each question.
        return now != before and not (self._ready and line.name in OF_RUNS)


@dataclass(frozen=True)
class _Report:
    """Last report of one node; ``at``: its steady time [s]."""

    lines: Mapping[str, Line]
    facts: Mapping[str, str]
    at: float


@dataclass
class Reports:
    """Last reports of the nodes of one graph; lines and facts of other nodes are left out.

    Attributes:
        namespace: of the graph, absolute.
    """

    namespace: str = "/"
    _by_node: dict[str, _Report] = field(default_factory=dict)

    def take(self, node: str, lines: Iterable[Line], facts: Mapping[str, str], now: float) -> None:
        """Keep the report of ``node`` (its name alone) that came at ``now``, steady [s]."""
        own = {line.name: line for line in lines if REPORTED_BY.get(line.name) == node}
        known = {key: value for key, value in facts.items() if FACTS.get(key) == node}
        if own:
            self._by_node[node] = _Report(own, known, now)

    @property
    def complete(self) -> bool:
        """True if every node has reported."""
        return set(self._by_node) == set(REPORTERS)

    @property
    def any(self) -> bool:
        """True if at least one node has."""
        return bool(self._by_node)

    def checklist(self, now: float) -> Checklist:
        """Return all lines as they are known at ``now``, steady [s]."""
        reports = list(self._by_node.values())  # another thread may add one
        facts = {k: v for report in reports for k, v in report.facts.items()}
        return Checklist(
            lines=tuple(self._line(name, node, now) for name, node in REPORTED_BY.items()),
            namespace=self.namespace,
            task=facts.get(TASK, ""),
            store=facts.get(STORE, ""),
            improver=facts.get(NAMED, ""),
            dry_run=facts.get(DRY_RUN) == TRUE,
        )

    def _line(self, name: str, node: str, now: float) -> Line:
        report = self._by_node.get(node)
        if report is None:
            return Line(name, State.WAITING, f"node {node} has not reported yet")
        if now - report.at > STALE:
            gone = f"node {node} reported nothing for {STALE:g} s"
            return Line(name, State.FAILED, gone, "see the graph's log")
        return report.lines.get(name) or Line(
            name, State.WAITING, f"node {node} does not report it"
        )


def in_namespace(command: str, namespace: str) -> str:
    """Return a command of `icpi` for the graph in an absolute namespace."""
    own = namespace.strip("/")
    return f"{command} --namespace {shlex.quote(own)}" if own else command
