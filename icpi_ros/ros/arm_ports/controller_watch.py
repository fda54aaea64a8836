"""Line of the checklist about the arm's controller, kept up while nothing moves."""

from __future__ import annotations

import time

from icpi_ros.ros.arm_ports.arm_port import ArmPort
from icpi_ros.ros.arm_ports.controller_inquiry import ControllerInquiry
from icpi_ros.ros.bringup.checklist import Line, State

NAME = "controller"
ASK_PERIOD = 2.0
"""Steady time between two questions [s]."""
FIND_IT = (
    "see `ros2 control list_controllers`; another name is set with the parameter controller_name "
    "of executor, in a params_file"
)
ASK_IT = "`ros2 control list_controllers` says whether it is active"
RECOMMENDED = "docs/controller.md says what is recommended, and why"


class ControllerWatch:
    """Repeated inquiry of the controller; used by the thread of the node's callbacks alone.

    A trial asks for itself, with an inquiry of its own, and waits for the answers.

    Args:
        inquiry: of the controller; quiet, and this watch's alone.
        port: the way to the arm.
        name: of the controller, for the lines.
        refuse: True if wrong values end a trial.
        dry_run: True if motions are never sent.
        simulated: True if the arm takes no harm: preferences are not shown, and it need
            not be known that the controller is active.
    """

    def __init__(
        self,
        inquiry: ControllerInquiry,
        port: ArmPort,
        name: str,
        refuse: bool = True,
        dry_run: bool = False,
        simulated: bool = False,
    ) -> None:
        self._inquiry, self._port, self._name = inquiry, port, name
        self._refuse, self._dry_run, self._simulated = refuse, dry_run, simulated
        self._asked: float | None = None
        self._known = self._asking

    def look(self) -> None:
        """Take what was answered, ask what is next; takes no time."""
        if not self._port.controller_seen:
            self._forget()
            return
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
            self._forget()
            return self._absent()
        return self._known

    @property
    def _asking(self) -> Line:
        return Line(NAME, State.WAITING, f"{self._name} is asked how it is set up")

    def _forget(self) -> None:
        """Take nothing for known: another one may come."""
        self._asked, self._known = None, self._asking
        self._inquiry.forget()

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
        # Without why: a trial logs all of it.
        advice = [] if self._simulated else [finding.brief for finding in findings]
        facts, remedies = self._facts(), []
        if advice:
            facts.append(", ".join(advice))
        if advice or not self._inquiry.parameters_known:
            remedies.append(RECOMMENDED)
        if self._inquiry.unchecked and not self._simulated:
            remedies.append(ASK_IT)
        state = State.WARN if remedies else State.OK
        return Line(NAME, state, "; ".join(facts), "; ".join(remedies))

    def _facts(self) -> list[str]:
        """Return what is known, and what is not."""
        does = "its parameters allow motions"
        if not self._inquiry.parameters_known:
            does = "its parameters are not checked: it does not tell them"
        if not (reason := self._inquiry.unchecked):
            return [f"{self._name} is active, {does}"]
        return [f"{self._name}: {does}", f"whether it is active is not checked ({reason})"]
