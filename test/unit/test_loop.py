import json
import logging
import math
import sqlite3
import sys
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_task import TOY, ToyTask, rollout, toy_dataset

from icpi_ros.core.errors import (
    CompletionFailed,
    DatasetError,
    ExecutionCancelled,
    InvalidValue,
    MotionRefused,
    ObservationMissing,
    StoreError,
    UnknownName,
    UsageError,
)
from icpi_ros.core.types import ObjectTrajectory, Proposal, TrialStatus
from icpi_ros.improvers import DEFAULT_IMPROVER, IMPROVERS
from icpi_ros.improvers.base import Improver
from icpi_ros.improvers.options import option
from icpi_ros.llm.client.budget import Spending
from icpi_ros.motion.step_limit import StepLimit
from icpi_ros.report.run.export import record_json
from icpi_ros.runs import in_process
from icpi_ros.runs import run as run_module
from icpi_ros.runs.in_process import run_in_process
from icpi_ros.runs.run import Run
from icpi_ros.runs.store import database
from icpi_ros.runs.store import store as store_module
from icpi_ros.runs.store.store import RunInUse, TrialStore, UnknownRun
from icpi_ros.sim.world import SimulationUnstable
from icpi_ros.tasks import TASKS

DATA = toy_dataset()
NOTHING_SEEN = ObjectTrajectory(np.arange(5.0), np.full((5, 3), np.nan))


@dataclass(frozen=True)
class ScriptedOptions:
    answer: str = option("middle", "what it answers")


class Scripted(Improver):
    """Answers as its option ``answer`` says."""

    name = "scripted"
    Options = ScriptedOptions
    summary = "for tests"
    needs_dataset = False

    def propose(self, history, rng):
        answer = self.options.answer
        if answer == "raise":
            raise CompletionFailed("no answer\nwithin 3 s")
        if answer == "crash":
            raise ZeroDivisionError
        if answer == "far":
            return Proposal(np.array([9.0, rng.uniform(-0.1, 0.1)]), self.name)
        values = {
            "nan": [np.nan, 0.0],
            "short": [1.0],
            "middle": [1.0, 0.0],
            "text": ["fast", "left"],
        }[answer]
        return Proposal(np.array(values), self.name, predicted_cost=0.01, predicted_std=0.002)


class Walk(Improver):
    """Depends on the whole history and on the generator."""

    name = "walk"
    summary = "for tests"
    needs_dataset = False

    def propose(self, history, rng):
        centre = np.mean([outcome.theta for outcome in history], axis=0)
        return Proposal(centre + rng.normal(0.0, 0.3, 2), self.name)


@pytest.fixture(autouse=True)
def registered():
    """Register the toys for one test only."""
    scripted, walk = (IMPROVERS.temporarily(kind.name, kind) for kind in (Scripted, Walk))
    with scripted, walk, TASKS.temporarily(TOY.name, TOY):
        yield


@pytest.fixture
def store(tmp_path):
    with TrialStore(tmp_path / "trials.sqlite") as found:
        yield found


def new(store, improver="walk", dataset=DATA, goal=None, budget=6, seed=1, **more):
    return Run(
        TOY,
        improver=improver,
        dataset=dataset,
        goal=goal,
        trials=budget,
        seed=seed,
        storage=store,
        **more,
    )


def thetas(run):
    return np.array([trial.theta for trial in run.trials])


# --- the loop -----------------------------------------------------------------------------------


@pytest.mark.parametrize("improver", ["walk", "random", "knn", "ridge-hindsight"])
def test_a_whole_run(store, improver):
    run, seen = new(store, improver), []
    assert run.resumed_from is None
    run_in_process(run, rollout, seen.append)
    assert run.finished
    assert (run.state, run.reason) == ("finished", "all 6 trials used")
    assert [trial.number for trial in run.trials] == list(range(6))
    assert seen == run.trials
    assert [t.proposal.provenance for t in run.trials] == ["first attempt"] + [improver] * 5
    costs = [trial.cost for trial in run.trials]
    np.testing.assert_array_equal([t.best_cost for t in run.trials], np.minimum.accumulate(costs))
    assert run.best.cost == min(costs)
    assert all(TOY.space.contains(trial.theta) for trial in run.trials)
    stored = store.trials(run.run_id)
    np.testing.assert_array_equal([t.theta for t in stored], thetas(run))
    assert [t.cost for t in stored] == costs
    assert store.runs()[0].state == "finished"


