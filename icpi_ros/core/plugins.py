"""Plug-ins: modules and files of other people; they register tasks, improvers, arms, sources.

A YAML file describes one task, and is a plug-in of its own.

Installed packages need none of this, see the entry points of :mod:`icpi_ros.core.registry`.
"""

from __future__ import annotations

import hashlib
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import cast

from icpi_ros.core.errors import DescriptionError, IcpiError, UsageError
from icpi_ros.core.registry import registered
from icpi_ros.core.text import error_line

VARIABLE = "ICPI_PLUGINS"
"""Environment variable of plug-ins, separated as folders in ``PATH`` are."""
_TASK_READER = "icpi_ros.tasks.described.reading:register"
READERS: Mapping[str, str] = {".yaml": _TASK_READER, ".yml": _TASK_READER}
"""Function that registers what a file describes, by the ending of its name; imported when asked
for, as the entries of a registry are."""
_HERE, _LIBRARY = str(Path(__file__).parents[1]), os.path.dirname(os.__file__) + "/importlib"
_loaded: list[str] = []
_brought: dict[str, list[tuple[str, str]]] = {}


class PluginError(UsageError):
    """A plug-in that cannot be used; the message names it and the line."""


def loaded() -> tuple[str, ...]:
    """Return the loaded plug-ins, in order: names of modules, absolute paths of files."""
    return tuple(_loaded)


def as_text() -> str:
    """Return :func:`loaded` as a launch argument, a parameter or the environment has it."""
    return os.pathsep.join(_loaded)


def as_options() -> list[str]:
    """Return the options of a command that load the same."""
    return [word for name in _loaded for word in ("--plugin", name)]


def load_all(text: str = "") -> None:
    """Load the plug-ins of the environment and those in ``text``, as :func:`as_text` writes it.

    Raises:
        UsageError: see :func:`load`.
    """
    texts = (os.environ.get(VARIABLE, ""), text)
    load(part for each in texts for part in each.split(os.pathsep) if part.strip())


def load(sources: Iterable[str]) -> None:
    """Load plug-ins, each of them once.

    Args:
        sources: names of modules, or paths of files (with a folder in it, or the end ``.py``,
            ``.yaml`` or ``.yml``).

    Raises:
        UsageError: one is missing, raises an error, registers nothing, or takes a name that is
            taken; names plug-in and line.
    """
    for source in sources:
        name, is_file = _named(source)
        if name not in _loaded:
            _load(name, is_file)
            _loaded.append(name)


def task_name(text: str) -> str:
    """Return the name of a task that is given by it, or by a YAML file, which is loaded then.

    Raises:
        UsageError: see :func:`load`.
    """
    if not text.endswith(tuple(READERS)):
        return text
    load([text])
    return next(name for kind, name in brought_by(text) if kind == "task")


def brought_by(source: str) -> list[tuple[str, str]]:
    """Return kind and name of all that a loaded plug-in registered."""
    return _brought.get(_named(source)[0], [])


def _named(source: str) -> tuple[str, bool]:
    """Return a plug-in's name here, and whether it is a file."""
    is_file = source.endswith((".py", *READERS)) or os.sep in source
    return str(Path(source).expanduser().resolve()) if is_file else source, is_file


def _load(name: str, is_file: bool) -> None:
    """Import one plug-in; what it registered is forgotten where it fails."""
    before, known = len(registered), set(sys.modules)
    try:
        if name.endswith(tuple(READERS)):
            _read_file(Path(name))
        elif is_file:
            _import_file(Path(name))
        else:
            import_module(name)
        brought = registered[before:] or [r for r in registered if r[2] == name]
        if not brought:
            raise PluginError(
                f"plug-in {name} registers nothing: call TASKS.register, IMPROVERS.register, "
                "ARMS.register or SOURCES.register in it (docs/own_task.md)"
            )
        _brought[name] = [(registry.kind, entry) for registry, entry, _ in brought]
    except (Exception, SystemExit) as exc:
        for registry, entry, _ in registered[before:]:
            registry.forget(entry)
        del registered[before:]
        for module in set(sys.modules) - known:
            if module in (name, _module_name(name)):
                del sys.modules[module]
        if isinstance(exc, PluginError) or _names_itself(exc, name):
            raise
        raise PluginError(f"plug-in {name}{_place(exc, name)}: {_reason(exc, name)}") from exc


def _import_file(path: Path) -> None:
    """Import a file as a module of a name of its own, the same in every process."""
    if not path.is_file() or os.pathsep in str(path):
        why = (
            "no such file" if not path.exists() else f"not a file, or a {os.pathsep!r} in its path"
        )
        raise PluginError(f"plug-in {path}: {why}: give a file of Python, or the name of a module")
    name = _module_name(str(path))
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"plug-in {path}: not a file of Python: its name must end with .py")
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)


def _read_file(path: Path) -> None:
    """Register what a file describes."""
    if os.pathsep in str(path):
        raise PluginError(f"task {path}: a {os.pathsep!r} in its path: move the file")
    module, function = READERS[path.suffix].split(":")
    cast("Callable[[Path], None]", getattr(import_module(module), function))(path)


def _module_name(path: str) -> str:
    return f"icpi_plugin_{Path(path).stem}_{hashlib.sha256(path.encode()).hexdigest()[:8]}"


def _names_itself(exc: BaseException, name: str) -> bool:
    """Return whether an error is of a task's file, which names it, the key and the value."""
    return isinstance(exc, DescriptionError) and name.endswith(tuple(READERS))


def _place(exc: BaseException, name: str) -> str:
    """Return the line in which a plug-in raised an error; of a module its file too."""
    if isinstance(exc, SyntaxError):
        file, line = exc.filename, exc.lineno
    else:
        frames = traceback.extract_tb(exc.__traceback__)
        foreign = [f for f in frames if not f.filename.startswith(("<", _HERE, _LIBRARY))]
        if not foreign:
            return ""
        file, line = foreign[-1].filename, foreign[-1].lineno
    return f", line {line}" if file == name else f", {file} line {line}"


def _reason(exc: BaseException, name: str) -> str:
    if isinstance(exc, ModuleNotFoundError) and exc.name and name.startswith(exc.name):
        return f"no module {exc.name!r}: install its package, or give the path of a file"
    return " ".join(str(exc).split()) if isinstance(exc, IcpiError) else error_line(exc)
