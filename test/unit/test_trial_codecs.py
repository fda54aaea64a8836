"""One trial in every medium: row, message, JSON, table."""

from types import SimpleNamespace

import numpy as np
import pytest

from icpi_ros.bags.trial_message import proposal_fields, trial_fields, trial_from
from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import (
    MOVED_BACK,
    ObjectTrajectory,
    Proposal,
    Tracking,
    Trial,
    TrialOrigin,
    TrialStatus,
)
from icpi_ros.learn.dataset.columns import columns
from icpi_ros.learn.dataset.execution import Backend, Execution
from icpi_ros.runs.run import Run
from icpi_ros.runs.store.records import RunConfig
from icpi_ros.runs.store.storage import MemoryStorage
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.runs.trial_tables import trial_json, trial_rows
from icpi_ros.tasks.slide import SLIDE

GOAL = (0.6, 0.42)
SIMULATED = Execution(Backend.SIMULATED, "ur5e")
TRIAL = Trial(
    number=2,
    theta=np.array([1.1, 0.2]),
    proposal=Proposal(
        np.array([9.0, 0.2]), "knn", "no model", 0.25, 0.03, 0.01, {MOVED_BACK: "too fast"}
    ),
    projected=True,
    status=TrialStatus.DONE,
    error=np.array([0.01, -0.02]),
    cost=0.0224,
    best_cost=0.02,
    seconds=7.5,
    moving=3.5,
    trajectory=ObjectTrajectory(np.array([0.0, 0.1]), np.zeros((2, 3))),
    note="moved back: too fast",
    tracking=Tracking("stroke", 0.002, "elbow_joint", 0.4),
    origin=TrialOrigin(
        "run-1", "slide", "ridge", np.array(GOAL), SLIDE.space.names, "replay", "a.bag"
    ),
)


def message(trial):
    """The message of a trial, in the form in which bags hold it."""
    names = SLIDE.space.names
    proposal = SimpleNamespace(**proposal_fields(trial, names))
    return SimpleNamespace(**trial_fields(trial, names), proposal=proposal)


def same(one, other, *left_out):
    """Compare what two trials say, field by field."""
    for name in ("number", "projected", "status", "cost", "best_cost", "seconds", "moving", "note"):
        assert getattr(one, name) == getattr(other, name), name
    for name in ("theta", "error"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in ("provenance", "fallback_reason", "latency", "predicted_cost", "predicted_std"):
        assert getattr(one.proposal, name) == getattr(other.proposal, name), name
    np.testing.assert_array_equal(one.proposal.theta, other.proposal.theta)
    assert one.moved_back == other.moved_back
    for name in {"run_id", "task", "improver"} - set(left_out):
        assert getattr(one.origin, name) == getattr(other.origin, name), name
    np.testing.assert_array_equal(one.origin.goal, other.origin.goal)


def test_a_message_gives_back_the_trial_that_it_was_made_of():
    found = trial_from(message(TRIAL))
    same(found, TRIAL)
    assert found.origin.theta_names == SLIDE.space.names
    assert found.trajectory is None  # it has a message of its own


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_storage_gives_back_the_trial_and_its_origin(tmp_path, kind):
    storage = MemoryStorage() if kind == "memory" else TrialStore(tmp_path / "trials.sqlite")
    config = RunConfig("slide", "ridge", GOAL, 5)
    run_id = storage.create_run(config, SIMULATED)
    begun = (run_id, TRIAL.number, TRIAL.theta, TRIAL.proposal, TRIAL.projected, SIMULATED)
    storage.begin_trial(*begun)
    (running,) = storage.trials(run_id)
    assert (running.origin.run_id, running.origin.backend) == (run_id, "simulated_graph")
    storage.finish_trial(run_id, TRIAL)
    (found,) = storage.trials(run_id)
    same(found, TRIAL, "run_id")
    assert found.tracking == TRIAL.tracking
    np.testing.assert_array_equal(found.path.positions, TRIAL.path.positions)
    if kind == "sqlite":
        assert found.origin.run_id == run_id
        storage.close()


def test_json_and_table_call_the_same_things_by_the_same_names():
    (row,) = trial_rows(SLIDE, [TRIAL])
    told = trial_json(TRIAL)
    common = set(row) & set(told)
    assert {"trial", "status", "cost", "best_cost", "provenance", "projected"} <= common
    assert {name: told[name] for name in common} == {name: row[name] for name in common}
    for kind in ("theta", "goal", "error"):
        assert told[kind] == [row[c.name] for c in columns(SLIDE) if c.field == kind]
    assert (told["backend"], told["bag"]) == ("replay", "a.bag")
    assert trial_json(Trial(0, TRIAL.theta, TRIAL.proposal))["cost"] is None


def test_a_run_says_of_its_trials_where_they_are_executed():
    run = Run("slide", improver="random", seed=1, execution=SIMULATED)
    trial = run.ask()
    assert (trial.origin.run_id, trial.name) == (run.run_id, f"{run.run_id}/0")
    assert (trial.origin.task, trial.origin.improver) == ("slide", "random")
    assert trial.origin.backend == "simulated_graph"
    elsewhere = Run("slide", improver="random")
    assert elsewhere.take(TRIAL, [0.01, 0.0]).origin.bag == "a.bag"


def test_a_trial_without_a_path_says_so_by_name():
    assert TRIAL.path is TRIAL.trajectory
    with pytest.raises(ValueError, match="trial run-1/2 has no trajectory"):
        _ = trial_from(message(TRIAL)).path


def test_only_a_run_with_proposals_of_its_own_takes_what_an_outcome_reached_as_goal():
    far = SLIDE.goal_space.upper + 0.1

    class Same:
        def propose(self, history, number, why_not):
            return TRIAL.proposal

    np.testing.assert_array_equal(Run("slide", goal=far, proposals=Same()).goal, far)
    with pytest.raises(InvalidValue):
        Run("slide", goal=far)
    with pytest.raises(InvalidValue):
        Run("slide", goal=far[:1], proposals=Same())
