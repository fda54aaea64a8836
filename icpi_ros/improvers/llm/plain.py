"""ICPI as published: a language model completes the sequence of retrieved examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from icpi_ros.core.errors import InvalidValue, invalid
from icpi_ros.core.redact import jsonable
from icpi_ros.core.types import Array, Outcome, Proposal
from icpi_ros.improvers.base import Context
from icpi_ros.improvers.llm.asking import Asker
from icpi_ros.improvers.llm.fusion import fuse
from icpi_ros.improvers.llm.options import LOCAL_DEADLINE, SMALL, LlmOptions
from icpi_ros.improvers.llm.pattern import PatternImprover
from icpi_ros.improvers.options import options_of
from icpi_ros.llm.cassettes.cassette import AUTO
from icpi_ros.llm.client.budget import Meter
from icpi_ros.llm.client.completer import Completer, Prompt, Wire
from icpi_ros.llm.client.endpoint import Endpoint
from icpi_ros.llm.client.profile import Size
from icpi_ros.llm.connect import connect, profile_of, require_answer, wires_of
from icpi_ros.llm.prompt.text import FITTED, FIXED, PromptWriter, describe


class Llm(PatternImprover):
    """Asks a model behind any OpenAI-compatible endpoint; a base for its variants.

    The latest trial and not the best one is adjusted, as ICPI states it: theta_{i+1} = theta_i +
    dtheta_i.
    """

    name: ClassVar[str] = "llm"
    summary: ClassVar[str] = "language model behind any OpenAI-compatible endpoint (ICPI)"
    asks_model: ClassVar[bool] = True
    fuses: ClassVar[bool] = True
    """Whether several answers become one."""
    Options = LlmOptions
    options: LlmOptions

    def __init__(
        self, context: Context, completer: Completer | None = None, proposes: bool = True
    ) -> None:
        """Check the options, set up the client and the context; no network yet.

        Args:
            context: of the run.
            completer: the model; None = as the options say.
            proposes: False = only :meth:`prompt` is wanted.

        Raises:
            UsageError: a wrong option, a file that cannot be used, or too few examples.
        """
        self._given = completer
        super().__init__(context, proposes)
        if self.options.describe and self.options.numbers == FITTED:
            text = "option describe tells the units of numbers: set numbers=fixed, too"
            raise invalid(text, "options.numbers", FITTED, (FIXED,))
        wires = wires_of(profile_of(self.options.choice))
        self._writers = tuple(map(self._make_writer, wires))

    @classmethod
    def chosen(cls, options: Mapping[str, Any]) -> Any:
        """Return ``options`` as one of ``Options``; defaults are by the model and where it is.

        A catalogue of models that cannot be read is refused where it is needed.

        Raises:
            InvalidValue: an unknown option, or a value that is not allowed.
        """
        given = super().chosen(options)
        try:
            profile = profile_of(given.choice)
        except InvalidValue:
            return given
        defaults: dict[str, Any] = {}
        if Endpoint.of(profile).is_here:
            defaults["deadline"] = LOCAL_DEADLINE
        if (profile.size if given.size == AUTO else given.size) == Size.SMALL:
            defaults |= cls.small_defaults(given)
        return super().chosen(cls.taken(defaults) | dict(options))

    @classmethod
    def small_defaults(cls, given: LlmOptions) -> dict[str, Any]:
        """Return the defaults for a small model; those of a variant's own stay.

        Left out are those that do not go with what was ``given``: a description tells the units of
        numbers, which fitted ones do not have, and pairs have errors only.
        """
        own = options_of(cls.Options)
        common = options_of(LlmOptions)
        unfit = {"numbers", "digits"} if given.describe else set()
        unfit |= {"examples"} if given.features != "error" else set()
        return {
            name: value
            for name, value in SMALL.items()
            if name in own
            and own[name].default == common[name].default
            and (name not in ("samples", "temperature") or cls.fuses)
            and name not in unfit
        }

    @classmethod
    def require_model(cls, options: Mapping[str, Any]) -> None:
        """See :meth:`Improver.require_model`."""
        chosen = cls.chosen(options)
        connect(chosen.choice, Meter(chosen.budget))  # what needs no network comes first
        require_answer(chosen.choice, chosen.deadline)

    def _get_ready(self) -> None:
        self._meter = Meter(self.options.budget, self.context.spent)
        self._completer = self._given or connect(self.options.choice, self._meter)
        super()._get_ready()

    def prompt(self, history: Sequence[Outcome]) -> Prompt:
        """Return the prompt that a proposal for ``history`` sends first."""
        return self._writers[0].prompt(self.pattern(history))

    def _make_writer(self, wire: Wire) -> PromptWriter:
        fitted = self.options.numbers == FITTED
        writer = PromptWriter(wire, self.options.digits, fitted=fitted)
        if not self.options.describe:
            return writer
        return replace(writer, description=self._description(writer.unit))

    def _description(self, unit: str) -> str:
        """Return the text about the task, in which ``unit`` is how 1 is written."""
        context = self.context
        return describe(
            context.dataset.task, context.space, self._index.scale, unit, self._features.raw
        )

    def _answer(
        self, history: Sequence[Outcome], rng: np.random.Generator, details: dict[str, Any]
    ) -> Proposal:
        """Ask within the deadline; whatever comes of it, the questions are in ``details``.

        ``details`` gets ``model``, ``spent`` (:class:`icpi_ros.llm.client.budget.Spending`) and
        ``exchanges``: ``purpose``, ``wire``, ``prompt`` or ``messages``, ``replies``, ``format``,
        ``tries``, ``refused``, ``samples`` (replies wanted), ``read`` (those that hold numbers, be
        they refused), ``missing`` (not on cassette).
        """
        asker = Asker(self._completer, self._writers, self.options, self._meter, rng)
        try:
            return self._ask(history, asker, details)
        finally:
            details |= asker.details()

    def _ask(self, history: Sequence[Outcome], asker: Asker, details: dict[str, Any]) -> Proposal:
        """Return the model's proposal; variants differ in this.

        Raises:
            CompletionFailed: no usable answer.
        """
        base = self._base(history)
        if self.options.samples == 1 and not self.options.logprobs:
            return Proposal(self._thetas(history, base, asker)[0], self.name)
        return self._fused(history, base, asker, details)

    def _fused(
        self, history: Sequence[Outcome], base: Outcome, asker: Asker, details: dict[str, Any]
    ) -> Proposal:
        """Return the proposal that several answers make.

        ``details`` gets ``samples`` and ``spread``, their std [units of theta], or that of the
        model's own distribution where the server told the probabilities of tokens.
        """

        def accept(outputs: Array) -> Array:  # a repeat is judged after the fusion
            self._require_near(outputs)
            return outputs

        found = np.array(asker.outputs(self.pattern(history), "adjustment", accept))
        place, std = fuse(found, self.options.fuse)
        if asker.stds:
            std = np.sqrt(np.mean(np.square(asker.stds), axis=0))
        scale = self._index.scale
        details["samples"] = (base.theta + scale.unscale_dtheta(found)).tolist()
        details["spread"] = jsonable(scale.unscale_dtheta(std))
        return Proposal(self._accepted(base, place, history), self.name)

    def _thetas(self, history: Sequence[Outcome], base: Outcome, asker: Asker) -> list[Array]:
        """Return the acceptable answers ``(d,)`` to :meth:`pattern`, at least one."""

        def accept(outputs: Array) -> Array:
            return self._accepted(base, outputs, history)

        return asker.outputs(self.pattern(history), "adjustment", accept)
