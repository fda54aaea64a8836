"""Options of improvers as a table; run as a program, it prints that of docs/improvers.md."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import MISSING
from typing import Any

from icpi_ros.improvers import IMPROVERS
from icpi_ros.improvers.options import Option, options_of

HEADER = ("option", "type", "default", "allowed", "unit", "what it does")


def row(option: Option) -> tuple[str, ...]:
    """Return an option as the cells below HEADER."""
    return (option.name, option.kind, shown(option.default), option.span, option.unit, option.text)


def shown(default: Any) -> str:
    """Return a default as it is written on the command line; "none" = no limit, or no text."""
    if default is MISSING:
        return "must be given"
    if isinstance(default, bool):
        return "true" if default else "false"
    if isinstance(default, float):
        return f"{default:g}" if math.isfinite(default) else "none"
    return str(default) or "none"


def markdown() -> str:
    """Return one table of the options of all registered improvers, as Markdown.

    Options that differ in nothing but their default are one row.
    """
    found: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for name in IMPROVERS:
        for option in options_of(IMPROVERS.get(name).Options).values():
            key, kind, default, span, unit, text = row(option)
            found.setdefault((key, kind, span, unit, text), {}).setdefault(default, []).append(name)
    lines = ["| option | type | allowed | unit | what it does | default |", "|---" * 6 + "|"]
    for cells, defaults in sorted(found.items()):
        name, *rest = cells
        lines.append(
            _line(
                [
                    f"`{name}`",
                    *rest,
                    "; ".join(map(_defaults, *zip(*defaults.items(), strict=True))),
                ]
            )
        )
    return "\n".join(lines) + "\n"


def _defaults(default: str, names: Iterable[str]) -> str:
    return f"{default} ({', '.join(names)})"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print(markdown(), end="")
