"""Statistics of a benchmark, against what can be worked out by hand."""

import random
from dataclasses import replace

import numpy as np
import pytest
from bench_data import condition, config, realistic, results_of, row
from icpi_benchmarks.report.text import verdict_lines
from icpi_benchmarks.results import Results
from icpi_benchmarks.statistics.intervals import RESAMPLES, median_interval, resampled_means
from icpi_benchmarks.statistics.model_use import model_use
from icpi_benchmarks.statistics.summaries import ratio, steps_to_threshold, summarise
from icpi_benchmarks.statistics.verdicts import improved_share, verdicts

from icpi_ros.core.errors import InvalidValue


def one(results):
    (found,) = summarise(results)
    return found


def test_the_interval_of_a_mean_is_the_normal_one_where_that_is_known():
    rng = np.random.default_rng(1)
    costs = rng.normal(1.0, 0.2, (400, 1))
    line = one(results_of({"embedded": costs})).of("embedded")
    spread = costs.std() / np.sqrt(400)
    assert line.mean[0] == pytest.approx(costs.mean())
    assert line.mean_low[0] == pytest.approx(costs.mean() - 1.96 * spread, abs=0.1 * spread)
    assert line.mean_high[0] == pytest.approx(costs.mean() + 1.96 * spread, abs=0.1 * spread)


@pytest.mark.parametrize("count", [1, 2, 9, 40, 200])
def test_the_interval_of_a_median_is_what_resampling_gives(count):
    values = np.random.default_rng(2).lognormal(0.0, 1.0, count)
    rng = np.random.default_rng(3)
    resampled = np.sort(values[rng.integers(count, size=(20_000, count))], axis=1)
    drawn = np.median(resampled, axis=1)
    low, high = median_interval(values)
    # at most one order statistic apart: the drawn ones have sampling error
    ranks = np.searchsorted(np.sort(values), [low, high])
    wanted = np.searchsorted(
        np.sort(values), np.quantile(drawn, [0.025, 0.975], method="inverted_cdf")
    )
    assert np.abs(ranks - wanted).max() <= 1
    assert low <= np.median(values) <= high
    mirrored = -median_interval(-values)[::-1]
    np.testing.assert_array_equal(mirrored, [low, high])


def test_a_large_sample_does_not_overflow_the_median_interval():
    low, high = median_interval(np.arange(5000.0))
    assert low == pytest.approx(2500 - 0.98 * np.sqrt(5000), abs=3)
    assert high == pytest.approx(2500 + 0.98 * np.sqrt(5000), abs=3)


def test_mean_median_and_p95_are_over_instances_of_the_best_so_far():
    costs = np.random.default_rng(4).random((50, 3))
    line = one(results_of({"embedded": costs})).of("embedded")
    best = np.minimum.accumulate(costs, axis=1)
    np.testing.assert_allclose(line.mean, best.mean(axis=0))
    np.testing.assert_allclose(line.median, np.median(best, axis=0))
    np.testing.assert_allclose(line.p95, np.quantile(best, 0.95, axis=0))


def test_the_ratio_of_equals_is_exactly_one_and_of_a_multiple_exactly_that():
    costs = np.random.default_rng(5).lognormal(-3.0, 1.0, (30, 1))
    results = results_of({"embedded": costs, "same": costs, "triple": 3.0 * costs})
    found = one(results)
    for name in ("embedded", "same"):
        line = found.of(name)
        assert (line.ratio[0], line.ratio_low[0], line.ratio_high[0]) == (1.0, 1.0, 1.0)
    triple = ratio(results, "slide", "triple", "embedded", 0)
    assert (triple.value, triple.low, triple.high) == pytest.approx((3.0, 3.0, 3.0))
    third = ratio(results, "slide", "embedded", "triple", 0)
    assert third.value == pytest.approx(1 / 3)


def test_a_ratio_is_paired_so_what_makes_instances_hard_cancels():
    rng = np.random.default_rng(6)
    hard = rng.lognormal(-3.0, 1.5, (200, 1))
    near = results_of(
        {"embedded": hard, "other": 1.2 * hard * rng.lognormal(0.0, 0.05, hard.shape)}
    )
    apart = results_of({"embedded": hard, "other": 1.2 * rng.permutation(hard)})
    paired = ratio(near, "slide", "other", "embedded", 0)
    unpaired = ratio(apart, "slide", "other", "embedded", 0)
    assert paired.low > 1.0
    assert paired.high - paired.low < 0.2 * (unpaired.high - unpaired.low)


