"""Continuation of a stored run by `icpi run`, and the options that go on in the same way."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from icpi_ros.cli.arguments import chosen_arm, model_options, same_arm
from icpi_ros.core.errors import UsageError
from icpi_ros.core.plugins import as_options
from icpi_ros.core.units import millimetres
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.dataset.execution import Backend, Execution
from icpi_ros.learn.dataset.mixing import ArmId, distinct
from icpi_ros.robots import ARMS, argument_of
from icpi_ros.robots.base import Arm
from icpi_ros.runs.in_process import execution_in_process
from icpi_ros.runs.setup import check_execution, last_execution, remark_on_resumed
from icpi_ros.runs.store.store import TrialStore, UnknownRun, default_path
from icpi_ros.tasks.base import Task

OF_THE_GRAPH = {
    "fallback": "what an attached graph does without its model",
    "first": "how runs of an attached graph begin",
    "stop": "when runs of an attached graph end",
}
"""Options that an attached graph decides, and what they are."""


def stored_config(args: argparse.Namespace, store: Path) -> dict[str, Any]:
    """Return the configuration of the run to resume; empty for a new run.

    Raises:
        UsageError: there is no such run, or an argument contradicts it.
    """
    if args.resume is None:
        return {}
    if not store.exists():
        raise UsageError(f"cannot resume {args.resume}: there is no trial store at {store}")
    with TrialStore(store) as opened:
        config = opened.run(args.resume).config.as_dict()
    asked = {
        "task": args.task,
        "improver": args.improver,
        "budget": args.trials,
        "seed": args.seed,
        "goal": args.goal,
        "target_cost": args.target_cost,
        "first": args.first,
    }
    for name, value in asked.items():
        found = list(config[name]) if name == "goal" else config[name]
        if value is not None and value != found:
            shown: Callable[[Any], str] = millimetres if name == "target_cost" else str
            began, other = shown(found), shown(value)
            raise UsageError(
                f"run {args.resume} began with {name} {began}, not {other}: "
                "leave it out to go on, or start a new run"
            )
    if model_options(args):
        raise UsageError("a resumed run keeps the options of its improver: leave them out")
    if args.learn_from:
        raise UsageError("a resumed run keeps what it learns from: leave --learn-from out")
    return config


def check_attached(args: argparse.Namespace) -> None:
    """Refuse options that an attached graph decides.

    Raises:
        UsageError: one is given; says how the graph is started with it.
    """
    if not args.attach:
        return
    for name, what in OF_THE_GRAPH.items():
        value = None if name == "first" and args.resume else getattr(args, name)
        if value:
            raise UsageError(f"--{name}: {what} is its own affair: start it with {name}:={value}")


def is_finished(args: argparse.Namespace, store: Path) -> bool:
    """Tell whether the run to resume is complete, so that nothing will be proposed."""
    if not args.resume:
        return False
    with TrialStore(store) as opened:
        return opened.run(args.resume).state == "finished"


def arm_of_run(args: argparse.Namespace, task: Task, world: Task, store: Path) -> Arm | None:
    """Return the arm that executes: that of a resumed run unless ``--arm`` names one.

    None = that of the graph which the run is attached to.

    Raises:
        UsageError: no such arm, it is not simulated with this task, the stored one is not here,
            or ``--arm`` is given for a graph that has its own.
    """
    if args.attach:
        if args.arm:
            raise UsageError(
                f"--arm {args.arm}: with --attach the arm is that of the graph, which was started "
                "with arm:=NAME_OR_FILE: leave --arm out"
            )
        return None
    if args.arm or not args.resume:
        return chosen_arm(args.arm, task, world)
    with TrialStore(store) as opened:
        known = distinct([ArmId.of_way(last_execution(opened, args.resume))])
    return same_arm(None, task, known, f"run {args.resume}", mix=True, world=world)


def arm_of_way(way: Execution) -> Arm | None:
    """Return the arm of an attached graph; None = not known here, or under tighter limits."""
    return ARMS.get(way.arm) if way.arm in ARMS and not way.limits else None


def settle_mix(
    args: argparse.Namespace, store: Path, task: Task, arm: Arm | None, dataset: Dataset | None
) -> None:
    """Store whether a resumed run may mix arms or backends, then refuse what would mix them.

    Only its policy_improver knows what an attached graph is made of, and checks it.

    Raises:
        UsageError: it would mix them, and --mix is not given.
    """
    with TrialStore(store) as opened:
        if opened.run(args.resume).may_mix != args.mix:
            opened.allow_mix(args.resume, args.mix)
        before = last_execution(opened, args.resume)
        now = before if arm is None else simulation(args, arm)
        found = check_execution(opened, args.resume, now)
        alone = remark_on_resumed(opened.run(args.resume).config, task, dataset)
    for remark in filter(None, (found.remark, alone)):
        print(f"note: {remark}", flush=True)


def withdraw_mix(args: argparse.Namespace) -> None:
    """Take back a permission to mix that nothing has used: it is for this command alone."""
    path = args.store or default_path()
    if not (args.resume and args.mix and path.exists()):
        return
    with TrialStore(path) as store, suppress(UnknownRun):
        if store.run(args.resume).may_mix:
            store.allow_mix(args.resume, False)


def simulation(args: argparse.Namespace, arm: Arm) -> Execution:
    """Return how the simulation that is started here executes trials."""
    world = args.world or ""
    if args.in_process:
        return execution_in_process(arm, world)
    own = {"limits": "", "dry_run": "false"}
    namespace = "/" + args.namespace.strip("/")
    graph = {"source": args.source, "controller": "simulated", "namespace": namespace}
    graph["world"] = world
    return Execution.of(Backend.SIMULATED, arm, arm.limits, **own, **graph)


def again(args: argparse.Namespace, store: Path, arm: Arm | None) -> tuple[str, ...]:
    """Return the options that a command needs to go on as this one does."""
    words = [*as_options(), "--store", str(store)]
    words += ["--json", str(args.json)] if args.json else []
    files = {"--dataset": args.dataset, "--picture": args.picture}
    for name, path in files.items():
        words += [name, str(path.absolute())] if path else []
    words += ["--arm", argument_of(arm)] if args.arm and arm else []
    words += ["--fallback", args.fallback] if args.fallback else []
    words += ["--world", args.world] if args.world else []
    if args.in_process:
        noises = {"--noise": args.noise, "--latency": args.latency}
        given = [(name, repr(value)) for name, value in noises.items() if value is not None]
        return (*words, "--in-process", *(word for pair in given for word in pair))
    words += ["--namespace", args.namespace] if args.namespace else []
    if args.attach:
        return (*words, "--attach")
    if args.real_time_factor:
        words += ["--real-time-factor", repr(args.real_time_factor)]
    return (*words, "--source", args.source)
