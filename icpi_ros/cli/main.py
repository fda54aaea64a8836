"""The command ``icpi``: the module of a command is imported when that command is carried out.

Its options are in a module apart, which is light: help and wrong words come at once.

Exit code 0: the job was done; 1: it was not; 2: wrong usage, or no command; 3: a run went on to its
end, but every proposal fell back on another improver; 130: interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from importlib import import_module
from typing import Any, cast

from icpi_ros import __version__
from icpi_ros.cli.commands import COMMANDS, Command, find, listed, overview, under
from icpi_ros.cli.parser import Parser, add_plugin, load_plugins, load_tasks, split_plugins
from icpi_ros.core.errors import IcpiError
from icpi_ros.core.text import did_you_mean, printable

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    words, plugins = split_plugins(sys.argv[1:] if argv is None else argv)
    if not words:
        _top().print_help()
        return 2  # as before: a script with an empty variable has not done its job
    try:
        args = _parsed(words)
        if output := getattr(args, "json", None):
            output.check()
        with output.alone() if output else nullcontext():
            if args.takes_plugins:
                load_plugins(plugins)
                load_tasks(args)
            return int(function(args.run)(args))
    except IcpiError as exc:
        print(f"icpi: error: {printable(str(exc))}", file=sys.stderr)
        return exc.exit_code
    except (KeyboardInterrupt, EOFError):
        print("icpi: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except OSError as exc:
        what = f"{exc.filename or 'file'}: {exc.strerror or exc}"
        print(f"icpi: error: {printable(what)}", file=sys.stderr)
        return 1


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    """Return the arguments; ``name:=value`` may stand anywhere, as after `ros2 launch`.

    Raises:
        UnknownName: there is no such command.
    """
    if words[0].startswith("-"):
        top = _top()
        top.parse_args(words)
        top.error("a command is missing")
    command, rest = find(words)
    parser = _with_arguments(Parser(prog=f"icpi {command.name}"), command)
    args, left = parser.parse_known_args(rest)
    values = [word for word in left if ":=" in word]
    if left and (left != values or not hasattr(args, "arguments")):
        programs = [other.name.split()[1] for other in under(command.name)]
        hint = did_you_mean(left[0], programs)
        parser.error(f"unrecognized arguments: {' '.join(left)}{hint}")
    if values:
        args.arguments = [*args.arguments, *values]
    return args


def function(name: str) -> Callable[[argparse.Namespace], int]:
    """Return what carries out a command, ``module:function``; imported only now.

    A module without a package is one of ``icpi_ros.cli``.
    """
    module, _, function = name.partition(":")
    found = getattr(import_module(module if "." in module else f"icpi_ros.cli.{module}"), function)
    return cast("Callable[[argparse.Namespace], int]", found)


def _top() -> Parser:
    """Return the parser of what stands before a command."""
    parser = Parser(
        prog="icpi",
        usage="icpi COMMAND ...",
        description="In-Context Policy Improvement: a robot that gets better within a few tries."
        f"\n\n{overview()}\n\nicpi COMMAND --help shows what a command takes.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"icpi {__version__}")
    add_plugin(parser)
    parser.add_argument(
        "--print-completion", action=_Completion, help="print a script for tab completion and exit"
    )
    return parser


class _Completion(argparse.Action):
    """Action that prints the script of a shell, and ends."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, choices=("bash", "zsh"), help=help)

    def __call__(self, parser: argparse.ArgumentParser, *values: Any) -> None:
        """Print it; every command is imported for that, none when a key is pressed."""
        from icpi_ros.cli.completion import script  # shtab is for this option alone

        print(script(whole_parser(), str(values[1])))
        parser.exit()


def whole_parser() -> Parser:
    """Return a parser with every command, for what needs all of them at once."""
    parser, below = _top(), dict[str, Any]()
    first = parser.add_subparsers(metavar="COMMAND")
    for name, command in COMMANDS.items():
        if not command.installed:
            continue
        parent, _, program = name.rpartition(" ")
        where = below[parent] if parent else first
        made = where.add_parser(program, help=command.summary)
        _with_arguments(made, command)
        if under(name):
            below[name] = made.add_subparsers(metavar="PROGRAM")
    return parser


def _with_arguments(parser: Parser, command: Command) -> Parser:
    """Return ``parser`` with the arguments of a command; only its options are imported here."""
    parser.description = command.summary
    command.add_options(parser)
    takes_plugins = command.name != "stop"
    if takes_plugins:
        for each in (parser, *_verbs(parser)):
            add_plugin(each)
    parser.set_defaults(run=f"{command.module}:run", takes_plugins=takes_plugins)
    if below := under(command.name):
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.epilog = f"other {command.name} programs:\n{listed(below)}"
    return parser


def _verbs(parser: Parser) -> list[Parser]:
    """Return the parsers of a command's verbs, such as ``build`` of ``icpi dataset``."""
    found = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return [verb for action in found for verb in action.choices.values()]


if __name__ == "__main__":
    sys.exit(main())
