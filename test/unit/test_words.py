"""Variants that ask in words, and the one whose model predicts outcomes."""

from dataclasses import replace

import numpy as np
import pytest
import toy

from icpi_ros.core.errors import CompletionFailed, NotOnCassette
from icpi_ros.core.types import ObjectTrajectory, Proposal, Trial, TrialStatus
from icpi_ros.improvers.llm.model import LlmModel
from icpi_ros.improvers.llm.words.asked import read_theta
from icpi_ros.improvers.llm.words.props import LlmProps
from icpi_ros.improvers.llm.words.reflect import LlmReflect
from icpi_ros.llm.client.budget import Spending, failure_details
from icpi_ros.llm.client.completer import Completion, Wire
from icpi_ros.llm.prompt.text import read_prompt
from icpi_ros.report.run.sections import model_section

PHYSICS = np.array([0.2, 0.8])
NAMES = [p.name for p in toy.SPACE.parameters]
PATH = ObjectTrajectory(
    np.arange(5.0), np.array([[0.1 * n, 0.0, np.nan if n == 4 else 0.5] for n in range(5)])
)
HISTORY = [
    toy.outcome(np.array([1.2, 0.1]), PHYSICS),
    replace(toy.outcome(np.array([0.8, -0.2]), PHYSICS), path=PATH),
]


@pytest.fixture(scope="module")
def data():
    return toy.dataset()


class Model:
    """Gives the next of some replies to every request."""

    def __init__(self, *replies):
        self.replies, self.requests = list(replies), []

    def complete(self, request, until):
        self.requests.append(request)
        return Completion((self.replies.pop(0),), wire=request.prompt.wire)


def propose(kind, data, model, **options):
    improver = kind(toy.context(data, substitute="fail", **options), model)
    return improver.propose(HISTORY, np.random.default_rng(0))


# --- answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        "theta: 0.9, -0.15",
        "It went too far.\n\n**theta:** 0.9, -0.15",
        "theta = [0.9, -0.15].\nreason: shorter",
        f"theta: {NAMES[0]} = 0.9, {NAMES[1]} = -0.15",
        '{"reason": "too far", "theta": [0.9, -0.15]}',
        f'```json\n{{"theta": {{"{NAMES[1]}": -0.15, "{NAMES[0]}": 0.9}}}}\n```',
        "<think>theta: 1, 1</think>theta: 9e-1 -0.15",
        "theta: 0.9, -0.15\n\ntheta: 0.9, -0.15",
    ],
)
def test_thetas_that_are_read(reply):
    np.testing.assert_allclose(read_theta(reply, NAMES), [0.9, -0.15])


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ("0.9, -0.15", "no theta"),
        ("I choose theta: 0.9, -0.15", "no theta"),
        ("theta: 0.9", "no 2 numbers"),
        ("theta: 0.9, -0.15, 3", "no 2 numbers"),
        ("theta: 0.9 m/s, -0.15 rad", "no 2 numbers"),
        ("theta: nan, 1", "no 2 numbers"),
        ("theta: 1e999, 1", "not finite"),
        ("theta: <speed>, <heading>", "no 2 numbers"),
        (f"theta: {NAMES[1]} = 1, {NAMES[0]} = 2", "no 2 numbers"),
        ("theta: 1, 2\ntheta: 1, 3", "several"),
        ('{"theta": [1, 2], "more": {"theta": [1, 3]}}', "several"),
        ('{"theta": [1, null]}', "no 2 numbers"),
        ('{"theta": [[1, 2]]}', "no 2 numbers"),
        (f'{{"theta": {{"{NAMES[0]}": 1}}}}', "no 2 numbers"),
        ("<think>theta: 1, 2", "unfinished thought"),
        ('theta: 1, 2\n{"theta": [1, 3]}', "several"),
        ("theta: 0,15", "no 2 numbers"),
    ],
)
def test_thetas_that_are_refused(reply, why):
    with pytest.raises(CompletionFailed, match=why):
        read_theta(reply, NAMES)


# --- llm-props, llm-reflect ---------------------------------------------------------------------


def test_the_task_and_its_trials_are_told_in_words(data):
    model = Model("theta: 0.9, -0.15\nreason: between the two")
    proposal = propose(LlmProps, data, model)
    np.testing.assert_allclose(proposal.theta, [0.9, -0.15])
    (request,) = model.requests
    assert (request.prompt.wire, request.words, request.samples) == (Wire.TURNS, 120, 1)
    text = request.prompt.messages[-1]["content"]
    assert all(f"- {p.heading}, from {p.lower:.4g} to" in text for p in toy.SPACE.parameters)
    best = 1 + min(range(2), key=lambda n: HISTORY[n].cost)
    assert f"Attempt {best} is the best one so far" in text
    assert f"cost: {1e3 * HISTORY[0].cost:.4g}" in text
    assert "Path of the object" not in text


@pytest.mark.parametrize(
    ("reply", "why"),
    [("theta: 0.8, -0.2", "repeats a theta"), ("theta: 90, 0", "whole range")],
)
def test_thetas_that_help_nothing_are_refused(data, reply, why):
    with pytest.raises(CompletionFailed, match=why):
        propose(LlmProps, data, Model(reply))


