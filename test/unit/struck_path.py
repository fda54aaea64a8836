"""A struck puck: pushed for a while, then slowed down by friction until it stands."""

import numpy as np


class StruckPath:
    """Position and velocity on the table at any time; it stands still before ``begin`` [s]."""

    def __init__(
        self, speed=1.4, push=0.2, begin=0.5, slowing=2.0, start=(0.6, -0.15), heading=0.2
    ):
        self.times = np.arange(0.0, 6.0, 1e-4)
        since = self.times - begin
        pushed = speed * 0.5 * (1.0 - np.cos(np.pi * np.clip(since / push, 0.0, 1.0)))
        self.speed = np.where(
            since < push, pushed, np.maximum(0.0, speed - slowing * (since - push))
        )
        self.length = np.concatenate([[0.0], np.cumsum(self.speed[:-1]) * 1e-4])
        self.direction = np.array([-np.sin(heading), np.cos(heading)])
        self.start = np.array(start)

    def at(self, times):
        length = np.interp(times, self.times, self.length)
        return self.start + np.multiply.outer(length, self.direction)

    def velocity(self, times):
        return np.multiply.outer(np.interp(times, self.times, self.speed), self.direction)
