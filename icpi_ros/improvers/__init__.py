"""All improvers by name; one line here and one file beside this one each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from icpi_ros.core.registry import Registry
from icpi_ros.improvers.base import Improver
from icpi_ros.improvers.options import check_names, options_of

IMPROVERS: Registry[type[Improver]] = Registry(
    "improver",
    {
        "bo": "icpi_ros.improvers.bayesian:Bayesian",
        "bo-warm": "icpi_ros.improvers.bayesian:BayesianWarm",
        "broyden": "icpi_ros.improvers.broyden:Broyden",
        "cma": "icpi_ros.improvers.cma:Cma",
        "cma-warm": "icpi_ros.improvers.cma:CmaWarm",
        "embedded": "icpi_ros.improvers.embedded:Embedded",
        "gauss-newton": "icpi_ros.improvers.gauss_newton:GaussNewton",
        "in-context": "icpi_ros.improvers.llm.in_context:InContext",
        "knn": "icpi_ros.improvers.knn:Knn",
        "knn-copy": "icpi_ros.improvers.knn:KnnCopy",
        "knn-copy-hindsight": "icpi_ros.improvers.knn:KnnCopyHindsight",
        "knn-hindsight": "icpi_ros.improvers.knn:KnnHindsight",
        "llm": "icpi_ros.improvers.llm.plain:Llm",
        "llm-expect": "icpi_ros.improvers.llm.expect:LlmExpect",
        "llm-model": "icpi_ros.improvers.llm.model:LlmModel",
        "llm-opro": "icpi_ros.improvers.llm.opro:LlmOpro",
        "llm-plan": "icpi_ros.improvers.llm.plan:LlmPlan",
        "llm-props": "icpi_ros.improvers.llm.words.props:LlmProps",
        "llm-reflect": "icpi_ros.improvers.llm.words.reflect:LlmReflect",
        "llm-samples": "icpi_ros.improvers.llm.samples:LlmSamples",
        "llm-steered": "icpi_ros.improvers.llm.steered:LlmSteered",
        "llm-zero": "icpi_ros.improvers.llm.zero:LlmZero",
        "null-label": "icpi_ros.improvers.llm.nulls:NullLabel",
        "null-mean": "icpi_ros.improvers.llm.nulls:NullMean",
        "random": "icpi_ros.improvers.random:Random",
        "repeat": "icpi_ros.improvers.repeat:Repeat",
        "ridge": "icpi_ros.improvers.ridge:Ridge",
        "ridge-hindsight": "icpi_ros.improvers.ridge:RidgeHindsight",
        "transformer": "icpi_ros.improvers.transformer.improver:Transformer",
    },
    lambda item: isinstance(item, type) and issubclass(item, Improver),
)

DEFAULT_IMPROVER = "embedded"


def check_shared(
    options: Mapping[str, Any],
    asked: Sequence[str],
    among: Registry[type[Improver]] | None = None,
) -> None:
    """Check options that are given once for several improvers: each takes those that it has.

    Args:
        options: JSON values.
        asked: improvers whose values are checked.
        among: improvers that may be asked, too: one of them must have each option, those that
            cannot be loaded left out; None = only those that are asked.

    Raises:
        UnknownName: no such improver.
        InvalidValue: an option that none has, or a value that an asked one does not allow.
    """
    if not options:
        return
    kinds = [IMPROVERS.get(name) for name in asked]
    others = kinds if among is None else among.usable().values()
    known = {name: one for kind in others for name, one in options_of(kind.Options).items()}
    check_names(options, known, " or ".join(asked) if among is None else "any improver")
    for kind in kinds:
        kind.chosen(kind.taken(options))
