"""A task of a YAML file behaves as one of Python: slide as both, and every way to name a file."""

import json
import shlex
from pathlib import Path

import described
import numpy as np
import outsider
import pytest

from icpi_ros.cli.main import main
from icpi_ros.core import plugins
from icpi_ros.core.errors import Kind, ObservationMissing, UsageError
from icpi_ros.core.types import ObjectTrajectory
from icpi_ros.robots import ARMS
from icpi_ros.ros.bringup.description import graph
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.sim.rollout import rollout
from icpi_ros.tasks import TASKS, find_task
from icpi_ros.tasks.described.motions import peak_times
from icpi_ros.tasks.described.reading import load_task
from icpi_ros.tasks.feasibility import simulated_feasibility

SLIDE = Path(__file__).resolve().parents[2] / "examples" / "slide.yaml"
UR5E = ARMS.get("ur5e")
START = np.array([0.6, -0.15, 0.01])


@pytest.fixture(autouse=True)
def _forgotten():
    with outsider.forgotten():
        yield


@pytest.fixture(scope="module")
def both():
    return TASKS.get("slide"), load_task(SLIDE)


def test_slide_as_yaml_costs_the_same_over_random_paths_and_goals(both):
    python, yaml = both
    rng = np.random.default_rng(0)
    for _ in range(200):
        path = np.cumsum(rng.normal(0.0, 0.01, (30, 3)), axis=0) + START
        path[rng.random(30) < 0.05] = np.nan
        seen, goal = ObjectTrajectory(0.01 * np.arange(30), path), python.goal_space.sample(rng)
        if np.isnan(path[-1]).any():
            with pytest.raises(ObservationMissing):
                yaml.error(seen, goal)
            continue
        pairs = ((task.cost(task.error(seen, goal)), task.raw(seen, goal)) for task in both)
        (cost, raw), (same_cost, same_raw) = pairs
        assert abs(cost - same_cost) < 1e-9
        np.testing.assert_allclose(raw, same_raw, atol=1e-9)
        np.testing.assert_allclose(python.outcome_goal(seen), yaml.outcome_goal(seen), atol=1e-9)


@pytest.mark.slow
def test_slide_as_yaml_moves_and_ends_the_same(both):
    python, yaml = both
    rng = np.random.default_rng(1)
    for _ in range(3):
        thetas, physics = python.space.sample(rng, 8), python.sample_physics(rng)
        goal = python.goal_space.sample(rng)
        found = [rollout(task, UR5E, physics, thetas).trajectories for task in both]
        for one, other in zip(*found, strict=True):
            costs = [task.cost(task.error(path, goal)) for task in both for path in (one, other)]
            assert np.ptp(costs) < 1e-9
        for theta in thetas:
            np.testing.assert_allclose(python.ready(theta, UR5E), yaml.ready(theta, UR5E))


def test_slide_as_yaml_has_the_same_boxes_draws_and_target(both):
    python, yaml = both
    for name in ("space", "goal_space", "physics_space", "shifted_space"):
        mine, other = getattr(python, name), getattr(yaml, name)
        assert (mine.names, mine.units) == (other.names, other.units)
        np.testing.assert_array_equal([mine.lower, mine.upper], [other.lower, other.upper])
    np.testing.assert_array_equal(python.seeded_physics(3), yaml.seeded_physics(3))
    assert yaml.how_to_reset == python.how_to_reset
    off = np.array([0.63, -0.15, 0.01])
    assert yaml.misplaced(off) == python.misplaced(off) != ""
    assert yaml.camera_target.target == python.camera_target.target
    assert yaml.camera_target.plane.offset == python.camera_target.plane.offset
    assert (yaml.rest, yaml.max_duration) == (python.rest, python.max_duration)


def test_the_file_of_the_document_is_a_task(tmp_path):
    path = tmp_path / "push.yaml"
    path.write_text(outsider.block("yaml_task.md", "yaml"))
    task = load_task(path)
    assert (task.name, task.scene, task.goal_varies) == ("push", None, True)
    assert task.camera_target.target.name == "puck"


