"""What a replay needs of the core: mapping files, trials judged again, command lines, figures."""

import json
from dataclasses import replace

import numpy as np
import pytest
from bag_data import run_messages, write
from icpi_benchmarks.speed.bags import measure, write_camera_bag, write_pose_bag

from icpi_ros.bags import topics as known
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.topics import read_mapping
from icpi_ros.bags.trials import read_trials
from icpi_ros.cli.main import main
from icpi_ros.core.errors import InvalidValue, ObservationMissing, UnknownName, UsageError
from icpi_ros.core.types import ObjectTrajectory, Proposal, Trial
from icpi_ros.ros.base import topics as live
from icpi_ros.runs.in_process import run_in_process
from icpi_ros.runs.run import Run
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.tasks import TASKS

TASK = TASKS.get("slide")


def rollout(theta):
    """A made-up slide: straight, further with more speed."""
    times = np.linspace(0.0, 1.0, 101)
    way = np.outer(times, [0.1 * theta[1], 0.5 * theta[0], 0.0])
    return ObjectTrajectory(times, np.array([0.6, -0.15, 0.01]) + way)


@pytest.mark.parametrize("max_step", [1.0, 0.1])
def test_the_same_history_and_seed_give_the_proposals_of_the_run(tmp_path, max_step):
    with TrialStore(tmp_path / "t.sqlite") as store:
        run = Run(
            TASK, improver="ridge-hindsight", trials=4, seed=5, storage=store, max_step=max_step
        )
        run_in_process(run, rollout)
    again = Run(TASK, improver="ridge-hindsight", goal=run.goal, seed=5, max_step=max_step)
    for trial, follower in zip(run.trials, [*run.trials[1:], None], strict=True):
        done = again.take(trial, rollout(trial.theta))
        np.testing.assert_array_equal(done.error, trial.error)
        proposed = again.preview(trial.number + 1)
        assert (done.cost, done.best_cost) == (trial.cost, trial.best_cost)
        if follower is not None:
            assert proposed.number == follower.number
            np.testing.assert_array_equal(proposed.theta, follower.theta)
            assert proposed.projected == follower.projected


def test_what_does_not_show_the_task_is_not_taken_into_the_history():
    again, found = Run(TASK, improver="random"), Trial(0, np.ones(2), Proposal(np.ones(2), "x"))
    blind = ObjectTrajectory(np.array([0.0, 0.1]), np.full((2, 3), np.nan))
    with pytest.raises(ObservationMissing):
        again.take(found, blind)
    with pytest.raises(InvalidValue):
        again.take(replace(found, theta=np.ones(1)), rollout(np.ones(2)))
    assert again.history == []
    with pytest.raises(InvalidValue):
        Run(TASK, improver="random", goal=[0.6])


def test_the_names_of_topics_are_those_of_the_nodes():
    names = {value for name, value in vars(live).items() if name.isupper()}
    ours = set(known.TYPES) - {known.CLOCK, known.PARAMETERS}
    assert ours <= names


def test_a_mapping_is_read_from_yaml(tmp_path):
    file = tmp_path / "topics.yaml"
    file.write_text("object_pose: vicon/puck\ntrials: /lab/trials\n")
    assert read_mapping(file) == {"object_pose": "/vicon/puck", "trials": "/lab/trials"}


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("", UsageError, "expected lines such as"),
        ("- a\n- b\n", UsageError, "expected lines such as"),
        ("object_pose: 3\n", UsageError, "expected lines such as"),
        ("pose: /vicon\n", UnknownName, "choose one of camera/camera_info"),
        ("a: [", UsageError, "cannot read the mapping"),
        ("\t[[", UsageError, "cannot read the mapping"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_one_line(tmp_path, text, error, words):
    file = tmp_path / "topics.yaml"
    file.write_text(text)
    with pytest.raises(error, match=words) as caught:
        read_mapping(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"object_pose": "/nowhere"}, "/nowhere is not in the bag; its topics are /object_pose"),
        ({"object_pose": "/trials"}, "/trials is icpi_msgs/msg/Trial, expected geometry_msgs"),
    ],
)
def test_a_mapping_that_does_not_fit_the_bag_is_one_line(tmp_path, mapping, words):
    folder = write(tmp_path / "bag", run_messages())
    with pytest.raises(UsageError, match=words):
        Bag(folder, mapping)


def test_the_command_line_takes_bag_rate_and_folder(tmp_path, monkeypatch):
    started = []

    def run_graph(specs, page=None):
        started.append(specs)
        return 0

    monkeypatch.setattr("icpi_ros.cli.up.run_graph", run_graph)
    write(tmp_path / "bag", run_messages())
    assert main(["up", "replay", str(tmp_path / "bag"), "improver:=knn", "--rate", "4"]) == 0
    assert main(["up", "sim", "--record", str(tmp_path / "new")]) == 0
    replay, sim = ({spec.name: spec.parameters for spec in specs} for specs in started)
    assert replay["replay"]["bag"] == str(tmp_path / "bag")
    assert (replay["replay"]["rate"], replay["replay"]["improver"]) == (4.0, "knn")
    assert replay["perception"]["task"] == "slide"  # as recorded
    assert sim["recorder"]["folder"] == str(tmp_path / "new")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["up", "replay"], "which bag"),
        (["up", "replay", "/nowhere"], "there is no bag /nowhere"),
        (["up", "replay", "bag", "--task", "slide", "--rate", "fast"], "argument rate = 'fast'"),
        (["up", "sim", "--record", "/"], "/ exists: a recording needs a folder of its own"),
        (["up", "sim", "--rate", "2"], "unknown argument 'rate'"),
    ],
)
def test_a_wrong_command_line_is_one_line(capsys, words, said):
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("source", ["tracked_pose", "camera"])
def test_the_benchmark_reads_what_it_wrote(tmp_path, source):
    path = tmp_path / "bench.mcap"
    if source == "camera":
        write_camera_bag(path, 10_000_000)
    else:
        write_pose_bag(path, 20)
    found = measure(path, source)
    assert Bag(path).skipped == []
    trials = len(read_trials(Bag(path)))
    assert trials == (4 if source == "tracked_pose" else 1)
    assert found.samples > 50
    assert found.times_real > 0.0
    assert (found.seen_seconds > 0.0) == (source == "camera")


def test_the_benchmark_prints_and_writes_its_figures(tmp_path, capsys):
    out = tmp_path / "figures.json"
    command = ["bench-bag", "--seconds", "10", "--folder", str(tmp_path), "--json", str(out)]
    assert main(command) == 0
    assert "x real time" in capsys.readouterr().out
    found = json.loads(out.read_text())
    assert (found["source"], found["samples"]) == ("tracked_pose", 402)


@pytest.mark.slow
def test_the_benchmark_replays_a_run_that_a_camera_saw(tmp_path, capsys):
    out = tmp_path / "figures.json"
    command = ["bench-bag", "--source", "camera", "--trials", "2", "--json", str(out)]
    assert main(command) == 0
    assert "2 trials, 4." in capsys.readouterr().out
    found = json.loads(out.read_text())
    assert found["seconds"]["perceive"] > 0.0
    assert found["factor"] == pytest.approx(found["recorded"] / found["seconds"]["total"])
    assert (found["same_proposals"], found["proposals"]) == (1, 1)
    assert main([*command[:1], "--trials", "2"]) == 2
    assert "--trials is for --source camera" in capsys.readouterr().err
