"""The command ``icpi``: one module per subcommand, loaded without its heavy imports.

Exit code 0: the job was done; 1: it was not; 2: wrong usage; 130: interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from icpi_ros import __version__
from icpi_ros.cli.plugins import add_plugin, load_plugins, split_plugins
from icpi_ros.errors import IcpiError
from icpi_ros.text import printable

COMMANDS = (
    "demo",
    "run",
    "up",
    "status",
    "task",
    "arm",
    "improver",
    "dataset",
    "bench",
    "bench-sim",
    "bench-graph",
    "bench-stop",
    "bench-llm",
    "bench-pixels",
    "bench-soak",
    "bench-bag",
    "prompt",
    "report",
    "replay",
    "runs",
    "check-plugin",
    "serve",
    "doctor",
    "calibrate",
    "perception",
    "approve",
    "stop",
)
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return the exit code."""
    words, plugins = split_plugins(sys.argv[1:] if argv is None else argv)
    args = _parsed(words)
    try:
        if args.takes_plugins:
            load_plugins(plugins)
        return int(args.run(args))
    except IcpiError as exc:
        print(f"icpi: error: {printable(str(exc))}", file=sys.stderr)
        return exc.exit_code
    except KeyboardInterrupt:
        print("icpi: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except OSError as exc:
        what = f"{exc.filename or 'file'}: {exc.strerror or exc}"
        print(f"icpi: error: {printable(what)}", file=sys.stderr)
        return 1


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """Return the arguments; ``name:=value`` may stand anywhere, as after `ros2 launch`."""
    parser = _parser()
    args, rest = parser.parse_known_args(argv)
    values = [word for word in rest if ":=" in word and not word.startswith("-")]
    if rest and (rest != values or not hasattr(args, "arguments")):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if values:
        args.arguments = [*args.arguments, *values]
    return args


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="icpi",
        description="In-Context Policy Improvement: a robot that gets better within a few tries.",
    )
    parser.add_argument("--version", action="version", version=f"icpi {__version__}")
    add_plugin(parser)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name in COMMANDS:
        module = import_module(f"icpi_ros.cli.{name.replace('-', '_')}")
        help_line = (module.__doc__ or "").splitlines()[0]
        sub = commands.add_parser(name, help=help_line, description=help_line)
        module.add_arguments(sub)
        sub.set_defaults(run=getattr(module, "run", None), takes_plugins=name != "stop")
    return parser


if __name__ == "__main__":
    sys.exit(main())
