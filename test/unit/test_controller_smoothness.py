"""What a real controller commands for the trajectories that the executor sends: never a jerk.

Commanded acceleration within the arm's limit x 1.05 and no backward step, at all usual rates, with
both settings of interpolate_from_desired_state, for servos that lag and are off, however early or
late a trajectory arrives.  ICPI_SMOOTHNESS sets the examples of each kind, rate and setting.
"""

import os
import zlib

import numpy as np
import pytest
from icpi_benchmarks.stopping.lockstep import EPOCH, Arrival, replay, smoothness

from icpi_ros.core.errors import MotionRefused
from icpi_ros.core.types import SECOND
from icpi_ros.motion.carried_stop import carried_stop, hold_on_path, rested
from icpi_ros.motion.primitives import point_to_point, slow_move
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.motion.stop import safe_stop
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.robots import ARMS
from icpi_ros.sim.controller_orders import Order
from icpi_ros.sim.trajectory_controller import ControllerOptions
from icpi_ros.tasks import TASKS

ARM, TASK = ARMS.get("ur5e"), TASKS.get("slide")
GATE, LIMIT = SafetyGate(ARM), ARM.limits.acceleration
EXAMPLES = int(os.environ.get("ICPI_SMOOTHNESS", "2"))
RATES, SETTINGS = (100.0, 125.0, 250.0, 500.0, 1000.0), (True, False)
ALLOWED, ROUNDING = 1.05, 1e-9
WARM = 0.02
"""A motion is taken up in its middle: the commands of this time do not count [s]."""

every_dialect = pytest.mark.parametrize("rate", RATES, ids="{:g}Hz".format)
both_settings = pytest.mark.parametrize("desired", SETTINGS, ids=["desired", "measured"])


def ns(seconds):
    return round(seconds * SECOND)


def examples(*seed):
    rng = np.random.default_rng(zlib.crc32(repr(seed).encode()))
    return (rng for _ in range(EXAMPLES))


def motion(rng):
    """A strike or a slow move, and a moment while it moves."""
    strike = TASK.motion(TASK.space.sample(rng, 1)[0], ARM).trajectory
    if rng.random() < 0.5:
        return strike, rng.uniform(0.1, 0.95) * strike.duration
    slow = approach(rng, strike.positions[0])
    return slow, rng.uniform(0.1, 0.9) * (slow.duration - 0.3)


def approach(rng, goal):
    """A slow move to ``goal`` that the gate lets pass."""
    for _ in range(50):
        start = ARM.home + rng.uniform(-0.3, 0.3, 6)
        move = slow_move(ARM, start, goal, 0.5, 0.3)
        try:
            return GATE.check(move, start).trajectory
        except MotionRefused:
            continue
    pytest.fail("no slow move passes the gate")


def servo(rng):
    return {"lag": rng.uniform(0.0, 0.05), "offset": rng.uniform(-5e-3, 5e-3, 6)}


def options(rate, desired):
    return ControllerOptions(rate=rate, interpolate_from_desired_state=desired)


def replaced(rng, dialect, running, begin, new, first, arrival, more=()):
    """How smooth it is when ``new`` arrives at ``arrival`` of the motion's time [s]."""
    lead_in = max(arrival - 0.04 - WARM, 0.0)
    start = EPOCH - ns(lead_in)
    arrivals = [
        Arrival(EPOCH, Order("motion", running, start, goal=True)),
        Arrival(start + ns(arrival), Order("new", new, start + ns(first), goal=True)),
        *more,
    ]
    end = start + ns(first) + ns(new.duration + 0.1)
    due, commands = replay(dialect, arrivals, end, running.at(lead_in).position, **servo(rng))
    since = EPOCH + ns(WARM) if lead_in else 0
    return smoothness(due, commands, LIMIT, new, start + ns(first), since)


def stopped(rng, dialect, running, stop, arrival):
    """The same of a stop."""
    new = stop.checked.trajectory
    return replaced(rng, dialect, running, stop.begin, new, stop.first, arrival)


