"""`icpi calibrate physics` from the command line: a bag or a stored run in, physics out."""

import json

import numpy as np
import pytest
from bag_data import SECOND, START, path, run_messages, trial, window, write
from recorded_trials import FRICTION, PHYSICS, TILT, recorded

from icpi_ros.cli.main import main
from icpi_ros.core.types import Proposal, Trial, TrialStatus
from icpi_ros.evaluate.physics.fit import fit
from icpi_ros.evaluate.physics.physics_file import load
from icpi_ros.ros.bringup.description import graph
from icpi_ros.runs.store.store import RunConfig, TrialStore
from icpi_ros.tasks.slide import SLIDE

LONG = 10 * SECOND


def slide_messages(trials, run_id="run"):
    """What a graph would have recorded of these trials."""
    for number, made in enumerate(trials):
        begin, name = START + number * LONG, f"{run_id}/{number}-abc"
        end = begin + round(made.path.times[-1] * SECOND)
        yield "/trial_window", "TrialWindow", begin, window(0, name, begin)
        yield "/trial_window", "TrialWindow", end, window(1, name, begin, end)
        seen = path(name, begin, made.path.times, made.path.positions)
        yield "/object_trajectory", "ObjectTrajectory", end + 1, seen
        yield "/trials", "Trial", end + 2, trial(end + 2, run_id, number, made.theta)


@pytest.fixture(scope="module")
def trials():
    return recorded()


@pytest.fixture(scope="module")
def bag(trials, tmp_path_factory):
    return write(tmp_path_factory.mktemp("bags") / "run", list(slide_messages(trials)))


def icpi(*words):
    return main(["calibrate", "physics", *map(str, words)])


def refused(capsys, *words):
    assert icpi(*words) == 2
    said = capsys.readouterr()
    assert said.err.startswith("icpi: error: ")
    assert len(said.err.splitlines()) == 1
    return said.err


@pytest.fixture(scope="module")
def fitted():
    """What was fitted, and what came of it, with the effort of the command."""
    return []


