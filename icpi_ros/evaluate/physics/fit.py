"""Fit of hidden physics to recorded trials: search in the box, refinement, covariance.

Quasi-random physics are compared first; from the best that lie apart a least-squares fit goes on.
Then rounds of iteratively reweighted least squares: every round takes noise, its correlation along
a path and the weight of every sample (Cauchy) from the residuals.

Contact makes simulated paths rough: they jump by a millimetre when physics change by nothing.  So
finite differences go over steps whose effect is well above that; a parameter that has no such
effect even over its longest step is left at the middle of its range, not known.

The ranges of the task count as a normal prior of the same standard deviation: what the recordings
do not determine keeps the standard deviation of its range.  Covariance: Gauss-Newton (Laplace).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from icpi_ros.core.types import Array, Trial
from icpi_ros.evaluate.physics.residuals import (
    MAX_NUISANCE,
    MOVING,
    Noise,
    PathResiduals,
    Paths,
    noise_of,
)
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task

PRIOR = 3.0**-0.5
"""Standard deviation of a uniform distribution from -1 to 1."""
FIRST_STEP = 0.1
"""First step of finite differences, in scaled physics."""
STEPS = (0.03, 0.5)
"""Smallest and largest step of finite differences, in scaled physics."""
EFFECT_FACTOR = 20.0
"""Effect that a step should have, in roughnesses."""
SETTLED_CHANGE = 0.3
"""A round that moves every parameter by less, in its standard deviations, is the last."""
MIN_EFFECT = 4.0
"""Least effect of a step, in that of roughness alone; below, a parameter is not known."""
_ROUGH_STREAM = 0x0F17
MIN_START_DISTANCE = 0.5
"""Distance of two starts, in scaled physics."""


@dataclass(frozen=True)
class FitEffort:
    """Effort of a fit.

    Attributes:
        screened: quasi-random physics that are compared at first; a power of two.
        starts: how many of them are refined.
        evaluations: of one fit, each with its finite differences.
        rounds: of reweighting at most; fewer where the physics have settled.
    """

    screened: int = 32
    starts: int = 2
    evaluations: int = 4
    rounds: int = 8

    @property
    def stages(self) -> int:
        """Number of calls of ``on_stage``."""
        return 1 + self.starts + self.rounds


@dataclass(frozen=True)
class PhysicsFit:
    """Result of a fit.

    Attributes:
        scaled: ``(P,)`` physics in [-1, 1].
        covariance: ``(P, P)`` of it.
        nuisances: ``(T, 4 + d)`` see :class:`PathResiduals`.
        residuals: ``(n, 3)`` recorded minus simulated [m].
        lengths: ``(T,)`` samples of each trial.
        noise: of the residuals.
        rollouts: simulated so far.
        settled: False: there were not rounds enough.
    """

    scaled: Array
    covariance: Array
    nuisances: Array
    residuals: Array
    lengths: Sequence[int]
    noise: Noise
    rollouts: int
    settled: bool = True


def fit(
    task: Task,
    arm: Arm,
    trials: Sequence[Trial],
    seed: int = 0,
    effort: FitEffort | None = None,
    threads: int = 1,
    on_stage: Callable[[], None] = lambda: None,
) -> PhysicsFit:
    """Return the physics that explain the trials best; the same seed gives the same.

    Args:
        task: of the trials.
        arm: that executed them.
        trials: at least one.
        seed: of the quasi-random physics.
        effort: how much is tried.
        threads: physics that are simulated at the same time.
        on_stage: called after every stage, ``effort.stages`` times in all.
    """
    chosen = effort or FitEffort()
    return _Search(task, arm, trials, chosen, threads, on_stage).run(seed)


class _Search:
    """One fit."""

    def __init__(
        self,
        task: Task,
        arm: Arm,
        trials: Sequence[Trial],
        effort: FitEffort,
        threads: int,
        on_stage: Callable[[], None],
    ) -> None:
        self._model = PathResiduals(task, arm, trials, threads)
        self._dim, self._effort, self._on_stage = task.physics_space.dim, effort, on_stage
        self._step = np.full(self._dim, FIRST_STEP)
        self._rough = np.zeros(len(trials))

    def run(self, seed: int) -> PhysicsFit:
        """Screen, refine the best starts, then reweight."""
        starts = self._screen(seed)
        self._on_stage()
        ends = []
        for start in starts:
            state = np.concatenate(
                [start, np.zeros(self._model.nuisances * len(self._model.trials))]
            )
            ends.append(self._solve(state, self._noise(state)))
            self._on_stage()
        for _ in range(self._effort.starts - len(starts)):
            self._on_stage()
        state = min(ends, key=self._roughly)
        return self._refine(state, np.random.default_rng([seed, _ROUGH_STREAM]))

    def _refine(self, state: Array, rng: np.random.Generator) -> PhysicsFit:
        """Reweight and solve until the physics settle.

        Where they have not, the last change counts as one more standard deviation.
        """
        change, settled, rounds = np.zeros(self._dim), False, 0
        while not settled and rounds < self._effort.rounds:
            state = self._look_around(state, rng)
            before = state[: self._dim]
            state = self._solve(state, self._noise(state))
            change = state[: self._dim] - before
            stds = np.sqrt(np.diag(self._covariance(state, self._noise(state))))
            settled = bool((np.abs(change) < SETTLED_CHANGE * stds).all())
            self._model.forget()
            rounds += 1
            self._on_stage()
        for _ in range(self._effort.rounds - rounds):
            self._on_stage()
        found = self._end(self._look_around(state, rng))
        if settled:
            return found
        return replace(found, covariance=found.covariance + np.outer(change, change), settled=False)

    def _look_around(self, state: Array, rng: np.random.Generator) -> Array:
        """Take roughness, effect of slips and steps of differences from where the fit is.

        Returns the state with those physics at the middle of their range that have no effect.
        """
        scaled, nuisances = self._parts(state)
        self._model.linearise(scaled)
        self._rough = self._model.roughness(scaled, rng)
        slopes = np.linalg.norm(self._physics_slopes(scaled, nuisances), axis=1)
        effects = np.sqrt(np.mean(slopes**2, axis=0))
        wanted = EFFECT_FACTOR * float(np.sqrt(np.mean(self._rough**2)))
        self._step = np.clip(wanted / np.maximum(effects, 1e-9), *STEPS)
        lost = ~self._physics_slopes(scaled, nuisances).any(axis=(0, 1))
        return np.concatenate([np.where(lost, 0.0, scaled), state[self._dim :]])

    def _screen(self, seed: int) -> list[Array]:
        """Return the best quasi-random physics that lie apart, the best first."""
        from scipy.stats import qmc  # scipy.stats is 1.3 s that a wrong option need not take

        sobol = qmc.Sobol(self._dim, rng=np.random.default_rng(seed))
        scaled = np.vstack([np.zeros(self._dim), 2.0 * sobol.random(self._effort.screened) - 1.0])
        still = np.zeros((len(self._model.trials), self._model.nuisances))
        found = [self._model.residuals(p, still) for p in self._model.paths(scaled)]
        order = np.argsort([_robust_mean(residuals) for residuals in found], kind="stable")
        chosen: list[Array] = []
        for point in scaled[order]:
            if all(np.linalg.norm(point - other) >= MIN_START_DISTANCE for other in chosen):
                chosen.append(point)
            if len(chosen) == self._effort.starts:
                break
        return chosen

    def _solve(self, state: Array, noise: Noise) -> Array:
        """Return the state after a weighted least-squares fit that begins at ``state``."""
        most = np.concatenate([np.ones(self._dim), np.full(len(state) - self._dim, MAX_NUISANCE)])
        from scipy.optimize import least_squares  # as slow

        ended = least_squares(
            lambda x: self._rows(x, noise),
            np.clip(state, -0.999 * most, 0.999 * most),
            jac=lambda x: self._slopes(x, noise),
            bounds=(-most, most),
            xtol=1e-3,
            ftol=1e-4,
            max_nfev=self._effort.evaluations,
        )
        return np.asarray(ended.x)

    def _rows(self, state: Array, noise: Noise) -> Array:
        """Return what is to be small: weighted residuals, then the prior."""
        weighted = noise.scale[:, np.newaxis] * self._residuals(state)
        return np.concatenate([weighted.ravel(), self._prior * state])

    def _slopes(self, state: Array, noise: Noise) -> Array:
        """Return the derivative of :meth:`_rows` by the state."""
        scaled, nuisances = self._parts(state)
        physics = self._physics_slopes(scaled, nuisances)
        own = self._model.nuisance_slopes(self._paths(scaled), nuisances)
        slopes = noise.scale[:, np.newaxis, np.newaxis] * np.concatenate([physics, own], axis=-1)
        return np.vstack([slopes.reshape(-1, len(state)), np.diag(self._prior)])

    def _physics_slopes(self, scaled: Array, nuisances: Array) -> Array:
        """Return the derivative of the residuals by scaled physics ``(n, 3, P)``.

        Zero for a parameter whose effect is lost in the roughness.
        """
        steps = np.diag(self._step)
        points = np.clip(np.vstack([scaled + steps, scaled - steps]), -1.0, 1.0)
        *around, here = self._model.paths(np.vstack([points, scaled]))
        slopes = np.zeros((sum(self._model.lengths), 3, self._dim))
        lost = 2.0 * MOVING * np.repeat(self._rough**2, self._model.lengths).sum()
        for i in range(self._dim):
            above, below = around[i] or here, around[self._dim + i] or here
            change = self._model.slopes(below, above, nuisances)
            if np.sum(change**2) > MIN_EFFECT**2 * lost:
                slopes[..., i] = change / (points[i, i] - points[self._dim + i, i])
        return slopes

    def _residuals(self, state: Array) -> Array:
        scaled, nuisances = self._parts(state)
        return self._model.residuals(self._paths(scaled), nuisances)

    def _paths(self, scaled: Array) -> Paths:
        return self._model.paths(scaled[np.newaxis])[0]

    def _parts(self, state: Array) -> tuple[Array, Array]:
        """Return physics ``(P,)`` and nuisances ``(T, 4 + d)`` of a state."""
        return state[: self._dim], state[self._dim :].reshape(-1, self._model.nuisances)

    @property
    def _prior(self) -> Array:
        own = np.ones(self._model.nuisances * len(self._model.trials))
        return np.concatenate([np.full(self._dim, 1.0 / PRIOR), own])

    def _noise(self, state: Array) -> Noise:
        model = self._model
        return noise_of(self._residuals(state), model.lengths, self._rough, model.repeats)

    def _roughly(self, state: Array) -> float:
        return _robust_mean(self._residuals(state))

    def _covariance(self, state: Array, noise: Noise) -> Array:
        slopes = self._slopes(state, noise)
        whole = np.linalg.inv(slopes.T @ slopes)
        return np.asarray(whole[: self._dim, : self._dim])

    def _end(self, state: Array) -> PhysicsFit:
        noise = self._noise(state)
        scaled, nuisances = self._parts(state)
        return PhysicsFit(
            scaled,
            self._covariance(state, noise),
            nuisances,
            self._residuals(state),
            self._model.lengths,
            noise,
            self._model.rollouts,
        )


def _robust_mean(residuals: Array) -> float:
    """Return a mean of residuals [m] in which large ones count less."""
    return float(np.mean(np.minimum(np.linalg.norm(residuals, axis=1), 0.5)))
