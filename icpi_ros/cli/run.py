"""Run the improvement loop on a task: through the ROS graph, or in process."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icpi_ros.cli.arguments import (
    add_graph,
    add_model,
    add_store,
    checked_output,
    model_options,
    number,
    numbers,
    whole,
)
from icpi_ros.text import printable

if TYPE_CHECKING:
    from icpi_ros.data.dataset import Dataset
    from icpi_ros.data.execution import Execution
    from icpi_ros.data.store import TrialStore
    from icpi_ros.loop import ImprovementRun
    from icpi_ros.tasks.base import Task
    from icpi_ros.tasks.observation import Observation
    from icpi_ros.types import Array, ObjectTrajectory, Trial


TRIALS = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `icpi run` takes."""
    parser.add_argument("--task", help="task, see `icpi task list`")
    parser.add_argument(
        "--improver", help="who proposes; a wrong name lists all (default: embedded)"
    )
    parser.add_argument(
        "--trials", type=whole(1, 1000), metavar="N", help=f"budget (default: {TRIALS})"
    )
    parser.add_argument(
        "--seed",
        type=whole(0, 2**62),
        help="of the first attempt, the improver and the hidden physics; with --attach the "
        "physics is the graph's (default: 0)",
    )
    parser.add_argument(
        "--goal",
        type=numbers,
        metavar="X,Y",
        help="default: the task's own (--goal=-0.1,0.4 for a leading minus)",
    )
    parser.add_argument(
        "--target-cost",
        type=number(0.0),
        metavar="M",
        help="stop when a trial costs at most this [m]; default: 0, use the whole budget",
    )
    parser.add_argument("--dataset", type=Path, help="examples; default: the shipped set")
    parser.add_argument("--resume", metavar="RUN", help="continue a stored run, see `icpi runs`")
    parser.add_argument(
        "--mix",
        action="store_true",
        help="with --resume: go on with another arm, or in a simulation what began on a real arm; "
        "the store says so",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--in-process", action="store_true", help="simulate here, without ROS")
    how.add_argument(
        "--attach",
        action="store_true",
        help="use the graph that is up (with the same --store), start none",
    )
    parser.add_argument(
        "--noise", type=number(0.0), metavar="M", help="sensor noise, std [m]; with --in-process"
    )
    parser.add_argument(
        "--latency", type=number(0.0), metavar="S", help="sensor latency [s]; with --in-process"
    )
    add_model(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the run as JSON")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the run as PNG")
    add_store(parser)
    add_graph(parser)


@dataclass(frozen=True)
class Plan:
    """A checked request.  ``resume`` empty = a new run; paths None = not wanted.

    ``again``: options that carry out a resumed run in the same way.
    """

    task: Task
    improver: str
    observation: Observation
    goal: list[float]
    trials: int
    target_cost: float
    seed: int
    dataset: Dataset | None
    dataset_path: Path | None
    options: dict[str, Any]
    store: Path
    resume: str
    json: Path | None
    picture: Path | None
    again: tuple[str, ...]


def run(args: argparse.Namespace) -> int:
    """Carry out ``icpi run``; 0 when every trial of the budget ran or the target was reached."""
    plan = make_plan(args)
    run_id = execute(args, plan)
    return report(plan, run_id)


def make_plan(args: argparse.Namespace) -> Plan:
    """Check everything that can be wrong before anything is started.

    Raises:
        UsageError: names the argument, the value and what is allowed.
    """
    from icpi_ros.data.dataset import load
    from icpi_ros.data.store import default_path
    from icpi_ros.errors import UsageError
    from icpi_ros.improvers import DEFAULT_IMPROVER, IMPROVERS
    from icpi_ros.tasks import TASKS

    store = (args.store or default_path()).absolute()
    config = _stored(args, store)
    if not args.task and not config:
        raise UsageError(f"--task is missing: choose one of {', '.join(TASKS.names())}")
    task = TASKS.get(config.get("task") or args.task)
    improver = config.get("improver") or args.improver or DEFAULT_IMPROVER
    kind = IMPROVERS.get(improver)
    goal = task.default_goal if args.goal is None else args.goal
    options = model_options(args)
    kind.check(options)
    return Plan(
        task=task,
        improver=improver,
        observation=_observation(args, task),
        goal=task.check_goal(config.get("goal") or goal).tolist(),
        trials=config.get("budget") or args.trials or TRIALS,
        target_cost=config.get("target_cost", args.target_cost or 0.0),
        seed=config.get("seed", args.seed or 0),
        dataset=load(args.dataset, task) if args.dataset else None,
        dataset_path=args.dataset.absolute() if args.dataset else None,
        options=options,
        store=store,
        resume=args.resume or "",
        json=checked_output(args.json) if args.json else None,
        picture=checked_output(args.picture) if args.picture else None,
        again=_again(args, store),
    )


def _observation(args: argparse.Namespace, task: Task) -> Observation:
    """Return what the simulated sensor does: as asked for, else the task's own."""
    from dataclasses import replace

    from icpi_ros.errors import UsageError

    asked = {"noise": args.noise, "latency": args.latency}
    given = {name: value for name, value in asked.items() if value is not None}
    if given and not args.in_process:
        raise UsageError("--noise and --latency simulate a sensor: they need --in-process")
    if args.source == "camera" and (args.in_process or args.attach):
        raise UsageError(
            "--source camera is for a graph that is started here: leave out --in-process, or start "
            "the graph that you attach to with source:=camera"
        )
    return replace(task.observation, **given)


def _again(args: argparse.Namespace, store: Path) -> tuple[str, ...]:
    """Return the options that a command needs to go on as this one does."""
    words = ["--store", str(store)]
    files = {"--dataset": args.dataset, "--json": args.json, "--picture": args.picture}
    for name, path in files.items():
        words += [name, str(path.absolute())] if path else []
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


def _stored(args: argparse.Namespace, store: Path) -> dict[str, Any]:
    """Return the configuration of the run to resume; empty for a new run."""
    from icpi_ros.data.store import TrialStore
    from icpi_ros.errors import UsageError

    if args.resume is None:
        if args.mix:
            raise UsageError("--mix is for a run that is resumed: give --resume RUN too")
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
    }
    for name, value in asked.items():
        found = list(config[name]) if name == "goal" else config[name]
        if value is not None and value != found:
            raise UsageError(
                f"run {args.resume} began with {name} {found}, not {value}: "
                "leave it out to go on, or start a new run"
            )
    if model_options(args):
        raise UsageError("a resumed run keeps the options of its improver: leave them out")
    with TrialStore(store) as opened:
        _settle_mix(args, opened, config["task"])
    return config