def test_the_first_attempt_is_common_to_all_improvers(store):
    first = [new(store, name, seed=7).ask().theta for name in ("walk", "ridge-hindsight", "random")]
    np.testing.assert_array_equal(first[0], first[1])
    np.testing.assert_array_equal(first[0], first[2])
    np.testing.assert_array_equal(first[0], TOY.space.sample(np.random.default_rng([7, 0])))


def test_ridge_gets_close(store):
    run = new(store, "ridge-hindsight", budget=8)
    run_in_process(run, rollout)
    assert run.best.cost < 0.02


def test_stops_at_the_target(store):
    run = new(store, "ridge-hindsight", budget=50, target_cost=0.02)
    run_in_process(run, rollout)
    assert len(run.trials) < 50
    assert run.trials[-1].cost <= 0.02 < min(t.cost for t in run.trials[:-1])
    assert run.reason.startswith("target reached")


def test_on_disk_as_running_before_anything_moves(store):
    run = new(store)
    trial = run.ask()
    assert store.trials(run.run_id)[0].status is TrialStatus.RUNNING
    assert run.trials == []
    run.tell(rollout(trial.theta))
    assert store.trials(run.run_id)[0].status is TrialStatus.DONE


def test_wrong_order_is_refused(store):
    run = new(store, budget=1)
    with pytest.raises(RuntimeError, match="call ask"):
        run.tell(NOTHING_SEEN)
    trial = run.ask()
    with pytest.raises(RuntimeError, match="not been told"):
        run.ask()
    run.tell(rollout(trial.theta))
    with pytest.raises(RuntimeError, match="is finished: all 1 trials used"):
        run.ask()


def test_out_of_bounds_is_projected_and_recorded(store):
    run = new(store, "scripted", options={"answer": "far"})
    run_in_process(run, rollout)
    assert [t.projected for t in run.trials] == [False] + [True] * 5
    assert all(t.theta[0] == 1.5 and t.proposal.theta[0] == 9.0 for t in run.trials[1:])
    assert all(t.projected for t in store.trials(run.run_id)[1:])


@pytest.mark.parametrize("limit", [1.2, 0.9])
def test_a_prediction_is_kept_only_for_the_theta_that_it_was_made_for(store, limit):
    run = new(store, "scripted", budget=2, options={"answer": "middle"})
    run.why_not = lambda theta: "" if theta[0] <= limit else "too fast for the arm"
    run_in_process(run, rollout)
    trial = store.trials(run.run_id)[1]
    assert trial.projected is (limit < 1.0)
    assert math.isnan(trial.proposal.predicted_cost) is trial.projected
    assert math.isnan(trial.proposal.predicted_std) is trial.projected


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("raise", "scripted: no answer within 3 s"),
        ("crash", "scripted: ZeroDivisionError"),
        ("nan", "scripted: theta push = nan is not a finite number"),
        ("short", "scripted: theta needs 2 values (push, turn), got 1"),
        ("text", "scripted: theta is not a list of numbers"),
    ],
)
@pytest.mark.parametrize("dataset", [DATA, None])
def test_a_fallback_is_labelled(store, answer, reason, dataset, caplog):
    run = new(store, "scripted", dataset, options={"answer": answer}, budget=3)
    with caplog.at_level(logging.WARNING):
        run_in_process(run, rollout)
    used = DEFAULT_IMPROVER if dataset is not None else "random"
    for trial in run.trials[1:]:
        assert trial.proposal.provenance == used
        assert trial.proposal.fallback_reason.startswith(reason)
        assert "\n" not in trial.proposal.fallback_reason
    assert f"{used} instead of scripted: {reason}" in caplog.text
    stored = store.trials(run.run_id)[-1].proposal
    assert (stored.provenance, stored.fallback_reason) == (
        used,
        run.trials[-1].proposal.fallback_reason,
    )


def test_a_key_in_an_error_is_neither_logged_nor_kept(store, monkeypatch, caplog):
    monkeypatch.setenv("TEST_API_KEY", "no answer")
    run = new(store, "scripted", options={"answer": "raise"}, budget=2)
    with caplog.at_level(logging.WARNING):
        run_in_process(run, rollout)
    assert "[TEST_API_KEY removed] within" in run.trials[1].proposal.fallback_reason
    assert "no answer" not in caplog.text


