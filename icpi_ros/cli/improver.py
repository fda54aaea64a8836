"""List the improvers, or describe one and its options."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from inspect import cleandoc
from typing import Any

from icpi_ros.cli.json_output import JsonOutput
from icpi_ros.core.redact import jsonable
from icpi_ros.improvers import IMPROVERS
from icpi_ros.improvers.base import Improver
from icpi_ros.improvers.options import options_of
from icpi_ros.improvers.table import HEADER, row


def list_improvers(args: argparse.Namespace) -> int:
    """Print every improver with its one-line summary."""
    kinds = {name: IMPROVERS.get(name) for name in IMPROVERS}
    width = max(map(len, kinds))
    lines = [f"{name:{width}}  {kind.summary}{_needs(kind)}" for name, kind in kinds.items()]
    _show(lines, [_record(name, kind) for name, kind in kinds.items()], args.json)
    return 0


def describe_improver(args: argparse.Namespace) -> int:
    """Print an improver's description and the table of its options.

    Raises:
        UnknownName: no such improver.
    """
    kind = IMPROVERS.get(args.name)
    options = list(options_of(kind.Options).values())
    texts = (cleandoc(kind.__doc__ or ""), getattr(sys.modules.get(kind.__module__), "__doc__", ""))
    text = "\n\n".join(text.strip() for text in texts if text)
    lines = [f"{args.name}: {kind.summary}{_needs(kind)}", ""]
    lines += [*text.splitlines(), ""] if text else []
    lines += _columns([HEADER, *map(row, options)]) if options else ["It has no options."]
    rows = [asdict(one) | {"type": one.kind} for one in options]
    for one in rows:
        del one["valid"]
    _show(lines, jsonable(_record(args.name, kind) | {"text": text, "options": rows}), args.json)
    return 0


def _needs(kind: type[Improver]) -> str:
    needed = ["data set"] * kind.needs_dataset + ["model"] * kind.asks_model + [*kind.modules]
    return f" (needs: {', '.join(needed)})" if needed else ""


def _record(name: str, kind: type[Improver]) -> dict[str, Any]:
    needs = {"needs_dataset": kind.needs_dataset, "asks_model": kind.asks_model}
    return {"name": name, "summary": kind.summary, **needs, "modules": list(kind.modules)}


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    """Return rows of cells as lines, all columns but the last as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, cells, widths)).rstrip() for cells in rows]


def _show(lines: list[str], content: Any, output: JsonOutput | None) -> None:
    print("\n".join(lines))
    if output:
        output.write(content)
