"""Trials that a run spends: its end when converged, repeats under noise, and its answer."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest
from icpi_benchmarks.contest.entrants import Entrant
from icpi_benchmarks.spent.cells import SpentCells
from icpi_benchmarks.spent.tables import stopped_after, text
from toy_task import TOY, rollout

from icpi_ros.cli.main import main
from icpi_ros.core.errors import BudgetSpent, CompletionFailed, Refusal, UsageError
from icpi_ros.core.types import Outcome, Proposal
from icpi_ros.improvers import IMPROVERS
from icpi_ros.improvers.base import Improver, Recommendation, lowest_mean
from icpi_ros.improvers.embedded import Embedded
from icpi_ros.learn.outcome.spending import answer, trial_value
from icpi_ros.llm.client.budget import Spending
from icpi_ros.report.run.export import record_json
from icpi_ros.report.run.remarks import remark_lines
from icpi_ros.report.run.text import run_table
from icpi_ros.runs.answer import answer_of
from icpi_ros.runs.in_process import run_in_process
from icpi_ros.runs.run import Run
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.runs.trial_tables import trial_rows
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.feasibility import anything
from icpi_ros.testing import toy

NOISE = 0.001
EXAMPLES = toy.dataset(draws=6, size=60)
GAINS = [np.nan, 0.0001, 0.0, 0.0002, 0.0001, 0.0]
"""Expected of trials 0 to 5 [m]: with ten in all, of the sixth on 0.6 mm are left at most."""


class Gaining(Improver):
    """Says what its proposals are expected to gain, and recommends the first trial."""

    name = "gaining"
    summary = "for tests"
    needs_dataset = False
    predicts_gain = True

    def propose(self, history, rng):
        details = {"expected_gain": GAINS[len(history)], "trial_noise": NOISE}
        return Proposal(TOY.space.sample(rng), self.name, details=details)

    def recommend(self, history):
        return Recommendation(0, 0.004, NOISE)


@pytest.fixture(autouse=True)
def registered():
    with IMPROVERS.temporarily("gaining", Gaining), TASKS.temporarily(TOY.name, TOY):
        yield


def run_of(budget=10, improver="gaining", **more):
    return Run(TOY, improver=improver, trials=budget, seed=3, **more)


def played(run, until=10):
    while not run.finished and len(run.history) < until:
        run.tell(rollout(run.ask().theta))
    return run


# --- the end of a run -----------------------------------------------------------------------------


def test_a_run_stops_when_all_further_trials_promise_less_than_the_noise_and_not_before():
    run = played(run_of(stop="when-converged"))
    assert (run.state, len(run.trials)) == ("finished", 4)  # 7 x 0.2 mm after three were 1.4
    assert run.reason == (
        "converged: expected gain of 6 further trials 0.60 mm, below the noise 1.00 mm"
    )


def test_a_run_without_a_trial_is_resumed_like_any_other(tmp_path):
    with TrialStore(tmp_path / "t.sqlite") as store:
        begun = run_of(stop="when-converged", storage=store)
        theta = begun.ask().theta
        begun.close()
        again = Run.resume(store, begun.run_id)
        np.testing.assert_array_equal(again.ask().theta, theta)
        again.close()


def test_two_trials_are_too_few_to_have_converged():
    assert not played(run_of(stop="when-converged"), until=2).finished
    assert GAINS[2] == 0.0


def test_of_a_large_budget_eight_further_trials_are_thought_of():
    run = played(run_of(budget=500, stop="when-converged"))
    assert len(run.trials) == 4
    assert "8 further trials 0.80 mm" in run.reason


def test_a_run_takes_all_its_trials_unless_it_should_stop():
    run = played(run_of(budget=5))
    assert run.reason == "all 5 trials used"


@pytest.mark.parametrize("improver", ["random", "repeat", "bo"])
def test_an_improver_that_predicts_no_gain_cannot_stop_when_converged(improver):
    message = rf"when-converged needs .* {improver} does not, choose embedded .*after-trials"
    with pytest.raises(UsageError, match=message):
        run_of(improver=improver, stop="when-converged")


@pytest.mark.parametrize("error", [BudgetSpent, CompletionFailed])
def test_what_a_model_fails_at_shows_where_the_next_trial_is_asked_for(monkeypatch, error):
    def failed(*_):
        raise error("no answer")

    run = played(run_of(stop="when-converged"), 2)
    trial = run.ask()
    monkeypatch.setattr(Gaining, "propose", failed)
    monkeypatch.setattr(Gaining, "may_be_replaced", False)
    run.tell(rollout(trial.theta))
    assert not run.finished
    with pytest.raises(error):
        run.ask()
    assert run.reason == ("no answer" if error is BudgetSpent else "")


def test_a_run_that_looks_elsewhere_knows_no_gain_and_goes_on(monkeypatch):
    def elsewhere(improver, history, rng):
        return Proposal(TOY.space.sample(rng), "gaining", details={"looks_elsewhere": 3})

    monkeypatch.setattr(Gaining, "propose", elsewhere)
    run = played(run_of(budget=5, stop="when-converged"))
    assert run.reason == "all 5 trials used"


def test_the_trial_that_was_thought_of_is_the_one_that_is_executed():
    one, other = played(run_of(stop="when-converged"), 3), played(run_of(), 3)
    np.testing.assert_array_equal(one.ask().theta, other.ask().theta)


def test_a_stopped_run_says_why_when_it_is_resumed_and_goes_on_if_it_should(tmp_path):
    with TrialStore(tmp_path / "t.sqlite") as store:
        stopped = played(run_of(stop="when-converged", storage=store))
        again = Run.resume(store, stopped.run_id)
        assert (again.state, again.reason) == ("finished", stopped.reason)
        assert store.runs()[0].note == stopped.reason
        again = Run.resume(store, stopped.run_id, stop="after-trials")
        theta = again.ask().theta
        again.close()
    np.testing.assert_array_equal(theta, played(run_of(), 4).ask().theta)


def test_a_run_that_is_resumed_half_way_stops_where_it_would_have(tmp_path):
    with TrialStore(tmp_path / "t.sqlite") as store:
        half = played(run_of(stop="when-converged", storage=store), 3)
        half.close()
        assert len(played(Run.resume(store, half.run_id)).trials) == 4


def test_the_command_line_says_that_a_run_converged_and_how_it_goes_on(tmp_path, capsys):
    store = str(tmp_path / "t.sqlite")
    words = ["--task", "slide", "--in-process", "--improver", "gaining", "--trials", "8"]
    assert main(["run", *words, "--stop", "when-converged", "--store", store]) == 0
    out = capsys.readouterr().out
    assert "run finished: converged: expected gain of 4 further trials 0.40 mm" in out
    assert "recommended: theta of trial 0, 4.00 mm expected" in out
    assert out.rstrip().endswith("--in-process --stop after-trials")
    assert main(["runs", "--store", store]) == 0
    assert "finished (converged: expected gain" in capsys.readouterr().out


def test_when_runs_of_an_attached_graph_stop_is_set_where_it_is_started(capsys):
    assert main(["run", "--task", "slide", "--attach", "--stop", "when-converged"]) == 2
    assert "start it with stop:=when-converged" in capsys.readouterr().err


# --- the answer of a run --------------------------------------------------------------------------


def test_the_answer_of_repeats_is_the_theta_of_lowest_mean_cost():
    lucky, steady = np.array([1.0, 0.0]), np.array([1.1, 0.0])
    costs = [(lucky, 0.001), (steady, 0.004), (lucky, 0.011), (steady, 0.005)]
    history = [Outcome(theta, np.array([cost, 0.0]), cost) for theta, cost in costs]
    assert lowest_mean(history) == Recommendation(1, pytest.approx(0.0045))
    assert lowest_mean(history[:2]).index == 0


def test_the_answer_that_is_not_what_looked_best_is_stored_and_said(tmp_path):
    with TrialStore(tmp_path / "t.sqlite") as store:
        run = played(run_of(budget=5, storage=store))
        stored = store.trials(run.run_id)
    assert run.best.number != 0
    assert run.recommended.number == answer_of(stored).trial.number == 0
    line = (
        f"recommended: theta of trial 0, 4.00 mm expected; trial {run.best.number} looked best "
        f"with {1e3 * run.best.cost:.3g} mm"
    )
    assert remark_lines(stored)[-1].startswith(line)
    assert record_json(run.run_id, run.config, stored, Spending())["recommended"] == 0


def test_the_answer_takes_the_last_trial_into_account(monkeypatch):
    asked = []

    def recommend(improver, history):
        asked.append([outcome.theta.tobytes() for outcome in history])
        return Recommendation(len(history) - 1, 0.004, NOISE)

    monkeypatch.setattr(Gaining, "recommend", recommend)
    run = played(run_of(budget=3))
    assert asked == [[t.theta.tobytes() for t in run.trials[:n]] for n in (1, 2, 3)]
    assert run.recommended is run.trials[-1]


def test_the_answer_of_repeats_whose_noise_is_not_known_can_be_read_again(tmp_path):
    with TrialStore(tmp_path / "t.sqlite") as store:
        run = run_of(budget=2, improver="repeat", storage=store)
        for miss in (0.3, 0.1):
            run.ask()
            run.tell([miss, 0.0])
        answer = answer_of(store.trials(run.run_id))
    assert answer.line == (
        "recommended: theta of trial 0, 200 mm expected; trial 1 looked best with 100 mm"
    )


def test_a_theta_that_a_person_chose_is_no_repeat_and_promises_nothing(tmp_path, monkeypatch):
    def repeats(improver, history, rng):
        details = {"expected_gain": 0.1, "repeat": True, "why": "noise"}
        return Proposal(history[0].theta, "gaining", details=details)

    monkeypatch.setattr(Gaining, "propose", repeats)
    with TrialStore(tmp_path / "t.sqlite") as store:
        run = played(run_of(storage=store), 1)
        assert run.ask().proposal.is_repeat
        run.change(TOY.space.lower.copy(), "eve")
        run.tell([0.1, 0.0])
        kept = store.trials(run.run_id)[-1].proposal
        run.close()
    assert np.isnan(kept.expected_gain)
    assert not kept.is_repeat
    assert kept.details["why"] == "noise"


@pytest.mark.parametrize("gain", [float("nan"), None])
def test_a_gain_that_is_not_known_is_nan(gain):
    proposal = Proposal(np.zeros(2), "a plug-in", details={"expected_gain": gain})
    assert np.isnan([proposal.expected_gain, proposal.trial_noise]).all()


def test_the_answer_is_what_looked_best_where_nobody_knows_better():
    run = played(run_of(budget=4, improver="random"))
    assert run.recommended is run.best
    assert answer_of(run.trials) is None
    assert "answer" not in run.trials[-1].proposal.details


def test_a_lucky_trial_is_not_the_answer_of_a_noisy_run():
    physics = np.array([0.2, 0.5])
    best = toy.best_theta(physics)
    misses = [(0.009, -0.006), (-0.008, 0.007), (0.006, 0.008), (-0.009, -0.007), (0.007, 0.006)]
    near = [best + np.array([0.001, -0.002]) * n for n in range(-2, 3)]
    history = [seen(theta, physics, miss) for theta, miss in zip(near, misses, strict=True)]
    far = best + np.array([0.04, 0.0])  # 29 mm too far, and luck made up for it
    off = toy.endpoint(far, physics) - toy.GOAL
    history.append(seen(far, physics, 0.0005 - off))
    found = Embedded(toy.context(EXAMPLES)).recommend(history)
    assert found.index < 5
    assert found.noise > 0.005
    assert found.expected_cost < 0.01


def seen(theta, physics, miss):
    error = toy.endpoint(theta, physics) - toy.GOAL + miss
    return Outcome(theta, error, float(np.linalg.norm(error)))


# --- repeats --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """Belief in which every point has an error of its own: mean by its first coordinate."""

    std: float
    noise: float
    usual_noise: float = 0.001

    @property
    def scatter(self):
        return self.noise

    unit = np.ones(1)

    def predict(self, points):
        mean, _ = self.joint(points)
        return mean, np.full_like(mean, self.std**2)

    def joint(self, points):
        return points[:, :1], self.std**2 * np.eye(len(points))


TRIED = np.array([[0.010], [0.011], [0.5]])
DRAWS = np.linspace(-2.0, 2.0, 9)[:, np.newaxis]


def test_a_repeat_tells_more_where_noise_hides_which_theta_is_best():
    value = trial_value(Known(std=0.02, noise=0.01), TRIED, np.array([0.4]), DRAWS)
    assert value.repeat_tells_more
    assert value.repeated in (0, 1)
    assert value.details(repeat=True) == {
        "expected_gain": round(value.repeat_gain, 6),
        "trial_noise": 0.01,
        "repeat": True,
    }


def test_a_new_theta_tells_more_where_it_promises_more():
    value = trial_value(Known(std=0.02, noise=0.01), TRIED, np.array([0.0]), DRAWS)
    assert value.gain > value.repeat_gain > 0.0


def test_nothing_is_repeated_where_no_noise_was_found():
    value = trial_value(Known(std=0.02, noise=0.001), TRIED, np.array([0.4]), DRAWS)
    assert value.repeat_gain == 0.0
    assert not value.repeat_tells_more


def test_a_theta_that_is_known_exactly_gains_nothing():
    value = trial_value(Known(std=0.0, noise=0.01), TRIED, np.array([0.4]), DRAWS)
    assert (value.gain, value.repeat_gain) == (0.0, 0.0)


def test_the_costs_that_were_seen_decide_where_no_noise_was_found():
    costs = np.array([0.2, 0.1, 0.3])
    assert answer(Known(0.001, 0.001), TRIED, costs, DRAWS)[0] == 1
    assert answer(Known(0.001, 0.01), TRIED, costs, DRAWS)[0] == 0


@pytest.mark.parametrize("repeats", ["never", "when-noisy"])
def test_a_noiseless_run_never_repeats(repeats):
    improver = Embedded(toy.context(EXAMPLES, repeats=repeats))
    history = toy.run(improver, np.array([0.2, 0.8]), np.random.default_rng(1), 6)
    assert len({outcome.theta.tobytes() for outcome in history}) == 7


def test_embedded_repeats_only_if_it_may(monkeypatch):
    module = "icpi_ros.improvers.embedded.trial_value"
    found = trial_value(Known(std=0.02, noise=0.01), TRIED, np.array([0.4]), DRAWS)
    monkeypatch.setattr(module, lambda *_: dataclasses.replace(found, repeated=1))
    history = [seen(np.array([1.0, a]), np.array([0.2, 0.8]), 0.0) for a in (0.0, 0.2)]
    rng = np.random.default_rng
    again = Embedded(toy.context(EXAMPLES, repeats="when-noisy")).propose(history, rng(0))
    assert again.is_repeat
    np.testing.assert_array_equal(again.theta, history[1].theta)
    new = Embedded(toy.context(EXAMPLES)).propose(history, rng(0))
    assert not new.is_repeat
    assert not np.array_equal(new.theta, history[1].theta)


def test_tables_show_which_trial_is_repeated():
    run = run_of(budget=3, improver="repeat")
    run_in_process(run, rollout)
    rows = trial_rows(TOY, run.trials)
    assert [row["repeat_of"] for row in rows] == [None, 0, 0]
    assert run_table(run.trials, TOY.space).count("repeat, repeat of trial 0") == 2


# --- the benchmark --------------------------------------------------------------------------------


def row(trial, gain, **more):
    known = {"noise": 0.002, "task": "slide", "instance": 0, "improver": "embedded", "trial": trial}
    costs = {"cost": 0.01, "repeat": False, "looked_best": 0.004, "answer": 0.01 / (trial + 1)}
    return {**known, **costs, "gain": gain, "noise_inferred": NOISE, **more}


def test_the_benchmark_counts_what_a_stopped_run_spends_and_loses():
    rows = [row(n, gain) for n, gain in enumerate([np.nan, 0.1, 0.1, 0.1, 0.0001, 0.0])]
    assert stopped_after(rows) == 4
    lines = text(rows, seed=0)
    assert lines[2:] == [
        "noise 2 mm",
        "  embedded: 1 runs, 0.0 repeats",
        "    after  5: 4.00 [4.00, 4.00] | 2.00 [2.00, 2.00] | -2.00 [-2.00, -2.00]",
        "    stopped when converged: spends 4.0 of 6 trials, loses 0.83 [0.83, 0.83]",
    ]


def test_a_failed_trial_counts_and_a_run_without_a_first_outcome_does_not():
    rows = [row(n, 0.1) for n in range(5)] + [{**row(5, 0.1), "cost": None}]
    none = [{**row(0, 0.1), "instance": 1}, {**row(1, 0.1), "instance": 1, "cost": None}]
    del none[1]["answer"]
    head = "  embedded: 1 runs, 1 whose first attempt failed left out, 1 failed trials, 0.0 repeats"
    assert text([*rows, *none], seed=0)[3] == head
    assert text(none, seed=0)[3] == "  embedded: the first attempt of every run failed"


def refused(_):
    return Refusal("toy: unstable")


def spent(monkeypatch, *found):
    """Rows of a run whose trials are executed one after the other as given, and its thetas."""
    ways, thetas = iter(found), []

    def simulate(asked):
        thetas.append(asked[0].tolist())
        return [next(ways)(asked[0])]

    module = "icpi_benchmarks.spent.cells"
    monkeypatch.setattr(f"{module}.simulated_feasibility", lambda *_: anything)
    monkeypatch.setattr(f"{module}.simulator", lambda *_: simulate)
    who = (Entrant("gaining", Gaining, {}),)
    return SpentCells((TOY,), 1, "train", (0.0,), who, len(found), 0, examples=False)(0), thetas


def test_a_row_of_a_trial_that_failed_has_no_cost_of_another(monkeypatch):
    rows, _ = spent(monkeypatch, rollout, refused, rollout)
    assert [row["cost"] is None for row in rows] == [False, True, False]
    assert rows[1]["answer"] == rows[0]["cost"]


def test_after_a_first_attempt_that_failed_another_theta_is_tried(monkeypatch):
    rows, thetas = spent(monkeypatch, refused, refused, rollout)
    assert len({tuple(theta) for theta in thetas}) == 3
    assert [row["cost"] is None for row in rows] == [True, True, False]
