"""Velocities from positions, and steps that no arm can make."""

import numpy as np
import pytest

from icpi_ros.robots import ARMS
from icpi_ros.ros.arm_ports.joint_history import (
    BELIEVED_AGAIN,
    MIN_RATE,
    SIMULATED_LEAP,
    SPAN,
    Continuity,
    Differentiator,
)

ARM = ARMS.get("ur5e")
NS = 1_000_000_000
NOISE = 1e-4
"""Of an encoder [rad]."""
LAST = -1


def slopes(rate, path, seconds=1.0, noise=0.0, rng=None):
    """Slopes of a path, one for every state once there is one."""
    differentiator = Differentiator()
    found = []
    for t in np.arange(0.0, seconds, 1.0 / rate):
        q = np.atleast_1d(path(t))
        if noise:
            q = q + noise * rng.standard_normal(q.shape)
        found.append((t, differentiator.add(round(t * NS), q)))
    return found


@pytest.mark.parametrize("rate", [MIN_RATE, 50.0, 100.0, 125.0, 500.0, 1000.0])
def test_a_steady_speed_is_found_at_every_rate_that_allows_it(rate):
    _, slope = slopes(rate, lambda t: np.array([0.7 * t, -2.0 * t]))[LAST]
    np.testing.assert_allclose(slope.qd, [0.7, -2.0], rtol=1e-9)
    assert slope.duration <= SPAN


@pytest.mark.parametrize("rate", [5.0, 20.0, 30.0])
def test_states_that_are_too_rare_give_none(rate):
    assert all(slope is None for _, slope in slopes(rate, lambda t: t))


@pytest.mark.parametrize("rate", [MIN_RATE, 100.0, 500.0])
def test_noise_of_an_encoder_is_far_below_the_speed_at_which_an_arm_stands(rate):
    rng = np.random.default_rng(3)
    found = slopes(rate, lambda t: np.zeros(6), 10.0, NOISE, rng)
    known = [slope for _, slope in found if slope is not None]
    assert np.std([slope.qd for slope in known]) < 0.003
    assert max(slope.extent.max() for slope in known) < 0.02 * SPAN  # all of them stand


def test_the_estimate_lags_by_half_the_span():
    found = slopes(100.0, lambda t: 0.5 * 4.0 * t**2)  # 4 rad/s^2 of acceleration
    t, slope = found[LAST]
    assert slope.qd[0] == pytest.approx(4.0 * (t - SPAN / 2), rel=1e-6)


def test_a_turning_point_is_no_standstill():
    found = slopes(100.0, lambda t: 0.2 * np.cos(4.0 * (t - 0.5)))
    turning = min((s for _, s in found if s is not None), key=lambda s: abs(s.qd[0]))
    assert abs(turning.qd[0]) < 0.02
    assert turning.extent[0] > 0.02 * SPAN


def test_a_clock_that_goes_back_begins_anew():
    differentiator = Differentiator()
    for i in range(10):
        differentiator.add(10 * NS + i * 10_000_000, np.zeros(1))
    assert differentiator.add(5 * NS, np.zeros(1)) is None


# --- steps ------------------------------------------------------------------------------------


def walk(continuity, states, pace=1.0):
    """Whether each of ``(stamp [s], first joint [rad])`` was believed; they arrive as stamped."""
    home = ARM.home.copy()
    said = []
    for t, q in states:
        home[0] = q
        said.append(continuity.follows(round(t * NS), home.copy(), t, pace))
    return said


def test_an_arm_at_full_speed_is_believed():
    states = [(0.008 * i, 0.008 * i * ARM.limits.velocity[0]) for i in range(100)]
    late = [(t + 0.012 * (i % 2), q) for i, (t, q) in enumerate(states)]  # stamped on arrival
    assert all(walk(Continuity(ARM), states))
    assert all(walk(Continuity(ARM), sorted(late)))


def test_two_that_take_turns_are_never_believed():
    continuity = Continuity(ARM)
    states = [(0.005 * i, 0.3 * (i % 2)) for i in range(200)]
    assert not any(walk(continuity, states)[1:])
    assert "shoulder_pan_joint jumped from 0.0000 to 0.3000 rad" in continuity.doubt


def test_a_jump_is_told_with_both_values_and_forgotten_after_a_while():
    continuity = Continuity(ARM)
    assert walk(continuity, [(1.0, 0.0), (1.01, 0.3)]) == [True, False]
    assert "shoulder_pan_joint jumped from 0.0000 to 0.3000 rad" in continuity.doubt
    assert "0.0100 s apart: 0.3000 rad, at most 0.0814 are possible" in continuity.doubt
    after = [(1.01 + 0.01 * i, 0.3) for i in range(1, 50)]
    believed = walk(continuity, after)
    assert believed.index(True) == pytest.approx(BELIEVED_AGAIN / 0.01, abs=2)
    assert all(believed[believed.index(True) :])
    assert continuity.doubt == ""


def test_a_stamp_from_another_day_is_not_believed_but_a_free_running_clock_is():
    continuity = Continuity(ARM)
    continuity.follows(NS, ARM.home, 1.0, 1.0)
    assert not continuity.follows(9000 * NS, ARM.home, 1.01, 1.0)
    assert "leapt by 8999 s" in continuity.doubt
    free = Continuity(ARM)
    free.follows(NS, ARM.home, 1.0, 100.0)
    assert free.follows(90 * NS, ARM.home, 1.5, 100.0)


@pytest.mark.parametrize("step", [3.0, 30.0])
def test_a_step_of_the_clock_is_not_believed_on_a_real_arm(step):
    real, simulated = Continuity(ARM), Continuity(ARM, SIMULATED_LEAP)
    for continuity in (real, simulated):
        continuity.follows(NS, ARM.home, 1.0, 1.0)
    stamp = NS + round((step + 0.01) * NS)
    assert not real.follows(stamp, ARM.home, 1.01, 1.0)
    assert f"leapt by {step + 0.01:.4g} s within 0.01 s" in real.doubt
    assert simulated.follows(stamp, ARM.home, 1.01, 1.0)


def test_a_gap_is_no_jump():
    assert all(walk(Continuity(ARM), [(1.0, 0.0), (4.0, 1.5)]))
