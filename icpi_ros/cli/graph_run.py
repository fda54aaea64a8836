"""Carry out a run through a ROS graph: one that is started here, or one that is up."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from icpi_ros.cli.arguments import arm_argument
from icpi_ros.cli.commands import need_ros
from icpi_ros.core.errors import ExecutionFailed, UsageError
from icpi_ros.core.files import FileLock
from icpi_ros.core.text import printable
from icpi_ros.core.types import Trial
from icpi_ros.ros.bringup.description import graph
from icpi_ros.ros.bringup.instance import domain_id, ensure_free, hold_name, reserve_domain
from icpi_ros.ros.bringup.processes import BackgroundGraph

if TYPE_CHECKING:
    from icpi_ros.cli.run import Plan

START_LIMIT, ATTACH_LIMIT = 30.0, 5.0
"""Longest wait for a graph that was just started, and for one that is up [s]."""


def through_graph(args: argparse.Namespace, plan: Plan, show: Callable[[Trial], None]) -> str:
    """Run ``plan`` and call ``show`` after each trial; return the id of the stored run.

    A graph that dies while the run is under way is an error that is printed: what is stored by
    then can be resumed.

    Raises:
        ExecutionFailed: the graph does not start, or the run never begins.
        UsageError: the graph refuses to resume that run, or its improver or data set.
        KeyboardInterrupt: Ctrl-C, a run that had begun was cancelled; its text says what is not
            known.
        IcpiError: ROS is not installed.
    """
    need_ros(", or use --in-process")
    from icpi_ros.ros.clients.improve_client import Callbacks, ImproveClient  # needs ROS

    domain_id()
    with ExitStack() as stack:
        graph = None
        if not args.attach:
            stack.enter_context(reserved_domain())
            stack.callback(_hold_run(args.namespace).release)
            graph = stack.enter_context(_graph(args, plan))
        client = stack.enter_context(ImproveClient(args.namespace))
        limit = ATTACH_LIMIT if graph is None else START_LIMIT
        client.connect(limit, lambda: _death(graph))
        plan.view.of_graph(args.namespace)
        calls = Callbacks(
            on_run=lambda run_id, trial: plan.announce(run_id, trial if plan.resume else None),
            on_trial=show,
            on_question=lambda question: _say_who_waits(args.namespace, question),
            death=lambda: _death(graph),
        )
        try:
            result = client.improve(_request(plan), calls)
        except ExecutionFailed as exc:
            if not plan.begun:
                raise
            _print_error(str(exc))
            return plan.begun[-1]
        except KeyboardInterrupt as exc:
            if plan.begun:
                raise
            why = f"{exc}: " if str(exc) else ""
            raise KeyboardInterrupt(
                f"{why}whether a run has begun is not known, see `icpi runs`"
            ) from exc
    if result.refused:
        raise UsageError(result.error_msg)
    if result.interrupted and result.cancelled:
        if result.run_id and not plan.begun:
            plan.begun.append(result.run_id)
        if graph is not None:
            graph.log.unlink(missing_ok=True)
        raise KeyboardInterrupt
    if not result.run_id:
        raise ExecutionFailed(result.error_msg)
    if result.error_code:
        log = f" (log: {graph.log})" if graph is not None else ""
        _print_error(f"{result.error_msg}{log}")
    elif graph is not None:
        graph.log.unlink(missing_ok=True)
    return result.run_id


def _print_error(text: str) -> None:
    print(printable(f"icpi: error: {text}"), file=sys.stderr)


def _say_who_waits(namespace: str, question: str) -> None:
    command = ["icpi", "approve", *(("--namespace", namespace) if namespace else ())]
    print(f"waiting for a person: {printable(question)} ({shlex.join(command)})", flush=True)


def _request(plan: Plan) -> Any:
    from icpi_ros.ros.clients.improve_client import ImproveRequest  # needs ROS

    return ImproveRequest(
        task=plan.task.name,
        improver=plan.improver,
        goal=plan.goal,
        budget=plan.trials,
        target_cost=plan.target_cost,
        seed=plan.seed,
        resume_run_id=plan.resume,
    )


@contextmanager
def reserved_domain() -> Iterator[None]:
    """Take a ROS domain of our own unless ROS_DOMAIN_ID names one: runs side by side are fine."""
    if os.environ.get("ROS_DOMAIN_ID"):
        yield
        return
    domain, held = reserve_domain()
    os.environ["ROS_DOMAIN_ID"] = str(domain)
    print(f"ROS_DOMAIN_ID={domain}", flush=True)
    try:
        yield
    finally:
        del os.environ["ROS_DOMAIN_ID"]
        held.release()


def _hold_run(namespace: str) -> FileLock:
    """Return a lock against a second run that starts nodes of the same names meanwhile.

    Raises:
        UsageError: there is one; names it and what to change.
    """
    return hold_name(f"/{namespace.strip('/')}/icpi_run".replace("//", "/"), "a run")


def _graph(args: argparse.Namespace, plan: Plan) -> BackgroundGraph:
    """Return the simulated graph for a plan, not started yet; its output goes to a log."""
    physics = plan.world.seeded_physics(plan.seed)
    arguments = {
        "task": plan.task.name,
        "world": "" if plan.world is plan.task else plan.world.name,
        "arm": arm_argument(plan.arm, plan.task) if plan.arm else "",
        "mix": "true" if plan.mix else "false",
        "learn_from": plan.learn_from,
        "improver": plan.improver,
        "namespace": args.namespace,
        "real_time_factor": args.real_time_factor,
        "physics": ",".join(repr(float(value)) for value in physics),
        "store": plan.store,
        "dataset": plan.dataset_path or "",
        "log_level": args.log_level,
        "source": args.source,
        "fallback": plan.fallback,
        "first": plan.first,
        "stop": plan.stop,
        "options": json.dumps(plan.options) if plan.options else "",
    }
    texts = {name: str(value) for name, value in arguments.items()}
    ensure_free([f"{spec.namespace.rstrip('/')}/{spec.name}" for spec in graph("sim", texts)])
    return BackgroundGraph("sim", texts, plan.store.parent / f"graph-{os.getpid()}.log")


def _death(graph: BackgroundGraph | None) -> str | None:
    """Return why a graph that was started here is dead; None while it lives."""
    if graph is None or graph.alive:
        return None
    return f"{graph.reason()} (log: {graph.log})"
