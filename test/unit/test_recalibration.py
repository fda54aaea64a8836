"""Recalibration of forecasts: how its factors are chosen, and when they count."""

import json

import numpy as np
import pytest
import toy
from icpi_benchmarks.recorded import recalibration as program
from icpi_benchmarks.results import Results

from icpi_ros.improvers.embedded import Embedded
from icpi_ros.learn.dataset.dataset import fingerprint, shipped
from icpi_ros.learn.outcome import recalibration
from icpi_ros.learn.outcome.model import _cached
from icpi_ros.learn.outcome.ship_fits import tasks_with_sets


def test_factors_make_forecasts_cover_what_they_say():
    rng = np.random.default_rng(0)
    cost = np.abs(1e-3 * rng.standard_normal(400))
    predicted, half = np.full(400, 1.5e-3), np.full(400, 3e-4)
    found = program.chosen(predicted[:200], half[:200], cost[:200])
    within_1, within_2, _ = program.covered(found, predicted[200:], half[200:], cost[200:])
    assert abs(within_1 - 0.68) < 0.1
    assert abs(within_2 - 0.95) < 0.05


def test_forecasts_that_are_right_are_hardly_changed():
    rng = np.random.default_rng(1)
    cost = np.abs(10.0 + rng.standard_normal(400))
    middle, width = program.chosen(np.full(400, 10.0), np.ones(400), cost)
    assert 0.95 < middle < 1.05
    assert 0.85 < width < 1.15


def test_every_shipped_data_set_has_factors():
    for task in tasks_with_sets():
        factors = recalibration.recalibration_of(fingerprint(shipped(task)))["path"]
        assert len(factors) == 5, f"measure {task.name}, see icpi_benchmarks.recorded.recalibration"
        assert all(0.3 < value < 5.0 for pair in factors for value in pair)


def test_factors_that_are_written_leave_those_of_other_sets_and_other_evidence(tmp_path):
    file = tmp_path / "known.json"
    known = {"a": {"path": [[1.0, 2.0]], "error": [[3.0, 4.0]]}, "b": {"path": [[5.0, 6.0]]}}
    file.write_text(json.dumps(known))
    program.save(file, {("a", "path"): [(7.0, 8.00001)], ("c", "error"): [(9.0, 10.0)]})
    known["a"]["path"] = [[7.0, 8.0]]
    assert json.loads(file.read_text()) == known | {"c": {"error": [[9.0, 10.0]]}}


@pytest.mark.parametrize(
    ("options", "paths", "seen"),
    [
        ({}, {"toy/": "ab"}, "path"),
        ({}, {}, "error"),
        ({"features": "error"}, {"toy/": "ab"}, "error"),
    ],
)
def test_factors_belong_to_the_evidence_of_the_runs_that_they_are_of(options, paths, seen):
    config = {"conditions": [{"name": "", "options": options}], "paths_fingerprint": paths}
    assert program.evidence(Results(config, [], []), "toy/") == seen


@pytest.fixture
def improver(tmp_path, monkeypatch):
    """Improver of a toy data set, and a way to give that set factors."""
    data = toy.dataset(draws=5, size=50)

    def made(factors):
        file = tmp_path / f"{len(factors)}.json"
        found = {fingerprint(data): {"error": factors}}  # it shows no paths
        file.write_text(json.dumps(found if factors else {}))
        monkeypatch.setattr(recalibration, "FILE", file)
        recalibration._read.cache_clear()
        _cached.cache_clear()
        return Embedded(toy.context(data))

    yield made
    monkeypatch.undo()
    recalibration._read.cache_clear()
    _cached.cache_clear()


def test_the_factors_are_those_of_the_number_of_trials(improver):
    thetas = [np.array(theta) for theta in ((0.9, 0.1), (1.1, -0.1), (1.2, 0.2))]
    trials = [toy.outcome(theta, np.array([0.2, 0.8])) for theta in thetas]
    thetas = np.array([[1.0, 0.0], [1.3, 0.3]])
    plain = improver([])
    before = [plain.forecast(trials[:n], thetas) for n in (1, 2, 3)]
    changed = improver([[2.0, 0.5], [3.0, 0.25]])
    for n, (middle, width) in ((1, (2.0, 0.5)), (2, (3.0, 0.25)), (3, (3.0, 0.25))):
        after = changed.forecast(trials[:n], thetas)
        assert np.allclose(after[0], middle * before[n - 1][0])
        assert np.allclose(after[1], width * before[n - 1][1])