def test_the_summary_and_the_ratio_agree():
    results = realistic(tasks=("slide",), instances=30)
    line = one(results).of("random")
    found = ratio(results, "slide", "embedded", "random", 3)
    summary = (line.ratio[3], line.ratio_low[3], line.ratio_high[3])
    assert (found.value, found.low, found.high) == pytest.approx(summary, rel=1e-9)


def test_zero_costs_give_a_ratio_and_no_warning():
    zero, some = np.zeros((5, 1)), np.full((5, 1), 0.1)
    results = results_of({"embedded": zero, "other": some, "perfect": zero})
    assert ratio(results, "slide", "other", "embedded", 0).low == np.inf
    assert ratio(results, "slide", "perfect", "embedded", 0).value == 1.0
    assert ratio(results, "slide", "embedded", "other", 0).high == 0.0


def test_resamples_are_the_same_for_all_columns_and_for_the_same_seed():
    values = np.random.default_rng(7).random((20, 2))
    means = resampled_means(np.column_stack([values, values[:, 0]]), 3)
    assert means.shape == (RESAMPLES, 3)
    np.testing.assert_array_equal(means[:, 0], means[:, 2])
    np.testing.assert_array_equal(means[:, :2], resampled_means(values, 3))
    assert (means[:, :2] != resampled_means(values, 4)).any()


@pytest.mark.parametrize(
    ("costs", "median", "reached", "text"),
    [
        ([[0.1, 0.004], [0.1, 0.001]], 1.0, 1.0, "1"),
        ([[0.004, 0.004]], 0.0, 1.0, "0"),
        ([[0.1, 0.005, 0.005], [0.1, 0.1, 0.001]], 1.5, 1.0, "1.5"),
        ([[0.1, 0.1], [0.1, 0.1], [0.1, 0.001]], np.inf, 1 / 3, "> 1"),
        ([[0.1, 0.1], [0.1, 0.1]], np.inf, 0.0, "> 1"),
        ([[0.1, 0.1], [0.1, 0.001]], np.inf, 0.5, "> 1"),
    ],
)
def test_instances_that_never_got_there_count_as_longer_than_all(costs, median, reached, text):
    found = steps_to_threshold(np.array(costs), 0.005)
    assert (found.median, found.reached, found.text) == (median, pytest.approx(reached), text)


def test_a_failure_spoils_success_from_then_on_but_keeps_the_best_cost():
    nan = np.nan
    results = results_of({"embedded": [[0.1, 0.001, nan], [0.1, nan, 0.001], [0.1, 0.1, 0.001]]})
    line = one(results).of("embedded")
    np.testing.assert_allclose(line.success, [0.0, 1 / 3, 1 / 3])
    np.testing.assert_array_equal(line.failures, [0, 1, 1])
    assert line.failure_reasons == (("diverged", 2),)
    assert line.mean[2] == pytest.approx(0.001)


def test_refusals_are_counted_by_their_fields_and_those_of_older_files_by_their_text():
    found = results_of({"embedded": [[0.1, np.nan], [0.1, np.nan], [0.1, np.nan]]})
    elbow = {"kind": "joint_limit", "quantity": "velocity", "joint": "elbow_joint"}
    texts = ("3.2 rad/s is too fast", "3.3 rad/s is too fast", "it diverged")
    failed = [each for each in found.rows if each["failure"]]
    for each, text, fields in zip(failed, texts, (elbow, elbow, None), strict=True):
        each.update(failure=text, refusal=fields)
    reasons = one(found).of("embedded").failure_reasons
    assert reasons == (("joint limit: velocity of elbow_joint", 2), ("it diverged", 1))
    for each in failed:
        del each["refusal"]
    assert one(found).of("embedded").failure_reasons == tuple((t, 1) for t in sorted(texts))


def test_an_instance_without_a_first_outcome_is_left_out_for_all_alike():
    nan = np.nan
    a = [[0.1, 0.01], [nan, nan], [0.3, 0.03]]
    b = [[0.1, 0.05], [nan, nan], [0.3, 0.05]]
    found = one(results_of({"embedded": a, "other": b}))
    assert found.block.instances == (0, 2)
    assert found.block.left_out == (1,)
    assert found.of("embedded").mean[1] == pytest.approx(0.02)
    lost = results_of({"embedded": [[nan, nan]]})
    assert one(lost).improvers == ()
    with pytest.raises(InvalidValue, match="first attempt failed in all 1 instances"):
        ratio(lost, "slide", "embedded", "embedded", 0)
    with pytest.raises(InvalidValue, match="first attempt failed in all 1 instances"):
        one(lost).of("embedded")