@pytest.fixture(scope="module")
def calibrated(bag, fitted, tmp_path_factory):
    """Files that a calibration from the bag's first two trials wrote."""

    def kept(*args, **more):
        fitted.append((args, fit(*args, **more)))
        return fitted[0][1]

    folder = tmp_path_factory.mktemp("out")
    files = ("--out", folder / "p.yaml", "--json", folder / "p.json", "--picture", folder / "p.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("icpi_ros.cli.calibrate_physics.fit", kept)
        assert icpi(bag, "--trials", "0,1", *files) == 0
    return folder


@pytest.mark.slow
def test_a_bag_gives_numbers_yaml_json_and_a_picture(calibrated):
    belief, said = (
        load(calibrated / "p.yaml", SLIDE),
        json.loads((calibrated / "p.json").read_text()),
    )
    assert said["physics"] == list(belief.mean)
    assert [t["name"] for t in said["trials"]] == ["run/0-abc", "run/1-abc"]
    assert [p["known"] for p in said["parameters"]] == [True, False, True]
    span = SLIDE.physics_space.upper - SLIDE.physics_space.lower
    error = np.abs(np.array(belief.mean) - PHYSICS) / span
    assert max(error[FRICTION], error[TILT]) < 0.02
    assert (calibrated / "p.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_simulated_graph_takes_the_file(calibrated):
    given = {"task": "slide", "physics": str(calibrated / "p.yaml")}
    arm = next(spec for spec in graph("sim", given) if spec.executable == "mujoco_arm")
    assert arm.parameters["physics"] == list(load(calibrated / "p.yaml", SLIDE).mean)


def test_a_data_set_is_built_around_the_file(calibrated, tmp_path, capsys):
    out = tmp_path / "d.parquet"
    words = ["dataset", "build", "--task", "slide", "--label", "hindsight", "--examples", "20"]
    words += ["--draws", "2", "--workers", "1", "--out", str(out)]
    assert main([*words, "--physics-file", str(calibrated / "p.yaml")]) == 0
    assert main(["dataset", "show", str(out)]) == 0
    assert "--physics-file physics.yaml" in capsys.readouterr().out


def test_a_stored_run_gives_the_same_as_the_bag(
    calibrated, fitted, trials, tmp_path, capsys, monkeypatch
):
    ((task, arm, of_bag, *rest), found), out = fitted[0], tmp_path / "p.yaml"

    def same(now, its_arm, of_store, *more, **_):
        assert (now, its_arm, more) == (task, arm, tuple(rest))
        for one, other in zip(of_bag, of_store, strict=True):
            np.testing.assert_array_equal(one.theta, other.theta)
            np.testing.assert_array_equal(one.path.times, other.path.times)
            np.testing.assert_array_equal(one.path.positions, other.path.positions)
        return found

    monkeypatch.setattr("icpi_ros.cli.calibrate_physics.fit", same)
    with TrialStore(tmp_path / "s.sqlite") as store:
        run_id = store.create_run(RunConfig("slide", "random", (0.6, 0.42), 4))
        for number, made in enumerate(trials[:2]):
            proposal = Proposal(made.theta, "random")
            store.begin_trial(run_id, number, made.theta, proposal, False)
            done = Trial(
                number, made.theta, proposal, status=TrialStatus.DONE, error=np.zeros(2),
                cost=0.0, trajectory=made.path,
            )  # fmt: skip
            store.finish_trial(run_id, done)
        store.begin_trial(run_id, 2, made.theta, proposal, False)
    assert icpi("--run", run_id, "--store", tmp_path / "s.sqlite", "--out", out) == 0
    said = capsys.readouterr()
    assert said.err == f"icpi: left out: trial {run_id}/2: it has no trajectory\n"
    assert "friction" in said.out
    assert load(out, SLIDE) == load(calibrated / "p.yaml", SLIDE)


def test_arguments_that_do_not_fit_are_one_line(bag, tmp_path, capsys):
    assert "give a BAG" in refused(capsys)
    assert "no bag" in refused(capsys, tmp_path / "none")
    assert "--store is for --run" in refused(capsys, bag, "--store", tmp_path / "s.sqlite")
    assert "no trial 7: it has 0, 1, 2" in refused(capsys, bag, "--trials", "0,7")
    assert "no trial of task 'roll-gc', only of slide" in refused(capsys, bag, "--task", "roll-gc")
    assert "no trial of run 'other'" in refused(capsys, bag, "--run", "other")
    assert "written into the bag" in refused(capsys, bag, "--out", bag / "p.yaml")
    assert "allowed endings" in refused(capsys, bag, "--picture", tmp_path / "p.gif")
    assert "no trial store" in refused(capsys, "--run", "x", "--store", tmp_path / "none.sqlite")


def test_trials_that_cannot_be_used_are_named(tmp_path, capsys):
    without_paths = [m for m in run_messages() if m[1] != "ObjectTrajectory"]
    bag = write(tmp_path / "bag", without_paths)
    assert "can be used (trial run/0-abc: it has no trajectory)" in refused(capsys, bag)


def test_a_stopped_motion_and_a_path_beyond_any_table_are_left_out(trials, tmp_path, capsys):
    messages = list(slide_messages(trials[:2]))
    for _, kind, _, content in messages:
        if kind == "Trial" and content.trial == 0:
            content.status = "failed"
        if kind == "ObjectTrajectory" and content.trial_id.startswith("run/1"):
            content.positions[5].x = 1e200
    found = write(tmp_path / "bag", messages)
    assert "may have been stopped: it is failed" in refused(capsys, found, "--trials", "0")
    assert "it has no trajectory" in refused(capsys, found, "--trials", "1")


def test_paths_of_gaps_alone_are_named(trials, tmp_path, capsys):
    messages = list(slide_messages(trials[:1]))
    for _, kind, _, content in messages:
        if kind == "ObjectTrajectory":
            for position in content.positions[3:]:
                position.x = float("nan")
    bag = write(tmp_path / "bag", messages)
    assert "3 samples of its path are there, at least 10" in refused(capsys, bag)