def test_the_critic_sees_the_path_and_the_proposal_the_critique(data):
    model = Model("<think>hm</think>Strike less hard.", "theta: 0.9, -0.15")
    proposal = propose(LlmReflect, data, model, points=2)
    np.testing.assert_allclose(proposal.theta, [0.9, -0.15])
    assert proposal.details["critique"] == "Strike less hard."
    critic, asked = (request.prompt.messages[-1]["content"] for request in model.requests)
    assert "0.00 s (0.000, 0.000, 0.500); 3.00 s (0.300, 0.000, 0.500)." in critic
    assert "Strike less hard." in asked
    assert [e["purpose"] for e in proposal.details["exchanges"]] == ["critique", "theta"]


def test_a_critic_with_no_points_is_asked_as_if_no_path_was_seen(data):
    unseen = [replace(one, path=None) for one in HISTORY]
    asked = [
        LlmReflect(toy.context(data, substitute="fail", points=points), Model()).prompt(history)
        for points, history in ((0, HISTORY), (8, unseen))
    ]
    assert asked[0] == asked[1]


def test_questions_in_words_are_counted_read_or_not(data):
    proposal = propose(LlmReflect, data, Model("Too far.", "theta: 0.9, -0.15"))
    counted = [(e["samples"], e["read"]) for e in proposal.details["exchanges"]]
    assert counted == [(1, 1), (1, 1)]
    with pytest.raises(CompletionFailed) as caught:
        propose(LlmReflect, data, Model("Too far.", "no"))
    counted = [(e["samples"], e["read"]) for e in caught.value.details["exchanges"]]
    assert counted == [(1, 1), (1, 0)]
    for refused in ("theta: 90, -0.15", "theta: 0.9, 9000"):  # read, and beyond the box
        with pytest.raises(CompletionFailed) as caught:
            propose(LlmReflect, data, Model("Too far.", refused))
        counted = [(e["samples"], e["read"]) for e in caught.value.details["exchanges"]]
        assert counted == [(1, 1), (1, 1)]


@pytest.mark.parametrize(
    ("failure", "line"),
    [(CompletionFailed("HTTP 500"), "failed: HTTP"), (NotOnCassette("gone"), "not on cassette: ")],
)
@pytest.mark.parametrize("kind", [LlmProps, LlmModel])
def test_a_question_that_failed_is_on_record_with_what_came_before(data, kind, failure, line):
    class Down:
        def complete(self, request, until):
            failure.details = failure_details(Spending(calls=5), ["HTTP 502", "HTTP 503"])
            raise failure

    with pytest.raises(CompletionFailed) as caught:
        propose(kind, data, Down())
    details = dict(caught.value.details)
    exchange = details["exchanges"][0]
    assert (exchange["failed"], exchange["tries"]) == (str(failure), ["HTTP 502", "HTTP 503"])
    assert exchange.get("missing", False) == isinstance(failure, NotOnCassette)
    theta = HISTORY[0].theta
    page = model_section([Trial(1, theta, Proposal(theta, "hold", details=details))], Spending())
    assert "on the way: HTTP 503" in page
    assert line in page


def test_a_critic_that_only_thinks_is_no_critic(data):
    with pytest.raises(CompletionFailed, match="said nothing"):
        propose(LlmReflect, data, Model("<think>hm"))


def test_an_outcome_has_the_path_of_its_trial():
    one = HISTORY[0]
    trial = Trial(
        0,
        one.theta,
        Proposal(one.theta, "x"),
        status=TrialStatus.DONE,
        error=one.error,
        trajectory=PATH,
    )
    assert trial.outcome is not None
    assert trial.outcome.path is PATH


# --- llm-model ----------------------------------------------------------------------------------


class Forecaster:
    """Predicts what the toy really does, but fails where it is told to."""

    def __init__(self, fails=()):
        self.requests, self.fails = [], fails

    def complete(self, request, until):
        self.requests.append(request)
        pattern, numbers = read_prompt(request.prompt.text)
        start, _, step = pattern.query
        theta = toy.SPACE.denormalise(start + step)
        error = toy.outcome(theta, PHYSICS).error / self.rms
        text = "no" if request.seed in self.fails else numbers.encode(error)
        return Completion((text,), wire=Wire.COMPLETION)


def planned(data, model, **options):
    improver = LlmModel(toy.context(data, wire="completion", substitute="fail", **options), model)
    model.rms = improver._scale.rms
    return improver.propose(HISTORY, np.random.default_rng(0))


def test_the_candidate_of_lowest_predicted_cost_is_executed(data):
    model = Forecaster()
    proposal = planned(data, model, candidates=6)
    costs = [
        toy.outcome(np.array(c["theta"]), PHYSICS).cost for c in proposal.details["candidates"]
    ]
    assert len(costs) == len(model.requests) == 6
    np.testing.assert_allclose(
        proposal.theta, proposal.details["candidates"][int(np.argmin(costs))]["theta"]
    )
    assert proposal.predicted_cost == pytest.approx(min(costs), abs=2e-3)
    assert min(costs) < max(costs)
    assert {r.logprobs for r in model.requests} == {10}


def test_a_candidate_without_prediction_is_left_out(data):
    seeds = sorted(r.seed for r in planned_requests(data))
    proposal = planned(data, Forecaster(fails=seeds[1:]), candidates=6)
    found = [c["predicted_cost"] for c in proposal.details["candidates"]]
    assert sum(cost is not None for cost in found) == 1
    with pytest.raises(CompletionFailed, match="no outcome could be predicted"):
        planned(data, Forecaster(fails=seeds), candidates=6)


def planned_requests(data):
    model = Forecaster()
    planned(data, model, candidates=6)
    return model.requests
