"""All improvers by name; one line here and one file beside this one each."""

from __future__ import annotations

from icpi_ros.core.registry import Registry
from icpi_ros.improvers.base import Improver

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
        "llm-opro": "icpi_ros.improvers.llm.opro:LlmOpro",
        "llm-plan": "icpi_ros.improvers.llm.plan:LlmPlan",
        "llm-samples": "icpi_ros.improvers.llm.samples:LlmSamples",
        "llm-steered": "icpi_ros.improvers.llm.steered:LlmSteered",
        "llm-zero": "icpi_ros.improvers.llm.zero:LlmZero",
        "random": "icpi_ros.improvers.random:Random",
        "ridge": "icpi_ros.improvers.ridge:Ridge",
        "ridge-hindsight": "icpi_ros.improvers.ridge:RidgeHindsight",
    },
    lambda item: isinstance(item, type) and issubclass(item, Improver),
)

DEFAULT_IMPROVER = "embedded"
