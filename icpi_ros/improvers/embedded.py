"""The default improver: learns the run's hidden physics in context and plans with it.

At every step, from the data set and from all trials of the run:

1. With a data set, :mod:`icpi_ros.learn.outcome.model` predicts how outcomes vary with theta, and
   how that varies with a few latent numbers which stand for the hidden physics (fitted once per
   data set; for the shipped ones the fit is shipped), and :mod:`icpi_ros.learn.outcome.posterior`
   conditions it on the run's trials (in-run hindsight), on their errors and, with
   ``features=path``, on their objects' paths.  With no example, or a few,
   :mod:`icpi_ros.learn.outcome.run_model` learns from the run's own trials, the examples being
   trials of other physics.
2. :mod:`icpi_ros.learn.outcome.planning` searches the theta after which the best cost of the run
   is expected to be lowest.

Forward, then invert: averaging labels fails where there are several solutions (rope), predicting
outcomes does not.  No network is asked.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from icpi_ros.core.types import Array, Outcome, Proposal
from icpi_ros.improvers.base import Context, Improver, Recommendation, best, failures, fresh
from icpi_ros.improvers.options import option
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.outcome.belief import DataBelief, OutcomeBelief
from icpi_ros.learn.outcome.forecast import forecast
from icpi_ros.learn.outcome.model import OutcomeModel, outcome_model
from icpi_ros.learn.outcome.planning import (
    Search,
    candidates,
    farthest,
    normal_draws,
    off_the_line,
)
from icpi_ros.learn.outcome.posterior import Posterior
from icpi_ros.learn.outcome.remarks import noise_above, without_effect
from icpi_ros.learn.outcome.run_model import RunBelief, run_belief
from icpi_ros.learn.outcome.spending import answer, trial_value
from icpi_ros.learn.retrieval import require_finite

MIN_EXAMPLES = 20
"""Smallest data set that the latent-physics model is fitted to."""
MIN_SAMPLES = 4
"""Physics samples that it needs to learn how physics varies; with fewer, data sets of up to
MAX_FEW examples are rows of the run's own model, which is as good on a table, better on a rope."""
MAX_FEW = 40
MAX_TRIALS = 12
"""Only the cheapest trials count, so that a long history stays cheap."""
FAR = 0.1
"""Scaled error above which a run that no longer improves may be in a wrong valley."""
ALL_FREE = 6
"""Trials after which all parameters are changed, where there are two more than errors that count;
until then the last ones are those of the best trial."""
FAR_TRIALS = 2
"""Trials from which the search looks a trial further: one alone tells little of the slopes."""
STUCK = 3
"""Trials without improvement after which every second one looks elsewhere."""
MAX_OWN_TRIALS = 40
"""The same where the run's own trials are all, or nearly all, that is known."""
DECIMALS = 6
"""Of a proposal in scaled theta, where the data set's model makes it: two kinds of processor, whose
searches end 1e-8 apart, propose the same bits nearly always, and contact has nothing to amplify."""


NEVER, WHEN_NOISY = "never", "when-noisy"
"""Values of the option ``repeats``."""
PATH, ERROR = "path", "error"
"""Values of the option ``features``."""


@dataclass(frozen=True)
class EmbeddedOptions:
    """Options of ``embedded``."""

    repeats: str = option(
        NEVER,
        "repeat an executed theta where that tells more than a new one",
        choices=(NEVER, WHEN_NOISY),
    )
    features: str = option(
        PATH,
        "evidence of a trial: the object's path too, where it is known and helps, or the error "
        "alone",
        choices=(PATH, ERROR),
    )


