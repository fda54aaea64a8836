"""A model's benchmark counts what the model did: no other improver's steps, no better rank."""

import dataclasses
import re

import numpy as np
import pytest
import toy_task
from bench_data import condition, config, row
from icpi_benchmarks.contest.conditions import NULLS, PRESETS, Condition
from icpi_benchmarks.contest.entrants import Entrant, entrants, with_nulls
from icpi_benchmarks.contest.play import ContestRules, SharedRollouts, play
from icpi_benchmarks.instances import draw_instance
from icpi_benchmarks.report.command import benchmark_json
from icpi_benchmarks.report.page import bench_page
from icpi_benchmarks.report.text import bench_tables
from icpi_benchmarks.results import Results, is_own_step
from icpi_benchmarks.statistics.summaries import summarise
from pushing_task import PUSHING_GOALS

from icpi_ros.core.errors import CompletionFailed
from icpi_ros.core.types import Outcome
from icpi_ros.improvers import IMPROVERS
from icpi_ros.improvers.base import Context
from icpi_ros.improvers.llm.plain import Llm
from icpi_ros.llm.client.budget import Spending
from icpi_ros.llm.client.completer import Completion
from icpi_ros.llm.prompt.completion import complete
from icpi_ros.llm.prompt.text import read_prompt
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.runs.proposals import Proposer

TASK, DATA, TRIALS = PUSHING_GOALS, toy_task.toy_dataset(), 5
RUBBISH = "well, it depends"
LONG = "llm:cassette=/" + "a-long-way/" * 20 + "tape.jsonl"


def good(request):
    pattern, numbers = read_prompt(request.prompt.messages[-1]["content"])
    return f'{{"output": "{numbers.encode(complete(pattern).mean)}"}}'


class Model:
    """A model in this process that gives rubbish in some of its calls, and one token for each."""

    def __init__(self, is_rubbish, meter):
        self._is_rubbish, self._meter, self._calls = is_rubbish, meter, 0

    def complete(self, request, until):
        self._calls += 1
        self._meter.spent += Spending(calls=1)
        return Completion((RUBBISH if self._is_rubbish(self._calls) else good(request),))


class Meter:
    spent = Spending()


def asking(is_rubbish, kind=Llm):
    """A class like ``llm`` with such a model, whatever the options say."""

    class Asking(kind):
        def _get_ready(self):
            self._given = Model(is_rubbish, meter := Meter())
            super()._get_ready()
            self._meter = meter

    return Asking


def always(call):
    return True


def never(call):
    return False


def every_other(call):
    return call % 2 == 0


def contest(under=None, instances=1, **kinds):
    """Results of one toy task: improvers by label, each an Entrant, a class or a name."""
    who = [_entrant(label, kind) for label, kind in kinds.items()]
    rules, rows = ContestRules(seed=7, trials=TRIALS, time_limit=120.0), []
    for number in range(instances):
        instance = draw_instance(TASK, "test", 7, number)

        def simulate(thetas, grip=instance.physics[0]):
            return [toy_task.rollout(theta, grip=grip) for theta in thetas]

        bench = SharedRollouts(TASK, instance, 0.0, 7, simulate)
        where = under or Condition()
        rows += play(TASK, UR5E, where, instance, who, DATA, rules, bench)
    made = config((TASK.name,), [one.label for one in who], instances=instances, trials=TRIALS)
    made |= {"substitute": "hold", "conditions": [condition(under.name if under else "")]}
    return Results(made, [], rows)


def _entrant(label, kind):
    if isinstance(kind, str):
        (named,) = entrants([kind])
        return dataclasses.replace(named, label=label)
    return kind if isinstance(kind, Entrant) else Entrant(label, kind, {})


def rows_of(results, label):
    return [row for row in results.rows if row["improver"] == label]


def only(results):
    (found,) = summarise(results)
    return found


def words(text):
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


# --- hold: what a model did not propose gains it nothing --------------------------------------


def test_a_model_that_answers_rubbish_keeps_the_first_cost_and_has_no_own_step():
    results = contest(ridge="ridge", **{"llm:bad": asking(always)})
    rows = rows_of(results, "llm:bad")
    first = rows[0]["cost"]
    assert [row["cost"] for row in rows] == [row["best_cost"] for row in rows] == [first] * TRIALS
    assert [row["provenance"] for row in rows[1:]] == ["hold"] * (TRIALS - 1)
    assert all("llm: " in row["fallback_reason"] for row in rows[1:])
    assert not any(row["own_step"] or row["own_improved"] for row in rows)
    line = only(results).of("llm:bad")
    assert (line.steps_asked, line.own_steps, line.own_improved, line.ranked) == (4, 0, 0, False)
    assert only(results).of("ridge").ranked


