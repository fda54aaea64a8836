"""What every storage of runs promises: in memory, and in an SQLite file."""

from dataclasses import replace

import numpy as np
import pytest
from stored_runs import CONFIG, PROPOSAL, THETA, done
from toy_task import TOY, rollout, toy_dataset

from icpi_ros.core.errors import InvalidValue, ObservationMissing, UsageError
from icpi_ros.core.types import ObjectTrajectory, Tracking, Trial, TrialStatus
from icpi_ros.learn.dataset.execution import Backend, Execution
from icpi_ros.runs.in_process import run_in_process
from icpi_ros.runs.run import Run
from icpi_ros.runs.store.lease import RunInUse
from icpi_ros.runs.store.records import HALF_RUN, UnknownRun
from icpi_ros.runs.store.storage import MemoryStorage
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.tasks import TASKS

REAL = Execution(Backend.REAL, arm="ur5e")
SIMULATED = Execution(Backend.SIMULATED, arm="ur5e")
DATA = toy_dataset()


@pytest.fixture(params=["memory", "sqlite"])
def storage(request, tmp_path, monkeypatch):
    monkeypatch.setattr(TASKS, "_loaded", TASKS._loaded | {TOY.name: TOY})
    if request.param == "memory":
        yield MemoryStorage()
        return
    with TrialStore(tmp_path / "trials.sqlite") as found:
        yield found


def begin(storage, run_id, number, execution=SIMULATED):
    return storage.begin_trial(run_id, number, THETA, PROPOSAL, True, execution)


def run(storage=None, **more):
    given = {"improver": "ridge-hindsight", "dataset": DATA, "trials": 5, "seed": 1} | more
    return Run(TOY, storage=storage, **given)


def statuses(storage, run_id, all_attempts=True):
    return [trial.status.value for trial in storage.trials(run_id, all_attempts)]


def test_a_run_is_stored_as_it_was_asked_for(storage):
    run_id = storage.create_run(CONFIG, REAL)
    record = storage.run(run_id)
    assert (record.run_id, record.config, record.execution) == (run_id, CONFIG, REAL)
    assert (record.state, record.note, record.mixed, record.may_mix) == ("open", "", "", False)
    assert record.created.endswith("+00:00")


def test_ids_sort_by_creation_and_name_the_task(storage):
    ids = [storage.create_run(CONFIG) for _ in range(3)]
    assert len(set(ids)) == 3
    assert [summary.run_id for summary in storage.runs()] == ids
    assert all(len(i.split("-")[0]) == 8 and "-toy-push-" in i for i in ids)


def test_an_unknown_run_is_refused_and_the_latest_are_named(storage):
    with pytest.raises(UnknownRun, match="the store is empty"):
        storage.run("nope")
    run_id = storage.create_run(CONFIG)
    for ask in (
        lambda: begin(storage, "nope", 0),
        lambda: storage.finish_trial("nope", done(0)),
        lambda: storage.set_state("nope", "open"),
        lambda: storage.mark_interrupted("nope"),
        lambda: Run.resume(storage, "nope"),
    ):
        with pytest.raises(UnknownRun, match=rf"no run 'nope' in .*{run_id}"):
            ask()


def test_options_with_a_key_are_refused(storage, monkeypatch):
    monkeypatch.setenv("TEST_API_KEY", "a-secret-of-sixteen")
    with pytest.raises(UsageError, match="TEST_API_KEY"):
        storage.create_run(replace(CONFIG, options={"model": "a-secret-of-sixteen"}))
    assert storage.runs() == []


def test_a_trial_is_running_before_it_moves_and_attempts_are_counted(storage):
    run_id = storage.create_run(CONFIG)
    assert begin(storage, run_id, 0) == 1
    (running,) = storage.trials(run_id)
    assert (running.status, running.projected) == (TrialStatus.RUNNING, True)
    assert running.outcome is None
    assert running.proposal.details == {"prompt": "p"}
    with pytest.raises(ValueError, match=r"trial 0 .* is running"):
        begin(storage, run_id, 1)
    missed = Trial(0, THETA, PROPOSAL, status=TrialStatus.UNOBSERVED, note="silent")
    storage.finish_trial(run_id, missed)
    assert begin(storage, run_id, 0) == 2
    storage.finish_trial(run_id, done(0))
    with pytest.raises(ValueError, match=r"trial 0 .* is done"):
        begin(storage, run_id, 0)
    for number in (0, 1):
        with pytest.raises(ValueError, match="not running"):
            storage.finish_trial(run_id, done(number))
    assert statuses(storage, run_id, all_attempts=False) == ["done"]
    assert statuses(storage, run_id) == ["unobserved", "done"]


