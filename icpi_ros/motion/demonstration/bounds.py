"""Bounds that an arm can keep: a box of parameters of which every corner passes the gate."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from icpi_ros.core.bisection import last_passing
from icpi_ros.core.errors import InvalidValue, MotionRefused, Refusal
from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array
from icpi_ros.motion.demonstration.family import DemonstratedMotion
from icpi_ros.motion.safety import SafetyGate

HALVINGS = 4
"""Bisections of each search: bounds are found to 1/16 of the wanted range."""


@dataclass(frozen=True)
class FeasibleBox:
    """A box inside a wanted one, all of whose corners pass the gate.

    Attributes:
        space: the box.
        cuts: parameter, and one line with the limit of the arm, for each bound that was cut.
    """

    space: ParameterSpace
    cuts: tuple[tuple[str, str], ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """Lines of the cuts."""
        return tuple(line for _, line in self.cuts)

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """Bounds by name."""
        return {p.name: (p.lower, p.upper) for p in self.space.parameters}


def feasible_box(motion: DemonstratedMotion, gate: SafetyGate) -> FeasibleBox:
    """Return the largest box found inside the motion's own whose corners pass the gate.

    It holds the demonstrated theta.  Each bound is cut to what passes alone, then all of them
    alike until the corners pass, then each grows again as far as it can.

    Raises:
        InvalidValue: the demonstrated theta itself does not pass; with the gate's reason.
    """
    return _BoxSearch(motion, gate).found()


class _BoxSearch:
    """Search of one box; a bound is a share, 0 to 1, of the way to the wanted one."""

    def __init__(self, motion: DemonstratedMotion, gate: SafetyGate) -> None:
        self._motion, self._gate = motion, gate
        self._centre = motion.demonstrated
        space = motion.space
        self._ways = np.stack([space.lower - self._centre, space.upper - self._centre])
        """``(2, d)`` from the demonstrated theta to the wanted lower and upper bounds."""
        self._reasons: dict[tuple[int, int], Refusal] = {}
        """The last refusal that a bound met."""
        self._worst: tuple[int, ...] = ()
        """Corner that was refused last: it is tried first."""

    def found(self) -> FeasibleBox:
        reason = self._refusal(self._centre)
        if reason is not None:
            text = (
                f"the demonstrated motion, {self._motion.space.describe(self._centre)}, cannot be "
                f"executed: {reason}; allow another speed, or demonstrate it elsewhere"
            )
            raise InvalidValue(replace(reason, text=text))
        shares = np.ones(self._ways.shape)
        for side in self._sides():
            shares[side] = self._largest(side, np.zeros_like(shares))
        whole = self._bisected(lambda share: self._corners_pass(share * shares))
        if whole < 1.0:
            cut = whole * shares
            for side in self._sides():
                cut[side] = self._largest(side, cut, shares[side])
            shares = cut
        return self._box(shares)

    def _sides(self) -> Iterator[tuple[int, int]]:
        """Yield index of every bound that differs from the demonstrated theta."""
        yield from ((int(a), int(b)) for a, b in np.argwhere(self._ways != 0.0))

    def _largest(self, side: tuple[int, int], shares: Array, most: float = 1.0) -> float:
        """Return the largest share of one bound with which the corners pass beside the others."""
        least = float(shares[side])

        def passes(share: float) -> bool:
            tried = shares.copy()
            tried[side] = least + share * (most - least)
            return self._corners_pass(tried, side)

        return least + self._bisected(passes) * (most - least)

    @staticmethod
    def _bisected(passes: Callable[[float], bool]) -> float:
        return 1.0 if passes(1.0) else last_passing(passes, HALVINGS)

    def _corners_pass(self, shares: Array, side: tuple[int, int] | None = None) -> bool:
        """Return whether all corners pass, or those at one ``side``; its refusal is kept."""
        bounds = self._centre + shares * self._ways
        d = len(self._centre)
        choices = [(0,) if shares[0, i] == shares[1, i] == 0.0 else (0, 1) for i in range(d)]
        if side is not None:
            choices[side[1]] = (side[0],)
        corners = list(itertools.product(*choices))
        corners.sort(key=lambda corner: corner != self._worst)
        for corner in corners:
            reason = self._refusal(bounds[corner, range(d)])
            if reason is not None:
                self._worst = corner
                if side is not None:
                    self._reasons[side] = reason
                return False
        return True

    def _refusal(self, theta: Array) -> Refusal | None:
        try:
            motion = self._motion.trajectories(theta[np.newaxis], self._motion.arm)[0]
            self._gate.check(motion, motion.positions[0])
        except MotionRefused as exc:
            return exc.refusal
        return None

    def _box(self, shares: Array) -> FeasibleBox:
        bounds, cuts = self._centre + shares * self._ways, []
        for side in self._sides():
            if shares[side] < 1.0:
                p, word = self._motion.space.parameters[side[1]], ("lower", "upper")[side[0]]
                wanted = (p.lower, p.upper)[side[0]]
                line = (
                    f"{p.name}: {word} bound {p.text(float(bounds[side]))} instead of "
                    f"{p.text(wanted)}: beyond it {self._reasons[side]}"
                )
                cuts.append((p.name, line))
        parameters = tuple(
            replace(p, lower=float(low), upper=float(high))
            for p, low, high in zip(self._motion.space.parameters, *bounds, strict=True)
        )
        return FeasibleBox(ParameterSpace(parameters, self._motion.space.label), tuple(cuts))
