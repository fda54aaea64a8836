"""docs/own_task.md is what it says: its code blocks are written to files and used here."""

import numpy as np
import outsider
import pytest

from icpi_ros.core import plugins
from icpi_ros.evaluate.survey import SurveyPlan, survey
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.robots import ARMS
from icpi_ros.runs.in_process import run_in_process
from icpi_ros.runs.run import Run
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.sim.rollout import rollout
from icpi_ros.tasks import TASKS


@pytest.fixture
def push(tmp_path):
    path, _ = outsider.write_files(tmp_path)
    with outsider.forgotten():
        plugins.load([str(path)])
        yield TASKS.get("push")


def test_a_task_is_under_60_lines():
    blocks = [outsider.block("own_task.md", language) for language in ("xml", "python")]
    assert len("".join(blocks).splitlines()) < 60


def test_it_is_registered_beside_the_others(push):
    assert {"push", "slide"} <= set(TASKS.names())
    arm = ARMS.get(push.arm)
    for theta in np.linspace(push.space.lower, push.space.upper, 9):
        motion = push.motion(theta, arm)
        SafetyGate(arm).check(motion.trajectory, motion.start)


def test_it_is_worth_iterating(push):
    found = survey(push, ARMS.get(push.arm), SurveyPlan(draws=2, samples=16, local=4, line=9))
    assert found.best_cost.max() < 0.005
    assert found.first_cost.mean() > 0.03


def test_three_trials_improve_it(push, tmp_path):
    arm, physics = ARMS.get(push.arm), push.seeded_physics(3)
    with TrialStore(tmp_path / "trials.sqlite") as store:
        run = Run(
            push,
            improver="ridge-hindsight",
            goal=[0.3],
            trials=3,
            seed=1,
            dataset=examples(push, arm),
            storage=store,
        )
        run_in_process(run, lambda theta: rollout(push, arm, physics, theta[None]).trajectories[0])
        assert run.state == "finished"
        costs = [trial.cost for trial in run.trials]
    assert len(costs) == 3
    assert costs[0] > 0.02
    assert min(costs) < 0.01


def examples(task, arm, draws=3, count=12):
    """Brute-force examples: the best of some theta under the same physics is the label."""
    rng, parts = np.random.default_rng(0), []
    for group in range(draws):
        thetas = task.space.sample(rng, count)
        paths = rollout(task, arm, task.sample_physics(rng), thetas).trajectories
        errors = np.array([task.error(path, task.default_goal) for path in paths])
        best = thetas[np.argmin(np.abs(errors[:, 0]))]
        parts.append((thetas, errors, best - thetas, np.full(count, group)))
    theta, error, dtheta, group = (np.concatenate(column) for column in zip(*parts, strict=True))
    cost = np.abs(error[:, 0])
    unknown = np.full(len(theta), np.nan)
    goal = np.tile(task.default_goal, (len(theta), 1))
    return Dataset(task.name, theta, error, dtheta, goal, cost, unknown, group)
