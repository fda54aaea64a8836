"""Synthetic problems: random smooth maps from theta to a state, under hidden physics.

None is one of our tasks.  A problem is y = h(x, phi) - goal with x in [-1, 1]^d and hidden physics
phi in [-1, 1]^p; h is a sum of products of two random ridge functions (constant, linear, tanh,
sine, exponential, square), so that there are saturating, periodic (several solutions),
multiplicative and nearly linear ones, with parameters of very different effect.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

UNITS = 6
"""Products in a map."""
KINDS = 7
"""Ridge functions to choose from."""
MAX_PHYSICS = 4
MAX_NOISE = 0.03
"""Largest standard deviation of the noise on a scaled error."""


@dataclass(frozen=True)
class ProblemShape:
    """Sizes of a batch of problems.

    Attributes:
        problems: in the batch, B.
        dim: parameters, d.
        errors: m.
        samples: physics samples of a data set, G.
        each: executions of one, E.
    """

    problems: int
    dim: int
    errors: int
    samples: int
    each: int


@dataclass(frozen=True)
class Problems:
    """A batch of problems, in scaled coordinates.

    Attributes:
        points: ``(B, G, E, d)`` executions of the data sets.
        outcomes: ``(B, G, E, m)`` their errors to the run's goal, over the RMS of the data set.
        first: ``(B, d)`` first attempts.
        noise: ``(B, 1)`` standard deviation of the noise of an error.
        maps: of the batch.
        physics: ``(B, p)`` hidden, of the runs.
        offset: ``(B, m)`` state of the goal.
        scale: ``(B, m)`` RMS of the data set.
    """

    points: Tensor
    outcomes: Tensor
    first: Tensor
    noise: Tensor
    maps: Maps
    physics: Tensor
    offset: Tensor
    scale: Tensor

    def errors(self, x: Tensor) -> Tensor:
        """Return the true scaled errors ``(B, m)`` at ``(B, d)``; differentiable."""
        state = self.maps(x[:, None], self.physics[:, None])[:, 0]
        return (state - self.offset) / self.scale

    def observed(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return them with the noise of the sensor."""
        errors = self.errors(x)
        return errors + self.noise * torch.randn(errors.shape, generator=generator)


class Maps:
    """Random maps ``(x, phi) -> state``, one per problem; with their goal at 0 if ``centred``."""

    def __init__(self, shape: ProblemShape, generator: torch.Generator) -> None:
        """Draw the maps of a batch."""
        b, d, p = shape.problems, shape.dim, MAX_PHYSICS
        self._generator = generator
        effect = self._between(0.3, 1.2, b, 1, 1, d)
        latent = (torch.rand(b, p, generator=generator) < 0.5) * 1.0
        latent[:, 0] = 1.0
        reach = (self._between(0.15, 1.0, b, 1, 1, 1) * latent[:, None, None]).expand(b, 2, 1, p)
        slopes = torch.cat([effect.expand(b, 2, 1, d), reach], dim=-1)
        slopes = slopes * self._between(0.4, 1.6, b, 2, UNITS, 1)
        self.directions = slopes * self._normal(b, 2, UNITS, d + p) / math.sqrt(2.0)
        self.shifts = 0.7 * self._normal(b, 2, UNITS)
        kinds = torch.randint(0, KINDS, (b, 2, UNITS), generator=generator)
        self.kinds = torch.nn.functional.one_hot(kinds, KINDS) * 1.0
        decay = 0.7 ** torch.arange(UNITS)
        self.mixing = self._normal(b, UNITS, shape.errors) * decay[None, :, None]
        linear = 1.5 * torch.rand(b, 1, 1, generator=generator)
        self.linear = linear * effect[:, 0].transpose(1, 2) * self._normal(b, d, shape.errors)
        self.centred = (torch.rand(b, 1, 1, generator=generator) < 0.5) * 1.0
        self.solution = self._normal(b, p, d), 0.4 * self._normal(b, 1, d)

    def _normal(self, *size: int) -> Tensor:
        return torch.randn(size, generator=self._generator)

    def _between(self, low: float, high: float, *size: int) -> Tensor:
        """Return random numbers, uniform in their logarithm."""
        share = torch.rand(size, generator=self._generator)
        return low * (high / low) ** share

    def solutions(self, physics: Tensor) -> Tensor:
        """Return the thetas ``(B, n, d)`` that reach 0 where a map is centred."""
        slope, shift = self.solution
        return 0.7 * torch.tanh(0.5 * physics @ slope + shift)

    def __call__(self, x: Tensor, physics: Tensor) -> Tensor:
        """Return the states ``(B, n, m)`` at ``(B, n, d)`` under ``(B, n, p)``."""
        state = self._plain(x, physics)
        return state - self.centred * self._plain(self.solutions(physics), physics)

    def _plain(self, x: Tensor, physics: Tensor) -> Tensor:
        inputs = torch.cat([x, physics], dim=-1)
        z = torch.einsum("bnk,bauk->banu", inputs, self.directions) + self.shifts[:, :, None]
        ridge = (
            torch.ones_like(z),
            z,
            torch.tanh(1.5 * z),
            torch.sin(2.0 * z),
            torch.sin(4.0 * z),
            torch.exp(0.6 * z.clamp(-4.0, 4.0)) - 1.0,
            0.5 * z * z,
        )
        chosen = sum(r * self.kinds[:, :, None, :, n] for n, r in enumerate(ridge))
        units = chosen[:, 0] * chosen[:, 1]
        return units @ self.mixing + x @ self.linear