def test_a_swing_moves_the_named_joints_alone(tmp_path):
    motion = {
        "swing": {"acceleration": 10.0},
        "parameters": {"elbow_joint": [-1.4, -1.0], "speed": [1.0, 2.0]},
    }
    task = load_task(described.write(tmp_path, described.changed("motion", motion)))
    trajectory = task.motion(np.array([-1.2, 1.5]), UR5E).trajectory
    travel = trajectory.positions[-1] - trajectory.positions[0]
    np.testing.assert_allclose(travel, [0, 0, -1.2, 0, 0, 0])
    assert np.abs(trajectory.velocities).max() == pytest.approx(1.5)


def test_the_moment_of_release_counts_from_the_highest_speed(tmp_path):
    path = described.write(tmp_path, described.changed("motion.parameters.release", [-3.0, 3.0]))
    task = load_task(path)
    assert task.space.names == ("speed", "heading", "release")
    peak = 2.0 * 0.22 / 1.0  # the end of a run-up at 1 m/s
    offsets = np.array([-3.0, -0.05, 0.0, 0.02, 3.0])
    thetas = np.array([[1.0, 0.1, offset] for offset in offsets])
    np.testing.assert_allclose(task.releases(thetas, UR5E), peak + offsets, atol=1e-3)
    assert task.motion(thetas[2], UR5E).release == pytest.approx(peak, abs=1e-3)
    smooth = peak_times(task.trajectories(thetas, UR5E), UR5E)
    np.testing.assert_allclose(smooth, peak, atol=1e-3)


@pytest.mark.parametrize("offset", [-3.0, 3.0])
def test_a_release_outside_of_the_motion_is_refused_not_moved_into_it(tmp_path, offset):
    path = described.write(tmp_path, described.changed("motion.parameters.release", [-3.0, 3.0]))
    refusal = simulated_feasibility(load_task(path), UR5E)(np.array([1.0, 0.1, offset]))
    assert "is outside of the motion: allowed 0 to" in str(refusal)


def test_a_release_may_be_the_same_for_all_thetas(tmp_path):
    free = load_task(described.write(tmp_path))
    path = described.write(tmp_path, described.changed("motion.release", -0.05))
    task, thetas = load_task(path), np.array([[1.0, 0.1], [0.8, 0.0]])
    assert task.space.names == ("speed", "heading")
    assert free.releases(thetas, UR5E) is None
    expected = 2.0 * 0.22 / thetas[:, 0] - 0.05
    np.testing.assert_allclose(task.releases(thetas, UR5E), expected, atol=1e-3)
    assert task.definition_hash() != free.definition_hash()


def test_a_theta_of_its_own_box_may_be_beyond_its_arm(tmp_path, both):
    """Nobody has tried a described task over its whole box: the gate is asked in simulation."""
    wide = described.changed("motion.parameters.speed", [1.0, 3.0])
    task, fast = load_task(described.write(tmp_path, wide)), np.array([3.0, 0.0])
    assert simulated_feasibility(both[0], UR5E)(fast) is None
    assert simulated_feasibility(task, UR5E)(fast).kind is Kind.JOINT_LIMIT
    assert simulated_feasibility(task, UR5E)(np.array([1.0, 0.0])) is None


@pytest.mark.parametrize("body", ["puk", "pair"])
def test_a_name_that_the_scene_lacks_is_refused_with_those_it_has(tmp_path, body):
    content = described.changed("object.name", body, described.SCENE)
    if body == "pair":
        content = described.changed(
            "physics.mass.sets", {"sliding_friction": "puck_tabel"}, described.SCENE
        )
    task = load_task(described.write(tmp_path, content))
    with pytest.raises(UsageError, match=r"did you mean 'puck") as caught:
        rollout(task, UR5E, task.seeded_physics(0), task.space.sample(np.random.default_rng(0), 1))
    assert "throw.yaml: " in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_is_a_plug_in_wherever_a_task_is_named(tmp_path):
    path = described.write(tmp_path)
    assert find_task(str(path)) is TASKS.get("throw")
    assert plugins.as_options() == ["--plugin", str(path)]
    assert plugins.brought_by(str(path)) == [("task", "throw")]
    plugins.load([str(path)])  # once
    assert plugins.loaded() == (str(path),)


