"""Requests of a page to a run: stop, release of the stop, decision about what waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class BarState:
    """Content of the page's upper edge.

    Attributes:
        line: one line about the run.
        stopped: the stop is latched.
    """

    line: str = ""
    stopped: bool = False


class Controls(Protocol):
    """Way from a page to a run; every method may block, and raises IcpiError where it fails."""

    def stop(self) -> str:
        """Press the stop; return one line for a person."""

    def reset(self) -> str:
        """Release the stop; return one line for a person."""

    def decide(self, request: int, kind: str, theta: Sequence[float] = ()) -> str:
        """Decide about what waits; return what became of it.

        Args:
            request: id of the question that was looked at.
            kind: approve (a motion), clear (a scene), reject or edit.
            theta: ``(d,)`` [units of the task's parameters] of an edit.
        """
