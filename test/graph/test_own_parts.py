"""An outsider's task, improver and arm in a graph that `icpi run` starts."""

import os
import subprocess
import sys

import outsider

from icpi_ros.runs.store.store import TrialStore

from .command_line import icpi
from .conftest import HANG


def test_a_run_through_a_graph_has_the_plugins_of_its_command(tmp_path, monkeypatch):
    outsider.write_files(tmp_path)
    outsider.install(tmp_path / "site", entry_points=outsider.ARM_ONLY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"), prepend=os.pathsep)
    monkeypatch.setenv("ICPI_PLUGINS", "nearby.py")
    monkeypatch.chdir(tmp_path)
    store = tmp_path / "trials.sqlite"
    given = "run --plugin push.py --task push --improver nearby --arm lab_ur10e --trials 3"
    process = icpi([*given.split(), "--store", store])
    _, error = process.communicate(timeout=HANG)
    assert process.returncode == 0, error
    with TrialStore(store) as opened:
        (run,) = opened.runs()
        trials = opened.trials(run.run_id)
    assert (run.task, run.improver, run.execution.arm) == ("push", "nearby", "lab_ur10e")
    assert [t.proposal.provenance for t in trials] == ["first attempt", "nearby", "nearby"]


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
    done = subprocess.run(
        [*node, "-p", "task:=juggle"], capture_output=True, text=True, timeout=HANG, check=False
    )
    assert done.returncode == 2, done.stderr
    assert "parameter task = 'juggle' is not allowed: one of push, roll-gc" in done.stderr
