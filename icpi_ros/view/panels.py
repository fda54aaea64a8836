"""Panels beside the scene: costs, trials, what waits for a person."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import viser

from icpi_ros.core.errors import IcpiError
from icpi_ros.core.html import table
from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array, Trial, TrialStatus
from icpi_ros.core.units import millimetres
from icpi_ros.view.controls import Controls

MAX_ROWS = 100
"""Most trials in the table, the newest ones."""
STEPS = 500
"""Places of a slider from one bound to the other."""


@dataclass(frozen=True)
class WaitingQuestion:
    """Question that waits for a person.

    Attributes:
        request: id that a decision names.
        text: what is asked, several lines.
        theta: ``(d,)`` of the motion; None = it is asked whether the scene is back.
        lower, upper: ``(d,)`` bounds in force.
    """

    request: int
    text: str
    theta: Array | None = None
    lower: Array | None = None
    upper: Array | None = None


def trials_table(trials: Sequence[Trial], space: ParameterSpace) -> str:
    """Return the trials as markup, the newest first; every text in it is escaped."""
    rows = [
        (
            trial.number,
            millimetres(trial.cost) if trial.status is TrialStatus.DONE else trial.status.value,
            _prediction(trial),
            *(f"{value:.4g}" for value in trial.theta),
            trial.proposal.provenance,
            "; ".join(filter(None, (trial.proposal.fallback_reason, trial.moved_back, trial.note))),
        )
        for trial in reversed(trials[-MAX_ROWS:])
    ]
    head = ("trial", "cost", "predicted", *(p.heading for p in space.parameters), "by", "note")
    markup = table("", head, rows)
    return f'<div class="trials" style="{_TABLE}"><style>{_CELLS}</style>{markup}</div>'


_CELLS = ".trials th,.trials td{padding:0 10px 0 0;text-align:left}"
_TABLE = "font-size:12px;overflow-x:auto;padding:0 12px;line-height:1.7;white-space:nowrap"


def _prediction(trial: Trial) -> str:
    proposal = trial.proposal
    if not math.isfinite(proposal.predicted_cost):
        return "-"
    std = millimetres(proposal.predicted_std)
    return f"{millimetres(proposal.predicted_cost)} ± {std}"


class QuestionPanel:
    """The question that waits for a person, with buttons of its own for every one.

    A press on the buttons of an earlier question reaches nothing: they are gone, and the decision
    names the question that they stood under.
    """

    def __init__(self, gui: viser.GuiApi, controls: Controls | None, space: ParameterSpace) -> None:
        """Show nothing yet; ``controls`` None = the page is read-only."""
        self._gui, self._controls, self._space = gui, controls, space
        self._folder: Any = None
        self._said: Any = None

    def show(self, question: WaitingQuestion | None) -> None:
        """Show a question in the place of the last one; None = nothing waits."""
        if self._folder is not None:
            self._folder.remove()
            self._folder = None
        if question is None:
            return
        self._folder = self._gui.add_folder(
            f"waits for a person: request {question.request}", order=0
        )
        with self._folder:
            self._gui.add_html(f'<pre style="{_PLAIN}">{_escaped(question.text)}</pre>')
            if self._controls is None:
                self._gui.add_markdown("This page is read-only: `--operate` lets it decide.")
                return
            if question.theta is None:
                self._scene_buttons(question)
            else:
                self._motion_buttons(question, question.theta)
            self._said = self._gui.add_markdown("")

    def _scene_buttons(self, question: WaitingQuestion) -> None:
        back = self._gui.add_button("the scene is back, the workspace is empty", color="green")
        back.on_click(lambda _: self._decide(question, "clear"))
        self._reject_button(question)

    def _motion_buttons(self, question: WaitingQuestion, theta: Array) -> None:
        approve = self._gui.add_button("approve this motion", color="green")
        approve.on_click(lambda _: self._decide(question, "approve"))
        self._reject_button(question)
        sliders = self._sliders(question, theta)
        edit = self._gui.add_button("ask for the motion of these values", color="yellow")
        edit.on_click(lambda _: self._decide(question, "edit", lambda: [s.value for s in sliders]))

    def _sliders(self, question: WaitingQuestion, theta: Array) -> list[Any]:
        lower = self._space.lower if question.lower is None else question.lower
        upper = self._space.upper if question.upper is None else question.upper
        return [
            self._gui.add_slider(
                p.heading,
                min=float(low),
                max=float(high),
                step=float(high - low) / STEPS or 1e-6,
                initial_value=float(np.clip(value, low, high)),
            )
            for p, low, high, value in zip(self._space.parameters, lower, upper, theta, strict=True)
        ]

    def _reject_button(self, question: WaitingQuestion) -> None:
        reject = self._gui.add_button("reject", color="red")
        reject.on_click(lambda _: self._decide(question, "reject"))

    def _decide(
        self, question: WaitingQuestion, kind: str, theta: Callable[[], list[float]] = list
    ) -> None:
        """Decide about the question that the buttons stand under, and say what became of it."""
        assert self._controls is not None
        said = self._said
        try:
            line = self._controls.decide(question.request, kind, theta())
        except IcpiError as exc:
            line = str(exc)
        if said is self._said and self._folder is not None:
            said.content = _plain_markdown(line)


_PLAIN = (
    "white-space:pre-wrap;overflow-wrap:anywhere;padding:0 12px;font-size:11px;margin:6px 0;"
    "max-height:300px;overflow-y:auto"
)


def _escaped(text: str) -> str:
    from icpi_ros.core.html import escaped

    return "\n".join(str(escaped(line)) for line in text.split("\n"))


def _plain_markdown(text: str) -> str:
    """Return text that markdown shows as it is."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]<>()#+-.!|~$&" else c for c in " ".join(text.split()))
