"""All improvers by name; one line here and one file beside this one each."""

from __future__ import annotations

from icpi_ros.improvers.base import Improver
from icpi_ros.registry import Registry

IMPROVERS: Registry[type[Improver]] = Registry(
    "improver",
    {
        "knn": "icpi_ros.improvers.knn:Knn",
        "llm": "icpi_ros.improvers.llm:Llm",
        "random": "icpi_ros.improvers.random:Random",
        "ridge": "icpi_ros.improvers.ridge:Ridge",
    },
)

DEFAULT_IMPROVER = "ridge"
