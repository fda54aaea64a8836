"""A task of a YAML file, which knows nothing of the scene, in the world of another task."""

import sys

import outsider
import pytest
import warm

from icpi_ros.cli.main import main
from icpi_ros.runs.store.store import TrialStore

from .command_line import icpi
from .conftest import HANG

THROW = """
task: throw
arm: ur5e
motion:
  strike: {start: [0.6, -0.186, 0.01], pivot: [0.6, -0.15, 0.01], run_up: 0.22, deceleration: 8}
  parameters: {speed: [0.6, 1.6], heading: [-0.35, 0.35]}
observe: {at: rest, coordinates: [x, y]}
goal: {x: {lower: 0.5, upper: 0.7}, y: {lower: 0.38, upper: 0.45}}
object:
  name: puck
  camera: {shape: disc, hues: [[0, 20], [340, 360]], radius: 0.03, height: 0.02, plane: {z: 0.01}}
rest: {speed: 0.01, window: 0.1}
max_duration: 6.0
reset: {place: {x: 0.6, y: -0.15}}
"""


@pytest.fixture
def throw(tmp_path):
    path = tmp_path / "throw.yaml"
    path.write_text(THROW)
    return path


def costs(store):
    """Return the one run of a store, and what its trials cost."""
    with TrialStore(store) as opened:
        (run,) = opened.runs()
        return run, [trial.cost for trial in opened.trials(run.run_id)]


@pytest.mark.parametrize(
    ("source", "trials", "near"), [("tracked_pose", 2, 1e-4), ("camera", 1, 5e-3)]
)
def test_a_run_through_a_graph_is_that_in_process(
    tmp_path, throw, monkeypatch, source, trials, near
):
    monkeypatch.chdir(tmp_path)
    given = ["--task", throw.name, "--world", "slide", "--improver", "random"]
    given += ["--trials", str(trials)]
    process = icpi(["run", *given, "--source", source, "--store", tmp_path / "graph.sqlite"])
    _, error = process.communicate(timeout=HANG)
    assert process.returncode == 0, error
    with outsider.forgotten():
        assert main(["run", *given, "--in-process", "--store", "here.sqlite"]) == 0
    run, found = costs(tmp_path / "graph.sqlite")
    _, expected = costs(tmp_path / "here.sqlite")
    assert (run.task, run.execution.world, run.execution.source) == ("throw", "slide", source)
    assert found == pytest.approx(expected, abs=near)


def test_a_node_on_its_own_takes_the_file(throw):
    throw.write_text(THROW.replace("lower: 0.5", "lower: 500"))
    node = [sys.executable, "-m", "icpi_ros.ros.nodes.viewer", "--ros-args"]
    done = warm.run([*node, "-p", f"task:={throw}"], timeout=HANG)
    assert done.returncode == 2, done.stderr
    assert "goal: x: lower is 500: must be at most 10 m" in done.stderr
