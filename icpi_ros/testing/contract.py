"""Contract checks of all that is registered from outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from icpi_ros.core.registry import Registry
from icpi_ros.improvers import IMPROVERS
from icpi_ros.perception.sources import SOURCES
from icpi_ros.robots import ARMS
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task
from icpi_ros.testing import arms, improvers, sources, tasks

CONTRACTS: tuple[tuple[Registry[Any], tuple[Callable[[Any], None], ...]], ...] = (
    (TASKS, tasks.CHECKS),
    (IMPROVERS, improvers.CHECKS),
    (ARMS, arms.CHECKS),
    (SOURCES, sources.CHECKS),
)


@dataclass(frozen=True)
class ContractCheck:
    """One check of one part.

    Attributes:
        part: for example ``task push``.
        what: the claim, one sentence.
        run: raises an error where it does not.
    """

    part: str
    what: str
    run: Callable[[], None]


def checks(names: set[tuple[str, str]] | None = None) -> Iterator[ContractCheck]:
    """Yield the checks of parts, given as pairs such as ``("task", "push")``.

    None = of all that does not come with the package.
    """
    for registry, functions in CONTRACTS:
        outside = [name for name in registry if name not in registry.built_in]
        for name in outside:
            if names is not None and (registry.kind, name) not in names:
                continue
            unable = tasks.SIMULATED if _has_no_scene(registry.registered_as(name)) else ()
            for function in (each for each in functions if each not in unable):
                what = (function.__doc__ or function.__name__).splitlines()[0].rstrip(".")
                yield ContractCheck(
                    f"{registry.kind} {name}", what, partial(_run, registry, name, function)
                )


def _has_no_scene(part: Any) -> bool:
    return isinstance(part, Task) and part.scene is None


def _run(registry: Registry[Any], name: str, function: Callable[[Any], None]) -> None:
    function(registry.get(name))
