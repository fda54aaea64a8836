"""A whole improvement run through a free-running graph.

How much faster than real time it is is for `icpi bench-graph --real-time-factor 0` to say.
"""

from pathlib import Path

import numpy as np
import pytest

from icpi_msgs.action import ExecuteMotion, Improve
from icpi_msgs.msg import Trial as TrialMsg
from icpi_ros.robots import ARMS
from icpi_ros.ros.base import qos
from icpi_ros.ros.clients.improve_client import Callbacks, ImproveRequest
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.sim.rollout import rollout
from icpi_ros.tasks import TASKS

from .conftest import HANG, NODES

TRIALS = 3


@pytest.fixture(scope="module")
def finished(fast):
    """One run of three trials: result, trials as they were shown."""
    from icpi_ros.ros.clients.improve_client import ImproveClient

    shown, runs = [], []
    with ImproveClient("test") as client:
        client.connect(HANG, fast.death)
        calls = Callbacks(lambda *run: runs.append(run), shown.append, fast.death)
        result = client.improve(
            ImproveRequest("slide", "ridge-hindsight", budget=TRIALS, seed=3), calls
        )
        return result, shown, runs


def test_nodes_share_no_memory_that_a_killed_one_could_leave_locked(finished, fast):
    for pid in fast.pids().values():
        assert "/dev/shm/fast" not in Path(f"/proc/{pid}/maps").read_text()


def test_a_run_improves_and_every_trial_is_shown(finished):
    result, shown, runs = finished
    assert (result.error_code, result.error_msg, result.trials) == (0, "", TRIALS)
    assert runs == [(result.run_id, 0)]
    assert [trial.number for trial in shown] == [0, 1, 2]
    assert result.best_cost == min(trial.cost for trial in shown) < shown[0].cost


def test_the_store_holds_what_was_shown(finished, fast):
    result, shown, _ = finished
    with TrialStore(fast.store) as store:
        stored = store.trials(result.run_id)
        assert store.run(result.run_id).state == "finished"
    for there, here in zip(stored, shown, strict=True):
        np.testing.assert_array_equal(there.theta, here.theta)
        assert there.cost == here.cost
        assert there.proposal.provenance == here.proposal.provenance
        assert there.trajectory.coverage == 1.0


def test_graph_and_rollout_end_at_the_same_place(finished, fast):
    result, _, _ = finished
    task, arm = TASKS.get("slide"), ARMS.get("ur5e")
    with TrialStore(fast.store) as store:
        trials = store.trials(result.run_id)
    thetas = np.array([trial.theta for trial in trials])
    inside = rollout(task, arm, task.seeded_physics(0), thetas).trajectories
    for trial, other in zip(trials, inside, strict=True):
        apart = np.linalg.norm(trial.trajectory.positions[-1] - other.positions[-1])
        assert apart < 1e-3


def test_a_free_running_motion_takes_its_simulated_time(fast, observer):
    """That nothing waits for the clock is in test_pacer."""
    results = [observer.execute([1.0, 0.1], trial_id=f"free/{n}") for n in range(5)]
    assert [result.error_code for result in results] == [0] * 5
    assert all(0.5 < result.motion_duration < 10.0 for result in results)
    assert all(0.0 < result.settling_duration < 10.0 for result in results)


def test_who_joins_late_sees_the_trials(finished, observer):
    result, _, _ = finished
    trials = observer.record(TrialMsg, "trials", qos.RECORD)
    observer.wait(lambda: len(trials) >= TRIALS, "latched trials")
    assert {trial.run_id for trial in trials} == {result.run_id}
    assert trials[-1].theta_names == ["speed", "heading"]


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"theta": [1.0]}, "INVALID_THETA", "2 values"),
        ({"theta": [float("nan"), 0.0]}, "INVALID_THETA", "speed = nan"),
        ({"theta": [5.0, 0.0]}, "INVALID_THETA", "allowed 0.6 to 1.6 m/s"),
        ({"theta_names": ["heading", "speed"]}, "INVALID_THETA", "expected speed, heading"),
        ({"task": "juggle"}, "UNKNOWN_TASK", "choose one of"),
        ({"trial_id": ""}, "INVALID_THETA", "trial_id"),
    ],
)
def test_a_bad_motion_is_refused_with_its_reason(fast, observer, fields, code, words):
    result = observer.execute(fields.pop("theta", [1.0, 0.0]), **fields)
    assert result.error_code == getattr(ExecuteMotion.Result, code)
    assert words in result.error_msg
    assert "\n" not in result.error_msg
    assert result.motion_duration == 0.0


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"task": "juggle"}, "UNKNOWN_TASK", "slide"),
        ({"improver": "magic"}, "UNKNOWN_IMPROVER", "ridge-hindsight"),
        ({"goal": [9.0, 9.0]}, "INVALID_GOAL", "allowed"),
        ({"goal": [0.6]}, "INVALID_GOAL", "2 values"),
        ({"budget": 0}, "INVALID_BUDGET", "1 to 1000"),
        ({"target_cost": float("nan")}, "INVALID_BUDGET", "target cost"),
        ({"resume_run_id": "nothing"}, "UNKNOWN_RUN", "nothing"),
    ],
)
def test_a_bad_run_is_refused_with_its_reason(fast, client, fields, code, words):
    client.connect(HANG, fast.death)
    result = client.improve(ImproveRequest(**({"task": "slide"} | fields)))
    assert result.error_code == getattr(Improve.Result, code)
    assert words in result.error_msg
    assert result.run_id == ""


def test_every_node_reports_its_health(fast, observer):
    from diagnostic_msgs.msg import DiagnosticArray

    reports = observer.record(DiagnosticArray, "/diagnostics", qos.EVENT)
    names = {f"/test/{node}" for node in NODES}

    def latest():
        return {status.name: status for report in list(reports) for status in report.status}

    observer.wait(lambda: names <= set(latest()), "diagnostics of all nodes")
    assert all(latest()[name].level == b"\x00" for name in names)
