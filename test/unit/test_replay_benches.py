"""The programs behind the figures of docs/replay.md, made small."""

import numpy as np
import pytest
from icpi_benchmarks.program import run_program
from icpi_benchmarks.recorded import earlier_runs, imported_set, ranking

from icpi_ros.learn.dataset.dataset import shipped
from icpi_ros.learn.dataset.joining import choose
from icpi_ros.robots.ur5e import UR5E


@pytest.mark.slow
def test_the_offline_ranking_is_compared_with_rollouts(monkeypatch):
    monkeypatch.setattr(ranking, "IMPROVERS", ("knn", "random"))
    found = ranking.BagWork("slide-gc", UR5E, trials=3, pairs=1, seed=0)(0)
    assert found.recorded_by == "random"
    assert found.offline.shape == found.true.shape == (2,)
    assert (found.true > 0.0).all()
    assert found.estimates == 5 + 3  # random repeats its two recorded proposals
    assert 0.0 <= found.inside <= 1.0
    tau, rho = found.correlation()
    assert (abs(tau), abs(rho)) == (pytest.approx(1.0), pytest.approx(1.0))


def test_all_sources_of_examples_begin_with_the_same_first_attempt(monkeypatch):
    sources = [each for each in imported_set.SOURCES if each.examples == "none"]
    monkeypatch.setattr(imported_set, "SOURCES", sources)
    found = imported_set.run_draw(imported_set.TASKS.get("slide-gc"), UR5E, 0, 0)
    costs = np.array(list(found.values()))
    assert costs.shape == (2, imported_set.ADJUSTMENTS + 1)
    assert len(set(costs[:, 0])) == 1
    assert (np.diff(costs, axis=1) <= 0.0).all()


@pytest.mark.slow
def test_a_run_after_earlier_ones_begins_with_the_same_first_attempt(monkeypatch):
    small = choose(shipped(earlier_runs.TASKS.get("slide-gc")), 40, 0)
    monkeypatch.setattr(earlier_runs, "shipped", lambda task: small)
    monkeypatch.setattr(earlier_runs, "SETS", ("shipped",))
    monkeypatch.setattr(earlier_runs, "EARLIER_TRIALS", 2)
    monkeypatch.setattr(earlier_runs, "ADJUSTMENTS", 1)
    found = earlier_runs.run_draw(earlier_runs.TASKS.get("slide-gc"), UR5E, 0, 0, (0, 1))
    ways = [(row["physics"], row["runs"]) for row in found]
    assert ways == [("same", 0), ("same", 1), ("other", 1)]
    costs = np.array([row["costs"] for row in found])
    assert costs.shape == (3, 2)
    assert len(set(costs[:, 0])) == 1
    assert len(set(costs[:, 1])) == 3


@pytest.mark.parametrize("program", [earlier_runs, imported_set, ranking])
def test_bad_arguments_of_a_program_are_refused(program, capsys):
    assert run_program(program, ["--task", "juggle"]) == 2
    assert "unknown task" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        run_program(program, ["--seed", "-1"])
    assert ended.value.code == 2
