"""Name to implementation, loaded only when it is asked for.

A registry maps a name to ``"module:attribute"`` so that listing the names
imports nothing (start-up time) and adding an entry is one line.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Generic, TypeVar, cast

from icpi_ros.errors import UnknownName

T = TypeVar("T")


class Registry(Generic[T]):
    """Lazy mapping of names to objects of one kind.

    Args:
        kind: what the entries are, for error messages ("task", "improver").
        entries: name to ``"package.module:attribute"``.
    """

    def __init__(self, kind: str, entries: dict[str, str]) -> None:
        """Remember the entries; nothing is imported yet."""
        self.kind = kind
        self._entries: dict[str, str] = dict(entries)
        self._loaded: dict[str, T] = {}

    def register(self, name: str, item: T) -> None:
        """Add an object from outside the package under a new ``name``.

        Raises:
            ValueError: the name is taken.
        """
        if name in self:
            raise ValueError(f"{self.kind} {name!r} is already registered")
        self._loaded[name] = item

    def names(self) -> list[str]:
        """Return all names, sorted."""
        return sorted({*self._entries, *self._loaded})

    def __contains__(self, name: str) -> bool:
        """Tell whether ``name`` is known."""
        return name in self._entries or name in self._loaded

    def __iter__(self) -> Iterator[str]:
        """Iterate over the sorted names."""
        return iter(self.names())

    def get(self, name: str) -> T:
        """Return the object called ``name``, importing its module at the first call.

        Raises:
            UnknownName: no entry has that name; the message lists the valid ones.
        """
        if name not in self:
            raise UnknownName(self.kind, name, self.names())
        if name not in self._loaded:
            module, attribute = self._entries[name].split(":")
            self._loaded[name] = cast(T, getattr(import_module(module), attribute))
        return self._loaded[name]
