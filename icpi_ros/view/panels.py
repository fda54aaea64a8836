"""Panels beside the scene: costs, trials, what waits for a person."""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import viser

from icpi_ros.core.errors import ExecutionFailed, IcpiError
from icpi_ros.core.html import escaped, table, template
from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Trial, TrialStatus
from icpi_ros.core.units import millimetres
from icpi_ros.runs.answer import repeat_of
from icpi_ros.view.controls import Controls
from icpi_ros.view.question import AskedMotion, WaitingQuestion, not_meant

MAX_ROWS = 100
"""Most trials in the table, the newest ones."""
STEPS = 500
"""Places of a slider from one bound to the other."""
LOOK_TIME = 1.0
"""Time from a question to the first approval or change [s]."""
APPROVE, EDIT = "approve this motion", "ask for the motion of these values"
KEPT = "approve the motion from BEFORE the change"
LOOKED = "I have looked: it is back, nobody is in the workspace"
BACK = "the scene is back, the workspace is empty"


def trials_table(trials: Sequence[Trial], space: ParameterSpace) -> str:
    """Return the trials as markup, the newest first; every text in it is escaped."""
    rows = [
        (
            trial.number,
            millimetres(trial.cost) if trial.status is TrialStatus.DONE else trial.status.value,
            _prediction(trial),
            *(f"{value:.4g}" for value in trial.theta),
            trial.proposal.provenance,
            _remarks(trial, repeat_of(trial, trials)),
        )
        for trial in reversed(trials[-MAX_ROWS:])
    ]
    head = ("trial", "cost", "predicted", *(p.heading for p in space.parameters), "by", "note")
    markup = table("", head, rows)
    return _panel("trials", markup)


def _panel(kind: str, markup: str) -> str:
    """Return a part of a panel; ``markup`` is escaped already."""
    from markupsafe import Markup  # late, as the template's own imports are

    return str(getattr(template("panel.html").module, kind)(Markup(markup)))


def _remarks(trial: Trial, repeated: int | None) -> str:
    again = "" if repeated is None else f"repeat of trial {repeated}"
    said = (trial.proposal.fallback_reason, trial.moved_back, again, trial.note)
    return "; ".join(part for part in said if part and not _is_within(part, said))


def _is_within(part: str, said: tuple[str, ...]) -> bool:
    """Tell whether another text says the same and more: notes name reasons, as a rule."""
    return any(part in other for other in said if other != part)


def _prediction(trial: Trial) -> str:
    proposal = trial.proposal
    if not math.isfinite(proposal.predicted_cost):
        return "-"
    std = millimetres(proposal.predicted_std)
    return f"{millimetres(proposal.predicted_cost)} ± {std}"


