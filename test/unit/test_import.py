"""Stored trials become examples: every pair of a run, and clear refusals."""

import numpy as np
import pytest
from pushing_task import PUSHING, closed_form
from toy_task import TOY

from icpi_ros.cli.main import main
from icpi_ros.core.errors import DatasetError, InvalidValue
from icpi_ros.core.types import ObjectTrajectory, Proposal, Trial, TrialStatus
from icpi_ros.evaluate.dataset_from_runs import import_runs
from icpi_ros.learn.dataset.dataset import load, save
from icpi_ros.runs.store.records import RunConfig
from icpi_ros.runs.store.store import TrialStore, UnknownRun
from icpi_ros.tasks import TASKS


@pytest.fixture
def store(tmp_path):
    with TrialStore(tmp_path / "trials.sqlite") as opened:
        yield opened


def add_run(store, trials, grip=0.6, seed=0, **config):
    """Store a run of ``trials`` executed trials under one grip."""
    values = {"task": PUSHING.name, "improver": "random", "goal": (0.6, 0.42), "budget": 9}
    run_id = store.create_run(RunConfig(**values | config))
    rng = np.random.default_rng(seed)
    for number in range(trials):
        theta = PUSHING.space.sample(rng)
        made = closed_form(PUSHING, None, np.array([grip]), theta[np.newaxis])
        finish(store, run_id, number, theta, made.trajectories[0])
    store.release(run_id)
    return run_id


def finish(store, run_id, number, theta, trajectory, status=TrialStatus.DONE):
    proposal = Proposal(theta, "random")
    store.begin_trial(run_id, number, theta, proposal, projected=False)
    error = None if trajectory is None else PUSHING.error(trajectory, PUSHING.default_goal)
    cost = np.nan if error is None else PUSHING.cost(error)
    trial = Trial(
        number, theta, proposal, status=status, error=error, cost=cost, trajectory=trajectory
    )
    store.finish_trial(run_id, trial)


def test_every_pair_of_a_run_is_an_exact_example(store, tmp_path):
    runs = [add_run(store, 4, grip=0.5), add_run(store, 3, grip=0.7, seed=1)]
    found = import_runs(store, PUSHING)
    data = found.dataset
    assert len(data) == 4 * 3 + 3 * 2
    assert np.unique(data.group, return_counts=True)[1].tolist() == [12, 6]
    assert data.provenance["runs"] == runs
    assert found.left_out == ()
    for row in (0, 15):
        grip = np.array([(0.5, 0.7)[data.group[row]]])
        solved = (data.theta + data.dtheta)[[row]]
        end = closed_form(PUSHING, None, grip, solved).trajectories[0]
        np.testing.assert_allclose(PUSHING.error(end, data.goal[row]), 0.0, atol=1e-12)
    save(data, tmp_path / "set.parquet", PUSHING)
    assert len(load(tmp_path / "set.parquet", PUSHING)) == 18


def test_a_named_choice_is_repeatable(store):
    run = add_run(store, 5)
    first = import_runs(store, PUSHING, [run], examples=7, seed=2).dataset
    again = import_runs(store, PUSHING, [run], examples=7, seed=2).dataset
    np.testing.assert_array_equal(first.theta, again.theta)
    assert first.provenance["command"].endswith(f"--run {run} --examples 7 --seed 2")


def test_trials_that_show_nothing_are_not_used(store):
    run = add_run(store, 2)
    unseen = ObjectTrajectory(np.array([0.0]), np.full((1, 3), np.nan))
    theta = PUSHING.space.lower
    finish(store, run, 2, theta, None, TrialStatus.FAILED)
    store.begin_trial(run, 3, theta, Proposal(theta, "random"), projected=False)
    done = Trial(3, theta, Proposal(theta, "random"), status=TrialStatus.DONE)
    store.finish_trial(run, Trial(**done.__dict__ | {"error": np.zeros(2), "trajectory": unseen}))
    assert len(import_runs(store, PUSHING).dataset) == 2


def test_runs_that_are_not_usable(store):
    short, other = add_run(store, 1), add_run(store, 2, task="slide")
    changed = add_run(store, 2, definition_hash="0123456789abcdef")
    with pytest.raises(DatasetError, match=r"has 1 finished trials.*at least 2.*--resume"):
        import_runs(store, PUSHING, [short])
    with pytest.raises(DatasetError, match="is of task 'slide', not 'toy-push'"):
        import_runs(store, PUSHING, [other])
    with pytest.raises(DatasetError, match="another definition of task toy-push"):
        import_runs(store, PUSHING, [changed])
    with pytest.raises(InvalidValue, match="named twice"):
        import_runs(store, PUSHING, [short, short])
    with pytest.raises(UnknownRun):
        import_runs(store, PUSHING, ["nothing"])
    with pytest.raises(DatasetError, match="no run of task toy-push is usable"):
        import_runs(store, PUSHING)
    add_run(store, 2)
    assert len(import_runs(store, PUSHING).left_out) == 2


def test_a_task_without_hindsight_goals(store):
    run = add_run(store, 2)
    with pytest.raises(DatasetError, match="has no hindsight labels"):
        import_runs(store, TOY, [run])


def test_the_command_imports_and_says_what_it_left_out(store, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(TASKS._loaded, PUSHING.name, PUSHING)
    monkeypatch.setattr("icpi_ros.sim.world.load_model", None)  # nothing is simulated
    add_run(store, 3)
    short = add_run(store, 1)
    out = tmp_path / "set.parquet"
    wanted = ["dataset", "import", "--task", PUSHING.name, "--store", str(store.path)]
    assert main([*wanted, "--out", str(out)]) == 0
    done = capsys.readouterr()
    assert "6 examples of toy-push from 1 runs" in done.out
    assert f"left out: run {short}" in done.err
    assert main([*wanted, "--run", short, "--out", str(out)]) == 2


def test_an_empty_store_and_a_missing_one(store, tmp_path):
    with pytest.raises(DatasetError, match="holds no run of task toy-push"):
        import_runs(store, PUSHING)
    wanted = ["dataset", "import", "--task", "slide", "--out", str(tmp_path / "set.parquet")]
    assert main([*wanted, "--store", str(tmp_path / "none.sqlite")]) == 2
    assert not (tmp_path / "none.sqlite").exists()
