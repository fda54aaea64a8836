"""Commands of controllers of every rate and setting when the stops of a run reach them.

``python -m icpi_benchmarks.stopping.controllers`` prints them for stops of random strikes of
``slide``, without any graph; ``icpi bench stop`` does for those that it measured.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from icpi_benchmarks.program import run_program
from icpi_benchmarks.stopping.latency import table
from icpi_benchmarks.stopping.lockstep import EPOCH, Arrival, Smoothness, replay, smoothness
from icpi_ros.cli.arguments import whole
from icpi_ros.core.types import SECOND
from icpi_ros.motion.carried_stop import carried_stop
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.motion.stop import controlled_stop
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.robots import ARMS
from icpi_ros.robots.base import Arm, ArmLimits
from icpi_ros.sim.controller_orders import Order
from icpi_ros.sim.trajectory_controller import ControllerOptions
from icpi_ros.tasks import TASKS

RATES = (100.0, 125.0, 250.0, 500.0, 1000.0)
"""Of controllers [Hz]."""
SERVO_LAG = 0.02
"""Of their servos [s]."""
LEAD_IN = 0.06
"""Time from the beginning of a replay to the arrival of the stop [s]."""
SETTLING = 0.02
"""Length of the first commands that do not count [s]."""


@dataclass(frozen=True)
class HeardStop:
    """Stop as recorded on its way to the controller.

    Attributes:
        motion: what it replaced.
        start_ns: start of that on the arm's clock [ns].
        stop: the path carried along and the braking.
        stop_ns: its start [ns].
        arrival_ns: when the controller took it [ns].
    """

    motion: JointTrajectory
    start_ns: int
    stop: JointTrajectory
    stop_ns: int
    arrival_ns: int

    @property
    def arrival(self) -> float:
        """The motion's own time when the stop arrived [s]."""
        return (self.arrival_ns - self.start_ns) / SECOND

    @property
    def begin(self) -> float:
        """The motion's own time when the stop leaves its path [s]."""
        first = (self.stop_ns - self.start_ns) / SECOND
        times = self.stop.times + first
        q, _, _ = self.motion.sample(times)
        off = np.abs(q - self.stop.positions).max(axis=1) > 1e-7
        leaves = int(np.argmax(off)) if off.any() else len(times) - 1
        return float(times[max(leaves - 1, 0)])


def dialects(heard: Sequence[HeardStop], limits: ArmLimits) -> list[dict[str, Any]]:
    """Return one row per rate and setting: the worst of all stops, as sent and if joined."""
    rows = []
    usable = [one for one in heard if one.arrival - LEAD_IN >= one.motion.times[0]]
    bare = [controlled_stop(one.motion, one.begin, limits) for one in usable]
    for rate in RATES:
        for desired in (True, False):
            options = ControllerOptions(rate=rate, interpolate_from_desired_state=desired)
            sent, joined = Smoothness(), Smoothness()
            for one, braking in zip(usable, bare, strict=True):
                sent = sent.worse(_commanded(options, one, one.stop, one.stop_ns, limits))
                at = one.start_ns + round(one.begin * SECOND)
                joined = joined.worse(_commanded(options, one, braking, at, limits))
            rows.append(
                {
                    "rate": rate,
                    "interpolate_from_desired_state": desired,
                    "stops": len(usable),
                    "acceleration": sent.acceleration,
                    "share": sent.share,
                    "backward": sent.backward,
                    "joined_acceleration": joined.acceleration,
                    "joined_backward": joined.backward,
                }
            )
    return rows


def random_stops(arm: Arm, count: int, seed: int = 0) -> list[HeardStop]:
    """Return stops of random strikes of ``slide`` that arrive 20 to 40 ms before they brake."""
    rng, task = np.random.default_rng(seed), TASKS.get("slide")
    gate, heard = SafetyGate(arm), []
    for theta in task.space.sample(rng, count):
        strike = task.motion(theta, arm).trajectory
        begin = rng.uniform(0.25, 0.9) * strike.duration
        stop = carried_stop(gate, strike, begin)
        at = [stop.first, begin - rng.uniform(0.02, 0.04)]
        first, arrival = (EPOCH + round(seconds * SECOND) for seconds in at)
        heard.append(HeardStop(strike, EPOCH, stop.checked.trajectory, first, arrival))
    return heard


def _commanded(
    options: ControllerOptions,
    heard: HeardStop,
    stop: JointTrajectory,
    stop_ns: int,
    limits: ArmLimits,
) -> Smoothness:
    """Return the smoothness of the commands when ``stop`` arrives as the recorded one did."""
    shift = EPOCH - (heard.arrival_ns - round(LEAD_IN * SECOND))
    start = heard.start_ns + shift
    arrivals = [
        Arrival(EPOCH, Order("motion", heard.motion, start)),
        Arrival(heard.arrival_ns + shift, Order("stop", stop, stop_ns + shift)),
    ]
    until = stop_ns + shift + round((stop.duration + 0.05) * SECOND)
    first = heard.motion.at((EPOCH - start) / SECOND).position
    due, commands = replay(options, arrivals, until, first, SERVO_LAG)
    since = EPOCH + round(SETTLING * SECOND)
    found = smoothness(due, commands, limits.acceleration, stop, stop_ns + shift, since)
    if stop is heard.stop:
        return found
    # A stop that is joined steps back before its begin: there the motion tells the direction.
    return found.worse(smoothness(due, commands, limits.acceleration, heard.motion, start, since))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the number of stops."""
    parser.add_argument("stops", type=whole(1, 100_000), nargs="?", default=20)


def run(args: argparse.Namespace) -> int:
    """Print one line per rate and setting."""
    arm = ARMS.get(TASKS.get("slide").arm)
    rows = dialects(random_stops(arm, args.stops), arm.limits)
    print("\n".join(table(rows)))
    if args.json:
        args.json.write(rows)
    return 0


if __name__ == "__main__":
    sys.exit(run_program(sys.modules[__name__]))
