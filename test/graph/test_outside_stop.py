"""The software stop while no trial runs: a port that records what is sent stands for the arm."""

import threading
import time

import numpy as np
import pytest

from icpi_ros.arms import ARMS
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.nodes.following import Settings
from icpi_ros.nodes.outside_stop import HOLDING, UNSEEN, UNSENT, OutsideStop

from .test_arm_stopping import OLD, SILENCE, Port, state_at

ARM = ARMS.get("ur5e")


class Moving(Port):
    """Nothing is wrong with its states but what a test says."""

    doubt = unusable = ""


class Log:
    def __init__(self):
        self.warnings, self.errors = [], []

    def warning(self, text):
        self.warnings.append(text)

    def error(self, text):
        self.errors.append(text)


def outside(port, limit=60.0):
    log = Log()
    settings = Settings(silence=SILENCE, stop_limit=limit)
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
    assert HOLDING in stop.stop()  # once more: it is being held
    until_over(stop)
    assert port.held == [0, 1]
    assert log.errors == []
    assert stop.stop() == ""


def test_one_that_moves_on_is_named():
    port = Moving(state_at(0.2), silent=True)
    stop, log = outside(port, limit=0.2)
    stop.stop()
    until_over(stop)
    assert log.errors == [UNSEEN]


def test_nothing_is_sent_to_an_arm_that_stands():
    port = Moving(state_at(0.0))
    stop, log = outside(port)
    assert stop.stop() == ""
    assert (port.held, port.sent, log.warnings) == ([], [], [])


@pytest.mark.parametrize("unknown", ["doubt", "old", "speed", "never"])
def test_where_nothing_is_known_nothing_is_sent_and_the_person_reads_it(unknown):
    port = Moving(state_at(0.2, age=OLD if unknown == "old" else 0.0))
    if unknown == "doubt":
        port.doubt = "two publishers"
    elif unknown == "speed":
        port.state.qd[:] = np.nan
    elif unknown == "never":
        port.state = None
    stop, log = outside(port)
    said = stop.stop()
    assert said.startswith(UNSENT)
    assert log.warnings == [said]
    assert port.held == []
    assert not stop.busy