def _settle_mix(args: argparse.Namespace, store: TrialStore, task: str) -> None:
    """Store whether the run may mix arms or backends, then refuse what would mix them.

    Only its policy_improver knows what an attached graph is made of, and checks it.

    Raises:
        UsageError: it would mix them, and --mix is not given.
    """
    from icpi_ros.run_setup import check_execution, last_execution
    from icpi_ros.tasks import TASKS

    if store.run(args.resume).may_mix != args.mix:
        store.allow_mix(args.resume, args.mix)
    before = last_execution(store, args.resume)
    now = before if args.attach else _simulation(args, TASKS.get(task))
    found = check_execution(store, args.resume, now)
    if found.remark:
        print(f"note: {found.remark}", flush=True)


def _simulation(args: argparse.Namespace, task: Task) -> Execution:
    """Return how the simulation that is started here executes trials."""
    from icpi_ros.arms import ARMS
    from icpi_ros.data.execution import Backend, Execution

    arm = ARMS.get(task.arm)
    own = {"limits": "", "dry_run": "false"}
    if args.in_process:
        none = {"source": "rollout", "controller": "none", "domain": "", "namespace": ""}
        return Execution.of(Backend.IN_PROCESS, arm, arm.limits, **own, **none)
    namespace = "/" + args.namespace.strip("/")
    graph = {"source": args.source, "controller": "simulated", "namespace": namespace}
    return Execution.of(Backend.SIMULATED, arm, arm.limits, **own, **graph)