def test_fallbacks_are_counted_with_their_reasons_and_predict_for_nobody():
    def trial(number, cost, **more):
        return row("embedded", 0, number, cost, cost, **more)

    rows = [
        trial(0, 0.1, predicted_cost=0.1, predicted_std=1.0),
        trial(1, 0.09, predicted_cost=0.08, predicted_std=0.01),
        trial(2, 0.08, predicted_cost=0.08, predicted_std=0.0),
        trial(3, 0.07, predicted_cost=0.04, predicted_std=0.01),
        trial(4, 0.06, predicted_cost=0.06, predicted_std=None),
        trial(5, 0.05, predicted_cost=0.05, predicted_std=0.1, fallback_reason="no answer"),
    ]
    line = one(Results(config(improvers=("embedded",), instances=1), [], rows)).of("embedded")
    assert line.fallback_reasons == (("no answer", 1),)
    known = line.calibration
    np.testing.assert_array_equal(known.trial, [1, 2, 3, 4])
    assert known.within_1 == pytest.approx(2 / 3)
    assert known.within_2 == pytest.approx(2 / 3)
    assert known.median_z == pytest.approx(1.0)


def test_who_predicts_nothing_has_no_calibration():
    assert one(results_of({"embedded": [[0.1, 0.05]]})).of("embedded").calibration is None


