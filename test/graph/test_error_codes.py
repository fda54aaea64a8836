"""Error codes of Improve come from fields and types of errors, never from their words."""

import pytest

from icpi_msgs.action import Improve
from icpi_ros.core.errors import (
    DatasetError,
    InvalidValue,
    Kind,
    ModelUnavailable,
    Refusal,
    StoreError,
    UnknownName,
    UsageError,
)
from icpi_ros.motion.step_limit import StepLimit
from icpi_ros.ros.improver.improvement import WrongTask, error_code
from icpi_ros.runs.store.store import UnknownRun
from icpi_ros.settings.table import RUN_FIELDS
from icpi_ros.tasks import TASKS

Code = Improve.Result
SLIDE = TASKS.get("slide")


@pytest.mark.parametrize("field", RUN_FIELDS)
def test_a_number_of_the_run_is_known_by_its_field_whatever_the_words(field):
    refusal = Refusal("not allowed", Kind.OUT_OF_BOUNDS, field=field)
    assert error_code(InvalidValue(refusal)) == Code.INVALID_BUDGET


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidValue("budget of the goal, seed and all"), Code.INVALID_GOAL),
        (InvalidValue(Refusal("goal x = 9", field="x")), Code.INVALID_GOAL),
        (UnknownName("task", "juggle", ["slide"]), Code.UNKNOWN_TASK),
        (UnknownName("improver", "best", ["knn"]), Code.UNKNOWN_IMPROVER),
        (ModelUnavailable("no key"), Code.UNKNOWN_IMPROVER),
        (WrongTask("another"), Code.UNKNOWN_TASK),
        (UnknownRun("none"), Code.UNKNOWN_RUN),
        (DatasetError("torn"), Code.DATASET),
        (StoreError("full"), Code.STORE),
        (UsageError("another definition"), Code.UNKNOWN_RUN),
    ],
)
def test_all_others_are_known_by_type(error, code):
    assert error_code(error) == code


def test_the_step_limit_and_the_goal_name_their_fields():
    with pytest.raises(InvalidValue) as caught:
        StepLimit(SLIDE.space, 0.0)
    assert error_code(caught.value) == Code.INVALID_BUDGET
    with pytest.raises(InvalidValue) as caught:
        SLIDE.check_goal([float("nan"), 0.4])
    assert error_code(caught.value) == Code.INVALID_GOAL