def test_a_model_that_answers_every_other_time_has_half_of_the_steps():
    results = contest(instances=3, ridge="ridge", **{"llm:half": asking(every_other)})
    rows = rows_of(results, "llm:half")
    assert [row["own_step"] for row in rows] == [False, True, False, True, False] * 3
    for now, before in zip(rows[1:], rows, strict=False):
        if now["trial"] and not now["own_step"]:
            assert now["best_cost"] == before["best_cost"] == now["cost"]
    line = only(results).of("llm:half")
    assert (line.steps_asked, line.own_steps, line.ranked) == (12, 6, False)
    assert 1 <= line.own_improved == sum(row["own_improved"] for row in rows) <= 6


def test_a_model_that_always_answers_is_ranked_among_the_others():
    results = contest(ridge="ridge", **{"llm:good": asking(never)})
    line = only(results).of("llm:good")
    assert (line.own_steps, line.ranked) == (4, True)
    assert line.mean[-1] < 0.5 * line.mean[0]
    assert "not ranked" not in "\n".join(bench_tables(results))


@pytest.mark.parametrize(("missing", "ranked"), [(4, True), (5, False)])
def test_one_tenth_is_the_limit(missing, ranked):
    instances, trials = 10, 5  # 40 steps
    rows = [
        row("llm", n, t, 0.1, 0.1, fallback_reason="x" if t and 4 * n + t <= missing else "")
        for n in range(instances)
        for t in range(trials)
    ]
    made = config(improvers=("llm",), instances=instances, trials=trials)
    assert only(Results(made, [], rows)).of("llm").ranked == ranked


# --- the other policies -------------------------------------------------------------------------


def test_where_embedded_stands_in_its_steps_are_not_the_models():
    kind = Entrant("llm:substitute=embedded", asking(always), {"substitute": "embedded"})
    results = contest(ridge="ridge", **{kind.label: kind})
    rows = rows_of(results, kind.label)
    assert rows[-1]["best_cost"] < 0.5 * rows[0]["cost"]  # executed, and good
    assert [row["provenance"] for row in rows[1:]] == ["embedded"] * 4
    line = only(results).of(kind.label)
    assert (line.own_steps, line.own_improved, line.ranked) == (0, 0, False)


def test_without_substitute_the_trial_has_failed_and_its_cost_in_calls_is_on_record():
    kind = Entrant("llm:substitute=fail", asking(always), {"substitute": "fail"})
    rows = rows_of(contest(**{kind.label: kind}), kind.label)
    for now in rows[1:]:
        assert now["failure"].startswith("CompletionFailed: ")
        assert (now["cost"], now["theta"], now["fallback_reason"]) == (None, None, "")
        assert now["spent"]["calls"] == 1
        assert now["best_cost"] == rows[0]["cost"]
        assert not now["own_step"]


def context(**options):
    goal = np.array([0.6, 0.42])
    return Context(TASK.space, goal, TASK.cost_mask, DATA, options)


def trials(*thetas):
    found = []
    for theta in np.array(thetas):
        error = TASK.error(toy_task.rollout(theta), np.array([0.6, 0.42]))
        found.append(Outcome(theta, error, TASK.cost(error)))
    return found


@pytest.fixture
def failing():
    """The registered ``llm`` with a model that answers rubbish."""
    with IMPROVERS.temporarily("rubbish", asking(always)):
        yield "rubbish"


def test_a_run_may_hold_or_end_where_its_model_fails(failing):
    history = trials((0.8, 0.1), (1.1, 0.0), (1.4, -0.3))
    best = min(history, key=lambda trial: trial.cost)
    held = Proposer(failing, context(substitute="hold")).propose(history, 0, 3)
    assert held.provenance == "hold"
    assert held.fallback_reason
    np.testing.assert_array_equal(held.theta, best.theta)
    assert held.details["exchanges"][0]["replies"] == [RUBBISH]
    with pytest.raises(CompletionFailed):
        Proposer(failing, context(substitute="fail")).propose(history, 0, 3)
    assert Proposer(failing, context()).propose(history, 0, 3).provenance == "embedded"


# --- reports ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mixed():
    kinds = {"ridge": "ridge", LONG: asking(always), "llm:good": asking(never)}
    return contest(instances=2, **kinds, **{null: null for null in NULLS})


