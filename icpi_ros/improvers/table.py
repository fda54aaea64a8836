"""Options of improvers as a table; run as a program, it prints that of docs/improvers.md."""

from __future__ import annotations

import math
from dataclasses import MISSING
from typing import Any

from icpi_ros.improvers import IMPROVERS
from icpi_ros.improvers.options import Option, options_of

HEADER = ("option", "type", "default", "allowed", "what it does")


def row(option: Option) -> tuple[str, ...]:
    """Return an option as the cells below HEADER."""
    allowed = f"{option.span} [{option.unit}]" if option.unit else option.span
    return (option.name, option.kind, shown(option.default), allowed, option.text)


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
            key, kind, default, allowed, text = row(option)
            found.setdefault((key, kind, allowed, text), {}).setdefault(default, []).append(name)
    models = [name for name in IMPROVERS if IMPROVERS.get(name).asks_model]
    lines = ["| option | type | allowed | what it does | default |", "|---|---|---|---|---|"]
    for (key, *cells), defaults in sorted(found.items()):
        by = (
            f"{default} ({'all llm forms' if names == models else ', '.join(names)})"
            for default, names in defaults.items()
        )
        lines.append(f"| {' | '.join([f'`{key}`', *cells, '; '.join(by)])} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
