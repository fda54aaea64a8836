"""Launch arguments: what the table of settings has of a graph, with its defaults, as text."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from icpi_ros.core.errors import UsageError
from icpi_ros.core.plugins import load_all, task_name
from icpi_ros.core.registry import Registry
from icpi_ros.core.text import did_you_mean
from icpi_ros.improvers import IMPROVERS
from icpi_ros.learn.dataset.execution import Backend
from icpi_ros.perception.sources import SOURCES
from icpi_ros.settings.setting import TRUTH, Setting, as_text
from icpi_ros.settings.table import of_graph
from icpi_ros.tasks import TASKS

TASK_NAMES = ("task", "world")
"""Settings that a task's YAML file may be given for."""
NAMES: Mapping[str, Collection[str]] = {
    "task": TASKS,
    "improver": IMPROVERS,
    "backend": tuple(Backend),
    "source": SOURCES,
}
"""Settings whose choices are what is registered, once plug-ins are loaded."""


@dataclass(frozen=True)
class Argument:
    """One launch argument; values are text, as on a command line."""

    name: str
    default: str
    description: str
    choices: Collection[str] = ()


def with_names(setting: Setting) -> Setting:
    """Return a setting with the names that are its choices, where they are registered."""
    names = NAMES.get(setting.name, ())
    # The source that is written down for a run may be unknown, unlike the one to take samples with.
    return replace(setting, choices=names) if setting.default in names else setting


def arguments(graph: str) -> tuple[Argument, ...]:
    """Return the launch arguments of a graph; real arms have the careful defaults."""
    return tuple(_argument(with_names(setting), graph) for setting in of_graph(graph))


def _argument(setting: Setting, graph: str) -> Argument:
    default = setting.default if graph == "real" else setting.usual
    choices = TRUTH if isinstance(setting.default, bool) else setting.choices
    return Argument(setting.name, as_text(default), setting.help, choices)


def checked(arguments: Sequence[Argument], given: Mapping[str, str]) -> dict[str, str]:
    """Return all values by name, defaults filled in; load the plug-ins that are asked for.

    Raises:
        UsageError: an unknown argument, a value that is not one of the choices, or a plug-in that
            cannot be loaded.
    """
    names = [argument.name for argument in arguments]
    for name in given:
        if name not in names:
            known = f"choose from {', '.join(names)}{did_you_mean(name, names)}"
            raise UsageError(f"unknown argument {name!r}: {known}")
    load_all(given.get("plugins", ""))
    values = {argument.name: given.get(argument.name, argument.default) for argument in arguments}
    values |= {name: task_name(values[name]) for name in TASK_NAMES if name in values}
    if values.get("world") == values.get("task"):
        values |= {"world": ""} if "world" in values else {}
    for argument in arguments:
        value = values[argument.name]
        # Not all names first: those of other packages take 40 ms to list.
        if argument.choices and value != argument.default and value not in argument.choices:
            more = ", or give plugins:=FILE or install its package"
            raise UsageError(
                f"argument {argument.name} = {value!r} is not allowed: one of "
                f"{', '.join(argument.choices)}"
                f"{more if isinstance(argument.choices, Registry) else ''}"
                f"{did_you_mean(value, argument.choices)}"
            )
    return values
