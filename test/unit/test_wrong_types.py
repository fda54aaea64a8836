"""Wrong types given to the public API: one line that names the argument, and fields."""

import copy
import pickle

import numpy as np
import pytest

import icpi_ros as icpi
from icpi_ros.core.errors import InvalidValue, Kind, UnknownName
from icpi_ros.tasks import TASKS

COMMON = {
    "trials": ["3", None, 2.5, True, [3], np.nan],
    "seed": ["x", None, 1.5, True],
    "goal": ["abc", ["0.6", "0.4"], [[0.6, 0.4]], {}, 5, [1.0], [[1], [1, 2]]],
    "target_cost": ["5mm", None, [1.0], True],
    "options": [[1], "k=3", 5],
    "improver": [None, 5, ["random"], b"random"],
    "dataset": [7, [1]],
    "storage": ["trials.sqlite", 5],
    "mix": ["yes", None, 1],
}
ARGUMENTS = {
    "improve": COMMON | {
        "noise": ["x", [1], True],
        "latency": ["x", [1]],
        "arm": [7, ["ur5e"]],
        "fallback": [None, 7],
    },
    "Run": COMMON | {"max_step": ["x", None, [1], True], "execution": ["real"]},
}  # fmt: skip
NAMES = {"trials": "budget"}
"""Fields of a stored run that are called otherwise."""
RUNS = {"improver": "random", "trials": 2}


def rows(table):
    return [
        (name, field, value)
        for name in table
        for field in table[name]
        for value in table[name][field]
    ]


def refused(call, field):
    with pytest.raises(InvalidValue) as found:
        call()
    text, refusal = str(found.value), found.value.refusal
    assert "\n" not in text
    assert field.replace("_", " ") in text.replace("_", " ") or field == "observed"
    assert refusal.kind is Kind.FORM
    assert field in (refusal.field, refusal.quantity)
    return text


@pytest.mark.parametrize(("name", "field", "value"), rows(ARGUMENTS))
def test_arguments_of_a_run(name, field, value):
    given = RUNS | {field: value} | ({"progress": False} if name == "improve" else {})
    text = refused(lambda: getattr(icpi, name)("slide", **given), NAMES.get(field, field))
    assert "not allowed: " in text or field == "goal"


@pytest.mark.parametrize("task", [None, 7, ["slide"], b"slide"])
@pytest.mark.parametrize(
    "call",
    [
        lambda task: icpi.improve(task, progress=False),
        icpi.Run,
        icpi.load_dataset,
        lambda task: icpi.rollout(task, [1.2, 0.0]),
    ],
)
def test_a_task(call, task):
    refused(lambda: call(task), "task")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            ("theta", v)
            for v in ("abc", None, ["a", "b"], ["1.2", "0"], [1], [[[1, 0]]], [], {}, 1.0)
        ),
        ("theta", [[1, 0], [1]]),
        *(("physics", v) for v in ("abc", [1], ["a"], {})),
        *(("seed", v) for v in ("x", None, 1.5)),
    ],
)
def test_arguments_of_a_rollout(field, value):
    given = {"theta": [1.2, 0.0]} | {field: value}
    refused(lambda: icpi.rollout("slide", **given), field)


def test_the_file_of_a_data_set():
    refused(lambda: icpi.load_dataset("slide", 7), "dataset")


def test_what_is_told():
    run = icpi.Run("slide", **RUNS)
    run.ask()
    for moving in ("x", None, [1]):
        refused(lambda moving=moving: run.tell([0.1, 0.1], moving=moving), "moving")
    for told in ("x", None, [1], {}):
        refused(lambda told=told: run.tell(told), "observed")
    for theta in ("x", None, [1]):
        refused(lambda theta=theta: run.change(theta, "somebody"), "theta")
    assert run.tell([0.1, 0.1]).cost == pytest.approx(np.hypot(0.1, 0.1))


@pytest.mark.parametrize("numbers", [np.float32, np.float64, int])
def test_numbers_of_numpy_are_numbers(numbers):
    run = icpi.Run("slide", improver="random", target_cost=numbers(0), max_step=numbers(1))
    assert (run.config.target_cost, run.config.max_step) == (0.0, 1.0)
    assert type(run.config.target_cost) is float


def test_a_theta_that_a_person_chose_is_read_only_too():
    run = icpi.Run("slide", **RUNS)
    run.ask()
    trial = run.change([1.0, 0.0], "somebody")
    with pytest.raises(ValueError, match="read-only"):
        trial.theta[0] = 2.0
    assert not run.tell([0.1, 0.1]).theta.flags.writeable


@pytest.mark.parametrize("again", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy])
def test_an_unknown_name_comes_back_from_another_process(again):
    with pytest.raises(UnknownName) as found:
        TASKS.get("slid")
    other = again(found.value)
    assert str(other) == str(found.value)
    assert "slide" in str(other)
    assert vars(other) == vars(found.value)
