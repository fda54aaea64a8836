"""Examples out of pairs of executions, and numbers fitted to the lines that are shown."""

import numpy as np
import pytest
import toy
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from icpi_ros.core.errors import InvalidValue
from icpi_ros.improvers import IMPROVERS
from icpi_ros.improvers.llm.plain import Llm
from icpi_ros.learn.retrieval import Scale
from icpi_ros.llm.client.completer import Wire
from icpi_ros.llm.prompt.pair_examples import NEAR, PER_PHYSICS, PairExamples
from icpi_ros.llm.prompt.pattern import Pattern, PatternLines
from icpi_ros.llm.prompt.text import PromptWriter

PHYSICS = np.array([0.2, 0.8])
TRIAL = toy.outcome(np.array([1.2, 0.1]), PHYSICS)


@pytest.fixture(scope="module")
def data():
    return toy.dataset()


@pytest.fixture(scope="module")
def pairs(data):
    return PairExamples.of(data, Scale.of(data, toy.SPACE, toy.MASK), toy.GOAL)


def test_a_pair_leads_from_one_outcome_to_the_other_of_the_same_physics(data, pairs):
    """The label of a data set is the way to the goal; so is every pair, of another goal."""
    scale = Scale.of(data, toy.SPACE, toy.MASK)
    thetas, errors = pairs.lines.inputs
    executed = {
        (int(group), *np.round(scale.theta(theta), 6)): error / scale.rms
        for group, theta, error in zip(data.group, data.theta, data.error, strict=True)
    }
    checked = 0
    for n in range(len(data), len(pairs.lines)):
        here = (int(pairs.draw[n]), *np.round(thetas[n], 6))
        there = (int(pairs.draw[n]), *np.round(thetas[n] + pairs.lines.outputs[n], 6))
        if here in executed and there in executed:  # both were executed, neither is a label
            np.testing.assert_allclose(executed[here] - executed[there], errors[n], atol=1e-9)
            checked += 1
    assert checked > 100


def test_pairs_are_short_and_labels_are_all_there(data, pairs):
    _, errors = pairs.lines.inputs
    assert len(pairs.lines) > 1.4 * len(data)
    assert (np.linalg.norm(errors[len(data) :] * pairs.mask, axis=1) < NEAR).all()


def test_no_physics_gives_more_than_two(data, pairs):
    scale = Scale.of(data, toy.SPACE, toy.MASK)
    found = pairs.nearest(scale.theta(TRIAL.theta), TRIAL.error / scale.rms, 20)
    rows = [np.flatnonzero((pairs.lines.joined == row).all(axis=1))[0] for row in found.joined]
    assert len(found) == 20
    assert np.bincount(pairs.draw[rows]).max() <= PER_PHYSICS


def test_few_physics_fill_up_what_is_asked_for():
    few = toy.dataset(draws=2, size=20)
    scale = Scale.of(few, toy.SPACE, toy.MASK)
    pairs = PairExamples.of(few, scale, toy.GOAL)
    found = pairs.nearest(scale.theta(TRIAL.theta), TRIAL.error / scale.rms, 8)
    assert len(found) == min(8, len(pairs.lines)) == 8


def test_close_to_the_goal_short_ways_are_near(data, pairs):
    scale = Scale.of(data, toy.SPACE, toy.MASK)
    theta, error = scale.theta(TRIAL.theta), np.full(2, 0.02)
    sizes = np.linalg.norm(pairs.nearest(theta, error, 8).inputs[1], axis=1)
    labels = np.linalg.norm(data.error / scale.rms, axis=1)
    assert sizes.max() < np.quantile(labels, 0.1)


def test_the_nulls_see_the_lines_that_the_model_sees(data):
    improver = Llm(toy.context(data, size="small", wire="completion"), proposes=False)
    shown = improver.pattern([TRIAL]).shared
    assert [group.shape for group in shown.inputs] == [(8, 2)]  # errors alone
    null = IMPROVERS.get("null-mean")(toy.context(data, k=8, examples="pairs"))
    theta = null.propose([TRIAL], np.random.default_rng(0)).theta
    step = shown.outputs.mean(axis=0) * toy.SPACE.half_range
    np.testing.assert_allclose(theta, TRIAL.theta + step)


def test_pairs_show_errors(data):
    with pytest.raises(InvalidValue, match="leave features at 'error'"):
        Llm(toy.context(data, examples="pairs", features="raw"), proposes=False)


# --- fitted numbers -----------------------------------------------------------------------------

columns = st.lists(st.floats(-30.0, 30.0), min_size=4, max_size=4)


def pattern_of(rows, query):
    rows = np.array(rows).reshape(-1, 4)
    none = PatternLines((np.empty((0, 2)),), np.empty((0, 2)))
    lines = PatternLines((rows[:, :2],), rows[:, 2:]) if len(rows) else none
    return Pattern(lines, none, (np.array(query),))


@settings(max_examples=80)
@given(
    st.lists(columns, min_size=1, max_size=8),
    st.lists(st.floats(-30, 30), min_size=2, max_size=2),
    st.integers(1, 4),
    st.sampled_from([Wire.COMPLETION, Wire.JSON]),
)
def test_a_fitted_answer_is_exact_to_half_a_quantum_of_its_column(rows, query, digits, wire):
    pattern = pattern_of(rows, query)
    writer = PromptWriter(wire, digits, fitted=True)
    wanted = np.array(rows)[0, 2:]
    reply = writer.numbers.encode(wanted / writer.scale(pattern))
    echo = writer.numbers.encode(pattern.fitted[0].query[0])
    assume(reply != echo)  # an answer that repeats its line's input is refused
    found = writer.outputs(reply, pattern)
    quantum = writer.numbers.quantum * writer.scale(pattern)
    assert (np.abs(found - wanted) <= 0.5000001 * quantum).all()


def test_every_column_is_filled_and_has_one_width():
    pattern = pattern_of([[0.001, 5.0, 0.02, 3.0], [0.002, -1.0, 0.011, 7.0]], [0.0005, 2.0])
    text = PromptWriter(Wire.COMPLETION, digits=2, fitted=True).prompt(pattern).text
    assert text.splitlines() == ["+48 +95 -> +95 +41", "+95 -19 -> +52 +95", "+24 +38 ->"]


def test_without_an_example_numbers_are_not_fitted():
    pattern = pattern_of([], [0.5, 0.25])
    writer = PromptWriter(Wire.COMPLETION, digits=2, fitted=True)
    np.testing.assert_allclose(writer.outputs("+10 -30", pattern), [0.1, -0.3])


def test_a_description_needs_numbers_that_have_units(data):
    options = {"describe": True, "numbers": "fitted"}
    with pytest.raises(InvalidValue, match="set numbers=fixed"):
        Llm(toy.context(data, **options), proposes=False)