def test_a_name_that_is_taken_is_refused(tmp_path):
    path = described.write(tmp_path, described.changed("task", "slide"))
    with pytest.raises(UsageError, match=r"throw.yaml: task 'slide' is already registered"):
        find_task(str(path))
    assert plugins.loaded() == ()


@pytest.mark.parametrize("argument", ["task", "plugins"])
def test_a_launch_argument_may_be_the_file(tmp_path, argument):
    path = described.write(tmp_path, described.THROW | described.SCENE)
    given = {argument: str(path)} | ({"task": "throw"} if argument == "plugins" else {})
    for spec in graph("sim", given):
        assert spec.parameters["task"] == "throw"
        assert spec.parameters["plugins"] == str(path)


def test_a_wrong_file_is_refused_before_a_node_starts(tmp_path, capsys):
    path = described.write(tmp_path, described.changed("goal.x.default", 9.0))
    assert main(["up", "sim", f"task:={path}"]) == 2
    assert "goal: x: default is 9.0: must be inside the region" in capsys.readouterr().err


def test_a_run_of_a_file_is_stored_and_goes_on_by_the_printed_command(tmp_path, capsys):
    path = described.write(tmp_path, described.THROW | described.SCENE)
    store = tmp_path / "trials.sqlite"
    words = ["run", "--in-process", "--task", str(path), "--improver", "random"]
    words += ["--store", str(store), "--trials", "3"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(described_class(path), "error", _interrupted)
        assert main(words) == 130
    command = capsys.readouterr().out.split("continue with: ")[1].strip()
    with TrialStore(store) as opened:
        (summary,) = opened.runs()
        assert summary.task == "throw"
        record = opened.run(summary.run_id)
    assert record.config.definition_hash == load_task(path).definition_hash()
    with outsider.forgotten():  # as in another process, which has loaded nothing
        assert main([*shlex.split(command)[1:], "--json", str(tmp_path / "run.json")]) == 0
    written = json.loads((tmp_path / "run.json").read_text())
    assert len(written["trials"]) == 3

    path.write_text(path.read_text().replace("run_up: 0.22", "run_up: 0.21"))
    with outsider.forgotten():
        assert main(shlex.split(command)[1:]) == 2
    assert "was made with another definition of task throw" in capsys.readouterr().err


def described_class(path):
    return type(load_task(path))


def _interrupted(*_):
    raise KeyboardInterrupt


def test_a_command_describes_and_checks_a_file(tmp_path, capsys):
    path = described.write(tmp_path)
    assert main(["task", "describe", str(path)]) == 0
    text = capsys.readouterr().out
    assert "throw: task of throw.yaml" in text
    assert "no scene" in text
    assert main(["check-plugin", str(path)]) == 0
    assert "6 of 6 checks passed" in capsys.readouterr().out


SIMULATING = [
    ["run", "--in-process", "--improver", "random"],
    ["run", "--improver", "random"],
    ["dataset", "build", "--examples", "40", "--draws", "2", "--workers", "1", "--out", "OUT"],
    ["bench", "--improvers", "random", "--instances", "2", "--workers", "1"],
    ["up", "sim"],
]


@pytest.mark.parametrize("words", SIMULATING, ids=lambda words: " ".join(words[:3]))
def test_a_command_that_simulates_says_that_there_is_no_scene(tmp_path, capsys, words):
    path = described.write(tmp_path)
    option = "--tasks" if words[0] == "bench" else "--task"
    words = [str(tmp_path / "out.parquet") if word == "OUT" else word for word in words]
    store = ["--store", str(tmp_path / "t.sqlite")] if words[0] == "run" else []
    assert main([*words, option, str(path), *store]) in (1, 2)
    errors = capsys.readouterr().err.strip().splitlines()
    assert "task throw has no scene and cannot be simulated here" in errors[-1]
    assert "--world" in errors[-1]
    assert "scene: FILE.xml" in errors[-1]