def draw_problems(shape: ProblemShape, generator: torch.Generator) -> Problems:
    """Return a batch of random problems."""
    b, g, e, d = shape.problems, shape.samples, shape.each, shape.dim

    def uniform(*size: int) -> Tensor:
        return 2.0 * torch.rand(size, generator=generator) - 1.0

    maps = Maps(shape, generator)
    hidden = uniform(b, g, MAX_PHYSICS)
    physics = uniform(b, MAX_PHYSICS)
    points = uniform(b, g, e, d)
    centred = maps.centred[..., None]
    solved = maps.solutions(hidden)[:, :, None]
    points[:, :, :1] = centred * solved + (1.0 - centred) * points[:, :, :1]
    each = hidden[:, :, None].expand(b, g, e, MAX_PHYSICS)
    states = maps(points.reshape(b, g * e, d), each.reshape(b, g * e, -1))
    goal = maps(0.9 * uniform(b, 1, d), physics[:, None])[:, 0]
    offset = (1.0 - maps.centred[:, 0]) * goal
    # As in a data set of several goals: each example's error is to a goal of its own sample.
    states = states.reshape(b, g, e, -1)
    own = (1.0 - centred) * states.roll(1, dims=2)
    scale = (states - own).square().mean(dim=(1, 2)).sqrt().clamp_min(1e-3)
    noisy = (torch.rand(b, 1, generator=generator) < 0.4) * 1.0
    noise = MAX_NOISE * noisy * torch.rand(b, 1, generator=generator)
    outcomes = (states - offset[:, None, None]) / scale[:, None, None]
    outcomes = outcomes + noise[..., None, None] * torch.randn(outcomes.shape, generator=generator)
    return Problems(points, outcomes, uniform(b, d), noise, maps, physics, offset, scale)


def draw_shape(problems: int, generator: torch.Generator) -> ProblemShape:
    """Return random sizes: 1 to 8 parameters, 1 to 3 errors, 8 to 30 samples of 8 to 20."""

    def whole(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (1,), generator=generator))

    dim = (1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 6, 7, 8)[whole(0, 13)]
    errors = (1, 2, 2, 2, 3)[whole(0, 4)]
    return ProblemShape(problems, dim, min(errors, dim), whole(8, 30), whole(8, 20))
