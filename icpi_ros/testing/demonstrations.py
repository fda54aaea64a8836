"""Recordings of motions that nobody showed: hand-guided pushes and underhand throws, made up.

For tests, examples and benchmarks.  A hand is not straight, not smooth and not quick: the tool
leaves its line by millimetres, its speed trembles, and the encoders add noise.
"""

from __future__ import annotations

import numpy as np

from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import Array
from icpi_ros.motion.demonstration.recording import JointRecording
from icpi_ros.motion.primitives import strike_rotation
from icpi_ros.robots.base import Arm

RATE = 125.0
"""Samples in a second."""
NOISE = 1e-4
"""Standard deviation of the encoders [rad]."""
REST = 0.6
"""Time at rest before and after the motion [s]."""
PUSH_SPEED, PUSH_LENGTH = 0.39, 0.46
"""Peak speed [m/s] and length [m] of a push."""
PUSH_HEIGHT, PUSH_START = 0.014, (0.6, -0.19)
"""Height of the tool's centre [m] and the place where a push begins [m], frame base."""
WOBBLE = (0.001, 0.006)
"""Least and largest distance from the line [m]."""
THROW_SPEED = 0.6
"""Peak speed of the joint that travels farthest in a throw [rad/s]."""
THROW_START = (0.4, 0.1, 0.2)
"""Place of the tool at which a throw begins [m], frame base."""
THROW_TRAVEL = (0.0, 0.3, -0.9, -0.3, 0.0, 0.0)
"""Travel of the joints in a throw: the tool swings forward and up [rad]."""
_STREAM = 0xDE30


def pushed(
    arm: Arm, seed: int = 0, speed: float = PUSH_SPEED, length: float = PUSH_LENGTH
) -> JointRecording:
    """Return a push of the tool along +y just above the table.

    Args:
        arm: that was guided.
        seed: of the hand; every one pushes differently.
        speed: peak of the tool [m/s], before the hand's tremble.
        length: of the push [m].

    Raises:
        InvalidValue: the push is out of the arm's reach.
    """
    rng = np.random.default_rng([_STREAM, 1, seed])
    share = _share(rng, 1.875 * length / speed)
    lateral = _wobble(rng, share, rng.uniform(*WOBBLE))
    above = np.abs(_wobble(rng, share, 0.3 * WOBBLE[0]))
    along = PUSH_START[1] + length * share
    points = np.stack([PUSH_START[0] + lateral, along, PUSH_HEIGHT + above], axis=1)
    headings = rng.uniform(-0.03, 0.03) * share + _wobble(rng, share, 0.01)
    q = arm.ik(points, strike_rotation(headings))
    if not np.isfinite(q).all():
        raise InvalidValue(f"arm {arm.name} does not reach the push from {PUSH_START} m")
    return _recorded(arm, np.unwrap(q, axis=0), rng)


def thrown(arm: Arm, seed: int = 0, speed: float = THROW_SPEED) -> JointRecording:
    """Return an underhand throw: the tool swings forward and up, in the arm's own plane.

    Args:
        arm: that was guided, of six joints.
        seed: of the hand; every one swings differently.
        speed: peak of the joint that travels farthest [rad/s], before the hand's tremble.

    Raises:
        InvalidValue: the swing starts out of the arm's reach.
    """
    rng = np.random.default_rng([_STREAM, 2, seed])
    start = arm.ik(np.array(THROW_START), strike_rotation(np.array(-0.5 * np.pi)))
    if not np.isfinite(start).all():
        raise InvalidValue(f"arm {arm.name} does not reach the throw from {THROW_START} m")
    travel = np.array(THROW_TRAVEL) * rng.uniform(0.9, 1.1, len(THROW_TRAVEL))
    share = _share(rng, 1.875 * float(np.abs(travel).max()) / speed)
    wobble = np.stack([_wobble(rng, share, rng.uniform(0.001, 0.006)) for _ in travel], axis=1)
    return _recorded(arm, start + share[:, np.newaxis] * travel + wobble, rng)


def _share(rng: np.random.Generator, duration: float) -> Array:
    """Return the share of the way ``(T,)`` that a hand has gone: slow, quick, slow, trembling."""
    u = np.arange(0.0, 1.0, 1.0 / (RATE * duration))
    tremble = sum(
        rng.uniform(0.002, 0.006) / k * np.sin(2 * np.pi * k * u + rng.uniform(0, 2 * np.pi))
        for k in (2, 3, 5)
    )
    late = u ** rng.uniform(1.0, 1.25)
    warped = np.clip(late + tremble * np.sin(np.pi * u) ** 2, 0.0, 1.0)
    return np.asarray(warped**3 * (10.0 - 15.0 * warped + 6.0 * warped**2))


def _wobble(rng: np.random.Generator, share: Array, size: float) -> Array:
    """Return how far a hand is off along the way ``(T,)``: at most ``size``, 0 at both ends."""
    waves = sum(
        rng.uniform(0.5, 1.0) / k * np.sin(2 * np.pi * k * share + rng.uniform(0, 2 * np.pi))
        for k in (1, 2, 3)
    )
    wobble = np.sin(np.pi * share) ** 2 * waves
    return np.asarray(size * wobble / np.abs(wobble).max())


def _recorded(arm: Arm, moving: Array, rng: np.random.Generator) -> JointRecording:
    rest = round(REST * RATE)
    q = np.concatenate([np.repeat(moving[:1], rest, 0), moving, np.repeat(moving[-1:], rest, 0)])
    q = q + NOISE * rng.standard_normal(q.shape)
    return JointRecording(arm.joints, np.arange(len(q)) / RATE, q)
