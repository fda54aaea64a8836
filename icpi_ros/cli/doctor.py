"""Check that everything this package needs is there."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments."""


def run(_args: argparse.Namespace) -> int:
    """Print every check; 0 only if all that is required is there."""
    from icpi_ros.doctor import healthy, render, run_checks

    checks = run_checks()
    print(render(checks))
    return 0 if healthy(checks) else 1