def test_the_shares_of_a_well_calibrated_predictor_are_the_normal_ones():
    rng = np.random.default_rng(8)
    rows = []
    for instance, cost in enumerate(rng.normal(1.0, 0.1, 2000)):
        rows.append(row("embedded", instance, 0, 2.0, 2.0))
        more = {"predicted_cost": 1.0, "predicted_std": 0.1}
        rows.append(row("embedded", instance, 1, float(cost), float(cost), **more))
    known = (
        one(Results(config(improvers=("embedded",), instances=len(rows) // 2, trials=2), [], rows))
        .of("embedded")
        .calibration
    )
    assert known.within_1 == pytest.approx(0.683, abs=0.03)
    assert known.within_2 == pytest.approx(0.954, abs=0.015)
    assert known.median_z == pytest.approx(0.674, abs=0.05)


def test_times_are_of_proposals_and_failed_ones_without_a_time_do_not_count():
    rows = [
        row("embedded", 0, 0, 0.1, 0.1, seconds=0.0),
        row("embedded", 0, 1, 0.1, 0.1, seconds=0.002),
        row("embedded", 0, 2, None, 0.1, seconds=None, failure="not asked again"),
    ]
    line = one(Results(config(improvers=("embedded",), instances=1, trials=3), [], rows)).of(
        "embedded"
    )
    assert line.proposal_seconds == pytest.approx(0.002)


def test_the_order_of_rows_does_not_matter():
    results = realistic(tasks=("slide", "roll-gc"), instances=5)
    rows = list(results.rows)
    random.Random(0).shuffle(rows)
    for a, b in zip(summarise(results), summarise(replace(results, rows=rows)), strict=True):
        assert (a.task, a.block.improvers) == (b.task, b.block.improvers)
        np.testing.assert_array_equal(a.of("knn").ratio_low, b.of("knn").ratio_low)


def broken(change):
    results = results_of({"embedded": [[0.1, 0.05]], "other": [[0.1, 0.05]]})
    rows = [dict(found) for found in results.rows]
    change(rows)
    return replace(results, rows=rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.pop(), "task slide: 3 rows, but 2 improvers"),
        (lambda rows: rows.__setitem__(1, rows[0]), "there twice"),
        (lambda rows: rows[0].update(best_cost=None), "a best cost is missing"),
        (lambda rows: rows[1].update(best_cost=None), "a best cost is missing"),
        (lambda rows: rows[1].update(best_cost="cheap"), "best_cost.*not a number"),
        (lambda rows: rows[1].update(trial="last"), "not a whole number"),
        (lambda rows: rows[1].update(trial=-1), "not a whole number"),
        (lambda rows: rows[1].update(trial=10**12), "not one that config asks for"),
        (lambda rows: rows[1].update(instance=[1]), "not a whole number"),
        (lambda rows: rows[1].update(improver=None), "not a text"),
        (lambda rows: rows[1].update(instance=1), "instance 1, trial 1 is not one that"),
        (lambda rows: rows[1].update(improver="bo"), "improver 'bo'.* is not one that config"),
        (lambda rows: rows[1].update(task="roll"), "task roll has rows, but is not in config"),
        (lambda rows: rows.__delitem__(slice(2, 4)), "2 rows, but 2 improvers on 1 instances"),
        (lambda rows: rows.clear(), "no rows"),
    ],
)
def test_a_design_that_is_not_paired_is_refused(change, message):
    with pytest.raises(InvalidValue, match=message):
        summarise(broken(change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": ["slide", "roll-gc"]}, "task roll-gc has no rows"),
        ({"conditions": [condition(), condition("k=3")]}, "task slide, condition k=3 has no rows"),
        ({"instances": 2}, "4 rows, but 2 improvers on 2 instances in 2 trials need 8"),
        ({"trials": 3}, "4 rows, but 2 improvers on 1 instances in 3 trials need 6"),
        ({"improvers": ["embedded", "other", "bo"]}, "4 rows, but 3 improvers"),
    ],
)
def test_rows_that_the_config_asks_for_and_are_not_there_are_missed(change, message):
    results = results_of({"embedded": [[0.1, 0.05]], "other": [[0.1, 0.05]]})
    with pytest.raises(InvalidValue, match=message):
        summarise(replace(results, config={**results.config, **change}))


def test_a_ratio_names_what_there_is():
    results = results_of({"embedded": [[0.1]], "other": [[0.1]]})
    with pytest.raises(InvalidValue, match="choose one of embedded, other"):
        ratio(results, "slide", "cma", "embedded", 0)
    with pytest.raises(InvalidValue, match="there are slide"):
        ratio(results, "roll-gc", "other", "embedded", 0)
    with pytest.raises(InvalidValue, match="allowed are 0 to 0"):
        ratio(results, "slide", "other", "embedded", 3)


# --- verdicts -----------------------------------------------------------------------------------


def test_a_verdict_is_within_noise_where_the_paired_interval_holds_one():
    rng = np.random.default_rng(5)
    start = rng.lognormal(np.log(0.2), 0.7, 12)
    shares = {"llm": rng.uniform(0.2, 0.3, 12), "knn": rng.uniform(0.05, 0.1, 12)}
    shares |= {"null-mean": shares["llm"] * rng.uniform(0.7, 1.4, 12), "null-label": np.ones(12)}
    costs = {label: np.stack([start, start * share], axis=1) for label, share in shares.items()}
    found = one(results_of(costs, rivals={"llm": ["null-label", "null-mean", "knn", "absent"]}))
    judged = {verdict.rival: verdict for verdict in verdicts(found, 1)}
    assert {rival: str(verdict.judgement) for rival, verdict in judged.items()} == {
        "null-label": "better than", "null-mean": "within noise of", "knn": "worse than",
    }  # fmt: skip
    assert judged["null-label"].ratio.high < 1.0 < judged["knn"].ratio.low  # this / rival
    head, line = verdict_lines(found)
    assert "this / rival" in head
    assert "worse than knn" in line
    ends = judged["knn"].ratio
    direct = ratio(results_of(costs), "slide", "llm", "knn", 1)
    assert (ends.value, ends.low, ends.high) == (direct.value, direct.low, direct.high)


def test_the_interval_of_the_improved_share_is_over_instances():
    better = np.repeat([True, False], (9, 3))
    costs = np.stack([np.ones(12), np.where(better, 0.5, 2.0), np.where(better, 0.2, 3.0)], axis=1)
    found = improved_share(one(results_of({"llm": costs})), "llm")
    assert found.value == 0.75
    assert (found.low, found.high) == (0.5, 1.0)  # binomial(12, 0.75): 6 to 12 of 12 instances


def test_what_a_model_did_is_summed_over_its_proposals():
    paid = {"calls": 1, "prompt_tokens": 180, "completion_tokens": 20, "seconds": 3.0}
    asked = {"wanted": 5, "read": 4, "missing": 0}
    rows = [
        row("llm", 0, 0, 1.0, 1.0, asked=None),
        row("llm", 0, 1, 0.5, 0.5, asked=asked, spent=paid),
        row("llm", 0, 2, 0.4, 0.4, asked=asked, spent=paid | {"seconds": 5.0}),
        row("llm", 0, 3, 0.4, 0.4, asked={"wanted": 0, "read": 0, "missing": 1}, spent={}),
        row("llm", 0, 4, 0.4, 0.4, asked={"wanted": 0, "read": 0, "missing": 7}, spent=paid),
        row("ridge", 0, 1, 0.4, 0.4),
    ]
    (label, use), *others = model_use(rows).items()
    assert (label, others) == ("llm", [])
    assert (use.readable, use.tokens_each, use.seconds_each) == (0.8, 200.0, 4.0)
    assert (use.proposals, use.missing) == (2, 2)
