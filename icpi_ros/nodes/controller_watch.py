"""What the arm's controller is like while nothing moves, for the checklist."""

from __future__ import annotations

import time

from icpi_ros.graph.checklist import Line, State
from icpi_ros.nodes.arm_port import ArmPort
from icpi_ros.nodes.controller_inquiry import ControllerInquiry

NAME = "controller"
ASK_PERIOD = 2.0
"""Steady time between two questions [s]."""
FIND_IT = (
    "see `ros2 control list_controllers`; another name is set with the parameter controller_name "
    "of executor, in a params_file"
)
RECOMMENDED = "docs/controller.md says what is recommended, and why"


class ControllerWatch:
    """Asks again and again; used by the thread of the node's callbacks alone.

    A trial asks for itself, with an inquiry of its own, and waits for the answers.

    Args:
        inquiry: of the controller; quiet, and nobody else's.
        port: the way to the arm.
        name: of the controller, for the lines.
        refuse: True if wrong values end a trial.
        dry_run: True if motions are never sent.
        advise: True if preferences are shown too.
    """

    def __init__(
        self,
        inquiry: ControllerInquiry,
        port: ArmPort,
        name: str,
        refuse: bool = True,
        dry_run: bool = False,
        advise: bool = True,
    ) -> None:
        """Ask nothing yet."""
        self._inquiry, self._port, self._name = inquiry, port, name
        self._refuse, self._dry_run, self._advise = refuse, dry_run, advise
        self._asked: float | None = None
        self._known = Line(NAME, State.WAITING, f"{name} is asked how it is set up")

    def look(self) -> None:
        """Take what was answered, ask what is next; takes no time."""
        now = time.monotonic()
        if self._asked is not None and not self._inquiry.done():
            return
        if self._asked is not None:
            self._known = self._judged()
        if self._asked is None or now - self._asked >= ASK_PERIOD:
            self._asked = now
            self._inquiry.begin()

    @property
    def line(self) -> Line:
        """The controller's line of the checklist."""
        if not self._port.controller_seen:
            self._asked = None  # another one may come
            self._inquiry.forget()
            return self._absent()
        return self._known

    def _absent(self) -> Line:
        missing = f"no node takes motions at {self._name}"
        if self._dry_run:
            return Line(NAME, State.WARN, f"{missing}; a dry run needs none", FIND_IT)
        return Line(NAME, State.WAITING, missing, FIND_IT)

    def _judged(self) -> Line:
        findings = self._inquiry.findings()
        if wrong := [finding.text for finding in findings if finding.wrong]:
            state = State.FAILED if self._refuse else State.WARN
            return Line(NAME, state, "; ".join(wrong))
        facts = [self._activity(), self._parameters()]
        advice = [self._brief(finding.text) for finding in findings if self._advise]
        text = f"{self._name} {', '.join(facts)}" + ("; " if advice else "") + ", ".join(advice)
        if advice or not self._inquiry.parameters_known:
            return Line(NAME, State.WARN, text, RECOMMENDED)
        return Line(NAME, State.OK, text)

    def _brief(self, text: str) -> str:
        """Return what is found without why: a trial logs all of it."""
        return text.removeprefix(f"{self._name}: ").split(": ", 1)[0]

    def _activity(self) -> str:
        if self._inquiry.activity_known:
            return "is active"
        return "takes motions (no controller_manager says whether it is active)"

    def _parameters(self) -> str:
        if self._inquiry.parameters_known:
            return "its parameters allow motions"
        return "does not tell its parameters: they are not checked"
