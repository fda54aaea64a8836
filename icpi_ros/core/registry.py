"""Name to implementation, loaded only when it is asked for.

A registry maps a name to ``"module:attribute"`` so that listing the names
imports nothing (start-up time) and adding an entry is one line.  Other people's
packages add entries by an entry point (group ``icpi_ros.tasks`` and so on), their
plug-ins by :meth:`Registry.register`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from icpi_ros.core.errors import UnknownName, UsageError, require_kind
from icpi_ros.core.text import printable

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
REMEDY = "or give --plugin FILE or install its package"
"""Remedy for an unknown name that a plug-in may have."""
registered: list[tuple[Registry[Any], str, str]] = []
"""Entries registered from outside, in order: registry, name, module of its class."""


class Registry(Generic[T]):
    """Lazy mapping of names to objects of one kind; a collection of its names.

    Args:
        kind: name of one entry's kind, for error messages ("task", "improver").
        entries: name to ``"package.module:attribute"``.
        fits: whether an object from outside is of this kind; None = entry points add none.
    """

    def __init__(
        self, kind: str, entries: dict[str, str], fits: Callable[[Any], bool] | None = None
    ) -> None:
        """Remember the entries; nothing is imported yet."""
        self.kind = kind
        self.group = f"icpi_ros.{kind}s"
        self._entries: dict[str, str] = dict(entries)
        self._loaded: dict[str, T] = {}
        self._fits = fits

    @property
    def built_in(self) -> list[str]:
        """The sorted names that come with the package."""
        return sorted(self._entries)

    def register(self, name: str, item: T) -> None:
        """Add an object from outside the package under a new ``name``.

        Raises:
            ValueError: the name is taken.
            UsageError: the object is of another kind, or has another name of its own.
        """
        point = self._points.get(name)
        if name in self._entries or name in self._loaded or (point and not _imported(point)):
            by = f" by {_source(point)}" if point else ""
            raise ValueError(f"{self.kind} {name!r} is already registered{by}: choose another name")
        self._loaded[name] = self._accept(name, item)
        registered.append((self, name, getattr(self._loaded[name], "__module__", "")))

    def registered_as(self, name: str) -> T | None:
        """Return what was registered from outside under ``name``; None = nothing, or not loaded."""
        return None if name in self._entries else self._loaded.get(name)

    def forget(self, name: str) -> None:
        """Remove what was registered from outside under ``name``."""
        self._loaded.pop(name, None)

    @contextmanager
    def temporarily(self, name: str, item: T) -> Iterator[None]:
        """Have ``item`` under ``name``, taken or not, until the block ends; for tests."""
        before = self._loaded.get(name)
        self._loaded[name] = item
        try:
            yield
        finally:
            self.forget(name)
            if before is not None:
                self._loaded[name] = before

    def names(self) -> list[str]:
        """Return all names, sorted."""
        return sorted({*self._entries, *self._loaded, *self._points})

    def __contains__(self, name: object) -> bool:
        """Return whether ``name`` is known."""
        return name in self._entries or name in self._loaded or name in self._points

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())

    def __bool__(self) -> bool:
        """Return whether there is any name; those of the package do, and are known at once."""
        return bool(self._entries) or len(self) > 0

    def get(self, name: str) -> T:
        """Return the object called ``name``, importing its module at the first call.

        Raises:
            UnknownName: no entry has that name; the message lists the valid ones.
            InvalidValue: ``name`` is no text.
            UsageError: another package's entry cannot be loaded; names both.
        """
        require_kind(self.kind, name, str, "a name")
        if name not in self:
            raise UnknownName(self.kind, name, self, REMEDY if self._fits else "")
        if name not in self._loaded:
            built_in = name in self._entries
            found = self._built_in(name) if built_in else self._from_outside(self._points[name])
            self._loaded.setdefault(name, found)
        return self._loaded[name]

    def usable(self) -> dict[str, T]:
        """Return all objects by name; a broken entry of another package is logged in one line."""
        found = {}
        for name in self.names():
            try:
                found[name] = self.get(name)
            except UsageError as exc:
                if name in self._entries:
                    raise
                _LOG.warning("%s", printable(str(exc)))
        return found

    def _built_in(self, name: str) -> T:
        module, attribute = self._entries[name].split(":")
        return cast(T, getattr(import_module(module), attribute))

    def _from_outside(self, point: EntryPoint) -> T:
        """Return what an entry point names; its module may also register it itself."""
        try:
            item = point.load()
            return self._loaded.get(point.name) or self._accept(point.name, item)
        except (Exception, SystemExit) as exc:
            reason = exc if isinstance(exc, UsageError) else f"{type(exc).__name__}: {exc}"
            raise UsageError(f"{self.kind} {point.name!r} of {_source(point)}: {reason}") from exc

    def _accept(self, name: str, item: Any) -> T:
        """Return an object from outside if it may have ``name`` here.

        Raises:
            UsageError: it may not.
        """
        if self._fits and not self._fits(item):
            article = "an" if self.kind[0] in "aeiou" else "a"
            raise UsageError(f"{type(item).__name__} {name!r} is not {article} {self.kind}")
        if getattr(item, "name", name) != name:
            raise UsageError(f"{self.kind} {name!r} calls itself {item.name!r}: use one name")
        return cast(T, item)

    @cached_property
    def _points(self) -> dict[str, EntryPoint]:
        """Entries of other packages by name; names alone, nothing is imported."""
        found: dict[str, EntryPoint] = {}
        for point in installed(tuple(sys.path), self.group) if self._fits else ():
            if point.name in self._entries or point.name in found:
                first = _source(found[point.name]) if point.name in found else "icpi_ros"
                _LOG.warning(
                    "%s",
                    printable(
                        f"{self.kind} {point.name!r} of {_source(point)} is ignored: {first} has "
                        "one of that name"
                    ),
                )
            else:
                found[point.name] = point
        return found


def installed(path: tuple[str, ...], group: str) -> EntryPoints:
    """Return the entry points of a group that packages on the path of imports have."""
    found: EntryPoints = _all_installed(path).select(group=group)
    return found


@lru_cache(maxsize=1)
def _all_installed(path: tuple[str, ...]) -> Any:
    """Return those of all groups: their files are looked through once, not for each registry."""
    from importlib.metadata import entry_points  # 20 ms that a short command can do without

    return entry_points()


def _source(point: EntryPoint) -> str:
    """Return the distribution and the entry of an entry point, for messages."""
    name = point.dist.name if point.dist else "unknown"
    return f"distribution {name} (entry point {point.group}: {point.name} = {point.value})"


def _imported(point: EntryPoint) -> bool:
    """Return whether the module of an entry point is imported, or is just being imported."""
    return point.value.partition(":")[0].strip() in sys.modules