# --- perception, failure, cancel ----------------------------------------------------------------


def test_unobserved_is_retried_once_with_the_same_theta(store):
    run = new(store)
    run.tell(rollout(run.ask().theta))
    missed = run.ask()
    assert run.unobserved("perception silent for 5 s") is True
    assert not run.finished
    assert run.trials[-1].status is TrialStatus.UNOBSERVED
    assert math.isnan(run.trials[-1].cost)
    again = run.ask()
    assert again.number == missed.number == 1
    np.testing.assert_array_equal(again.theta, missed.theta)
    run.tell(rollout(again.theta))
    assert [t.status.value for t in run.trials] == ["done", "done"]
    every = store.trials(run.run_id, all_attempts=True)
    assert [(t.number, t.status.value) for t in every] == [
        (0, "done"),
        (1, "unobserved"),
        (1, "done"),
    ]
    assert every[1].note.startswith("perception silent for 5 s; moved back: theta turn = 0.82")
    assert every[2].note.startswith("moved back: theta turn = 0.82")


def test_unobserved_twice_ends_the_run_and_resume_tries_again(store):
    run = new(store)
    run.ask()
    run.unobserved("silent")
    theta = run.ask().theta
    assert run.unobserved("silent") is False
    assert (run.state, run.reason) == ("failed", "trial 0 was unobserved twice: silent")
    assert run.history == []
    again = Run.resume(store, run.run_id, dataset=DATA)
    assert again.resumed_from == 0
    np.testing.assert_array_equal(again.ask().theta, theta)
    again.tell(rollout(theta))
    assert not again.finished


def test_a_trajectory_without_the_object_is_never_invented(store):
    run = new(store)
    run.ask()
    with pytest.raises(ObservationMissing):
        run.tell(NOTHING_SEEN)
    assert run.unobserved("nothing seen")
    run = new(store)
    run_in_process(run, lambda theta: NOTHING_SEEN)
    assert run.state == "failed"
    assert len(store.trials(run.run_id, all_attempts=True)) == 2


def test_a_cost_that_is_not_finite_counts_as_unobserved(store):
    run = new(store)
    run.ask()
    broken = ObjectTrajectory(np.arange(2.0), np.array([[0.0] * 3, [np.inf] * 3]))
    with pytest.raises(ObservationMissing):
        run.tell(broken)


def test_fail_and_cancel_end_the_run(store):
    def refuse(theta):
        raise MotionRefused("joint elbow 3.4 rad/s, limit 3.14")

    run = new(store)
    run_in_process(run, refuse)
    assert run.state == "failed"
    assert run.reason.startswith("joint elbow 3.4 rad/s, limit 3.14; resuming repeats trial 0 ")
    assert "same theta" in run.reason
    assert "start a new run" in run.reason
    assert store.run(run.run_id).note == run.reason
    stored = store.trials(run.run_id)[0]
    assert (stored.status, stored.note) == (
        TrialStatus.FAILED,
        "joint elbow 3.4 rad/s, limit 3.14",
    )

    def stop(theta):
        raise ExecutionCancelled("cancelled by the user")

    run = new(store)
    run_in_process(run, stop)
    assert store.trials(run.run_id)[0].status is TrialStatus.CANCELLED
    assert store.run(run.run_id).state == "cancelled"
    between = new(store)
    assert between.cancel("enough") is None
    assert between.finished


def test_steps_stay_near_to_what_was_executed_and_the_record_says_so(store):
    run = new(store, "random", budget=12, max_step=0.2)
    run_in_process(run, rollout)
    spans = TOY.space.upper - TOY.space.lower
    for number, trial in enumerate(run.trials[1:], start=1):
        away = np.abs(thetas(run)[:number] - trial.theta) / spans
        assert away.max(axis=1).min() <= 0.2 + 1e-9
        moved = not np.array_equal(trial.theta, trial.proposal.theta)
        assert trial.projected is moved
    assert any(trial.projected for trial in run.trials)
    assert store.run(run.run_id).config.max_step == 0.2