def arrival_before(rng, dialect, begin):
    """Some moment, often the last one: the next update and its command are a period away each."""
    last = begin - 2.0 * dialect.period_ns / SECOND
    return last if rng.random() < 0.3 else max(last - rng.uniform(0.0, 0.05), 0.0)


def check(found):
    assert found.share <= ALLOWED, found
    assert found.backward <= ROUNDING, found


@every_dialect
@both_settings
def test_a_stop_is_smooth(rate, desired):
    dialect = options(rate, desired)
    for rng in examples("stop", rate, desired):
        running, begin = motion(rng)
        stop = carried_stop(GATE, running, begin)
        arrival = arrival_before(rng, dialect, begin)
        check(stopped(rng, dialect, running, stop, arrival))


@every_dialect
@both_settings
def test_a_stop_that_is_sent_long_before_its_braking_has_begun_all_the_same(rate, desired):
    dialect = options(rate, desired)
    for rng in examples("long lead", rate, desired):
        running, begin = motion(rng)
        lead = rng.uniform(0.06, 0.4)
        stop = carried_stop(GATE, running, begin, lead=lead)
        arrival = max(begin - lead, 0.0)
        assert stop.first <= arrival
        check(stopped(rng, dialect, running, stop, arrival))


@every_dialect
@both_settings
def test_a_hold_of_a_motion_that_is_known_is_smooth_and_so_is_the_cancel_after_it(rate, desired):
    dialect = options(rate, desired)
    for rng in examples("hold", rate, desired):
        running, begin = motion(rng)
        hold = hold_on_path(running, begin, ARM.limits)
        arrival = arrival_before(rng, dialect, begin)
        end = EPOCH + ns(hold.trajectory.duration + 0.2)
        check(
            replaced(
                rng,
                dialect,
                running,
                begin,
                hold.trajectory,
                hold.first,
                arrival,
                [Arrival(end, None)],
            )
        )


@every_dialect
@both_settings
@pytest.mark.parametrize("rest", [0.0, 0.1], ids=["at once", "dated"])
def test_a_strike_from_rest_is_smooth(rate, desired, rest):
    dialect = options(rate, desired)
    for rng in examples("strike", rate, desired, rest):
        strike = TASK.motion(TASK.space.sample(rng, 1)[0], ARM).trajectory
        sent, stamp, at = sent_at(rng, strike, rest)
        arrivals = [Arrival(at, Order("strike", sent, stamp, goal=True))]
        until = EPOCH + ns(sent.duration + 0.1)
        due, commands = replay(dialect, arrivals, until, strike.positions[0], **servo(rng))
        check(smoothness(due, commands, LIMIT, sent, stamp or at))


def sent_at(rng, motion, rest, joined=False):
    """What is sent, its stamp and when it arrives: any time in the rest in front of it."""
    if not rest:
        return motion, 0, EPOCH
    return rested(motion, rest, joined), EPOCH, EPOCH + ns(rng.uniform(0.0, rest - 0.02))


def approached(rng, dialect, known, rest=0.0):
    """A slow move from where the arm is measured or, if that is known, commanded to be."""
    goal, error = TASK.motion(TASK.space.sample(rng, 1)[0], ARM).start, servo(rng)
    path = approach(rng, goal)
    commanded = path.positions[0]
    if not known:
        path = slow_move(ARM, commanded + error["offset"], goal, 0.5, 0.3)
    sent, stamp, at = sent_at(rng, path, rest, not known)
    order = Order("approach", sent if known else sent.without_start(), stamp, goal=True)
    until = EPOCH + ns(sent.duration + 0.1)
    due, commands = replay(dialect, [Arrival(at, order)], until, commanded, **error)
    return smoothness(due, commands, LIMIT, sent, stamp or at)


@every_dialect
@both_settings
def test_an_approach_from_a_known_command_is_smooth(rate, desired):
    for rng in examples("approach", rate, desired):
        check(approached(rng, options(rate, desired), known=True))
        check(approached(rng, options(rate, desired), known=True, rest=0.1))


