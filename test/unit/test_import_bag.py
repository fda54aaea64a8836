"""Recorded bags become examples: every pair of a run, with where it came from."""

import numpy as np
import pytest
from bag_data import write
from run_bag import messages, run_bag, simulate

from icpi_ros.bags.reader import Bag
from icpi_ros.cli.main import main
from icpi_ros.core.errors import DatasetError
from icpi_ros.evaluate.dataset_from_bags import import_bags
from icpi_ros.learn.dataset.dataset import load, shipped
from icpi_ros.tasks import TASKS

TASK = TASKS.get("slide-gc")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [simulate(folder, improver="random", trials=n, seed=n) for n in (3, 4)]


@pytest.fixture(scope="module")
def bag(tmp_path_factory, runs):
    return run_bag(tmp_path_factory.mktemp("bags") / "bag", *runs)


def test_every_pair_of_a_run_is_an_exact_example(bag, runs, tmp_path):
    out = tmp_path / "set.parquet"
    order = ["dataset", "import", "--task", "slide-gc", "--bag", str(bag), "--out", str(out)]
    assert main(order) == 0
    data = load(out, TASK)
    assert len(data) == 3 * 2 + 4 * 3
    assert np.unique(data.group, return_counts=True)[1].tolist() == [6, 12]
    executed = np.concatenate([[t.theta for t in run.trials] for run in runs])
    for theta in data.theta + data.dtheta:
        assert np.min(np.abs(executed - theta).max(axis=1)) < 1e-12
    np.testing.assert_allclose(data.label_cost, 0.0, atol=1e-9)
    made = data.provenance
    assert made["executed"] == [
        {"bag": str(bag), "run": run.run_id, "trials": list(range(len(run.trials)))} for run in runs
    ]
    assert made["source"] == "recorded bags"


def test_runs_of_one_physics_are_paired_with_each_other(bag):
    data = import_bags([Bag(bag)], TASK, one_physics=True).dataset
    assert len(data) == 7 * 6
    assert set(data.group) == {0}


def test_examples_go_behind_a_known_set(bag, tmp_path):
    out = tmp_path / "set.parquet"
    order = ["dataset", "import", "--task", "slide-gc", "--bag", str(bag), "--with", "shipped"]
    assert main([*order, "--out", str(out)]) == 0
    known, data = shipped(TASK), load(out, TASK)
    assert len(data) == len(known) + 18
    assert len(np.unique(data.group)) == len(np.unique(known.group)) + 2
    assert data.provenance["with"]["examples"] == len(known)


def test_a_named_run_and_a_number_of_examples(bag, runs):
    name = runs[1].run_id
    first = import_bags([Bag(bag)], TASK, [name], examples=5, seed=1).dataset
    again = import_bags([Bag(bag)], TASK, [name], examples=5, seed=1).dataset
    np.testing.assert_array_equal(first.theta, again.theta)
    assert len(first) == 5
    assert first.provenance["runs"] == [name]
    with pytest.raises(DatasetError, match="run nothing is in none of the bags"):
        import_bags([Bag(bag)], TASK, ["nothing"])


def test_without_recorded_paths_perception_is_done_again(tmp_path, runs, bag):
    kept = [m for m in messages(runs[0]) if m[0] != "/object_trajectory"]
    seen = import_bags([Bag(write(tmp_path / "bag", kept))], TASK).dataset
    known = import_bags([Bag(bag)], TASK, [runs[0].run_id]).dataset
    np.testing.assert_allclose(seen.error, known.error, atol=1e-9)
    assert f"--run {runs[0].run_id}" in known.provenance["command"]


def test_a_run_with_one_trial_is_left_out_and_said(tmp_path, runs, capsys):
    short = simulate(tmp_path, improver="random", trials=1, seed=9)
    both = run_bag(tmp_path / "bag", runs[0], short)
    found = import_bags([Bag(both)], TASK)
    assert found.dataset.provenance["runs"] == [runs[0].run_id]
    assert any(short.run_id in line and "at least 2" in line for line in found.left_out)
    alone = run_bag(tmp_path / "alone", short)
    out = str(tmp_path / "set.parquet")
    code = main(["dataset", "import", "--task", "slide-gc", "--bag", str(alone), "--out", out])
    assert code == 2
    assert "no run of task slide-gc is usable" in capsys.readouterr().err


def test_a_bag_of_another_task_is_one_clear_line(bag, tmp_path, capsys):
    out = str(tmp_path / "set.parquet")
    code = main(["dataset", "import", "--task", "roll-gc", "--bag", str(bag), "--out", out])
    error = capsys.readouterr().err.strip()
    assert code == 2
    assert "its runs are of slide-gc" in error
    assert "\n" not in error


def test_options_of_bags_need_a_bag(tmp_path, capsys):
    out = str(tmp_path / "set.parquet")
    code = main(["dataset", "import", "--task", "slide-gc", "--one-physics", "--out", out])
    assert (code, "give --bag" in capsys.readouterr().err) == (2, True)
