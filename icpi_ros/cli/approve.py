"""Approve, change or reject what the executor wants to do; confirm that the scene is back."""

from __future__ import annotations

import argparse
import sys
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from icpi_ros.cli.arguments import of_space, quantities
from icpi_ros.cli.commands import need_ros
from icpi_ros.cli.options.robots import AT_ONCE, WAIT
from icpi_ros.core.errors import ExecutionFailed, UsageError
from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.core.text import printable
from icpi_ros.report.operator_request import request_json, request_text
from icpi_ros.tasks import TASKS


@dataclass(frozen=True)
class Answer:
    """Decision to send: its kind, ``theta`` (d,) [units of the task] of an edit, one line why."""

    kind: str
    theta: tuple[float, ...] = ()
    comment: str = ""


def run(args: argparse.Namespace) -> int:
    """Show and decide; 0 = what was asked was done."""
    if (args.theta is not None) != (args.decision == "edit"):
        raise UsageError("--theta belongs to --decision edit, and edit needs it")
    if args.json and not args.show:
        raise UsageError("--json belongs to --show")
    if args.request is not None and args.decision is None:
        raise UsageError("--request belongs to --decision")
    if args.decision is None and not args.show and not sys.stdin.isatty():
        raise UsageError("no terminal to ask at: give --decision or --show")
    need_ros()
    from icpi_ros.ros.clients.operator_client import OperatorClient  # needs ROS

    with OperatorClient(args.namespace) as client:
        client.connect()
        if args.show:
            return _show(client, args)
        if args.decision:
            return _once(client, args)
        return _converse(client, args)


def _show(client: Any, args: argparse.Namespace) -> int:
    request = client.wait_for_request(AT_ONCE if args.timeout is None else args.timeout)
    print("nothing waits for a decision" if request is None else _text(request))
    if args.json:
        args.json.write(request_json(request))
    return 0


def _once(client: Any, args: argparse.Namespace) -> int:
    """Decide about what waits, print what became of it.

    Raises:
        ExecutionFailed: nothing waits, it is not what was meant, or the decision did not count.
    """
    from icpi_ros.ros.base.operator_port import MIN_LOOK_TIME  # needs ROS

    request = client.wait_for_request(AT_ONCE if args.timeout is None else args.timeout)
    if request is None:
        raise ExecutionFailed("nothing waits for a decision")
    print(_text(request), flush=True)
    if reason := _not_meant(request, args):
        raise ExecutionFailed(reason)
    if args.decision != "reject":
        time.sleep(MIN_LOOK_TIME)  # it may have appeared just now: the executor refuses haste
    answer = Answer(args.decision, _theta(request, args.theta or ()), args.comment)
    if refusal := _decide(client, request, answer, args.operator):
        raise ExecutionFailed(refusal)
    verdict = client.verdict(answer.kind)
    if not verdict.counted:
        raise ExecutionFailed(_did_not_count(verdict))
    print(printable(verdict.reason))
    if answer.kind == "edit":
        print(_text(verdict.next))
    return 0


def _not_meant(request: Any, args: argparse.Namespace) -> str | None:
    """Return why a request is not what the command line decides about; None: it is."""
    from icpi_ros.ros.base.operator_port import is_change_refused  # needs ROS

    name = f"request {request.request_id}"
    if args.request not in (None, request.request_id):
        return (
            f"request {args.request} is not the one that waits ({name}): look at it before you "
            "decide (icpi approve --show)"
        )
    if args.decision == "approve" and not request.theta:
        return (
            f"{name} asks whether the scene is back and the workspace empty: --decision clear "
            "confirms that"
        )
    if args.decision == "clear" and request.theta:
        return f"{name} asks about a motion, not about the scene: --decision approve approves it"
    if args.decision == "approve" and args.request is None and is_change_refused(request.remark):
        return (
            f"{name} has the theta from before a change that was refused: to approve that one, "
            f"name it: --request {request.request_id}"
        )
    return None


def _converse(client: Any, args: argparse.Namespace) -> int:
    """Ask about one question after the other until Ctrl-C."""
    limit = WAIT if args.timeout is None else args.timeout
    print("waiting for motions to approve; Ctrl-C ends this, not the graph", flush=True)
    while (request := client.wait_for_request(limit)) is not None:
        print(f"\n{_text(request)}", flush=True)
        answer = _ask(request)
        if answer is None:
            continue
        if refusal := _decide(client, request, answer, args.operator):
            print(f"not taken: {printable(refusal)}", flush=True)
            continue
        print(printable(_became(client, answer.kind)), flush=True)
    print(f"no question for {limit:g} s")
    return 0


def _became(client: Any, kind: str) -> str:
    """Return what became of a decision; the questions go on where nobody says it."""
    try:
        verdict = client.verdict(kind)
    except ExecutionFailed as exc:
        return str(exc)
    return str(verdict.reason if verdict.counted else _did_not_count(verdict))


def _ask(request: Any) -> Answer | None:
    """Return what is typed from now on; None if it is no decision."""
    # What was typed before was typed about something else, or about nothing.
    termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
    try:
        return _motion_answer(request) if request.theta else _scene_answer()
    except EOFError:
        raise KeyboardInterrupt from None
    except (ValueError, UsageError, argparse.ArgumentTypeError) as exc:
        print(exc)
    return None


def _motion_answer(request: Any) -> Answer | None:
    word = input("[a]pprove, [r]eject, [e]dit: ").strip().lower()
    if word in ("a", "approve"):
        return Answer("approve")
    if word in ("e", "edit"):
        asked = quantities(input(f"{','.join(request.theta_names)} = "))
        return Answer("edit", _theta(request, asked))
    return _rejection(word, "a, r or e")


def _theta(request: Any, values: Sequence[float]) -> tuple[float, ...]:
    return tuple(of_space("theta", values, _space(request))) if values else ()


def _scene_answer() -> Answer | None:
    """Ask whether the scene is back; with a word that no habit types."""
    word = input("clear = it is back and the workspace is empty, [r]eject: ").strip().lower()
    return Answer("clear") if word == "clear" else _rejection(word, "clear or r")


def _rejection(word: str, allowed: str) -> Answer | None:
    if word in ("r", "reject"):
        return Answer("reject", comment=input("why (empty = not said): ").strip())
    print(f"{word!r} is no answer to this: type {allowed}")
    return None


def _decide(client: Any, request: Any, answer: Answer, by: str) -> str | None:
    found: str | None = client.decide(request, answer.kind, answer.theta, by, answer.comment)
    return found


def _did_not_count(verdict: Any) -> str:
    if verdict.next is None:
        return f"the decision did not count: {verdict.reason}"
    return f"{verdict.reason}; request {verdict.next.request_id} has the theta from before"


def _text(request: Any) -> str:
    return request_text(request, [p.shown_unit for p in _space(request).parameters])


def _space(request: Any) -> ParameterSpace:
    """Return the box of theta; without units if the task is of a plug-in that was not named.

    Nobody beside an arm is kept from deciding by that: the executor knows the task.
    """
    if request.task in TASKS:
        return TASKS.get(request.task).space
    bounds = zip(request.theta_names, request.lower, request.upper, strict=True)
    return ParameterSpace(tuple(Parameter(name, "1", *pair) for name, *pair in bounds))
