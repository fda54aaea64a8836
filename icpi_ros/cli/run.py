"""Run the improvement loop on a task: through the ROS graph, or in process."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from icpi_ros.cli.arguments import check_source, checked_picture, model_options, of_space
from icpi_ros.cli.graph_run import through_graph
from icpi_ros.cli.json_output import JsonOutput
from icpi_ros.cli.options.use_it import TRIALS
from icpi_ros.cli.resuming import (
    again,
    arm_of_run,
    check_attached,
    is_finished,
    settle_mix,
    simulation,
    stored_config,
    withdraw_mix,
)
from icpi_ros.cli.run_report import kept_elsewhere, report, say
from icpi_ros.cli.view_run import RunView
from icpi_ros.core.errors import UsageError
from icpi_ros.core.text import printable
from icpi_ros.core.types import Trial
from icpi_ros.improvers import DEFAULT_IMPROVER, IMPROVERS
from icpi_ros.learn.dataset.dataset import Dataset, check_arm, load
from icpi_ros.learn.dataset.execution import Execution
from icpi_ros.learn.dataset.mixing import ArmId
from icpi_ros.report.run.text import trial_line
from icpi_ros.robots.base import Arm
from icpi_ros.runs.earlier import AUTO, learned_text
from icpi_ros.runs.in_process import run_simulated
from icpi_ros.runs.run import Run
from icpi_ros.runs.setup import (
    ALLOW,
    find_earlier_runs,
    find_examples,
    remark_on_examples,
    require_model,
)
from icpi_ros.runs.store.store import TrialStore, UnknownRun, default_path
from icpi_ros.settings.table import POSES, find
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.observation import Observation


@dataclass(frozen=True)
class Plan:
    """A checked request.  ``resume`` None = a new run; paths None = not wanted.

    ``goal``: (g,) [units of the task's goal space].  ``target_cost`` [m]: ends the run at once.
    ``world``: task whose scene is simulated.  ``arm``: that executes; None = that of an attached
    graph.  ``learn_from``, ``fallback``, ``first``, ``stop``: values of the settings.
    ``again``: options that carry out a resumed run in the same way.  ``mix``: a new run may learn
    from a data set of another arm.  ``begun``: the id of the run, once it has one.
    """

    task: Task
    world: Task
    arm: Arm | None
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
    resume: str | None
    json: JsonOutput | None
    picture: Path | None
    again: tuple[str, ...]
    mix: bool
    learn_from: str
    fallback: str
    first: str
    stop: str
    view: RunView
    begun: list[str] = field(default_factory=list)

    def announce(self, run_id: str, resumed_from: int | None) -> None:
        """Say which run begins, or from which trial one continues."""
        self.begun.append(run_id)
        what = f"{self.task.name} with {self.improver}, seed {self.seed}"
        what += "" if resumed_from is None else f", continues from trial {resumed_from}"
        print(f"run {printable(run_id)}: {what}", flush=True)
        with TrialStore(self.store) as store:
            try:
                config = store.run(run_id).config
            except UnknownRun:
                say(kept_elsewhere(self, run_id))
                return
            if learned := learned_text(config.learned_from):
                print(
                    f"learns from {learned}: --learn-from none leaves them out",
                    flush=True,
                )


def run(args: argparse.Namespace) -> int:
    """Carry out ``icpi run``; 0 when every trial of the budget ran or the target was reached.

    3 when it was so, and every proposal fell back.
    """
    try:
        plan = make_plan(args)
        if plan.task.caution:
            say(plan.task.caution)
        with plan.view:
            return report(plan, carried_out(args, plan))
    finally:
        withdraw_mix(args)


def carried_out(args: argparse.Namespace, plan: Plan) -> str:
    """Carry out the run and return its id; what is broken off is reported before it is raised."""
    try:
        return execute(args, plan)
    except BaseException as exc:
        for run_id in plan.begun:
            try:
                report(plan, run_id)
            except Exception as why:  # what ended the run is what the user must see
                say(f"run {run_id} cannot be shown: {why}")
        if isinstance(exc, KeyboardInterrupt) and (str(exc) or not plan.begun):
            say(str(exc) or "no run had begun, nothing is stored")
        raise


def make_plan(args: argparse.Namespace) -> Plan:
    """Check everything that can be wrong before anything is started.

    Raises:
        UsageError: names the argument, the value and what is allowed.
    """
    view = RunView(args)
    store = (args.store or default_path()).absolute()
    config = stored_config(args, store)
    if not args.task and not config:
        raise UsageError(f"--task is missing: choose one of {', '.join(TASKS.names())}")
    task = TASKS.get(config.get("task") or args.task)
    improver = config.get("improver") or args.improver or DEFAULT_IMPROVER
    kind = IMPROVERS.get(improver)
    asked = (
        task.default_goal if args.goal is None else of_space("--goal", args.goal, task.goal_space)
    )
    goal = task.check_goal(config.get("goal") or asked).tolist()
    options = model_options(args)
    kind.check(options)
    world = _world(args, task)
    arm = arm_of_run(args, task, world, store)
    dataset = load(args.dataset, task) if args.dataset else None
    if args.resume:
        settle_mix(args, store, task, arm, dataset)
    else:
        _check_examples(args, task, arm, improver, dataset)
    observation = _observation(args, task)
    picture = checked_picture(args.picture) if args.picture else None
    learn_from = _checked_learn_from(args, task, arm, improver, dataset, store)
    _check_model(args, improver, config or {"options": options}, store)
    return Plan(
        task=task,
        world=world,
        arm=arm,
        improver=improver,
        observation=observation,
        goal=goal,
        trials=config.get("budget") or args.trials or TRIALS,
        target_cost=config.get("target_cost", args.target_cost or 0.0),
        seed=config.get("seed", args.seed or 0),
        dataset=dataset,
        dataset_path=args.dataset.absolute() if args.dataset else None,
        options=options,
        store=store,
        resume=args.resume,
        json=args.json,
        picture=picture,
        again=again(args, store, arm),
        mix=args.mix and not args.resume,
        learn_from=learn_from,
        fallback=args.fallback or find("fallback").default,
        first=config.get("first") or args.first or find("first").default,
        stop=args.stop or config.get("stop") or find("stop").default,
        view=view,
    )


def _world(args: argparse.Namespace, task: Task) -> Task:
    """Return the task whose scene is simulated.

    Raises:
        UsageError: it has none, or an attached graph was asked for another than its own.
    """
    if args.attach:
        if args.world:
            raise UsageError(
                f"--world {args.world}: with --attach the world is that of the graph, which was "
                "started with world:=TASK: leave --world out"
            )
        return task
    if args.world == task.name:
        args.world = None
    world = TASKS.get(args.world) if args.world else task
    _ = world.required_scene  # refused before anything starts
    return world


def _check_model(
    args: argparse.Namespace, improver: str, config: Mapping[str, Any], store: Path
) -> None:
    """Check that the model can be asked; in a graph its policy_improver does, which has the key.

    Raises:
        UsageError: it cannot, and nobody said that another improver may stand in.
    """
    check_attached(args)
    if not args.in_process or args.fallback == ALLOW or is_finished(args, store):
        return
    require_model(improver, config["options"])


def _check_examples(
    args: argparse.Namespace, task: Task, arm: Arm | None, improver: str, dataset: Dataset | None
) -> None:
    """Check that a new run learns from examples of its own arm, unless mixing is meant.

    Raises:
        UsageError: it does not, or nothing is mixed although that was meant.
    """
    if arm is None:
        if args.mix:
            raise UsageError(
                "--mix: what an attached graph learns from is its own affair: start it with "
                "mix:=true, or give --resume RUN too"
            )
        return
    mixed = ""
    if dataset is not None or arm.name != task.arm:
        examples = find_examples(task, improver, dataset)
        mixed = check_arm(examples, ArmId.of(arm), args.mix)
    if mixed:
        print(f"note: the data set is of arm {mixed}, the run is with {ArmId.of(arm)}", flush=True)
    elif args.mix:
        raise UsageError(
            "--mix: nothing would be mixed: it is for a run that is resumed (--resume RUN), or for "
            "a data set of another arm"
        )


def _checked_learn_from(
    args: argparse.Namespace,
    task: Task,
    arm: Arm | None,
    improver: str,
    dataset: Dataset | None,
    store: Path,
) -> str:
    """Return the value of the setting, and say which runs of the store a new run leaves out.

    Raises:
        UsageError: the store cannot be written, a named run does not fit, or the setting is that of
            an attached graph.
    """
    if args.learn_from and arm is None:
        raise UsageError(
            "--learn-from: what an attached graph learns from is its own affair: start it with "
            f"learn_from:={args.learn_from}"
        )
    learn_from: str = args.learn_from or AUTO
    with TrialStore(store) as opened:
        if arm is not None and not args.resume:
            way = simulation(args, arm)
            found = find_earlier_runs(opened, task, improver, way, learn_from, dataset)
            if remark := remark_on_examples(task, improver, dataset, found):
                print(f"note: {remark}", flush=True)
    return learn_from


def _observation(args: argparse.Namespace, task: Task) -> Observation:
    """Return what the simulated sensor does: as asked for, else the task's own."""
    if not (args.noise is None is args.latency or args.in_process):
        raise UsageError("--noise and --latency simulate a sensor: they need --in-process")
    check_source(args.source, task)
    if args.source != POSES and args.in_process:
        raise UsageError(f"--source {args.source} needs a graph: leave out --in-process")
    if args.source != POSES and args.attach:
        raise UsageError(
            f"--source {args.source}: positions come from where the graph takes them: start it "
            f"with source:={args.source}"
        )
    return task.observation.with_given(args.noise, args.latency)


def execute(args: argparse.Namespace, plan: Plan) -> str:
    """Carry out the run, printing a line per trial; return its id."""

    def show(trial: Trial) -> None:
        print(trial_line(trial, plan.task.space, plan.trials), flush=True)

    if args.in_process and plan.arm is not None:
        return _in_process(plan, plan.arm, simulation(args, plan.arm), show)

    return through_graph(args, plan, show)


def _in_process(plan: Plan, arm: Arm, execution: Execution, show: Callable[[Trial], None]) -> str:
    with TrialStore(plan.store) as store:
        plan.view.open_page(plan.task, plan.improver, arm, plan.goal)
        improvement = _open_run(plan, store, execution)
        plan.announce(improvement.run_id, improvement.resumed_from)
        with plan.view.following(improvement, show) as shown:
            run_simulated(improvement, arm, plan.observation, shown, plan.world)
        return improvement.run_id


def _open_run(plan: Plan, store: TrialStore, execution: Execution) -> Run:
    if plan.resume:
        return Run.resume(
            store, plan.resume, dataset=plan.dataset, execution=execution, stop=plan.stop
        )
    return Run(
        plan.task,
        improver=plan.improver,
        goal=plan.goal,
        trials=plan.trials,
        seed=plan.seed,
        dataset=plan.dataset,
        options=plan.options,
        target_cost=plan.target_cost,
        storage=store,
        execution=execution,
        mix=plan.mix,
        learn_from=plan.learn_from,
        first=plan.first,
        stop=plan.stop,
    )