class Embedded(Improver):
    """Outcome model and planning; see the module's text."""

    name: ClassVar[str] = "embedded"
    summary: ClassVar[str] = "learns the hidden physics in context and plans with it; no key needed"
    needs_dataset: ClassVar[bool] = False
    uses_dataset: ClassVar[bool] = True
    uses_paths: ClassVar[bool] = True
    predicts_gain: ClassVar[bool] = True
    Options = EmbeddedOptions
    options: EmbeddedOptions

    def __init__(self, context: Context) -> None:
        """Fit the data set, if any (seconds, once per process), and lay out candidates.

        Raises:
            InvalidValue: an option.
            DatasetError: an example is not finite.
        """
        super().__init__(context)
        data = context.dataset
        require_finite(data)
        self._candidates = candidates(data, context.space)
        self._draws = normal_draws(int(np.count_nonzero(context.cost_mask)))
        self._last: tuple[bytes, OutcomeBelief] | None = None
        self._model: OutcomeModel | None = None
        if not _few(data):
            paths = self.options.features == PATH
            self._model = outcome_model(data, context.space, context.cost_mask, paths)
            inputs = self._model.inputs(self._candidates, context.goal)
            self._known = self._model.predict(inputs)

    def propose(self, history: Sequence[Outcome], rng: np.random.Generator) -> Proposal:
        """Return the best theta found, predicted cost and its std; see :meth:`Improver.propose`.

        Its details hold ``belief_from_data``, see :meth:`OutcomeBelief.from_data`, and where the
        run's own model has them ``no_effect``, names of parameters that changed nothing, and
        ``noise``, the unexplained deviation of a trial [m] if it is above the best cost;
        ``looks_elsewhere``, the trials without improvement after which the theta is the farthest
        from all tried ones and not the best of the search.
        """
        start = time.perf_counter()
        space, base, belief = self.context.space, best(history), self._belief(history)
        left = float(np.linalg.norm(belief.scale.error(base.error)))
        scaled, stuck = self._searched(belief, history, left, rng)
        theta = fresh(space.denormalise(scaled), base, history, space, left, rng)
        spent: dict[str, Any] = {"looks_elsewhere": stuck}
        if not stuck:
            theta, spent = self._spent(belief, history, theta)
        point = self._scaled(theta[np.newaxis])
        costs, stds = forecast(belief, point)
        details = {"belief_from_data": round(belief.from_data(point[0]), 3), **spent}
        if isinstance(belief, RunBelief):
            details |= self._remarks(belief, base.cost)
        latency = time.perf_counter() - start
        predicted = float(costs[0]), float(stds[0])
        return Proposal(theta, self.name, "", latency, *predicted, details)

    def _searched(
        self,
        belief: OutcomeBelief,
        history: Sequence[Outcome],
        left: float,
        rng: np.random.Generator,
    ) -> tuple[Array, int]:
        """Return the scaled theta ``(d,)`` to try next, and why it is one from elsewhere.

        Args:
            belief: after the history.
            history: of the run.
            left: scaled error of its best trial.
            rng: of the proposal.

        Returns:
            The best theta of the search and 0, or the farthest one from all tried ones and the
            number of trials without improvement.
        """
        base, held = best(history), self._held(history)
        search = Search(belief, self._draws, belief.others(), held, len(history) >= FAR_TRIALS)
        first = self.context.space.normalise(base.theta)
        scaled = search.run(self._candidates, first, base.cost, rng)
        if self._model is not None:
            scaled = np.round(scaled, DECIMALS)
        if len(history) == 1 and not len(self.context.dataset):
            free = self.context.space.dim - (0 if held is None else len(held))
            scaled[:free] = off_the_line(scaled[:free], first[:free], rng)
        elif self._model is None and left > FAR and _looks_elsewhere(failures(history)):
            tried = self._scaled(np.array([trial.theta for trial in history]))
            return farthest(self._candidates, tried), failures(history)
        return scaled, 0

    def _spent(
        self, belief: OutcomeBelief, history: Sequence[Outcome], theta: Array
    ) -> tuple[Array, dict[str, Any]]:
        """Return the theta ``(d,)`` to execute, a new or an executed one, and its value."""
        tried = self._scaled(np.array([outcome.theta for outcome in history]))
        new = self._scaled(theta[np.newaxis])[0]
        value = trial_value(belief, tried, new, self._draws)
        repeat = self.options.repeats == WHEN_NOISY and value.repeat_tells_more
        chosen = history[value.repeated].theta.copy() if repeat else theta
        return chosen, value.details(repeat)

    def recommend(self, history: Sequence[Outcome]) -> Recommendation:
        """Return the executed theta of lowest expected cost; see :meth:`Improver.recommend`."""
        tried = self._scaled(np.array([outcome.theta for outcome in history]))
        seen = np.array([outcome.cost for outcome in history])
        return Recommendation(*answer(self._belief(history), tried, seen, self._draws))

    def _held(self, history: Sequence[Outcome]) -> Array | None:
        """Return the last parameters ``(h,)`` of the best trial, where they are held still.

        As many parameters as errors count can reach the goal; the first trials learn these, in
        the order of the space.
        """
        free = int(np.count_nonzero(self.context.cost_mask))
        if (
            len(self.context.dataset)
            or len(history) >= ALL_FREE
            or self.context.space.dim < free + 2
        ):
            return None
        return np.asarray(self._scaled(best(history).theta[np.newaxis])[0, free:])

    def _remarks(self, belief: RunBelief, lowest: float) -> dict[str, Any]:
        """Return what the trials say of the parameters and of the noise, for the details."""
        names = [self.context.space.parameters[i].name for i in without_effect(belief)]
        noise = noise_above(belief, lowest)
        found: dict[str, Any] = {"no_effect": names} if names else {}
        return found if noise is None else found | {"noise": round(noise, 6)}

    def forecast(self, history: Sequence[Outcome], thetas: Array) -> tuple[Array, Array]:
        """Return :func:`~icpi_ros.learn.outcome.forecast.forecast` of thetas ``(n, d)``."""
        return forecast(self._belief(history), self._scaled(thetas))

    def _scaled(self, thetas: Array) -> Array:
        return np.asarray(np.clip(self.context.space.normalise(thetas), -1.0, 1.0))

    def _belief(self, history: Sequence[Outcome]) -> OutcomeBelief:
        """Return the belief after trials of the run; the last one is kept, results are the same."""
        key = b"".join(map(_bytes, history))
        if self._last is None or self._last[0] != key:
            self._last = key, self._new_belief(history)
        return self._last[1]

    def _new_belief(self, history: Sequence[Outcome]) -> OutcomeBelief:
        context, model = self.context, self._model
        kept = sorted(history, key=lambda trial: trial.cost)
        kept = kept[: MAX_OWN_TRIALS if model is None else MAX_TRIALS]
        thetas = np.array([trial.theta for trial in kept])
        errors = np.array([trial.error for trial in kept])
        if model is None:
            mask, goal = context.cost_mask, context.goal
            return run_belief(context.dataset, context.space, mask, goal, (thetas, errors))
        scaled = context.space.normalise(thetas)
        paths = [trial.path for trial in kept]
        posterior = Posterior.of(model, scaled, errors, context.goal, paths)
        return DataBelief(posterior, context.goal, self._candidates, self._known)


def _bytes(outcome: Outcome) -> bytes:
    """Return all of a trial that a belief depends on."""
    path = outcome.path
    seen = b"" if path is None else path.times.tobytes() + path.positions.tobytes()
    return outcome.theta.tobytes() + outcome.error.tobytes() + seen


def _looks_elsewhere(failed: int) -> bool:
    """Return whether a run is to look elsewhere after so many trials without improvement."""
    return failed >= STUCK and (failed - STUCK) % 2 == 0


def _few(data: Dataset) -> bool:
    """Return whether a data set is too small for the latent-physics model."""
    samples = len(np.unique(data.group))
    return len(data) < MIN_EXAMPLES or (samples < MIN_SAMPLES and len(data) <= MAX_FEW)
