"""States of a simulation: one by one as they come, or in bursts where nobody waits for them."""

from types import SimpleNamespace

import numpy as np
import pytest
from sensor_msgs.msg import JointState

from icpi_ros.ros.base.convert import to_ns
from icpi_ros.ros.sim import state_port
from icpi_ros.ros.sim.simulated_arm import Snapshot
from icpi_ros.ros.sim.state_port import BURST, BURST_TIME, StatePort


class Simulation:
    """A node that keeps what it publishes, and the clock by which it does."""

    def __init__(self):
        self.sent, self.subscribers, self.now = [], 1, 100.0
        self.port = StatePort(self, ["a", "b"], pose=True)

    def create_publisher(self, kind, topic, profile):
        name = topic.rpartition("/")[2]
        count = lambda: self.subscribers  # noqa: E731
        return SimpleNamespace(publish=lambda it: self.note(name, it), get_subscription_count=count)

    def note(self, name, message):
        stamp = message.clock if name == "clock" else message.header.stamp
        self.sent.append((name, to_ns(stamp)))
        if isinstance(message, JointState):
            assert list(message.position) == [float(to_ns(stamp)), 0.0]

    def take(self, *numbers, silent=(), wait=True):
        for ns in numbers:
            q, zero = np.array([float(ns), 0.0]), np.zeros(2)
            state = Snapshot(ns, q, zero, np.zeros(3), np.array([1.0, 0, 0, 0]), True, q)
            self.port.take(state, ns in silent, wait)

    def of(self, name):
        return [ns for topic, ns in self.sent if topic == name]


@pytest.fixture
def simulation(monkeypatch):
    found = Simulation()
    monkeypatch.setattr(state_port, "time", SimpleNamespace(monotonic=lambda: found.now))
    return found


def test_a_state_that_may_not_wait_is_sent_at_once_with_those_before_it(simulation):
    simulation.take(1, 2)
    assert simulation.sent == []
    simulation.take(3, wait=False)
    assert simulation.of("object_pose") == [1, 2, 3]
    simulation.take(4, wait=False)
    assert simulation.of("object_pose") == [1, 2, 3, 4]
    assert simulation.of("joint_states") == [3, 4]


def test_no_burst_is_longer_than_what_a_subscriber_keeps_or_than_its_time(simulation):
    simulation.take(*range(1, BURST))
    assert simulation.sent == []
    simulation.take(BURST)
    assert simulation.of("object_pose") == [*range(1, BURST + 1)]
    simulation.take(BURST + 1)
    simulation.now += 2.0 * BURST_TIME
    simulation.take(BURST + 2)
    assert simulation.of("object_pose")[-2:] == [BURST + 1, BURST + 2]


def test_whoever_listens_beside_the_executor_gets_every_joint_state(simulation):
    simulation.take(1, 2, 3)
    simulation.port.send()
    simulation.subscribers = 2
    simulation.take(4, 5, 6)
    simulation.port.send()
    assert simulation.of("joint_states") == [3, 4, 5, 6]


def test_joint_states_that_a_fault_withholds_are_left_out_of_a_burst(simulation):
    simulation.take(1, 2, 3, silent=(2, 3))
    simulation.port.send()
    simulation.take(4, silent=(4,), wait=False)
    assert simulation.of("joint_states") == [1]
    assert simulation.of("object_pose") == [1, 2, 3, 4]


def test_the_clock_is_that_of_the_newest_state_and_sent_now_and_then(simulation):
    for ns in range(1, 5):
        simulation.take(ns, wait=False)
    assert simulation.of("clock") == [1, 2]  # two may pass at once
    simulation.now += 1.0
    simulation.take(5, 6)
    simulation.port.send()
    assert simulation.of("clock") == [1, 2, 6]
