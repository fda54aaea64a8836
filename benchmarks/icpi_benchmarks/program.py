"""Runner of the programs without a command of their own: ``python -m icpi_benchmarks.ROOM.NAME``.

A program is a module with ``add_arguments(parser)`` and ``run(args)``, which
returns the exit code.  With ``--json`` it writes a list of rows, in SI units.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from types import ModuleType

from icpi_ros.cli.json_output import add_json
from icpi_ros.core.errors import IcpiError
from icpi_ros.core.text import printable


def run_program(module: ModuleType, argv: Sequence[str] | None = None) -> int:
    """Run a program with ``argv`` (None: of this process); return the exit code."""
    name = module.__spec__.name if module.__spec__ else module.__name__
    summary = (module.__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description=summary)
    module.add_arguments(parser)
    add_json(parser)
    args = parser.parse_args(argv)
    try:
        if args.json:
            args.json.check()
        with args.json.alone() if args.json else nullcontext():
            return int(module.run(args))
    except IcpiError as exc:
        print(f"error: {printable(str(exc))}", file=sys.stderr)
        return exc.exit_code
