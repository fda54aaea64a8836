"""Approve, change or reject what the executor wants to do; confirm that the scene is back."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from icpi_ros.cli.arguments import number, numbers
from icpi_ros.text import printable

WAIT = 3600.0
"""Longest wait for a question, one after the other [s]."""
AT_ONCE = 1.0
"""Longest time for what waits to arrive here [s]."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to decide; without it every question is asked at the terminal."""
    parser.add_argument("--namespace", default="", help="namespace of the graph")
    parser.add_argument("--show", action="store_true", help="print what waits and end")
    parser.add_argument(
        "--decision",
        choices=("approve", "reject", "edit"),
        help="decide about what waits now and end; default: ask at the terminal, until Ctrl-C",
    )
    parser.add_argument("--theta", type=numbers, help="with --decision edit: v1,v2,... in SI units")
    parser.add_argument("--comment", default="", help="one line why, for the record")
    parser.add_argument("--operator", default="", help="who decides, for the record")
    parser.add_argument(
        "--timeout",
        type=number(0.0),
        help=f"longest wait for a question [s]; default {WAIT:g} at a terminal, {AT_ONCE:g} with "
        "--decision: it is about what waits now",
    )


def run(args: argparse.Namespace) -> int:
    """Show and decide; 0 = what was asked was done."""
    from icpi_ros.cli.graph_run import need_ros
    from icpi_ros.errors import UsageError

    if (args.theta is not None) != (args.decision == "edit"):
        raise UsageError("--theta belongs to --decision edit, and edit needs it")
    if args.decision is None and not args.show and not sys.stdin.isatty():
        raise UsageError("no terminal to ask at: give --decision or --show")
    need_ros()
    from icpi_ros.nodes.operator_client import OperatorClient

    with OperatorClient(args.namespace) as client:
        client.connect()
        if args.decision or args.show:
            return _once(client, args)
        return _converse(client, args)


def _once(client: Any, args: argparse.Namespace) -> int:
    request = client.wait_for_request(AT_ONCE if args.timeout is None else args.timeout)
    if request is None:
        print("nothing waits for a decision")
        return 0 if args.show else 1
    print(_text(request))
    if args.show:
        return 0
    refusal = _decide(client, request, args.decision, args)
    if refusal:
        print(f"icpi: error: {printable(refusal)}", file=sys.stderr)
        return 1
    return 0


def _converse(client: Any, args: argparse.Namespace) -> int:
    """Ask about one question after the other until Ctrl-C."""
    decided: int | None = None
    limit = WAIT if args.timeout is None else args.timeout
    print("waiting for motions to approve; Ctrl-C ends this, not the graph", flush=True)
    while (request := client.wait_for_request(limit, decided)) is not None:
        print(f"\n{_text(request)}", flush=True)
        answer = _ask(request)
        if answer is None:
            continue
        kind, args.theta, args.comment = answer
        refusal = _decide(client, request, kind, args)
        if refusal:
            print(f"not taken: {printable(refusal)}", flush=True)
        else:
            decided = request.request_id
    print(f"no question for {limit:g} s")
    return 0


def _ask(request: Any) -> tuple[str, list[float] | None, str] | None:
    """Return a decision with theta and comment; None if what was typed is none."""
    choices = "[a]pprove, [r]eject" + (", [e]dit" if request.theta else "")
    try:
        word = input(f"{choices}: ").strip().lower()
        if word in ("a", "approve"):
            return "approve", None, ""
        if word in ("r", "reject"):
            return "reject", None, input("why (empty = not said): ").strip()
        if word in ("e", "edit") and request.theta:
            return "edit", numbers(input(printable(f"{','.join(request.theta_names)} = "))), ""
    except EOFError:
        raise KeyboardInterrupt from None
    except (ValueError, argparse.ArgumentTypeError) as exc:
        print(exc)
    return None


def _decide(client: Any, request: Any, kind: str, args: argparse.Namespace) -> str:
    return str(client.decide(request, kind, args.theta or (), args.operator, args.comment))


def _text(request: Any) -> str:
    from icpi_ros.report.request_text import request_text
    from icpi_ros.tasks import TASKS

    return request_text(request, TASKS.get(request.task).space.units)
