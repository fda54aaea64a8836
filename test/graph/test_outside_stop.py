"""The software stop while no trial runs: a port that records what is sent stands for the arm."""

import threading
import time

import numpy as np
import pytest

from icpi_ros.motion.safety import SafetyGate
from icpi_ros.robots import ARMS
from icpi_ros.ros.arm_ports.arm_feed import ArmState
from icpi_ros.ros.executor.outside_stop import GIVEN_UP, HOLDING, UNSEEN, UNSENT, OutsideStop
from icpi_ros.ros.following.rules import ExecutorSettings

from .test_arm_stopping import OLD, SILENCE, START, Port, state_at

ARM = ARMS.get("ur5e")


class Moving(Port):
    """Nothing is wrong with its states but what a test says; ``action``: it can cancel."""

    doubt = unusable = ""
    action, cancelled = False, 0

    def cancel(self):
        self.cancelled += self.action
        return self.action


class Waiting(Moving):
    """It stands until ``moves``; its clock goes on if ``ticking``."""

    moves = ticking = False
    after = None

    def __init__(self):
        super().__init__(state_at(0.0))
        self.begun = time.monotonic()

    @property
    def state(self):
        if self.after is not None:
            return self.after
        passed = time.monotonic() - self.begun if self.ticking else 0.0
        here = state_at(0.2 if self.moves else 0.0)
        return ArmState(START + round(passed * 1e9), here.q, here.qd, time.monotonic())

    @state.setter
    def state(self, value):
        if getattr(self, "held", None):  # it obeyed
            self.after = value


class Log:
    def __init__(self):
        self.warnings, self.errors = [], []

    def warning(self, text):
        self.warnings.append(text)

    def error(self, text):
        self.errors.append(text)


def outside(port, limit=60.0):
    log = Log()
    settings = ExecutorSettings(joint_state_timeout=SILENCE, stop_limit=limit)
    return OutsideStop(port, SafetyGate(ARM), threading.Condition(), settings, log), log


def until_over(stop):
    deadline = time.monotonic() + 120.0
    while stop.busy:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_arm_that_moves_is_held_until_it_is_seen_to_stand():
    port = Moving(state_at(0.2), refusals=1)
    stop, log = outside(port)
    assert stop.stop() == HOLDING
    assert stop.busy
    until_over(stop)
    assert port.held == [0, 1]
    assert log.errors == []
    assert stop.stop() == ""


def test_who_presses_again_while_it_is_held_has_it_held_again():
    port = Moving(state_at(0.2), silent=True)
    stop, log = outside(port, limit=0.5)
    stop.stop()
    deadline = time.monotonic() + 60.0
    while not port.held:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    stop.stop()
    until_over(stop)
    assert port.held.count(0) == 2
    assert log.errors == [UNSEEN] * 2


def test_a_fault_of_ours_is_not_silent(monkeypatch):
    port = Moving(state_at(0.2))
    monkeypatch.setattr(port, "hold", lambda *_: 1 / 0)
    stop, log = outside(port)
    stop.stop()
    until_over(stop)
    assert log.errors == [f"{UNSEEN}: ZeroDivisionError: division by zero"]


def test_one_that_moves_on_is_named():
    port = Moving(state_at(0.2), silent=True)
    stop, log = outside(port, limit=0.2)
    stop.stop()
    until_over(stop)
    assert log.errors == [UNSEEN]


def test_nothing_is_sent_to_an_arm_that_stands():
    port = Waiting()
    port.ticking = True
    stop, log = outside(port)
    assert stop.stop() == ""
    until_over(stop)
    assert (port.held, port.sent, log.warnings, log.errors) == ([], [], [], [])


def test_an_arm_that_only_begins_to_move_is_held():
    port = Waiting()
    stop, log = outside(port)
    assert stop.stop() == ""
    port.moves = True
    until_over(stop)
    assert port.held == [0]
    assert log.errors == []


@pytest.mark.parametrize("action", [False, True], ids=["topic", "action"])
@pytest.mark.parametrize("unknown", ["doubt", "old", "not fresh", "speed", "never"])
def test_where_the_state_is_not_known_goals_are_cancelled_or_the_person_reads_it(unknown, action):
    port = Moving(state_at(0.2, age={"old": OLD, "not fresh": 0.3}.get(unknown, 0.0)))
    port.action = action
    if unknown == "doubt":
        port.doubt = "two publishers"
    elif unknown == "speed":
        port.state.qd[:] = np.nan
    elif unknown == "never":
        port.state = None
    stop, log = outside(port)
    said = stop.stop()
    assert said.startswith(GIVEN_UP if action else UNSENT)
    assert port.cancelled == action
    assert log.warnings == [said]
    assert port.held == []
    assert not stop.busy
