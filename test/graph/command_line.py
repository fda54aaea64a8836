"""`icpi` as a user has it, and the command that it prints for a run that is not complete."""

import shlex
import subprocess
import sys

import warm


def icpi(arguments):
    return warm.Popen(
        [sys.executable, "-m", "icpi_ros.cli.main", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def continue_with(text):
    """Return the arguments of the printed command, as a shell reads them."""
    program, *arguments = shlex.split(text.split("continue with: ", 1)[1].splitlines()[0])
    assert program == "icpi"
    return arguments
