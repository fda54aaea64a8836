"""Print the prompt that a language model would get, without sending it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from icpi_ros.cli.arguments import chosen_arm, model_options, of_space
from icpi_ros.core.errors import UsageError
from icpi_ros.core.types import Array, Outcome
from icpi_ros.improvers import IMPROVERS
from icpi_ros.improvers.base import Context
from icpi_ros.improvers.llm.plain import Llm
from icpi_ros.learn.dataset.dataset import Dataset, check_arm, load
from icpi_ros.learn.dataset.mixing import ArmId
from icpi_ros.llm.client.endpoint import Endpoint
from icpi_ros.llm.connect import profile_of
from icpi_ros.robots.base import Arm
from icpi_ros.runs.run import Run
from icpi_ros.runs.setup import examples_of, find_examples
from icpi_ros.runs.store.store import TrialStore, default_path
from icpi_ros.sim.rollout import rollout
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.feasibility import simulated_feasibility


def run(args: argparse.Namespace) -> int:
    """Carry out ``icpi prompt``."""
    improver, history = _stored(args) if args.run_id else _simulated(args)
    prompt = improver.prompt(history)
    if args.json:
        args.json.write(prompt.text or prompt.messages)
    if args.json is None or args.json.path:
        chat = [f"[{message['role']}]\n{message['content']}" for message in prompt.messages]
        print(prompt.text or "\n\n".join(chat))
    kind = Endpoint.of(profile_of(improver.options.choice)).tokeniser
    size = f"about {prompt.tokens(kind)} tokens (estimated, {kind})"
    characters = sum(map(len, prompt.contents))
    print(f"wire {prompt.wire}: {size}, {characters} characters", file=sys.stderr)
    return 0


def _stored(args: argparse.Namespace) -> tuple[Llm, Sequence[Outcome]]:
    """Return the improver and history of a stored run."""
    path = (args.store or default_path()).absolute()
    if not path.exists():
        raise UsageError(f"there is no trial store at {path}")
    if args.arm or args.mix:
        raise UsageError("--arm and --mix are for simulated trials: leave them out with --run-id")
    if args.goal is not None:
        raise UsageError("--goal is that of the stored run: leave it out")
    with TrialStore(path, reading=True) as store:
        config, trials = store.run(args.run_id).config, store.trials(args.run_id)
        own = str(config.improver).startswith("llm")
        name = args.improver or (config.improver if own else "llm")
        task = TASKS.get(config.task)
        _kind(name)
        examples = examples_of(store, args.run_id, task, name, _given(args, task))
    history = [trial.outcome for trial in trials if trial.outcome is not None]
    count = len(history) if args.trial is None else args.trial
    if not 1 <= count <= len(history):
        raise UsageError(
            f"--trial {count}: run {args.run_id} has {len(history)} observed trials, "
            "a prompt needs at least one before it"
        )
    options = dict(config.options) if name == config.improver else {}
    improver = _improver(task, list(config.goal), name, options | model_options(args), examples)
    return improver, history[:count]


def _simulated(args: argparse.Namespace) -> tuple[Llm, Sequence[Outcome]]:
    """Return the improver and simulated trials of a task."""
    task = TASKS.get(args.task)
    arm = chosen_arm(args.arm, task)
    asked = (
        task.default_goal if args.goal is None else of_space("--goal", args.goal, task.goal_space)
    )
    goal = task.check_goal(asked)
    name = args.improver or "llm"
    _kind(name)
    examples = find_examples(task, name, _given(args, task))
    improver = _improver(task, goal.tolist(), name, model_options(args), examples)
    check_arm(improver.context.dataset, ArmId.of(arm), args.mix)
    return improver, _simulate(task, arm, improver, goal, args.seed, args.trial or 1)


def _given(args: argparse.Namespace, task: Task) -> Dataset | None:
    return load(args.dataset, task) if args.dataset else None


def _kind(name: str) -> type[Llm]:
    kind = IMPROVERS.get(name)
    if not issubclass(kind, Llm):
        known = ", ".join(n for n in IMPROVERS if n.startswith("llm"))
        raise UsageError(f"--improver {name} sends no prompt: choose one of {known}")
    return kind


def _improver(
    task: Task, goal: list[float], name: str, options: dict[str, Any], examples: Dataset
) -> Llm:
    context = Context(task.space, np.array(goal), task.cost_mask, examples, options)
    return _kind(name)(context, proposes=False)


def _simulate(
    task: Task, arm: Arm, improver: Llm, goal: Array, seed: int, count: int
) -> list[Outcome]:
    """Return the first attempt of a seed, and ridge's further trials."""
    examples, physics = improver.context.dataset, task.seeded_physics(seed)
    run = Run(task, improver="ridge", goal=goal, trials=count, seed=seed, dataset=examples)
    run.why_not = simulated_feasibility(task, arm)
    while not run.finished:
        theta = run.ask().theta
        run.tell(rollout(task, arm, physics, theta[np.newaxis]).trajectories[0])
    return run.history
