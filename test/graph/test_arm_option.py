"""A graph with an arm from a file: what runs in it, and from whose examples it learns."""

import numpy as np
import pytest
from other_arms import long_arm

from icpi_ros.learn.dataset.execution import arm_hash
from icpi_ros.robots import find_arm
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.sim.rollout import rollout
from icpi_ros.tasks.slide import SLIDE

from .command_line import icpi
from .conftest import HANG, NAMESPACE, RunningGraph


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return long_arm(tmp_path_factory.mktemp("arms"))


@pytest.fixture(scope="module")
def longer(tmp_path_factory, domain, file):
    with RunningGraph(tmp_path_factory.mktemp("longer"), arm=file) as graph:
        yield graph


def said(*words):
    """Return the exit code of `icpi`, and what it printed to stdout and stderr."""
    process = icpi(words)
    out, error = process.communicate(timeout=HANG)
    return process.returncode, out, error


def attached(graph, improver):
    words = ("--task", "slide", "--improver", improver, "--trials", 1, "--store", graph.store)
    return said("run", "--attach", "--namespace", NAMESPACE, *words)


def test_an_attached_graph_refuses_examples_of_another_arm(longer):
    code, _, error = attached(longer, "ridge")
    assert code == 2, error
    assert "the data set is of arm ur5e, not of lab_ur10e" in error
    assert "mix:=true" in error
    with TrialStore(longer.store) as store:
        assert store.runs() == []
    code, _, error = attached(longer, "random")  # it learns from none
    assert code == 0, error
    with TrialStore(longer.store) as store:
        (run,) = store.runs()
    assert run.execution.arm == "lab_ur10e"


def test_the_graph_that_a_run_starts_has_its_arm(file, tmp_path, monkeypatch):
    monkeypatch.delenv("ROS_DOMAIN_ID", raising=False)  # a domain of its own, beside the other
    store, lab = tmp_path / "trials.sqlite", find_arm(str(file))
    words = ("--task", "slide", "--improver", "ridge", "--trials", 1, "--store", store)
    code, out, error = said("run", *words, "--arm", file, "--mix")
    assert code == 0, error
    assert "note: the data set is of arm ur5e" in out
    with TrialStore(store) as opened:
        (run,) = opened.runs()
        record, (trial,) = opened.run(run.run_id), opened.trials(run.run_id)
    assert (record.execution.arm, record.execution.arm_hash) == (lab.name, arm_hash(lab))
    assert record.config.dataset_arm == "ur5e"
    thetas = trial.theta[np.newaxis]
    (path,) = rollout(SLIDE, lab, SLIDE.seeded_physics(0), thetas).trajectories
    end = trial.trajectory.positions[-1]
    np.testing.assert_allclose(end, path.positions[-1], atol=1e-3)