def test_a_trial_comes_back_as_it_was_told(storage):
    run_id = storage.create_run(CONFIG)
    told = done(0, moving=2.5, note="n", tracking=Tracking("stroke", 0.01, "elbow_joint", 0.3))
    begin(storage, run_id, 0)
    storage.finish_trial(run_id, told)
    (found,) = storage.trials(run_id)
    assert found.tracking == told.tracking
    for name in ("theta", "error", "cost", "best_cost", "seconds", "moving", "note", "status"):
        np.testing.assert_array_equal(getattr(found, name), getattr(told, name))
    for name in ("theta", "provenance", "fallback_reason", "predicted_cost", "predicted_std"):
        np.testing.assert_array_equal(getattr(found.proposal, name), getattr(PROPOSAL, name))
    np.testing.assert_array_equal(found.trajectory.times, told.trajectory.times)
    np.testing.assert_array_equal(found.trajectory.positions, told.trajectory.positions)


def test_theta_that_is_not_finite_never_gets_in(storage):
    run_id = storage.create_run(CONFIG)
    with pytest.raises(ValueError, match="not finite"):
        storage.begin_trial(run_id, 0, THETA * np.nan, PROPOSAL, False)
    assert storage.trials(run_id) == []


def test_a_theta_that_changes_later_is_stored_as_it_was(storage):
    run_id, theta = storage.create_run(CONFIG), THETA.copy()
    storage.begin_trial(run_id, 0, theta, PROPOSAL, False)
    theta[:] = 0.0
    np.testing.assert_array_equal(storage.trials(run_id)[0].theta, THETA)


def test_a_summary_counts_trials_not_attempts(storage):
    run_id = storage.create_run(CONFIG, REAL)
    (empty,) = storage.runs()
    assert (empty.trials, empty.state, empty.execution) == (0, "open", REAL)
    assert np.isnan(empty.best_cost)
    begin(storage, run_id, 0)
    storage.finish_trial(run_id, Trial(0, THETA, PROPOSAL, status=TrialStatus.UNOBSERVED))
    for number, cost in ((0, 0.3), (1, 0.1)):
        begin(storage, run_id, number)
        storage.finish_trial(run_id, done(number, cost=cost))
    storage.set_state(run_id, "finished", "all used")
    (summary,) = storage.runs()
    assert (summary.task, summary.improver, summary.budget) == ("toy-push", "ridge", 8)
    assert (summary.trials, summary.best_cost, summary.state) == (2, 0.1, "finished")
    assert storage.run(run_id).note == "all used"


def test_how_each_attempt_was_executed(storage):
    run_id = storage.create_run(CONFIG, REAL)
    begin(storage, run_id, 0, REAL)
    storage.mark_interrupted(run_id)
    begin(storage, run_id, 0, SIMULATED)
    storage.finish_trial(run_id, done(0))
    assert storage.executions(run_id) == [REAL, SIMULATED]


def test_half_run_trials_are_marked(storage):
    run_id = storage.create_run(CONFIG)
    begin(storage, run_id, 0)
    assert storage.mark_interrupted(run_id) == [0]
    assert storage.mark_interrupted(run_id) == []
    (trial,) = storage.trials(run_id)
    assert (trial.status, trial.note) == (TrialStatus.INTERRUPTED, HALF_RUN)


def test_a_permission_to_mix_is_used_up(storage):
    run_id = storage.create_run(CONFIG)
    storage.allow_mix(run_id, True)
    assert storage.run(run_id).may_mix
    storage.note_mix(run_id, "from trial 1 on another arm")
    storage.note_mix(run_id, "from trial 2 on a third")
    record = storage.run(run_id)
    assert record.mixed == "from trial 1 on another arm; from trial 2 on a third"
    assert not record.may_mix


def test_a_run_belongs_to_who_writes_it_until_it_is_released(storage):
    run_id = storage.create_run(CONFIG)
    assert storage.holds(run_id)
    storage.release(run_id)
    storage.release(run_id)
    assert not storage.holds(run_id)
    storage.set_state(run_id, "open")
    assert storage.holds(run_id)


# --- a run, whatever its storage ----------------------------------------------------------------


def test_a_run_is_on_record_before_anything_moves(storage):
    one = run(storage)
    trial = one.ask()
    assert statuses(storage, one.run_id) == ["running"]
    told = one.tell(rollout(trial.theta), moving=1.5)
    assert statuses(storage, one.run_id) == ["done"]
    assert (told.moving, one.history[0].cost) == (1.5, told.cost)
    one.cancel("enough")
    assert (storage.run(one.run_id).state, one.finished) == ("cancelled", True)