class QuestionPanel:
    """The question that waits for a person, with buttons of its own for every one.

    A press on the buttons of an earlier question reaches nothing: they are gone, and the decision
    names the question that they stood under.  For its first second nothing but a rejection is
    taken: a press may have been meant for the question before.
    """

    def __init__(self, gui: viser.GuiApi, controls: Controls | None, space: ParameterSpace) -> None:
        """Show nothing yet; ``controls`` None = the page is read-only."""
        self._gui, self._controls, self._space = gui, controls, space
        self._folder: Any = None
        self._said: Any = None
        self._enabled = threading.Event()
        self._timer: threading.Timer | None = None

    def show(self, question: WaitingQuestion | None, undrawn: str = "") -> None:
        """Show a question in the place of the last one; None = nothing waits.

        Args:
            question: that waits.
            undrawn: why its motion is not drawn, and so cannot be approved here; empty = it is.
        """
        self.close()
        if question is None:
            return
        self._enabled = threading.Event()
        self._folder = self._gui.add_folder(
            f"waits for a person: request {question.request}", order=0
        )
        with self._folder:
            self._gui.add_html(_panel("headline", _escaped(question.headline)))
            press = functools.partial(self._decide, question, self._enabled)
            later = self._buttons(question, undrawn, press)
            self._said = self._gui.add_markdown("")
            self._gui.add_html(_panel("plain", _escaped(question.text)))
        self._timer = threading.Timer(LOOK_TIME, self._enable, (self._enabled, later))
        self._timer.daemon = True
        self._timer.start()

    def disable(self) -> None:
        """Let no button that was shown reach anything any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._enabled = threading.Event()

    def close(self) -> None:
        """Remove the question and its buttons."""
        self.disable()
        if self._folder is not None:
            self._folder.remove()
            self._folder = None

    def _enable(self, enabled: threading.Event, later: Callable[[], None]) -> None:
        """Enable the buttons of a question that has been there for a while."""
        enabled.set()
        if enabled is self._enabled:
            later()

    def _buttons(
        self, question: WaitingQuestion, undrawn: str, press: Callable[..., None]
    ) -> Callable[[], None]:
        """Add the buttons that belong under a question; return what enables them later."""
        if self._controls is None:
            self._gui.add_markdown("This page is read-only: `--operate` lets it decide.")
            return _enabling()
        if why := question.undecidable(len(self._space.parameters)):
            self._gui.add_markdown(_plain_markdown(f"Nothing can be decided here: {why}."))
            return _enabling()
        if question.motion is None:
            return self._scene_buttons(press)
        return self._motion_buttons(question.motion, question.kept, undrawn, press)

    def _scene_buttons(self, press: Callable[..., None]) -> Callable[[], None]:
        looked: Any = self._gui.add_checkbox(LOOKED, initial_value=False)
        back = self._gui.add_button(BACK, color="violet", disabled=True)
        enabled = self._enabled

        def tick(*_: object) -> None:
            back.disabled = not (looked.value and enabled.is_set())

        def pressed(_: object) -> None:
            press("clear", ready=lambda: bool(looked.value))
            looked.value = False  # every press needs a look of its own

        looked.on_update(tick)
        back.on_click(pressed)
        self._reject_button(press)
        return tick

    def _motion_buttons(
        self, asked: AskedMotion, kept: bool, undrawn: str, press: Callable[..., None]
    ) -> Callable[[], None]:
        sliders = self._sliders(asked)  # the first that could fail: no button without them
        edit = self._gui.add_button(EDIT, color="yellow", disabled=True)
        edit.on_click(lambda _: press("edit", lambda: [s.value for s in sliders]))
        self._reject_button(press)
        if undrawn:
            text = f"It cannot be approved here, but with icpi approve: {undrawn}."
            self._gui.add_markdown(_plain_markdown(text))
            return _enabling(edit)
        colour: Literal["orange", "green"] = "orange" if kept else "green"
        approve = self._gui.add_button(KEPT if kept else APPROVE, color=colour, disabled=True)
        approve.on_click(lambda _: press("approve"))
        return _enabling(edit, approve)

    def _sliders(self, asked: AskedMotion) -> list[Any]:
        bounds = zip(self._space.parameters, asked.lower, asked.upper, asked.theta, strict=True)
        return [
            self._gui.add_slider(
                p.heading,
                min=float(low),
                max=float(high),
                step=float(high - low) / STEPS or 1e-6,
                initial_value=float(np.clip(value, low, high)),
            )
            for p, low, high, value in bounds
        ]

    def _reject_button(self, press: Callable[..., None]) -> None:
        reject = self._gui.add_button("reject", color="red")
        reject.on_click(lambda _: press("reject"))

    def _decide(
        self,
        question: WaitingQuestion,
        enabled: threading.Event,
        button: str,
        theta: Callable[[], list[float]] = list,
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        """Decide about the question that the buttons stand under, and say what became of it."""
        assert self._controls is not None
        said = self._said
        try:
            if enabled is not self._enabled:
                return  # of an earlier question
            if button != "reject" and not (enabled.is_set() and ready()):
                raise ExecutionFailed("not taken: look at it first, then press again")
            if why := not_meant(button, question.kind):
                raise ExecutionFailed(why)
            line = self._controls.decide(question.request, button, theta())
        except IcpiError as exc:
            line = str(exc)
        if enabled is self._enabled:
            said.content = _plain_markdown(line)


def _enabling(*buttons: Any) -> Callable[[], None]:
    """Return what enables these buttons."""

    def enable() -> None:
        for button in buttons:
            button.disabled = False

    return enable


def _escaped(text: str) -> str:
    return "\n".join(str(escaped(line)) for line in text.split("\n"))


def _plain_markdown(text: str) -> str:
    """Return text that markdown shows as it is."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]<>()#+-.!|~$&" else c for c in " ".join(text.split()))
