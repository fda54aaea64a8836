"""The simulated gripper by the clock of a motion: it opens in the motion that was meant, or not."""

import pytest

from icpi_ros.core.types import SECOND
from icpi_ros.ros.sim.hand import Hand, HandOrder
from icpi_ros.sim.controller_orders import Event, MotionState

START, MOMENT = 2 * SECOND, SECOND // 2


class World:
    """A gripper that writes down what it is told."""

    def __init__(self):
        self.log, self.gripped = [], True

    def open_gripper(self, at):
        self.log.append(at)

    def close_gripper(self):
        self.log.append("close")


def bound():
    world, reports = World(), []
    hand = Hand(world, lambda *report: reports.append(report))
    hand.take(HandOrder(label="throw", moment=MOMENT), SECOND)
    return world, hand, reports


def test_it_opens_at_the_moment_of_the_motion_that_it_is_bound_to():
    world, hand, reports = bound()
    hand.see([Event("retreat", MotionState.ACCEPTED, SECOND)])
    assert world.log == []
    hand.see([Event("throw", MotionState.ACCEPTED, START)])
    assert world.log == [2.5]
    hand.look(START)
    assert reports == [("throw", "accepted", SECOND)]
    world.gripped = False
    hand.look(START + MOMENT)
    assert reports[1:] == [("throw", "done", START + MOMENT)]


@pytest.mark.parametrize("state", ["aborted", "cancelled", "replaced", "rejected"])
def test_it_stays_closed_where_that_motion_does_not_go_on(state):
    world, hand, reports = bound()
    hand.see([Event("throw", MotionState.ACCEPTED, START)])
    hand.see([Event("throw", MotionState(state), START + 1)])
    assert world.log == [2.5, "close"]
    assert reports[1:] == [("throw", "cancelled", START + 1)]
    hand.see([Event("throw", MotionState.ACCEPTED, START)])
    assert world.log == [2.5, "close"]


def test_what_is_taken_back_is_forgotten():
    world, hand, _ = bound()
    hand.take(HandOrder(), SECOND)
    hand.see([Event("throw", MotionState.ACCEPTED, START)])
    assert world.log == ["close"]


def test_an_order_to_open_is_obeyed_when_it_came_and_answered():
    world, hand, _ = bound()
    answered = []
    hand.take(HandOrder(opens=True, answer=lambda: answered.append(True)), 3 * SECOND)
    assert (world.log, answered) == ([3.0], [True])
