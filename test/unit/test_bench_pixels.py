"""The benchmark of perception: tiny runs with sane results, an occlusion that is one, bad input."""

import json
from dataclasses import replace

import numpy as np
import pytest
from icpi_benchmarks.pixels import cases
from icpi_benchmarks.pixels import cost as cost_module
from icpi_benchmarks.pixels.accuracy import Sighting, summary
from icpi_benchmarks.pixels.cases import CASES, Band, in_picture
from icpi_benchmarks.pixels.cost import CostWork, Played, cost_summary
from icpi_benchmarks.pixels.filming import Film

from icpi_ros.cli.main import main
from icpi_ros.core.types import ObjectTrajectory
from icpi_ros.learn.dataset.dataset import shipped
from icpi_ros.perception.targets import outline, tracked_target
from icpi_ros.robots import ARMS
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.sim.camera import true_camera
from icpi_ros.sim.camera_settings import CameraSettings
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import World
from icpi_ros.tasks import TASKS

SLIDE, WATCHED = TASKS.get("slide"), tracked_target(TASKS.get("slide"))


@pytest.fixture(scope="module")
def camera():
    return true_camera(
        World(SLIDE, ARMS.get(SLIDE.arm), SLIDE.seeded_physics(0)).model, "", CameraSettings()
    )


@pytest.fixture(scope="module")
def path():
    thetas, arm = np.array([[1.0, 0.3]]), ARMS.get(SLIDE.arm)
    return rollout(SLIDE, arm, SLIDE.seeded_physics(0), thetas).trajectories[0]


@pytest.mark.slow
def test_a_tiny_run_prints_and_keeps_sane_results(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cost_module, "ADJUSTMENTS", 2)  # each is filmed: as good as five here
    out = tmp_path / "pixels.json"
    words = ["bench-pixels", "--tasks", "slide", "--trials", "1", "--instances", "1"]
    assert main([*words, "--workers", "1", "--json", str(out)]) == 0
    printed = capsys.readouterr()
    assert "\r" not in printed.err  # a pipe: no progress bar
    assert len(printed.out.splitlines()) == 6
    kept = json.loads(out.read_text())
    assert [row["case"] for row in kept["accuracy"]] == list(CASES)
    assert len(kept["trials"]) == 3
    for row in kept["accuracy"]:
        assert 0.0 < row["median"] <= row["worst"] < 2e-3
        assert row["unmarked"] == 0
    (cost,) = kept["cost"]
    assert 0.0 < cost["truth"] < 0.05
    assert 0.0 < cost["pixels"] < 0.05


@pytest.mark.slow
def test_a_trial_does_not_depend_on_the_others(tmp_path):
    found = []
    for count in (1, 2):
        out = tmp_path / f"{count}.json"
        words = ["--tasks", "slide", "--cases", "ideal", "--instances", "0", "--workers", "1"]
        main(["bench-pixels", *words, "--trials", str(count), "--json", str(out)])
        found.append(json.loads(out.read_text())["trials"][0])
    assert found[0] == found[1]


def test_the_band_hides_the_whole_object_for_its_time_and_no_longer(camera, path):
    made = Film((), 10**9, 10**9 + round(1e9 * path.times[-1]), path, True)
    band, times = Band.of(WATCHED, camera, made), []
    white = np.full((240, 320, 3), 255, np.uint8)
    for time, place in zip(path.times, path.positions, strict=True):
        columns = outline(WATCHED.target, camera, WATCHED.plane, place)[:, 0]
        row = band.over(white, made.start_ns + round(1e9 * time))[0, :, 0]
        if (row[int(columns.min()) : int(columns.max()) + 1] < 255).all():
            times.append(time)
    assert white.min() == 255
    assert times[-1] - times[0] == pytest.approx(0.3, abs=0.03)
    way = np.linalg.norm(path.positions - path.positions[0], axis=1)
    middle = np.interp(0.5 * (times[0] + times[-1]), path.times, way)
    assert middle == pytest.approx(0.5 * way[-1], rel=0.2)
    assert not band.marked(made, path)
    hidden = path.positions.copy()
    hidden[(path.times >= times[0]) & (path.times <= times[-1])] = np.nan
    assert band.marked(made, ObjectTrajectory(path.times, hidden))


def test_an_object_that_leaves_the_picture_is_noticed(camera, path):
    assert in_picture(WATCHED, camera, path)
    away = ObjectTrajectory(path.times, path.positions + np.array([0.0, 0.7, 0.0]))
    assert not in_picture(WATCHED, camera, away)


def test_summaries_by_hand():
    one = Sighting("ideal", 0, 0.4e-3, True, "", True, 1)
    trials = [one, replace(one, error=float("nan"), good=False), replace(one, error=0.2e-3)]
    row = summary("slide", "ideal", [*trials, replace(one, case="typical")])
    assert (row.trials, row.unseen, row.left_out, row.unmarked) == (3, 1, 3, 0)
    assert row.good == pytest.approx(2 / 3)
    assert row.median == pytest.approx(0.3e-3)
    assert not row.passed  # a third has no last position
    assert summary("slide", "ideal", [*[trials[0]] * 19, trials[1]]).passed
    assert not summary("slide", "ideal", [replace(one, marked=False)]).passed
    assert not summary("slide", "ideal", [replace(one, error=0.6e-3)]).passed
    assert not summary("slide", "ideal", [replace(one, error=float("nan"))]).passed

    played = [Played(0, 1e-3, 2e-3, 1, 0, ()), Played(1, 3e-3, 6e-3, 0, 1, ())]
    cost = cost_summary("slide", played)
    assert (cost.repeated, cost.skipped, cost.ratio) == (1, 1, pytest.approx(2.0))
    assert cost.limit == pytest.approx(4e-3)
    assert cost.passed
    assert not cost_summary("slide", [replace(played[0], pixels=3e-3)]).passed


@pytest.mark.slow
def test_a_trial_that_nobody_sees_is_repeated_once_and_never_guessed(monkeypatch):
    monkeypatch.setattr(cases, "WEBCAM", CameraSettings(rate=5.0, gain=0.0))
    played = CostWork(SLIDE, UR5E, shipped(SLIDE), 0)(0)
    assert (played.repeated, played.skipped) == (6, 6)
    assert set(played.reasons) == {"the object was never seen"}
    assert np.isinf(played.pixels)
    assert np.isfinite(played.truth)
    row = cost_summary("slide", [played, Played(1, 1e-3, 2e-3, 0, 0, ())])
    assert (row.blind, row.truth, row.pixels) == (1, 1e-3, 2e-3)
    assert not row.passed
    assert not cost_summary("slide", [played]).passed


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--tasks", "chess"], "chess"),
        (["--cases", "foggy"], "foggy"),
        (["--json", "/nowhere/x.json"], "its folder does not exist"),
    ],
)
def test_bad_input_is_one_line(words, told, capsys):
    assert main(["bench-pixels", *words]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert told in printed.err
    assert printed.err.count("\n") == 1
