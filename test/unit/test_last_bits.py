"""Proposals of runs that differ in their last bits, and the program that measures them."""

import numpy as np
import pytest
from icpi_benchmarks.instances import draw_instance
from icpi_benchmarks.recorded import last_bits

from icpi_ros.learn.dataset.dataset import shipped
from icpi_ros.tasks import TASKS

TASK = TASKS.get("rope-swing-gc")


@pytest.fixture(scope="module")
def data():
    return shipped(TASK)


def test_outcomes_that_differ_in_their_last_bits_move_no_proposal_by_1e_6(data):
    gaps = []
    for number in range(2):
        instance, rng = draw_instance(TASK, "train", 3, number), np.random.default_rng(number)
        errors = rng.uniform(-0.3, 0.3, (4, 2))
        thetas = TASK.space.sample(rng, 4)
        one, other = (
            last_bits.proposals(TASK, data, instance, trials(thetas, each))
            for each in (errors, errors * (1.0 + 1e-11))
        )
        gaps += [last_bits.largest_gap(TASK, a, b) for a, b in zip(one, other, strict=True)]
    assert 0.0 < max(gaps) < 1e-6


def trials(thetas, errors):
    return [
        {"theta": theta, "error": error, "cost": float(np.linalg.norm(error))}
        for theta, error in zip(thetas, errors, strict=True)
    ]


def test_what_is_proposed_after_the_trials_of_a_run_is_what_the_run_had(data):
    instance = draw_instance(TASK, "train", 3, 0)
    run = last_bits.played(TASK, data, instance, 3)
    assert [trial["theta"] for trial in run[1:]] == last_bits.proposals(TASK, data, instance, run)
