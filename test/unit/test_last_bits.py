"""Proposals of runs that differ in their last bits, and the program that measures them."""

import subprocess

import numpy as np
import pytest
from icpi_benchmarks.instances import draw_instance
from icpi_benchmarks.recorded import last_bits

from icpi_ros.core.errors import IcpiError
from icpi_ros.learn.dataset.dataset import shipped
from icpi_ros.tasks import TASKS

TASK = TASKS.get("rope-swing-gc")
INSTANCE = draw_instance(TASK, "train", 3, 0)


@pytest.fixture(scope="module")
def data():
    return shipped(TASK)


@pytest.fixture(scope="module")
def run(data):
    return last_bits.played(TASK, data, INSTANCE, 4)


def proposals_after(run, data):
    return last_bits.proposals(TASK, data, INSTANCE, run)


def test_outcomes_that_differ_in_their_last_bits_have_the_same_proposals(data, run):
    other = [nearly(trial) for trial in run]
    assert [trial["error"] for trial in other] != [trial["error"] for trial in run]
    assert proposals_after(other, data) == proposals_after(run, data)


def nearly(trial):
    times, places = trial["path"]
    places = np.array(places) * (1.0 + 1e-11)
    return trial | {"error": [x * (1.0 + 1e-11) for x in trial["error"]], "path": [times, places]}


def test_what_is_proposed_after_the_trials_of_a_run_is_what_the_run_had(data, run):
    assert [trial["theta"] for trial in run[1:]] == proposals_after(run, data)


def test_the_path_of_a_trial_counts(data, run):
    still = [
        trial | {"path": [trial["path"][0], [[0.0] * 3] * len(trial["path"][0])]} for trial in run
    ]
    assert proposals_after(still[:2], data) != proposals_after(run[:2], data)


@pytest.mark.parametrize(
    ("code", "said", "line"),
    [
        (-9, "", "was killed by signal 9: it wrote nothing to stderr"),
        (3, "a warning\nno memory\n", "failed with exit code 3: no memory"),
    ],
)
def test_a_child_that_fails_is_named_with_its_end_and_its_last_words(code, said, line, monkeypatch):
    ended = subprocess.CompletedProcess((), code, "", said)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: ended)
    with pytest.raises(IcpiError, match=f"^the child process of rope-swing-gc {line}$"):
        last_bits.compare("rope-swing-gc", 1, 2)
