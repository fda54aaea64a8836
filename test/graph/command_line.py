"""`icpi` as a user has it, and the command that it prints for a run that is not complete."""

import shlex
import subprocess
import sys

import warm

PATIENT = """
import sys
from icpi_ros.cli import graph_run
from icpi_ros.cli.main import main

graph_run.START_LIMIT = graph_run.ATTACH_LIMIT = 90.0
sys.exit(main())
"""
"""A person's patience is not that of a busy machine: this only ends a hang [s]."""


def icpi(arguments):
    return warm.Popen(
        [sys.executable, "-c", PATIENT, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def continue_with(text):
    """Return the arguments of the printed command, as a shell reads them."""
    program, *arguments = shlex.split(text.split("continue with: ", 1)[1].splitlines()[0])
    assert program == "icpi"
    return arguments
