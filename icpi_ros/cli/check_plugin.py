"""Check all that a plug-in registers by the contract tests."""

from __future__ import annotations

import argparse

from icpi_ros.cli.json_output import kept
from icpi_ros.core.errors import UsageError
from icpi_ros.core.plugins import brought_by, load
from icpi_ros.core.text import printable
from icpi_ros.testing.contract import ContractCheck, checks

LONGEST = 300
"""Characters of a reason that are shown."""


def run(args: argparse.Namespace) -> int:
    """Print a line per check; 0 if there was one and all passed."""
    load(args.plugins)
    brought = {part for source in args.plugins for part in brought_by(source)}
    rows: list[dict[str, str]] = []
    with kept(args.json, rows):
        rows += map(_row, checks(brought if args.plugins else None))
    if not rows:
        raise UsageError("nothing to check: no plug-in is given, and none is installed")
    passed = sum(not row["reason"] for row in rows)
    print(f"{passed} of {len(rows)} checks passed")
    return 0 if passed == len(rows) else 1


def _row(check: ContractCheck) -> dict[str, str]:
    """Carry out one check, which may raise anything, and print its line; an empty reason = ok."""
    reason = ""
    try:
        check.run()
    except Exception as exc:
        text = " ".join(str(exc).split())[:LONGEST]
        reason = text if isinstance(exc, AssertionError) else f"{type(exc).__name__}: {text}"
    line = f"{check.part}: {check.what}"
    print(printable(f"FAILED  {line}: {reason}" if reason else f"ok      {line}"), flush=True)
    return {"part": check.part, "check": check.what, "reason": reason}
