"""Every task through a graph ends where its rollout ends."""

import os

import numpy as np
import pytest

from icpi_ros.robots import ARMS
from icpi_ros.ros.clients.improve_client import Callbacks, ImproveClient, ImproveRequest
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.sim.rollout import rollout
from icpi_ros.tasks import TASKS

from .conftest import HANG, RunningGraph

OTHERS = [name for name in TASKS.names() if name != "slide"]  # test_run has slide


@pytest.mark.parametrize("name", OTHERS)
def test_graph_and_rollout_end_at_the_same_place(name, tmp_path, domain):
    assert os.environ["ROS_DOMAIN_ID"] == str(domain)
    task = TASKS.get(name)
    with RunningGraph(tmp_path, task=name) as graph, ImproveClient("test") as client:
        client.connect(HANG, graph.death)
        result = client.improve(
            ImproveRequest(name, "random", budget=2, seed=1), Callbacks(death=graph.death)
        )
        assert (result.error_code, result.error_msg) == (0, "")
    with TrialStore(graph.store) as store:
        trials = store.trials(result.run_id)
    thetas = np.array([trial.theta for trial in trials])
    inside = rollout(task, ARMS.get(task.arm), task.seeded_physics(0), thetas).trajectories
    for trial, other in zip(trials, inside, strict=True):
        seen = np.isfinite(trial.trajectory.positions).all(axis=1)
        assert seen.mean() > 0.9
        apart = trial.trajectory.positions[seen] - other.positions[: len(seen)][seen]
        assert np.linalg.norm(apart[-1]) < 0.002
        assert np.linalg.norm(apart, axis=1).max() < 0.005
