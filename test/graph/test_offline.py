"""A run of a real graph, recorded and evaluated offline: the same trials, the same proposals."""

import json

import numpy as np
import pytest

from icpi_ros.bags.reader import Bag
from icpi_ros.cli.main import main
from icpi_ros.evaluate.evaluation import evaluate
from icpi_ros.evaluate.request import EvaluationRequest

from .conftest import TRIALS

POSES, PIXELS = 1e-4, 5e-4
"""Largest distance between the live and the offline trajectory [m]."""


def test_poses_give_the_same_trials_and_proposals(tmp_path, recorded):
    folder, run_id, stored = recorded
    assert main(["replay", str(folder), "--json", str(tmp_path / "found.json")]) == 0
    (run,) = json.loads((tmp_path / "found.json").read_text())["runs"]
    assert (run["run_id"], run["improver"]) == (run_id, "ridge-hindsight")
    assert (run["seed"], run["seed_from"]) == (3, "found")
    assert len(run["trials"]) == TRIALS
    for live, again in zip(stored, run["trials"], strict=True):
        seen = again["perception"]
        assert seen["samples"] > 50
        assert seen["most"] <= POSES
        assert seen["cost"] == pytest.approx(live.cost, abs=POSES)
        assert again["cost"] == live.cost
    for live, again in zip(stored[1:], run["trials"][1:], strict=True):
        made = again["proposals"]["ridge-hindsight"]
        assert made["same_as_recorded"] is True
        assert made["theta"] == live.theta.tolist()
        assert made["outcome"]["kind"] == "measured"
        assert made["outcome"]["cost"] == pytest.approx(live.cost, abs=1e-9)


def test_pixels_give_the_same_trials_and_proposals(filmed):
    folder, _, stored = filmed
    assert len(stored) > 1
    found = evaluate(Bag(folder), EvaluationRequest())
    assert found.source == "camera"
    (one,) = found.runs
    for live, difference in zip(stored, one.differences.values(), strict=True):
        assert difference.samples > 50
        assert difference.most <= PIXELS
        assert difference.cost == pytest.approx(live.cost, abs=PIXELS)
    proposed = one.answers["ridge-hindsight"].proposed
    assert [p.same for p in proposed] == [True] * (len(stored) - 1)
    for live, made in zip(stored[1:], proposed, strict=True):
        np.testing.assert_array_equal(made.theta, live.theta)
