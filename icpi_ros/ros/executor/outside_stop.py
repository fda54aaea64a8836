"""The software stop while no trial moves the arm: another program may do so."""

from __future__ import annotations

import threading
import time
from typing import Any

from icpi_ros.motion.safety import SafetyGate
from icpi_ros.ros.arm_ports import arm_watch
from icpi_ros.ros.arm_ports.arm_port import ArmPort
from icpi_ros.ros.arm_ports.topic_port import FRESH
from icpi_ros.ros.following.rules import ExecutorSettings
from icpi_ros.ros.following.stopping import STANDING_REFUSED, Stopper

HOLDING = "the arm moves outside of a trial: it is told to hold"
GIVEN_UP = "all goals of the arm's controller were cancelled, see whether it stands"
UNSENT = "nothing was sent to the arm, use its emergency stop if it moves"
UNSEEN = "the arm was told to hold, but it was not seen to stand: use its emergency stop"


class OutsideStop:
    """Hold of an arm that moves, watched until it obeys; used by callbacks.

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
        settings: ExecutorSettings,
        log: Any,
    ) -> None:
        self._port, self._gate, self._changed = port, gate, changed
        self._settings, self._log = settings, log
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._again = False

    @property
    def busy(self) -> bool:
        """True until the arm was seen to stand, or was waited for."""
        with self._lock:
            return self._thread is not None

    def stop(self) -> str:
        """Begin to hold an arm that moves; return what a person has to know, empty = it stands.

        Where the arm is, or how fast, may not be known: then a hold could move it.
        """
        fresh = min(self._settings.joint_state_timeout, FRESH)
        if trouble := arm_watch.trouble(self._port, fresh, fresh):
            given_up = self._port.cancel()
            return self._warned(f"{GIVEN_UP if given_up else UNSENT}: {trouble}")
        with self._lock:
            self._again = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
        state = self._port.state
        return "" if state is None or state.stands else self._warned(HOLDING)

    def close(self) -> None:
        """Wait until the arm stands, as long as it may take."""
        thread = self._thread
        if thread is not None:
            thread.join(self._settings.stop_limit)

    def _run(self) -> None:
        """Hold as often as it is asked for."""
        while True:
            with self._lock:
                if not self._again:
                    self._thread = None
                    return
                self._again = False
            try:
                if self._moves() and not self._hold():
                    self._log.error(UNSEEN)
            except Exception as exc:
                self._log.error(f"{UNSEEN}: {type(exc).__name__}: {exc}")

    def _moves(self) -> bool:
        """Tell whether the arm moves; at a turning point, or when it just begins, it is slow."""
        begin: int | None = None
        deadline = time.monotonic() + self._settings.stop_limit
        while time.monotonic() < deadline:
            state = self._port.state
            if state is None or not state.stands:
                return True
            begin = state.ns if begin is None else begin
            if state.ns - begin >= STANDING_REFUSED:
                return False
            with self._changed:
                self._changed.wait(0.05)
        self._log.error(
            f"{UNSENT}: {arm_watch.missing_states(self._port, self._settings.stop_limit)}"
        )
        return False

    def _hold(self) -> bool:
        """Hold; tell whether the arm was seen to stand."""
        settings = self._settings
        stopper = Stopper(
            self._port, self._gate, self._changed, settings.joint_state_timeout, settings.stop_limit
        )
        return stopper.stop(None, settings.tracking_tolerance, "stop")

    def _warned(self, text: str) -> str:
        self._log.warning(text)
        return text
