"""Progress of a run: its trials, the best of them, and the reason of its end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal, Protocol, overload

import numpy as np

from icpi_ros.core.html import table
from icpi_ros.core.text import error_line, printable
from icpi_ros.core.types import Array, Outcome, Trial, TrialStatus
from icpi_ros.core.units import millimetres
from icpi_ros.runs.answer import answer_of, recommended
from icpi_ros.runs.picture import draw
from icpi_ros.runs.picture.live import LivePicture
from icpi_ros.runs.store.records import RunConfig
from icpi_ros.runs.trial_tables import Value, frame, trial_rows
from icpi_ros.tasks.base import Task

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

REPEAT = "repeat"
"""Improver whose runs measure repeatability: none of them ends at it."""
_SHOWN = ("trial", "status", "theta_", "error_", "cost", "provenance", "fallback_reason")
"""Beginnings of the columns that a notebook shows."""


class RunWatcher(Protocol):
    """Something that shows a run.

    Attributes:
        name: for a person.
    """

    name: str

    def update(self, last: bool = False) -> None:
        """Show the run as it is now; ``last``: nothing follows."""


class RunProgress:
    """Readable side of a run.

    Attributes:
        run_id: id in the storage.
        task: of the run.
        config: of the run.
        trials: last attempt of every trial so far, by number (not the one under way).
        state: ``open``, ``finished`` (budget used, target reached or converged), ``failed``,
            ``cancelled``.
        reason: of its end, one line.
    """

    run_id: str
    task: Task
    config: RunConfig
    trials: list[Trial]
    state: str
    reason: str
    _live: LivePicture | None = None
    _watchers: tuple[RunWatcher, ...] = ()

    def __repr__(self) -> str:
        """Return one line: task, improver, state and progress."""
        best = f", best {millimetres(self.best.cost)}" if self.best is not None else ""
        early = self.state == "finished" and len(self.history) < self.config.budget
        shown = early or self.state in ("failed", "cancelled")
        why = f" ({printable(self.reason)})" if shown else ""
        answer = answer_of(self.trials)
        best += f", recommended trial {answer.trial.number}" if answer else ""
        what = f"{self.config.task} with {self.config.improver}"
        return (
            f"<Run {self.run_id}: {what}, {self.state}{why}, "
            f"{len(self.history)} of {self.config.budget} trials{best}>"
        )

    def _repr_html_(self) -> str:
        """Return the trials as a table, for notebooks."""
        rows = self._rows()
        kept = [name for name in (rows[0] if rows else ()) if name.startswith(_SHOWN)]
        return table(
            repr(self).strip("<>"), kept, ([_cell(row[name]) for name in kept] for row in rows)
        )

    def to_pandas(self) -> pandas.DataFrame:
        """Return the trials as a data frame, one row each, with the columns of ``icpi report``.

        Raises:
            UsageError: pandas is not installed.
        """
        return frame(self._rows())

    @overload
    def plot(self) -> Figure: ...
    @overload
    def plot(self, live: Literal[True]) -> LivePicture: ...
    def plot(self, live: bool = False) -> Figure | LivePicture:
        """Draw cost, path and miss of every trial; notebooks show the figure.

        Args:
            live: the notebook that shows it redraws it after every further trial.
        """

        def figure() -> Figure:
            return draw(self.task, self.goal, self.trials)

        if not live:
            return figure()
        self._live = LivePicture(figure)
        return self._live

    def tell_watcher(self, watcher: RunWatcher) -> None:
        """Let a watcher know of every further trial; the run goes on without one that fails."""
        self._watchers += (watcher,)

    def _redraw(self) -> None:
        """Keep up what shows the run; it goes on without one that fails."""
        for watcher in (self._live, *self._watchers):
            if watcher is None:
                continue
            try:
                watcher.update(last=self.finished)
            except Exception as exc:
                self._live = None if watcher is self._live else self._live
                self._watchers = tuple(w for w in self._watchers if w is not watcher)
                text = f"{watcher.name} is given up, the run goes on: {error_line(exc)}"
                print(printable(f"icpi: {text}"), file=sys.stderr)

    def _rows(self) -> list[dict[str, Value]]:
        return trial_rows(self.task, self.trials)

    @property
    def goal(self) -> Array:
        """Goal ``(g,)`` of the run."""
        return np.array(self.config.goal, dtype=np.float64)

    @property
    def finished(self) -> bool:
        """True when there is no next trial: budget used, target reached, failed or cancelled."""
        return self.state != "open"

    @property
    def history(self) -> list[Outcome]:
        """Outcomes of the trials that are done, oldest first: all that improvers see of them."""
        return [trial.outcome for trial in self.trials if trial.outcome is not None]

    @property
    def best(self) -> Trial | None:
        """The trial of lowest cost, None if none was observed."""
        done = [trial for trial in self.trials if trial.status is TrialStatus.DONE]
        return min(done, key=lambda trial: trial.cost, default=None)

    @property
    def recommended(self) -> Trial | None:
        """The trial whose theta is the answer of the run; None if none was observed.

        Under noise it need not be the :attr:`best` one, which may have been lucky: an improver
        with a belief recommends the executed theta of lowest expected cost.
        """
        return recommended(self.trials)

    def _completion(self) -> str | None:
        """Return why no further trial is needed, one line; None = one is."""
        lowest = self.best.cost if self.best is not None else np.inf
        target, floor = self.config.target_cost, self.task.repeatability
        if target > 0.0 and lowest <= target:
            return f"target reached: {millimetres(lowest)}, at most {millimetres(target)} asked"
        if self.config.improver != REPEAT and floor > 0.0 and lowest <= floor:
            return (
                f"at the floor of repeatability: {millimetres(lowest)}, repeats of one theta "
                f"differ by {millimetres(floor)}"
            )
        if len(self.history) >= self.config.budget:
            return f"all {self.config.budget} trials used"
        return None


def _cell(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)