def test_what_the_arm_cannot_do_is_moved_back_and_the_record_says_why(store):
    limit = 0.7
    run = new(store, "random", budget=8)
    run.why_not = lambda theta: "" if theta[0] <= limit else "too fast for the arm"
    run_in_process(run, rollout)
    assert all(trial.theta[0] <= limit for trial in run.trials)
    moved = [trial for trial in run.trials if trial.projected]
    assert moved
    for trial in store.trials(run.run_id):
        assert (trial.note == "moved back: too fast for the arm") is trial.projected
        assert (trial.moved_back == "too fast for the arm") is trial.projected


def test_what_is_moved_back_to_what_the_arm_can_do_keeps_the_step_limit(store):
    run = new(store, "scripted", budget=3, max_step=0.2, options={"answer": "middle"})
    executed = np.array([[1.2, 0.2], [0.76, 0.0]])  # nearest by the step; nearest by the way
    for theta in executed:
        run.ask()
        run.change(theta, "eve")
        run.tell(rollout(theta))
    run.why_not = lambda theta: "corner" if theta[0] > 0.98 and theta[1] < 0.1 else ""
    trial = run.ask()
    assert trial.note == "moved back: corner"
    assert run.why_not(trial.theta) == ""
    assert StepLimit(TOY.space, 0.2).refuse(trial.theta, executed) is None


def test_what_a_person_had_executed_instead_is_what_is_learnt_from(store):
    run = new(store, "walk", budget=2)
    trial = run.ask()
    other = TOY.space.lower + 0.25 * (TOY.space.upper - TOY.space.lower)
    with pytest.raises(InvalidValue, match="out of bounds"):
        run.change(TOY.space.upper + 1.0, "eve")
    run.change(other, "eve")
    run.tell(rollout(other))
    np.testing.assert_array_equal(run.history[0].theta, other)
    stored = store.trials(run.run_id)[0]
    np.testing.assert_array_equal(stored.theta, other)
    np.testing.assert_array_equal(stored.proposal.theta, trial.theta)
    assert stored.proposal.provenance == "operator"
    assert stored.note == "eve changed what first attempt proposed"
    run.ask()
    run.cancel("enough")
    with pytest.raises(RuntimeError, match="call ask"):
        run.change(other, "eve")


@pytest.mark.parametrize("error", [SimulationUnstable, InvalidValue])
def test_any_error_of_the_rollout_ends_the_run(store, error):
    def explode(theta):
        raise error("a state is not finite")

    run = new(store)
    run_in_process(run, explode)
    assert run.state == store.run(run.run_id).state == "failed"
    assert run.trials[0].note == "a state is not finite"
    assert store.trials(run.run_id)[0].status is TrialStatus.FAILED
    assert not store.holds(run.run_id)


def test_why_theta_was_moved_back_outlives_its_process(store):
    def refuse(theta):
        raise MotionRefused("too fast")

    run = new(store, "scripted", options={"answer": "far"})
    run.tell(rollout(run.ask().theta))
    run_in_process(run, refuse)
    again = Run.resume(store, run.run_id, dataset=DATA).ask()
    why = "theta push = 9 m/s is out of bounds: allowed 0.5 to 1.5 m/s"
    assert (again.projected, again.moved_back, again.note) == (True, why, f"moved back: {why}")
    assert again.proposal.theta[0] == 9.0
    assert store.trials(run.run_id)[1].moved_back == why


def test_a_refused_theta_is_what_a_resumed_run_proposes(store):
    def refuse(theta):
        raise MotionRefused("too fast")

    run = new(store, "ridge-hindsight")
    run.tell(rollout(run.ask().theta))
    run_in_process(run, refuse)
    again = Run.resume(store, run.run_id, dataset=DATA)
    np.testing.assert_array_equal(again.ask().theta, run.trials[-1].theta)
    assert "resuming repeats trial 1 with the same theta" in run.reason


def test_ctrl_c_is_recorded_and_goes_on_up(store):
    def interrupt(theta):
        raise KeyboardInterrupt

    run = new(store)
    with pytest.raises(KeyboardInterrupt):
        run_in_process(run, interrupt)
    assert store.trials(run.run_id)[0].status is TrialStatus.CANCELLED


