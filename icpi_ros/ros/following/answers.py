"""Answers of a controller to a motion that was sent, and what is said where none comes."""

from __future__ import annotations

from collections.abc import Callable

from icpi_ros.ros.arm_ports.arm_port import ArmPort
from icpi_ros.ros.following.trial_ended import Code, GoalRejected, TrialEnded

Wait = Callable[[Callable[[], bool], float, Callable[[], TrialEnded]], None]
"""Function that waits until something is so, at most so long [s], else raises what is made."""
ENDS = ("rejected", "done", "aborted", "cancelled", "replaced")
"""States of a motion that is over."""
UNEXPLAINED = "the controller's log says why"
"""Reason of a rejection without one: a real controller gives its client none."""


def started(
    port: ArmPort,
    label: str,
    wait: Wait,
    reply: float,
) -> int:
    """Wait until the controller has taken a motion; return the stamp of its start.

    Args:
        port: through which it was sent.
        label: of the motion.
        wait: waits for the answer.
        reply: longest steady time for the controller to answer [s].

    Raises:
        GoalRejected: it rejects the motion.
        TrialEnded: it does not answer, or as ``wait``.
    """
    if not port.answers:
        return port.now  # it starts on receipt

    def unanswered() -> TrialEnded:
        return TrialEnded(Code.ARM_SILENT, f"the controller took no motion within {reply:g} s")

    wait(lambda: port.status(label, "accepted", *ENDS) is not None, reply, unanswered)
    status = port.status(label, "accepted") or port.status(label, "accepted", *ENDS)
    if status is None or status.state == "rejected":
        reason = status.reason if status is not None else ""
        text = f"the arm rejected the motion: {reason or UNEXPLAINED}"
        raise GoalRejected(text, explained=bool(reason))
    return status.ns


def unreported(name: str, limit: float) -> TrialEnded:
    """Return the end of a trial whose controller does not report an end for ``limit`` [s]."""
    text = f"{name} is at its end, but the controller did not say so within {limit:g} s"
    return TrialEnded(Code.ARM_FAILED, text)
