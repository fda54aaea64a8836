"""The command line in the process of the test."""

from icpi_ros.cli.main import main


def icpi(capsys, *words):
    """Return the exit code, the output and the errors of a command."""
    try:
        code = main([*map(str, words)])
    except SystemExit as stop:
        code = stop.code
    return code, *capsys.readouterr()