def test_ctrl_c_after_the_commit_of_a_trial(store, monkeypatch):
    finish = store.finish_trial

    def finish_and_interrupt(run_id, trial):
        finish(run_id, trial)
        raise KeyboardInterrupt

    run = new(store)
    with monkeypatch.context() as patch:
        patch.setattr(store, "finish_trial", finish_and_interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_in_process(run, rollout)
    assert store.run(run.run_id).state == "open"
    assert run.cancel("enough") is None
    assert [t.status for t in run.trials] == [TrialStatus.DONE]
    assert store.trials(run.run_id)[0].status is TrialStatus.DONE
    assert store.run(run.run_id).state == "cancelled"


INTERRUPTIBLE = {module.__file__ for module in (in_process, run_module, store_module, database)}


def interrupt_at(count):
    """Raise KeyboardInterrupt before the count-th line of the loop, the store or the data base."""
    left = count

    def trace(frame, event, argument):
        nonlocal left
        if frame.f_code.co_filename not in INTERRUPTIBLE:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return trace

    return trace


def test_ctrl_c_anywhere_leaves_a_run_that_can_be_resumed(tmp_path):
    path, budget = tmp_path / "trials.sqlite", 2
    with TrialStore(path) as store:
        whole = new(store, budget=budget)
        run_in_process(whole, rollout)
    before, interrupts = sys.gettrace(), 0
    for count in range(1, 10_000, 5):
        with TrialStore(path) as store:
            run, interrupted = new(store, budget=budget), False
            sys.settrace(interrupt_at(count))
            try:
                run_in_process(run, rollout)
            except KeyboardInterrupt:
                interrupted = True
            finally:
                sys.settrace(before)
        if not interrupted:
            break
        interrupts += 1
        with TrialStore(path) as store:
            resumed = Run.resume(store, run.run_id, dataset=DATA)
            run_in_process(resumed, rollout)
            assert resumed.state == "finished"
            np.testing.assert_array_equal(thetas(resumed), thetas(whole))
    assert interrupts > 50


def test_only_done_trials_enter_the_history(store):
    run = new(store)
    run.tell(rollout(run.ask().theta))
    run.ask()
    run.unobserved("silent")
    assert len(run.history) == 1
    assert len(run.trials) == 2


def test_tell_can_be_repeated_when_the_disk_was_full(store, monkeypatch):
    run = new(store)
    trial = run.ask()

    def full(run_id, trial):
        raise StoreError("full")

    with monkeypatch.context() as patch:
        patch.setattr(store, "finish_trial", full)
        with pytest.raises(StoreError):
            run.tell(rollout(trial.theta))
    assert run.trials == []
    run.tell(rollout(trial.theta))
    assert len(run.trials) == 1


# --- resume -------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**64 - 1),
    cut=st.integers(0, 5),
    half=st.booleans(),
    improver=st.sampled_from(["walk", "ridge-hindsight", "random"]),
)
def test_a_resumed_run_proposes_what_an_uninterrupted_one_would(
    tmp_path_factory, seed, cut, half, improver
):
    path = tmp_path_factory.mktemp("r") / "trials.sqlite"
    with TrialStore(path) as store:
        whole = new(store, improver, seed=seed)
        run_in_process(whole, rollout)
        broken = new(store, improver, seed=seed)
        for _ in range(cut):
            broken.tell(rollout(broken.ask().theta))
        if half:
            broken.ask()
    with TrialStore(path) as store:  # another process: the lease is free, the trial half-run
        resumed = Run.resume(store, broken.run_id, dataset=DATA)
        assert resumed.resumed_from == cut
        expected = ["done"] * cut + ["interrupted"] * half
        assert [t.status.value for t in store.trials(broken.run_id)] == expected
        run_in_process(resumed, rollout)
        np.testing.assert_array_equal(thetas(resumed), thetas(whole))
        assert [t.cost for t in resumed.trials] == [t.cost for t in whole.trials]
        assert [t.best_cost for t in resumed.trials] == [t.best_cost for t in whole.trials]


def test_resume_of_a_finished_run_has_nothing_to_do(store):
    run = new(store)
    run_in_process(run, rollout)
    again = Run.resume(store, run.run_id, dataset=DATA)
    assert again.finished
    assert again.resumed_from == 6
    assert len(again.trials) == 6


def test_a_run_under_way_cannot_be_resumed(store):
    run = new(store)
    with pytest.raises(RunInUse, match="under way in this process"):
        Run.resume(store, run.run_id, dataset=DATA)
    with TrialStore(store.path) as other, pytest.raises(RunInUse, match="written by process"):
        Run.resume(other, run.run_id, dataset=DATA)
    run.close()
    Run.resume(store, run.run_id, dataset=DATA)


