"""An outsider's task, improver and arm in a graph that `icpi run` starts."""

import os
import sys

import outsider
import pytest
import warm

from icpi_ros.core.types import TrialStatus
from icpi_ros.runs.store.store import TrialStore

from .command_line import icpi
from .conftest import HANG


def package(folder, patch):
    """The outsider's package, installed: no option is needed."""
    outsider.install(folder / "site")
    patch.setenv("PYTHONPATH", str(folder / "site"), prepend=os.pathsep)
    return ["--arm", "lab_ur10e"]


def files(folder, patch):
    """The outsider's files, one as an option and one in the environment."""
    outsider.write_files(folder)
    patch.setenv("ICPI_PLUGINS", "nearby.py")
    return ["--plugin", "push.py"]


@pytest.mark.parametrize(("way", "arm"), [(package, "lab_ur10e"), (files, "ur5e")])
def test_a_run_through_a_graph_has_the_parts_of_its_command(tmp_path, monkeypatch, way, arm):
    options = way(tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)
    store = tmp_path / "trials.sqlite"
    given = "run --task push --improver nearby --trials 2"
    process = icpi([*given.split(), *options, "--store", store])
    _, error = process.communicate(timeout=HANG)
    assert process.returncode == 0, error
    with TrialStore(store) as opened:
        (run,) = opened.runs()
        trials = opened.trials(run.run_id)
    assert (run.task, run.improver, run.execution.arm) == ("push", "nearby", arm)
    assert [t.proposal.provenance for t in trials] == ["first attempt", "nearby"]


def test_a_task_that_raises_after_the_motion_fails_its_trial_and_no_node(tmp_path):
    push, _ = outsider.write_files(tmp_path)
    text = push.read_text().replace("return self.last_seen(", "return self.not_there(")
    push.write_text(text)
    store = tmp_path / "trials.sqlite"
    given = ["--plugin", push, "--task", "push", "--improver", "random", "--store", store]
    process = icpi(["run", "--trials", 2, *given])
    _, error = process.communicate(timeout=HANG)
    cause = "task push: error() raised AttributeError: 'Push' object has no attribute 'not_there'"
    assert process.returncode == 1
    assert cause in error
    with TrialStore(store) as opened:
        (run,) = opened.runs()
        (trial,) = opened.trials(run.run_id, all_attempts=True)
    assert (run.state, trial.status, trial.note) == ("failed", TrialStatus.FAILED, cause)


def test_a_node_on_its_own_loads_what_its_parameter_names(tmp_path):
    """As under ros2 launch, where no other process has loaded it before."""
    push, _ = outsider.write_files(tmp_path)
    node = [
        sys.executable,
        "-m",
        "icpi_ros.ros.nodes.viewer",
        "--ros-args",
        "-p",
        f"plugins:={push}",
    ]
    done = warm.run([*node, "-p", "task:=juggle"], timeout=HANG)
    assert done.returncode == 2, done.stderr
    assert "parameter task = 'juggle' is not allowed: one of edge-gc, hit-gc, push" in done.stderr