def test_every_storage_gives_the_same_proposals(storage):
    one, other = run(storage), run()
    for each in (one, other):
        run_in_process(each, rollout)
    thetas = [[trial.theta.tolist() for trial in each.trials] for each in (one, other)]
    assert thetas[0] == thetas[1]
    assert storage.run(one.run_id).note == "all 5 trials used"


def test_an_error_is_as_good_as_a_trajectory(storage):
    by_error, by_path = run(storage), run(storage)
    while not by_path.finished:
        seen = rollout(by_path.ask().theta)
        trial = by_path.tell(seen)
        np.testing.assert_array_equal(by_error.ask().theta, trial.theta)
        told = by_error.tell(TOY.error(seen, TOY.default_goal).tolist())
        assert (told.cost, told.trajectory) == (trial.cost, None)
    assert by_error.finished
    assert storage.trials(by_error.run_id)[-1].trajectory is None


@pytest.mark.parametrize(
    ("observed", "error", "message"),
    [
        ([0.1], InvalidValue, r"2 numbers \(x \[m\], y \[m\]\), not list of shape \(1,\)"),
        ("far", InvalidValue, "not str"),
        ([np.nan, 0.0], ObservationMissing, "not finite"),
        (ObjectTrajectory(np.arange(5.0), np.full((5, 3), np.nan)), ObservationMissing, "fewer"),
    ],
)
def test_what_shows_nothing_leaves_the_trial_under_way(storage, observed, error, message):
    one = run(storage)
    trial = one.ask()
    with pytest.raises(error, match=message):
        one.tell(observed)
    assert statuses(storage, one.run_id) == ["running"]
    one.tell(rollout(trial.theta))


def test_a_skipped_trial_is_recorded_and_not_learnt_from(storage):
    one = run(storage)
    one.tell(rollout(one.ask().theta))
    one.ask()
    assert one.skip("the camera was covered").status is TrialStatus.UNOBSERVED
    assert (len(one.history), one.finished) == (1, False)
    one.tell(rollout(one.ask().theta))
    assert statuses(storage, one.run_id) == ["done", "unobserved", "done"]


def test_a_trial_that_was_executed_elsewhere_is_learnt_from(storage):
    first, second = run(storage), run(storage)
    for _ in range(2):
        first.tell(rollout(first.ask().theta))
    for trial in first.trials:
        taken = second.take(trial, trial.trajectory)
        assert (taken.number, taken.cost, taken.proposal) == (
            trial.number,
            trial.cost,
            trial.proposal,
        )
    np.testing.assert_array_equal(second.preview(2).theta, first.ask().theta)
    assert statuses(storage, second.run_id) == ["done", "done"]
    with pytest.raises(InvalidValue, match="theta needs 2 values"):
        second.take(replace(trial, number=2, theta=np.zeros(3)), [0.0, 0.0])
    with pytest.raises(ObservationMissing):
        second.take(replace(trial, number=2), [np.nan, 0.0])
    assert len(second.history) == 2
    second.ask()


def test_a_resumed_run_goes_on_where_it_was(storage):
    whole, broken = run(storage), run(storage)
    run_in_process(whole, rollout)
    for _ in range(2):
        broken.tell(rollout(broken.ask().theta))
    broken.ask()
    with pytest.raises(RunInUse, match="under way in this process"):
        Run.resume(storage, broken.run_id, dataset=DATA)
    broken.close()
    resumed = Run.resume(storage, broken.run_id, dataset=DATA)
    assert (resumed.resumed_from, resumed.goal.tolist()) == (2, whole.goal.tolist())
    assert statuses(storage, broken.run_id) == ["done", "done", "interrupted"]
    run_in_process(resumed, rollout)
    for trial, other in zip(resumed.trials, whole.trials, strict=True):
        np.testing.assert_array_equal(trial.theta, other.theta)
        assert (trial.cost, trial.best_cost) == (other.cost, other.best_cost)


def test_a_run_is_not_mixed_without_a_permission(storage):
    one = run(storage, execution=REAL)
    one.close()
    with pytest.raises(UsageError, match=one.run_id):
        Run.resume(storage, one.run_id, dataset=DATA, execution=SIMULATED)
    storage.release(one.run_id)
    storage.allow_mix(one.run_id, True)
    storage.release(one.run_id)
    resumed = Run.resume(storage, one.run_id, dataset=DATA, execution=SIMULATED)
    record = storage.run(one.run_id)
    assert record.mixed.startswith("from trial 0 in a simulation")
    assert not record.may_mix
    assert resumed.execution == SIMULATED


def test_the_line_of_a_run(storage):
    one = run(storage)
    one.tell(rollout(one.ask().theta))
    assert repr(one) == (
        f"<Run {one.run_id}: toy-push with ridge-hindsight, open, 1 of 5 trials, "
        f"best {1e3 * one.best.cost:.3g} mm>"
    )
