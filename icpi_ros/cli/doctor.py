"""Check that everything this package needs is there."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from icpi_ros.cli.doctor_checks import healthy, render, run_checks


def run(args: argparse.Namespace) -> int:
    """Print every check; 0 only if all that is required is there."""
    checks = run_checks()
    print(render(checks))
    if args.json:
        args.json.write([asdict(check) for check in checks])
    return 0 if healthy(checks) else 1