def execute(args: argparse.Namespace, plan: Plan) -> str:
    """Carry out the run, printing a line per trial; return its id."""
    from icpi_ros.report.run_text import trial_line

    def show(trial: Trial) -> None:
        print(trial_line(trial, plan.task.space, plan.trials), flush=True)

    if args.in_process:
        return _in_process(plan, _simulation(args, plan.task), show)
    from icpi_ros.cli.graph_run import through_graph

    return through_graph(args, plan, show)


def _in_process(plan: Plan, execution: Execution, show: Callable[[Trial], None]) -> str:
    import numpy as np

    from icpi_ros.arms import ARMS
    from icpi_ros.data.store import TrialStore
    from icpi_ros.loop import run_in_process
    from icpi_ros.sim.rollout import rollout
    from icpi_ros.tasks.observation import OBSERVE_STREAM, observe

    task, physics = plan.task, plan.task.seeded_physics(plan.seed)
    arm = ARMS.get(task.arm)
    with TrialStore(plan.store) as store:
        improvement = _open_run(plan, store, execution)
        announce(improvement.run_id, plan, improvement.resumed_from)

        def execute(theta: Array) -> ObjectTrajectory:
            rng = np.random.default_rng([plan.seed, len(improvement.history), OBSERVE_STREAM])
            true = rollout(task, arm, physics, theta[np.newaxis]).trajectories[0]
            return observe(true, plan.observation, rng)

        run_in_process(improvement, execute, show)
        return improvement.run_id


def _open_run(plan: Plan, store: TrialStore, execution: Execution) -> ImprovementRun:
    from icpi_ros.loop import ImprovementRun

    if plan.resume:
        return ImprovementRun.resume(store, plan.resume, plan.dataset, execution)
    return ImprovementRun.new(
        plan.task,
        plan.improver,
        plan.dataset,
        plan.goal,
        plan.trials,
        plan.seed,
        store,
        plan.target_cost,
        plan.options,
        execution=execution,
    )


def announce(run_id: str, plan: Plan, resumed_from: int | None) -> None:
    """Say which run begins, or from which trial one continues."""
    what = f"{plan.task.name} with {plan.improver}, seed {plan.seed}"
    run_id = printable(run_id)
    if resumed_from is None:
        print(f"run {run_id}: {what}", flush=True)
    else:
        print(f"run {run_id}: {what}, continues from trial {resumed_from}", flush=True)


def _resume_command(plan: Plan, run_id: str) -> str:
    return shlex.join(["icpi", "run", "--resume", run_id, *plan.again])


def report(plan: Plan, run_id: str) -> int:
    """Print the final table from the store, write what was asked for; 0 = the run is complete."""
    import numpy as np

    from icpi_ros.data.store import TrialStore
    from icpi_ros.models.budget import spent_on
    from icpi_ros.report.run_json import record_json
    from icpi_ros.report.run_picture import save_picture
    from icpi_ros.report.run_text import run_table, spending_line

    with TrialStore(plan.store) as store:
        record, trials = store.run(run_id), store.trials(run_id)
        spent = spent_on(store.trials(run_id, all_attempts=True))
    print(run_table(trials, plan.task.space))
    if spent.calls:
        print(f"model: {spending_line(spent)}")
    print(printable(f"stored run: {run_id} in {plan.store}"))
    if plan.json:
        text = json.dumps(record_json(run_id, record.config, trials, spent), indent=1)
        plan.json.write_text(text + "\n", encoding="utf-8")
    if plan.picture:
        save_picture(plan.picture, plan.task, np.array(record.config.goal), trials)
        print(f"picture: {plan.picture.absolute()}")
    if record.state != "finished":
        why = f"{record.state}: {record.note}" if record.note else "not finished"
        print(printable(f"run {why}; continue with: {_resume_command(plan, run_id)}"))
        return 1
    if len(trials) < plan.trials:
        print(printable(f"run finished: {record.note}"))
    return 0