@every_dialect
def test_an_approach_from_an_unknown_command_is_smooth_where_it_is_joined_from_it(rate):
    for rng in examples("approach", rate):
        for rest in (0.0, 0.1):
            found = approached(rng, options(rate, True), known=False, rest=rest)
            assert found.share <= ALLOWED, found


# --- what it is like otherwise: these are the faults that the above keeps clear of ---------------


@pytest.mark.parametrize(
    ("rate", "desired", "least", "most"),
    [
        (125.0, True, 50.0, 400.0),
        (500.0, True, 1000.0, 1600.0),
        (500.0, False, 8000.0, 15000.0),
        (1000.0, False, 35000.0, 60000.0),
    ],
)
def test_a_stop_that_is_joined_jerks(rate, desired, least, most):
    running = TASK.motion(np.array([1.5, 0.0]), ARM).trajectory
    worst = 0.0
    for begin in np.linspace(0.15, 0.4, 6):
        stop = safe_stop(GATE, running, begin).trajectory
        start = EPOCH
        arrivals = [
            Arrival(EPOCH, Order("motion", running, start)),
            Arrival(start + ns(begin - 0.03), Order("stop", stop, start + ns(begin))),
        ]
        due, commands = replay(
            options(rate, desired), arrivals, EPOCH + ns(0.6), running.positions[0], 0.02
        )
        found = smoothness(due, commands, LIMIT, stop, start + ns(begin))
        worst = max(worst, found.acceleration)
    assert least < worst < most


def test_a_cancel_while_it_moves_jumps_back_by_the_lag():
    running = TASK.motion(np.array([1.5, 0.0]), ARM).trajectory
    arrivals = [
        Arrival(EPOCH, Order("motion", running, goal=True)),
        Arrival(EPOCH + ns(0.25), None),
    ]
    due, commands = replay(
        options(500.0, True), arrivals, EPOCH + ns(0.4), running.positions[0], 0.02
    )
    found = smoothness(due, commands, LIMIT, running, EPOCH)
    assert found.backward > 0.02
    assert found.acceleration > 5000.0


def test_a_slow_move_that_begins_where_the_arm_is_measured_steps_by_the_servo_error():
    goal = ARM.home + 0.3
    move = point_to_point(ARM, ARM.home + 5e-3, goal)
    due, commands = replay(
        options(500.0, True),
        [Arrival(EPOCH, Order("move", move))],
        EPOCH + ns(1.0),
        ARM.home,
        offset=5e-3,
    )
    found = smoothness(due, commands, LIMIT, move, EPOCH)
    assert found.acceleration == pytest.approx(1250.0, rel=0.01)


def test_a_late_stop_is_taken_and_jerks():
    """How late makes how much: the lead must cover it."""
    running = TASK.motion(np.array([1.5, 0.0]), ARM).trajectory
    rng = np.random.default_rng(0)
    stop = carried_stop(GATE, running, 0.25)
    peaks = [
        replaced(
            rng,
            options(500.0, True),
            running,
            0.25,
            stop.checked.trajectory,
            stop.first,
            0.25 + late,
        ).acceleration
        for late in (-0.002, 0.005, 0.02)
    ]
    assert peaks[0] < 42.0
    assert 42.0 < peaks[1] < peaks[2]


def test_one_point_stops_a_motion_that_nobody_knows():
    """It is joined: it cannot be smooth, since nobody knows what is commanded."""
    running = TASK.motion(np.array([1.5, 0.0]), ARM).trajectory
    zero = np.zeros((1, 6))
    state = running.at(0.25)
    point = JointTrajectory(
        ARM.joints, np.array([0.2]), (state.position + 0.1 * state.velocity)[None], zero, zero
    )
    arrivals = [
        Arrival(EPOCH, Order("motion", running)),
        Arrival(EPOCH + ns(0.25), Order("hold", point)),
    ]
    _, commands = replay(options(500.0, True), arrivals, EPOCH + ns(0.6), running.positions[0])
    assert np.ptp(commands[-5:], axis=0).max() == 0.0
