"""Functions of the public API: ``import icpi_ros as icpi``; see the package's own docstring."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from tqdm.std import tqdm  # tqdm.auto warns in a notebook without ipywidgets

from icpi_ros.core.errors import UsageError, require_kind
from icpi_ros.core.registry import Registry
from icpi_ros.core.types import Array, ObjectTrajectory, Trial
from icpi_ros.core.units import millimetres
from icpi_ros.improvers import DEFAULT_IMPROVER, IMPROVERS
from icpi_ros.improvers.base import Improver
from icpi_ros.learn.dataset import dataset as datasets
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.dataset.execution import UNKNOWN
from icpi_ros.robots import ARMS, find_arm
from icpi_ros.robots.base import Arm
from icpi_ros.runs.earlier import AUTO
from icpi_ros.runs.in_process import execution_in_process, run_simulated
from icpi_ros.runs.picture.live import need_notebook
from icpi_ros.runs.run import Run
from icpi_ros.runs.setup import ALLOW, require_model
from icpi_ros.runs.store.storage import Storage
from icpi_ros.runs.values import named, whole
from icpi_ros.settings.table import find
from icpi_ros.sim.rollout import rollout as simulate
from icpi_ros.sim.world import World, load_model
from icpi_ros.tasks import TASKS, find_task
from icpi_ros.tasks.base import Task
from icpi_ros.view import need_viser
from icpi_ros.view.rules import NOTEBOOKS

if TYPE_CHECKING:
    from icpi_ros.view.following import RunFrame, RunStop

Part = TypeVar("Part", bound=Task | Arm | type[Improver])


def improve(
    task: str | Task,
    *,
    improver: str = DEFAULT_IMPROVER,
    goal: ArrayLike | None = None,
    trials: int = 8,
    seed: int = 0,
    dataset: Dataset | str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    target_cost: float = 0.0,
    arm: str | Arm | None = None,
    world: str | Task | None = None,
    first: str = "demonstration",
    stop: str = "after-trials",
    noise: float | None = None,
    latency: float | None = None,
    mix: bool = False,
    learn_from: str | Sequence[str] = AUTO,
    fallback: str = "refuse",
    storage: Storage | None = None,
    progress: bool = True,
    live: bool | Literal["page"] = False,
) -> Run:
    """Improve a task in simulation, in this process; return the run when it has ended.

    The same run as ``icpi run --in-process``: same arguments, same trials.

    Args:
        task: what to improve, its name, or the path of its YAML file.
        improver: registered improver.
        goal: ``(g,)``; None = the task's default goal.
        trials: number of trials in all, the first attempt included.
        seed: of the first attempt, the improver and the hidden physics.
        dataset: examples, or their file; None = the shipped set; where there is none, the default
            improver learns from the run alone (``remark`` of the run says so).
        options: settings of the improver.
        target_cost: stop when a trial costs at most this [m]; 0 = use all trials.
        arm: that executes, its name or the path of its description; None = the task's own.
        world: task in whose scene and physics the motions are carried out, its name or file; None =
            the task itself.
        first: first trial: ``demonstration``, of a task that has one, or ``random``.
        stop: end of the run: ``after-trials``, or ``when-converged``: as soon as the expected gain
            of a further trial is below the noise of one (improver ``embedded``).
        noise: standard deviation of the simulated sensor [m]; None = the task's own.
        latency: of the simulated sensor [s]; None = the task's own.
        mix: examples of another arm are meant.
        learn_from: earlier runs of ``storage`` that it learns from as well: ``store`` = all of the
            same task, arm and backend, ``none``, ids of runs, or ``auto`` = all where there is no
            data set.
        fallback: ``allow`` = begin although the improver's model cannot be asked.
        storage: where the trials go; None = in memory.
        progress: show a bar on standard error.
        live: in a notebook, show the picture of the run and redraw it after every trial;
            ``page`` = the live page of :func:`watch`, whose STOP ends the run after the trial
            under way.

    Returns:
        The run, which may have ended as failed: see its ``state`` and ``reason``.

    Raises:
        UsageError: an argument is not allowed; the message names it and what is.
        KeyboardInterrupt: by the user; with a ``storage`` the run can be resumed, in memory it is
            gone.
    """
    if live not in (False, True, "page"):
        raise UsageError(f"live = {live!r} is not allowed: True, False or 'page'")
    if live:  # before there is a run
        need_notebook()
        if live == "page":
            need_viser()
    task = _task(task)
    simulated = task if world is None else _task(world)
    arm = _arm(task, arm, simulated)
    observation = task.observation.with_given(noise, latency)
    find("fallback").check(fallback)
    if fallback != ALLOW:
        require_model(improver, named(options))
    run = Run(
        task,
        improver=improver,
        goal=goal,
        trials=trials,
        seed=seed,
        dataset=dataset if isinstance(dataset, Dataset | None) else load_dataset(task, dataset),
        options=options,
        target_cost=target_cost,
        storage=storage,
        first=first,
        stop=stop,
        execution=execution_in_process(arm, "" if simulated is task else simulated.name),
        mix=mix,
        learn_from=learn_from,
    )
    if progress and run.remark:
        tqdm.write(f"note: {run.remark}", file=sys.stderr)
    frame = None
    if live == "page":
        from icpi_ros.view.following import RunStop  # viser is a quarter of a second

        frame = _frame(run, arm, stop=RunStop())
        frame.show()
    elif live:
        run.plot(live=True).show()
    with tqdm(total=trials, desc=run.config.task, unit="trial", disable=not progress) as bar:

        def show(trial: Trial) -> None:
            bar.update(len(run.trials) - bar.n)
            if run.best is not None:
                bar.set_postfix_str(f"best {millimetres(run.best.cost)}")
            if frame is not None:
                frame.stop_if_pressed()

        run_simulated(run, arm, observation=observation, on_trial=show, world=simulated)
    return run


def watch(
    run: Run,
    *,
    arm: str | Arm | None = None,
    port: int = 0,
    height: int = 640,
    framed_by: str | Sequence[str] = NOTEBOOKS,
) -> RunFrame:
    """Open the live page of a run and follow it: a notebook shows what is returned in a frame.

    The page is that of ``icpi view``, on this machine and read-only, open until its ``close()`` or
    the end of the process.  Its link, which a notebook keeps in its output, is a key until then.

    Args:
        run: to show, under way or ended.
        arm: to draw, its name or the path of its description; None = that of the run, or the
            task's own.
        port: of the page; 0 = any that is free.
        height: of the frame [pixels].
        framed_by: origins of the pages that may show it inside them, such as
            ``http://localhost:8888``; by default all of this machine.

    Raises:
        UsageError: viser is not installed, or an argument is not allowed.
    """
    require_kind("run", run, Run, "a Run")
    need_viser()
    known = run.execution.arm
    found = arm or (run.task.arm if known == UNKNOWN else known)
    found = found if isinstance(found, Arm) else find_arm(found)
    origins = (framed_by,) if isinstance(framed_by, str) else framed_by
    return _frame(run, found, port, height, origins)


def rollout(
    task: str | Task,
    theta: ArrayLike,
    *,
    physics: ArrayLike | None = None,
    seed: int = 0,
    arm: str | Arm | None = None,
    world: str | Task | None = None,
) -> ObjectTrajectory | list[ObjectTrajectory]:
    """Simulate the path of a task's object under a theta.

    Args:
        task: what is executed, its name, or the path of its YAML file.
        theta: ``(d,)`` policy parameters, or ``(N, d)`` for a list of trajectories.
        physics: hidden physics ``(P,)``; None = that of ``seed``, as in :func:`improve`.
        seed: of the hidden physics.
        arm: that executes, its name or the path of its description; None = the task's own.
        world: task in whose scene the motion is carried out; None = the task itself.

    Returns:
        The object's trajectory in frame ``base``, from the start of the motion until it rests.

    Raises:
        InvalidValue: theta or physics is out of bounds or has the wrong length.
        MotionRefused: the arm cannot execute a theta.
    """
    task = _task(task)
    simulated = task if world is None else _task(world)
    arm = _arm(task, arm, simulated)
    rows, many = _rows(task, theta)
    find("seed").check(whole(seed))
    known = simulated.seeded_physics(seed) if physics is None else physics
    hidden = simulated.physics_space.as_vector(known)
    scene = World(simulated, arm, hidden)
    found = simulate(task, arm, hidden, np.array(rows), world=scene).trajectories
    return found if many else found[0]


def load_dataset(task: str | Task, path: str | Path | None = None) -> Dataset:
    """Read a data set of a task: the file at ``path``, or the one that comes with the package.

    Raises:
        DatasetError: it cannot be read, or is not one of this task.
        InvalidValue: no task, or no path.
    """
    task = _task(task)
    if path is None:
        return datasets.shipped(task)
    require_kind("dataset", path, (str, Path), "a Dataset, or the path of its file")
    return datasets.load(path, task)


def register(part: Part) -> Part:
    """Make a task, an arm or a class of improvers known under its ``name``; return it.

    Also a decorator of a class of improvers.  A cell of a notebook can be run again: what was
    defined under the same name in the same module is replaced.

    Raises:
        UsageError: it is none of these, has no name, or its name is taken.
    """
    name = getattr(part, "name", None)
    if not isinstance(name, str) or not name:
        raise UsageError(f"{part!r} has no name: give it an attribute name")
    registry = _registry(part, name)
    before = registry.registered_as(name)
    if before is not None and _origin(before) == _origin(part):
        registry.forget(name)
    try:
        registry.register(name, part)
    except ValueError as exc:
        raise UsageError(str(exc)) from exc
    return part


def _registry(part: object, name: str) -> Registry[Any]:
    if isinstance(part, Task):
        return TASKS
    if isinstance(part, Arm):
        return ARMS
    if isinstance(part, type) and issubclass(part, Improver):
        return IMPROVERS
    raise UsageError(
        f"{name} is {type(part).__name__}: register a Task, an Arm or an Improver class"
    )


def _origin(part: object) -> str:
    kind = part if isinstance(part, type) else type(part)
    return f"{kind.__module__}.{kind.__qualname__}"


def _frame(
    run: Run,
    arm: Arm,
    port: int = 0,
    height: int = 640,
    framed_by: Sequence[str] = NOTEBOOKS,
    stop: RunStop | None = None,
) -> RunFrame:
    from icpi_ros.view.following import RunFrame  # viser is a quarter of a second
    from icpi_ros.view.page import PageAddress

    return RunFrame(run, arm, PageAddress(port=port, framed_by=tuple(framed_by)), height, stop)


def _task(task: str | Task) -> Task:
    return task if isinstance(task, Task) else find_task(task)


def _rows(task: Task, theta: Any) -> tuple[list[Array], bool]:
    """Return checked thetas ``(d,)``, and whether they were given as ``(N, d)``."""
    try:
        many = np.ndim(theta) == 2
    except ValueError:  # lists of different lengths, which the check refuses
        many = False
    return [task.space.validate(row) for row in (theta if many else [theta])], many


def _arm(task: Task, arm: str | Arm | None, world: Task) -> Arm:
    """Return the arm that executes, if the world can be simulated with it."""
    _ = world.required_scene
    found = arm if isinstance(arm, Arm) else find_arm(arm or task.arm)
    if found.name != world.arm:  # refused now where the scene does not take it
        load_model(world, world.seeded_physics(0), found)
    return found
