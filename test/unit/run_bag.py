"""Bags of simulated runs, as a recorder would have written them."""

from dataclasses import dataclass

import numpy as np
from bag_data import SECOND, START, header, make, path, pose, window, write

from icpi_ros.robots import ARMS
from icpi_ros.runs.in_process import run_in_process
from icpi_ros.runs.run import Run
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import World
from icpi_ros.tasks import TASKS

PAUSE = 2 * SECOND


@dataclass(frozen=True)
class Recording:
    """A run and the improver, seed and goal that it was made with."""

    run_id: str
    task: object
    improver: str
    seed: int
    goal: np.ndarray
    trials: list


def simulate(folder, task="slide-gc", improver="ridge-hindsight", trials=4, seed=3, physics=None):
    """Carry out a run in process."""
    task = TASKS.get(task)
    arm = ARMS.get(task.arm)
    physics = task.seeded_physics(seed) if physics is None else physics
    world = World(task, arm, physics)

    def execute(theta):
        return rollout(task, arm, physics, theta[np.newaxis], world=world).trajectories[0]

    with TrialStore(folder / "trials.sqlite") as store:
        run = Run(task, improver=improver, trials=trials, seed=seed, storage=store)
        run_in_process(run, execute)
        return Recording(run.run_id, task, improver, seed, run.goal, run.trials)


def messages(run, begin=START, run_id=None, pause=PAUSE):
    """(topic, type, ns, message) of a run; poses come on the grid of the task's rest rule."""
    name, found = run_id or run.run_id, []
    for trial in run.trials:
        seen = trial.trajectory
        stamps = begin + np.rint(seen.times * SECOND).astype(np.int64)
        stop, trial_id = int(stamps[-1]), f"{name}/{trial.number}-abc"
        task = run.task.name
        opened = window(0, trial_id, begin, task=task)
        closed = window(1, trial_id, begin, stop, task=task)
        said = path(trial_id, begin, seen.times, seen.positions)
        found.append(("/trial_window", "TrialWindow", begin, opened))
        found += [
            ("/object_pose", "PoseStamped", ns, pose(ns, p))
            for ns, p in zip(stamps.tolist(), seen.positions, strict=True)
        ]
        found.append(("/trial_window", "TrialWindow", stop + 1, closed))
        found.append(("/object_trajectory", "ObjectTrajectory", stop + 2, said))
        found.append(("/trials", "Trial", stop + 3, trial_message(run, trial, stop + 3, name)))
        begin = stop + pause
    return found


def trial_message(run, trial, ns, run_id):
    proposal = trial.proposal
    names = list(run.task.space.names)
    nested = make(
        "icpi_msgs/msg/Proposal",
        run_id=run_id,
        trial=trial.number,
        requested=run.improver,
        provenance=proposal.provenance,
        fallback_reason=proposal.fallback_reason,
        theta_names=names,
        theta=trial.theta,
        projected=trial.projected,
        proposed_theta=proposal.theta,
        moved_reason=trial.moved_back,
        latency=proposal.latency,
        predicted_cost=proposal.predicted_cost,
        predicted_std=proposal.predicted_std,
    )
    return make(
        "icpi_msgs/msg/Trial",
        header=header(ns),
        run_id=run_id,
        trial=trial.number,
        task=run.task.name,
        status=trial.status.value,
        note=trial.note,
        theta_names=names,
        theta=trial.theta,
        goal=run.goal,
        error=trial.error if trial.error is not None else np.zeros(0),
        cost=trial.cost,
        best_cost=trial.best_cost,
        seconds=trial.seconds,
        moving=trial.moving,
        proposal=nested,
    )


def run_bag(folder, *runs, pause=PAUSE):
    """Write one bag of runs, one after the other; return its folder."""
    begin, found = START, []
    for run in runs:
        found += messages(run, begin, pause=pause)
        begin = found[-1][2] + pause
    return write(folder, found)
