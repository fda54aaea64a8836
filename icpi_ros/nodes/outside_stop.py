"""The software stop while no trial runs: another program may move the arm."""

from __future__ import annotations

import threading
from typing import Any

from icpi_ros.motion.safety import SafetyGate
from icpi_ros.nodes import arm_watch
from icpi_ros.nodes.arm_port import ArmPort
from icpi_ros.nodes.following import Settings
from icpi_ros.nodes.stopping import Stopper

HOLDING = "the arm moves outside of a trial: it is told to hold"
UNSENT = "nothing was sent to the arm, use its emergency stop if it moves"
UNSEEN = "the arm was told to hold, but it was not seen to stand: use its emergency stop"


class OutsideStop:
    """Holds an arm that moves, and looks whether it obeys; used by callbacks.

    What is commanded is not known, so its first hold is joined, and not smooth.

    Args:
        port: the way to the arm.
        gate: of the arm.
        changed: notified at every news of the arm.
        settings: deadlines.
        log: the node's logger.
    """

    def __init__(
        self,
        port: ArmPort,
        gate: SafetyGate,
        changed: threading.Condition,
        settings: Settings,
        log: Any,
    ) -> None:
        """Keep the parts."""
        self._port, self._gate, self._changed = port, gate, changed
        self._settings, self._log = settings, log
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """True until the arm stands, or was waited for."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self) -> str:
        """Begin to hold an arm that moves; return what a person has to know, empty = it stands.

        Where the arm is, or how fast, may not be known: then a hold could move it.
        """
        silence = self._settings.silence
        state = self._port.state
        if trouble := arm_watch.trouble(self._port, silence, silence):
            return self._told(f"{UNSENT}: {trouble}")
        if state is not None and state.stands and not self.busy:
            return ""
        if not self.busy:
            self._thread = threading.Thread(target=self._hold, daemon=True)
            self._thread.start()
        return self._told(HOLDING)

    def close(self) -> None:
        """Wait until the arm stands, as long as it may take."""
        if self._thread is not None:
            self._thread.join(self._settings.stop_limit)

    def _hold(self) -> None:
        settings = self._settings
        stopper = Stopper(
            self._port, self._gate, self._changed, settings.silence, settings.stop_limit
        )
        if not stopper.stop(None, settings.tracking_tolerance, "stop"):
            self._log.error(UNSEEN)

    def _told(self, text: str) -> str:
        self._log.warning(text)
        return text
