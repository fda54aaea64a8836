"""What a task's own code does to a trial that was executed."""

import numpy as np
import pytest
from toy_task import TOY, ToyTask, rollout

from icpi_ros.core.errors import InvalidValue, Kind, TaskFailed
from icpi_ros.core.types import TrialStatus
from icpi_ros.runs.in_process import run_in_process
from icpi_ros.runs.outcome import outcome
from icpi_ros.runs.run import Run
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.tasks import TASKS

SEEN = rollout(np.array([1.0, 0.0]))


def foreign(**methods):
    """Return a task of somebody else's with other methods."""
    return type("Foreign", (ToyTask,), methods)()


def raises(*_):
    raise ZeroDivisionError("division\nby zero")


FOREIGN = {
    "error raises": ({"error": raises}, "error() raised ZeroDivisionError: division by zero"),
    "cost raises": ({"cost": raises}, "cost() raised ZeroDivisionError: division by zero"),
    "error of another shape": (
        {"error": lambda self, path, goal: path.positions[-1]},
        "error() gave ndarray of shape (3,), not 2 numbers (x [m], y [m])",
    ),
    "no error": ({"error": lambda *_: None}, "error() gave NoneType of shape ()"),
    "no cost": ({"cost": lambda *_: "much"}, "cost() gave str of shape (), not a number"),
    "a cost per axis": ({"cost": lambda self, e: e}, "cost() gave ndarray of shape (2,)"),
}


@pytest.mark.parametrize(("methods", "words"), FOREIGN.values(), ids=FOREIGN)
def test_a_task_that_cannot_judge_is_named(methods, words):
    with pytest.raises(TaskFailed) as found:
        outcome(foreign(**methods), TOY.default_goal, np.array([1.0, 0.0]), SEEN)
    assert str(found.value).startswith(f"task toy-push: {words}")
    assert "\n" not in str(found.value)


def test_the_trial_is_stored_as_failed_with_the_cause(tmp_path):
    """It was executed: it is neither half-run nor executed again in this run."""
    executed = []

    def execute(theta):
        executed.append(theta)
        return SEEN

    task = foreign(error=raises)
    with TASKS.temporarily("toy-push", task), TrialStore(tmp_path / "t.sqlite") as store:
        run = Run(task, improver="random", trials=3, storage=store)
        run_in_process(run, execute)
        (trial,) = store.trials(run.run_id, all_attempts=True)
        record = store.run(run.run_id)
    assert len(executed) == 1
    assert trial.status is TrialStatus.FAILED
    assert trial.note == "task toy-push: error() raised ZeroDivisionError: division by zero"
    assert record.state == "failed"
    assert record.note.startswith(trial.note)


@pytest.mark.parametrize("told", ["abc", None, [1.0], [[1.0, 2.0]], {}, ["1", "2"], [[1], [1, 2]]])
def test_what_is_told_is_a_trajectory_or_an_error(told):
    with pytest.raises(InvalidValue, match="tell a trajectory or the error of task toy") as found:
        outcome(TOY, TOY.default_goal, np.array([1.0, 0.0]), told)
    refusal = found.value.refusal
    assert (refusal.kind, refusal.field, refusal.value) == (Kind.FORM, "observed", told)
