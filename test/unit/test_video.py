"""A video shows what happened: the trial simulated again, or the path as it was seen."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from icpi_ros.core.errors import UsageError
from icpi_ros.core.types import ObjectTrajectory, Proposal, Trial, TrialStatus
from icpi_ros.learn.dataset.execution import Execution
from icpi_ros.report.run import video
from icpi_ros.robots import ARMS
from icpi_ros.runs.store.records import RunConfig, RunRecord
from icpi_ros.sim.film import take, view_of
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import World
from icpi_ros.tasks import TASKS

SEED = 3


def simulated(task, thetas):
    """Trials of a task under the physics of the seed."""
    arm, physics = ARMS.get(task.arm), task.seeded_physics(SEED)
    paths = rollout(task, arm, physics, np.array(thetas)).trajectories
    return [
        Trial(n, np.array(theta), Proposal(np.array(theta), ""), status=TrialStatus.DONE,
              cost=0.2 / (n + 1), trajectory=path)
        for n, (theta, path) in enumerate(zip(thetas, paths, strict=True))
    ]  # fmt: skip


@pytest.fixture(scope="module")
def slide():
    return TASKS.get("slide")


@pytest.fixture(scope="module")
def trials(slide):
    return simulated(slide, [[0.7, -0.2], [1.03, -0.04]])


def moved(trial, by):
    """The trial as if its object had gone elsewhere, little by little."""
    seen = trial.trajectory
    off = np.linspace(0.0, 1.0, len(seen.times))[:, np.newaxis] * by
    return replace(trial, trajectory=ObjectTrajectory(seen.times, seen.positions + off))


def record(slide):
    config = RunConfig("slide", "embedded", tuple(slide.default_goal), 2, seed=SEED)
    return RunRecord("run", "", config, "finished", "", Execution())


def test_a_take_is_the_trial_again_or_the_path_that_was_seen(slide, trials):
    arm = ARMS.get(slide.arm)
    world = World(slide, arm, slide.seeded_physics(SEED))
    trial = trials[0]
    again = take(slide, world, arm, trial.theta, trial.trajectory, 0.1)
    assert again.simulated
    places = np.searchsorted(trial.trajectory.times, again.times - 1e-9)[:-1]
    np.testing.assert_allclose(again.path[:-1], trial.trajectory.positions[places], atol=1e-6)
    other = moved(trial, [0.1, 0.0, 0.0])
    seen = take(slide, world, arm, trial.theta, other.trajectory, 0.1)
    assert not seen.simulated
    np.testing.assert_allclose(seen.path[:-1], other.trajectory.positions[places], atol=1e-9)
    arm_joints = [int(world.model.joint(name).qposadr[0]) for name in arm.joints]
    np.testing.assert_array_equal(seen.states[:, arm_joints], again.states[:, arm_joints])
    (first,) = np.flatnonzero(np.abs(seen.states - again.states).max(axis=0) > 0.05)
    assert seen.states[-1, first] - again.states[-1, first] == pytest.approx(0.1, abs=0.02)


def test_a_rope_whose_shape_is_not_known_is_refused():
    rope = TASKS.get("rope-swing")
    (trial,) = simulated(rope, [[1.2, -2.0, -1.3]])
    arm = ARMS.get(rope.arm)
    world = World(rope, arm, rope.seeded_physics(SEED))
    with pytest.raises(UsageError, match="shape is not known"):
        take(rope, world, arm, trial.theta, moved(trial, [0.1, 0, 0]).trajectory, 0.1)


@pytest.mark.parametrize("upright", [False, True])
def test_a_view_holds_all_points(upright):
    points = np.random.default_rng(0).normal(size=(30, 3))
    view = view_of(points, upright, 1.2)
    flat = np.array([np.cos(view.azimuth), np.sin(view.azimuth), 0.0])
    back = np.cos(view.elevation) * flat + np.sin(view.elevation) * np.array([0.0, 0.0, 1.0])
    right = np.array([-np.sin(view.azimuth), np.cos(view.azimuth), 0.0])
    seen = points - view.centre
    depth = view.distance - seen @ back
    assert depth.min() > 0.0
    across, up = (seen @ axis / depth / np.tan(0.3) for axis in (right, np.cross(back, right)))
    assert np.abs(across).max() < 1.2
    assert 0.5 < max(np.abs(across).max() / 1.2, np.abs(up).max()) < 1.0


@pytest.mark.parametrize("ending", [".gif", ".mp4"])
def test_first_and_best_stand_side_by_side(slide, trials, tmp_path, monkeypatch, ending):
    monkeypatch.setattr(video, "WIDTH", 120)
    monkeypatch.setattr(video, "HEIGHT", 100)
    monkeypatch.setattr(video, "RATE", 4.0)
    path = tmp_path / f"run{ending}"
    video.save_video(path, record(slide), slide, trials, slide.default_goal)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    if ending == ".mp4":
        film = cv2.VideoCapture(str(path))
        assert film.get(cv2.CAP_PROP_FRAME_COUNT) > 10
        _, frame = film.read()
        assert frame.shape == (146, 244, 3)
        return
    with Image.open(path) as shown:
        assert shown.size == (244, 146)
        assert shown.info["loop"] == 0
        first = np.asarray(shown.convert("RGB")).astype(int)
        shown.seek(shown.n_frames - 1)
        assert shown.info["duration"] == 2000
        last = np.asarray(shown.convert("RGB")).astype(int)
    changed = np.abs(last - first).max(axis=2)[video.STRIP :] > 40
    assert changed[:, :120].any()
    assert changed[:, 124:].any()


def test_a_take_is_no_longer_than_its_task_allows(slide, trials):
    path = trials[0].trajectory
    places = np.vstack([path.positions, path.positions[-1]])
    endless = ObjectTrajectory(np.append(path.times, 1e9), places)
    arm = ARMS.get(slide.arm)
    world = World(slide, arm, slide.seeded_physics(SEED))
    found = take(slide, world, arm, trials[0].theta, endless, 0.1)
    assert found.times[-1] <= slide.max_duration + 0.1


def test_a_video_that_is_broken_off_leaves_nothing(tmp_path, monkeypatch):
    class Writer:
        fourcc = staticmethod(cv2.VideoWriter.fourcc)

        def __init__(self, *_):
            pass

        def isOpened(self):
            return True

        def write(self, _):
            (tmp_path / "x.tmp.mp4").touch()
            raise KeyboardInterrupt

        def release(self):
            pass

    monkeypatch.setattr(cv2, "VideoWriter", Writer)
    with pytest.raises(KeyboardInterrupt):
        video._write_mp4(tmp_path / "x.tmp", [Image.new("RGB", (8, 8))])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "count", "reason"),
    [("a.avi", 2, "allowed endings are .gif and .mp4"), ("a.gif", 0, "nothing to film")],
)
def test_what_cannot_be_filmed_is_refused(slide, trials, tmp_path, name, count, reason):
    with pytest.raises(UsageError, match=reason):
        video.save_video(tmp_path / name, record(slide), slide, trials[:count], slide.default_goal)
    assert not list(tmp_path.iterdir())


def test_a_task_without_a_scene_is_refused(slide, trials, tmp_path, monkeypatch):
    monkeypatch.setattr(type(slide), "scene", None)
    with pytest.raises(UsageError, match="has no scene"):
        video.save_video(tmp_path / "a.gif", record(slide), slide, trials, slide.default_goal)