def test_the_table_shows_it_apart_with_its_reason_whole(mixed):
    table, *notes = bench_tables(mixed)
    lines = table.splitlines()
    apart = next(n for n, line in enumerate(lines) if line.startswith("not ranked: more than 10 %"))
    assert lines[apart + 1].startswith(LONG)
    assert "0 / 8" in lines[apart + 1]
    assert not any(line.startswith(LONG) for line in lines[:apart])
    assert any(line.startswith("llm:good") and "8 / 8" in line for line in lines[:apart])
    told = lines.index(f"! {LONG} fell back 8:")
    assert lines[told + 1].startswith("    8 x llm: ")
    assert "own steps" in lines[1]
    assert "improved" in lines[1]
    assert any("substitute=hold" in note for note in notes)
    assert any("null-label and null-mean" in note for note in notes)


def test_the_page_shows_it_apart_and_in_no_plot(mixed):
    page = bench_page(mixed)
    text = words(page)
    assert "not ranked: more than 10 % of their steps are not their own" in text
    assert "fewer than 90 % own steps are not ranked" in text
    assert "the best theta is repeated (substitute=hold)" in text
    assert LONG in text  # in its table
    assert "llm:cassette" not in "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))


def test_it_is_neither_the_reference_nor_the_best_other():
    rows = []
    for n in range(3):
        for t in range(3):
            rows.append(
                row(
                    "llm",
                    n,
                    t,
                    0.1 / (1 + 9 * t),
                    0.1 / (1 + 9 * t),
                    fallback_reason="no" if t else "",
                    provenance="embedded",
                )
            )
            rows += [row(name, n, t, 0.1 - 0.01 * t, 0.1 - 0.01 * t) for name in ("knn", "ridge")]
    made = config(improvers=("llm", "knn", "ridge"), instances=3, trials=3)
    results = Results(made, [], rows)
    found = only(results)
    assert found.default == "knn"
    assert [line.improver for line in found.apart] == ["llm"]
    overview = words(bench_page(results)).partition("Mean best cost after")[0]
    assert "knn" in overview
    assert "Made by an older version" in "".join(bench_tables(results))
    lines = benchmark_json(results, [found])["tasks"][0]["improvers"]
    assert [(one["ranked"], one["own_steps"]) for one in lines] == [
        (False, 0), (True, 6), (True, 6)
    ]  # fmt: skip


def test_nobody_ranked_is_still_a_report():
    results = contest(**{"llm:bad": asking(always)})
    assert "0 / 4" in bench_tables(results)[0]
    assert "not ranked" in words(bench_page(results))


def test_an_own_step_is_neither_the_first_nor_a_failed_nor_anothers():
    own = row("llm", 0, 1, 0.1, 0.1)
    assert is_own_step(own)
    for change in ({"trial": 0}, {"theta": None}, {"fallback_reason": "no answer"}):
        assert not is_own_step(own | change)


# --- nulls --------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [3, 20])
def test_nulls_take_the_labels_that_the_model_is_shown(k):
    (history,) = [trials((0.8, 0.1))]
    llm = asking(never)(context(k=k, substitute="hold"))
    labels = llm._index.scale.unscale_dtheta(llm.pattern(history).shared.outputs)
    mean = IMPROVERS.get("null-mean")(context(k=k)).propose(history, np.random.default_rng(0))
    np.testing.assert_allclose(mean.theta - history[-1].theta, labels.mean(axis=0))
    label = IMPROVERS.get("null-label")(context(k=k))
    drawn = [label.propose(history, np.random.default_rng(n)).theta for n in range(60)]
    steps = np.array(drawn) - history[-1].theta
    near = np.linalg.norm(steps[:, None] - labels[None], axis=2)
    assert near.min(axis=1).max() < 1e-9  # each is one of them
    assert len(set(near.argmin(axis=1))) > 1  # and not always the same


def test_nulls_stand_beside_every_model_with_its_k_and_features():
    assert with_nulls(("ridge", "knn:k=3")) == ("ridge", "knn:k=3")
    assert with_nulls(("llm:k=5:features=raw", "llm-zero", "llm")) == (
        "llm:k=5:features=raw", "llm-zero", "llm", "null-label:k=5:features=raw",
        "null-mean:k=5:features=raw", "null-label", "null-mean",
    )  # fmt: skip
    for name in ("llm", "llm-context", "tokens"):
        assert set(NULLS) <= set(PRESETS[name].improvers)


def test_nulls_follow_a_condition_on_k():
    where = Condition("k=3", options={"k": 3})
    for entrant in entrants(["llm", *NULLS]):
        assert entrant.under(where.options).options["k"] == 3