def test_resume_refuses_what_would_change_the_run(store):
    run = new(store)
    run.close()
    with pytest.raises(UsageError, match="began with another data set"):
        Run.resume(store, run.run_id, dataset=toy_dataset(seed=5))
    with pytest.raises(UnknownRun):
        Run.resume(store, "nope", dataset=DATA)

    class Changed(ToyTask):
        revision = 2

    with (
        TASKS.temporarily(TOY.name, Changed()),
        pytest.raises(UsageError, match="another definition of task toy-push"),
    ):
        Run.resume(store, run.run_id, dataset=DATA)
    Run.resume(store, run.run_id, dataset=DATA)


def test_resume_refuses_the_same_examples_with_other_paths(store, monkeypatch):
    blind = new(store)
    blind.close()
    monkeypatch.setattr(Walk, "uses_paths", True)
    places = np.zeros((len(DATA), 2, 3))
    paths = {"path": places, "label_path": places, "path_times": np.array([0.0, 1.0])}
    run = new(store, dataset=replace(DATA, **paths))
    run.close()
    with pytest.raises(UsageError, match=r"other paths beside the same examples \(.*, now none\)"):
        Run.resume(store, run.run_id, dataset=DATA)
    Run.resume(store, run.run_id, dataset=replace(DATA, **paths)).close()
    assert store.run(new(store).run_id).config.paths_hash == ""
    Run.resume(store, blind.run_id, dataset=replace(DATA, **paths)).close()  # read none
    db = sqlite3.connect(store.path)
    with db:
        db.execute("UPDATE runs SET config = json_remove(config, '$.paths_hash')")
    db.close()
    Run.resume(store, run.run_id, dataset=DATA)  # nothing was recorded


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"improver": "magic"}, UnknownName, "unknown improver 'magic': choose one of"),
        ({"goal": [5.0, 0.4]}, InvalidValue, "goal x = 5 m is out of bounds"),
        ({"goal": [0.5]}, InvalidValue, "goal needs 2 values"),
        ({"goal": [np.nan, 0.4]}, InvalidValue, "not a finite number"),
        ({"budget": 0}, InvalidValue, "budget = 0 trials is not allowed: 1 to 1000"),
        ({"budget": 1001}, InvalidValue, "budget = 1001"),
        ({"budget": 2.5}, InvalidValue, "budget = 2.5"),
        ({"seed": -1}, InvalidValue, "seed = -1"),
        ({"seed": 2**64}, InvalidValue, "seed = "),
        ({"target_cost": -0.1}, InvalidValue, "target cost = -0.1 m"),
        ({"target_cost": float("nan")}, InvalidValue, "target cost = nan m"),
        ({"improver": "ridge-hindsight", "dataset": None}, DatasetError, "icpi dataset build"),
    ],
)
def test_bad_input_leaves_no_run(store, values, error, message):
    with pytest.raises(error) as excinfo:
        new(store, **values)
    assert message in str(excinfo.value)
    assert "\n" not in str(excinfo.value)
    assert store.runs() == []


def test_data_set_of_another_task(store):
    class Other(ToyTask):
        name = "toy-other"

    with pytest.raises(DatasetError, match="is of task 'toy-push', not 'toy-other'"):
        Run(Other(), improver="ridge-hindsight", dataset=DATA, trials=5, seed=1, storage=store)


# --- JSON ---------------------------------------------------------------------------------------


def test_record_json_is_standard_json_with_the_agreed_keys(store):
    run = new(store, "scripted", options={"answer": "raise"}, budget=3)
    run.tell(rollout(run.ask().theta))
    run.ask()
    run.unobserved("silent")
    found = json.loads(
        json.dumps(record_json(run.run_id, run.config, run.trials, Spending()), allow_nan=False)
    )
    assert set(found) >= {"run_id", "task", "improver", "config", "trials"}
    assert found["config"]["seed"] == 1
    first, second = found["trials"]
    agreed = {"trial", "theta", "goal", "error", "cost", "best_cost", "provenance", "seconds"}
    assert set(first) >= agreed
    assert first["theta"] == run.trials[0].theta.tolist()
    assert (second["cost"], second["error"], second["status"]) == (None, None, "unobserved")
    assert second["best_cost"] == first["cost"]
    assert second["fallback_reason"].startswith("scripted: no answer")
    assert {"predicted_cost", "predicted_std"} <= set(second)
