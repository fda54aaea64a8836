"""What is asked of an arm before and while a motion is followed: a fake port stands for it."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from icpi_msgs.action import ExecuteMotion
from icpi_ros.arms import ARMS
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.nodes.arm_feed import ArmState
from icpi_ros.nodes.following import Follower, Settings, TrialEnded

ARM = ARMS.get("ur5e")
GOAL = ARM.home + 0.1
START = 1_000_000_000
Code = ExecuteMotion.Result


class Port:
    """An arm on the topic that does what ``after`` makes of its state."""

    has_controller, answers, pace = True, False, 1.0

    def __init__(self, speed=0.0, after=lambda state: state):
        self._state = ArmState(START, ARM.home, np.full(6, speed), 0.0)
        self._after = after
        self.sent, self.held = [], 0

    @property
    def state(self):
        state = self._after(self._state) if self.sent else self._state
        return ArmState(state.ns, state.q, state.qd, time.monotonic())

    @property
    def now(self):
        return self.state.ns

    def label(self, name):
        return name

    def send(self, motion, label, start_ns=0):
        self.sent.append(motion)

    def hold(self, label, attempt=0):
        self.held += 1
        return 0.0

    def exact(self, label):
        return False

    def status(self, label, *states):
        return None


def follower(port):
    settings = Settings(reply=0.3, stop_limit=0.3)
    return Follower(ARM, SafetyGate(ARM), port, threading.Condition(), settings)


def test_nothing_is_sent_to_an_arm_that_moves_already():
    port = Port(speed=0.5)
    with pytest.raises(TrialEnded, match="moves already") as caught:
        follower(port).move_to(GOAL, "retreat")
    assert caught.value.code == Code.MOTION_REFUSED
    assert port.sent == []


def test_a_clock_that_goes_back_ends_the_motion_and_the_arm_is_held():
    def back(state):
        return SimpleNamespace(ns=state.ns - 10**9, q=state.q, qd=state.qd)

    port = Port(after=back)
    one = follower(port)
    ended = []

    def move():
        try:
            one.move_to(GOAL, "retreat")
        except TrialEnded as exc:
            ended.append(exc)

    worker = threading.Thread(target=move, daemon=True)
    worker.start()
    worker.join(3.0)
    assert [exc.code for exc in ended] == [Code.ARM_SILENT]
    assert "went back by 1 s" in str(ended[0])
    one.stop_arm()
    assert len(port.sent) == 1
    assert port.held > 0
