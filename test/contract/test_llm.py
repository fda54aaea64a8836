"""The improver ``llm`` and its variants: a valid proposal or a labelled fallback, always.

Over a real HTTP server, or with a model in this process where the wire does not matter.
"""

import json
import logging
import math
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from operator import attrgetter

import http_models
import numpy as np
import pytest
import toy
from http_models import KEY, PATH
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from icpi_ros.core.errors import BudgetSpent, CompletionFailed, InvalidValue, UsageError
from icpi_ros.improvers import IMPROVERS
from icpi_ros.improvers.embedded import Embedded
from icpi_ros.improvers.llm.plain import Llm
from icpi_ros.llm.client import responses
from icpi_ros.llm.client.budget import Meter, Spending
from icpi_ros.llm.client.completer import Completion
from icpi_ros.llm.prompt.completion import complete
from icpi_ros.llm.prompt.text import read_prompt

PHYSICS = np.array([0.2, 0.8])
HISTORY = [toy.outcome(np.array(theta), PHYSICS) for theta in ((1.2, 0.1), (0.8, -0.2))]
DEADLINE, SLACK = 20.0, 60.0
VARIANTS = [name for name in IMPROVERS if name.startswith("llm")]
NO_EXAMPLES = {"llm-zero", "llm-opro", "llm-props", "llm-reflect"}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for name in ("OPENAI_BASE_URL", "ICPI_MODEL", "ICPI_MODELS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(responses, "_FIRST_PAUSE", 0.02)


@pytest.fixture(scope="module")
def data():
    return toy.dataset()


@pytest.fixture
def make(httpserver, data):
    """Build an improver whose model is the test's HTTP server."""

    def build(kind=Llm, **options):
        wire = {"model": "toy", "base_url": httpserver.url_for("/v1"), "deadline": DEADLINE}
        wire["wire"] = "json"
        return kind(toy.context(data, **(wire | options)))

    return build


class Scripted:
    """A model in this process that gives the replies of a function of (request, call number)."""

    def __init__(self, reply):
        self.requests = []
        self._reply = reply

    def complete(self, request, until):
        self.requests.append(request)
        texts = self._reply(request, len(self.requests) - 1)
        return Completion(tuple([texts] if isinstance(texts, str) else texts), model="scripted")


def answer(request, number=0):
    """What ``icpi serve`` would say, drawn around its answer if a temperature is asked for."""
    pattern, numbers = read_prompt(request.prompt.messages[-1]["content"])
    guess = complete(replace(pattern))
    rng = np.random.default_rng(request.seed)
    outputs = [
        guess.mean + 0.1 * request.temperature * rng.standard_normal(len(guess.mean))
        for _ in range(request.samples)
    ]
    return [f'{{"output": "{numbers.encode(output)}"}}' for output in outputs]


def scripted(name, data, reply=answer, **options):
    model = Scripted(reply)
    return IMPROVERS.get(name)(toy.context(data, **options), model), model


def propose(improver, caplog, history=HISTORY):
    """One proposal, in time, without the key anywhere."""
    caplog.set_level(logging.DEBUG)
    start = time.monotonic()
    proposal = improver.propose(history, np.random.default_rng(3))
    assert time.monotonic() - start < improver.options.deadline + SLACK
    assert np.isfinite(proposal.theta).all()
    assert KEY not in repr(proposal)
    assert KEY not in json.dumps(dict(proposal.details), allow_nan=False)
    assert KEY not in caplog.text
    return proposal


def assert_fallback(proposal, data, *words, name="llm", history=HISTORY):
    expected = Embedded(toy.context(data)).propose(history, np.random.default_rng(3))
    assert proposal.provenance == "embedded"
    assert proposal.fallback_reason.startswith(f"{name}: ")
    assert "\n" not in proposal.fallback_reason
    assert all(word in proposal.fallback_reason for word in words), proposal.fallback_reason
    np.testing.assert_array_equal(proposal.theta, expected.theta)
    assert proposal.details["exchanges"]


# --- over the wire ------------------------------------------------------------------------------


@pytest.mark.slow
def test_good_reply(make, httpserver, caplog):
    httpserver.expect_request(PATH).respond_with_json(http_models.body('{"output": [1000, -5000]}'))
    proposal = propose(make(), caplog)
    assert (proposal.provenance, proposal.fallback_reason) == ("llm", "")
    # The latest trial plus 0.1 and -0.5 half ranges (0.5 m/s, 0.4 rad).
    np.testing.assert_allclose(proposal.theta, HISTORY[-1].theta + np.array([0.05, -0.2]))
    (exchange,) = proposal.details["exchanges"]
    assert exchange["replies"] == ['{"output": [1000, -5000]}']
    assert exchange["messages"] == httpserver.log[0][0].json["messages"]
    assert len(exchange["messages"][1]["content"].splitlines()) == 20 + 4
    assert exchange["wire"] == "json"
    assert proposal.details["model"] == "toy-model-1"
    spent = Spending.from_dict(proposal.details["spent"])
    assert (spent.calls, spent.prompt_tokens, spent.completion_tokens) == (1, 300, 4)
    assert 0.0 < spent.seconds <= proposal.latency
    assert math.isnan(spent.money)  # no price: unknown, not 0


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize(
    "reply",
    ["two", "", "+0050", "1 2 3", "NaN 5", "Infinity 1", "1e999 0", "[null, 5]", "0.512 -0.031",
     '{"output": [50, -2', "99999 0", "0 -1e300", "<html></html>"],
)  # fmt: skip
def test_malformed_numbers(data, caplog, name, reply):
    improver, _ = scripted(name, data, lambda request, n: [reply] * request.samples)
    proposal = propose(improver, caplog)
    assert_fallback(proposal, data, name=name)
    assert proposal.details["exchanges"][0]["replies"][0] == reply


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (401, {}, ("HTTP 401", "OPENAI_API_KEY")),
        (429, {"Retry-After": "60"}, ("HTTP 429", "deadline")),
        (500, {}, ("HTTP 500",)),
    ],
)
def test_refusing_server(make, httpserver, caplog, data, status, headers, words):
    httpserver.expect_request(PATH).respond_with_data(f"echo {KEY}", status=status, headers=headers)
    proposal = propose(make(), caplog)
    assert_fallback(proposal, data, *words)
    assert proposal.details["spent"]["calls"] == len(httpserver.log)


def test_rate_limit_that_passes(make, httpserver, caplog):
    httpserver.expect_ordered_request(PATH).respond_with_data(
        "", status=429, headers={"Retry-After": "0.2"}
    )
    httpserver.expect_ordered_request(PATH).respond_with_json(http_models.body("1 2"))
    proposal = propose(make(), caplog)
    assert proposal.provenance == "llm"
    assert "429" in proposal.details["exchanges"][0]["tries"][0]


@pytest.mark.parametrize("fault", [http_models.stall, http_models.drip])
@pytest.mark.parametrize("name", ["llm", "llm-plan"])
def test_deadline(make, httpserver, caplog, data, fault, name):
    released = threading.Event()
    httpserver.expect_request(PATH).respond_with_handler(fault(released))
    try:
        proposal = propose(make(IMPROVERS.get(name), deadline=0.4), caplog)
        assert_fallback(proposal, data, "no answer from", "within 0.", name=name)
    finally:
        released.set()


def test_no_key(make, caplog, data, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    improver = make(base_url="https://models.invalid/v1")
    assert_fallback(propose(improver, caplog), data, "no API key: set OPENAI_API_KEY")


def test_numbers_are_held_to_what_can_be_accepted(data):
    """An adjustment to the parameter's range at the prompt's digits, a predicted outcome not."""
    improver, model = scripted("llm-plan", data, predictor="llm", digits=3)
    improver.propose(HISTORY, np.random.default_rng(0))
    assert model.requests[0].largest == 2000
    assert model.requests[-1].largest is None


# --- rules --------------------------------------------------------------------------------------


def test_a_repeat_is_replaced_and_said(data, caplog):
    improver, _ = scripted("llm", data, lambda request, n: '{"output": [0, 0]}')
    assert_fallback(propose(improver, caplog), data, "repeats a theta that was tried")


def test_a_repeat_can_be_allowed(data, caplog):
    improver, _ = scripted("llm", data, lambda *_: '{"output": [0, 0]}', repeats="allow")
    proposal = propose(improver, caplog)
    np.testing.assert_array_equal(proposal.theta, HISTORY[-1].theta)


def test_out_of_bounds_is_left_to_the_loop_which_records_it(data, caplog):
    improver, _ = scripted("llm", data, lambda *_: '{"output": [19000, 0]}')
    theta = propose(improver, caplog).theta
    assert not toy.SPACE.contains(theta)
    assert toy.SPACE.contains(toy.SPACE.project(theta)[0])


_ANY = st.one_of(
    st.text(max_size=60),
    st.lists(st.integers(-30_000, 30_000), max_size=4).map(lambda v: json.dumps({"output": v})),
    st.lists(st.floats(allow_nan=True), max_size=3).map(lambda v: json.dumps({"output": v})),
)


@pytest.mark.slow
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(reply=_ANY, name=st.sampled_from(VARIANTS))
def test_whatever_comes_what_is_executed_is_in_bounds(data, reply, name):
    improver, _ = scripted(name, data, lambda request, n: [reply] * request.samples)
    proposal = improver.propose(HISTORY, np.random.default_rng(0))
    theta, projected = toy.SPACE.project(toy.SPACE.as_vector(proposal.theta))
    assert toy.SPACE.contains(theta)
    assert (proposal.provenance == "embedded") == bool(proposal.fallback_reason)
    assert not (projected and proposal.provenance == "embedded")


@pytest.mark.slow
def test_twenty_thousand_replies_through_the_parser(data):
    """Mutations of good and bad replies: a theta near the box, or CompletionFailed."""
    improver, _ = scripted("llm", data)
    base, rng = HISTORY[-1], np.random.default_rng(5)
    pattern = improver.pattern(HISTORY)
    query = improver.prompt(HISTORY).messages[-1]["content"].splitlines()[-1]
    alphabet = list('0123456789+-.,eE[]{}"| \n>outpNaInf\u2212')
    good = ['{"output": [1200, -340]}', "+01200 -00340", "[12, 7]", f"{query} +00012 -00007"]
    replies, accepted = Counter(), {}  # by reply: three in ten are the same as one before
    size = 20_000
    # Drawn at once: one by one they would take three times as long as the parser.
    changes, lengths = rng.integers(0, 6, size), rng.integers(0, 3, (size, 6, 2)).tolist()
    places = rng.random((size, 6)).tolist()
    inserted = rng.integers(0, len(alphabet), (size, 6, 2)).tolist()
    for number, count in enumerate(changes.tolist()):
        letters = list(good[number % len(good)])
        for change in range(count):
            place = int(places[number][change] * (len(letters) + 1))
            removed, added = lengths[number][change]
            letters[place : place + removed] = [
                alphabet[n] for n in inserted[number][change][:added]
            ]
        reply = "".join(letters)
        replies[reply] += 1
        if reply in accepted:
            continue
        try:
            outputs = improver._writers[0].outputs(reply, pattern)
            theta = improver._accepted(base, outputs, HISTORY)
        except CompletionFailed:
            accepted[reply] = False
            continue
        accepted[reply] = True
        assert np.isfinite(theta).all()
        assert (np.abs(theta - base.theta) <= 2.0 * toy.SPACE.half_range + 1e-12).all()
        assert toy.SPACE.contains(toy.SPACE.project(theta)[0])
    good_ones = sum(count for reply, count in replies.items() if accepted[reply])
    assert 2_000 < good_ones < size - 2_000


# --- variants -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in VARIANTS if n not in NO_EXAMPLES])
def test_variants_get_better_with_a_model_that_completes_patterns(data, caplog, name):
    improver, _ = scripted(name, data)
    history = [toy.outcome(np.array([1.5, 0.35]), PHYSICS)]
    for _ in range(5):
        theta = toy.SPACE.project(propose(improver, caplog, history).theta)[0]
        history.append(toy.outcome(theta, PHYSICS))
    costs = [trial.cost for trial in history]
    assert min(costs) < 0.1 * costs[0]


@pytest.mark.parametrize("name", VARIANTS)
def test_the_same_history_and_generator_ask_the_same(data, name):
    first, one = scripted(name, data)
    second, two = scripted(name, data)
    thetas = [i.propose(HISTORY, np.random.default_rng(3)).theta for i in (first, first, second)]
    np.testing.assert_array_equal(thetas[0], thetas[1])
    np.testing.assert_array_equal(thetas[0], thetas[2])
    # Some are asked at the same time: their seeds have the order in which they were made.
    order = attrgetter("seed")
    assert sorted(one.requests, key=order) == sorted(two.requests * 2, key=order)


def test_zero_shows_no_example_but_says_what_it_is_about(data):
    text = scripted("llm-zero", data)[0].prompt(HISTORY).messages[1]["content"]
    assert "speed [m/s]" in text
    assert [line for line in text.splitlines() if "->" in line] == [text.splitlines()[-1]]


def test_opro_shows_costs_and_thetas_worst_first(data):
    text = scripted("llm-opro", data)[0].prompt(HISTORY).messages[1]["content"]
    pattern, _ = read_prompt(text)
    assert len(pattern.shared) == 0
    costs = pattern.own.inputs[0][:, 0]
    assert costs[0] > costs[1] > 0.0
    worst = max(HISTORY, key=lambda trial: trial.cost)
    np.testing.assert_allclose(pattern.own.outputs[0], toy.SPACE.normalise(worst.theta), atol=1e-4)
    assert "cost" in text


def test_samples_are_fused_and_their_spread_kept(data, caplog):
    steps = [1000, 1100, 900, 1050, 9000, 1000, 1000, 1000]
    replies = [f'{{"output": [{step}, 0]}}' for step in steps]
    improver, model = scripted("llm-samples", data, lambda *_: replies)
    proposal = propose(improver, caplog)
    np.testing.assert_allclose(proposal.theta, HISTORY[-1].theta + np.array([0.05, 0.0]))
    assert model.requests[0].samples == 8
    assert len(proposal.details["samples"]) == 8
    assert 0.0 < proposal.details["spread"][0] < 0.01


def test_one_sample_has_no_spread(data, caplog):
    improver, _ = scripted("llm-samples", data, lambda *_: ['{"output": [1000, 0]}'])
    assert propose(improver, caplog).details["spread"] == [None, None]


def test_an_error_of_ours_keeps_the_record_of_what_was_paid_for(data, caplog, monkeypatch):
    def broken(self, *arguments):
        raise ZeroDivisionError("ours")

    improver, _ = scripted("llm-plan", data)
    monkeypatch.setattr(type(improver), "_distinct", broken)
    proposal = propose(improver, caplog)
    assert_fallback(proposal, data, "ZeroDivisionError: ours", name="llm-plan")
    assert len(proposal.details["exchanges"][0]["replies"]) == 8


def test_descriptions_fit_what_is_shown(data):
    raw, _ = scripted("llm-zero", data, features="raw")
    assert "state and then the goal" in raw.prompt(HISTORY).messages[1]["content"]
    plan, model = scripted("llm-plan", data, describe=True, predictor="llm")
    plan.propose(HISTORY, np.random.default_rng(0))
    told = [request.prompt.messages[1]["content"] for request in model.requests]
    assert "change of the parameters" in told[0]
    assert all(text.startswith("unit: 10000\nother systems:") for text in told[1:])


def test_some_bad_samples_are_left_out_and_named(data, caplog):
    replies = ["no", '{"output": [1000, 0]}', '{"output": [99999, 0]}', "nan nan"]
    improver, _ = scripted("llm-samples", data, lambda *_: replies, samples=4)
    proposal = propose(improver, caplog)
    assert proposal.provenance == "llm-samples"
    assert len(proposal.details["exchanges"][0]["refused"]) == 3
    np.testing.assert_allclose(proposal.details["samples"], [proposal.theta])


def test_steered_asks_again_a_bounded_number_of_times(data, caplog):
    far = '{"output": [-19000, 19000]}'
    history = HISTORY[:1]
    improver, model = scripted("llm-steered", data, lambda *_: far, asks=3)
    proposal = propose(improver, caplog, history)
    assert_fallback(proposal, data, "good examples support", name="llm-steered", history=history)
    assert len(model.requests) == 3
    assert len({request.seed for request in model.requests}) == 3
    assert len(proposal.details["rejected"]) == 3
    assert proposal.details["trust"] == 1.0


def test_steered_takes_the_first_supported_answer(data, caplog):
    def reply(request, number):
        return '{"output": [-19000, 19000]}' if number == 0 else answer(request)

    improver, model = scripted("llm-steered", data, reply)
    assert propose(improver, caplog, HISTORY[:1]).provenance == "llm-steered"
    assert len(model.requests) == 2


def test_steered_does_not_ask_again_where_there_is_no_answer(data, caplog):
    def reply(request, number):
        raise CompletionFailed("the server is down")

    improver, model = scripted("llm-steered", data, reply)
    assert_fallback(propose(improver, caplog), data, "server is down", name="llm-steered")
    assert len(model.requests) == 1


def test_fewer_examples_are_shown_to_a_steered_model_as_trials_come(data):
    improver, _ = scripted("llm-steered", data)
    history = [
        toy.outcome(theta, PHYSICS) for theta in toy.SPACE.sample(np.random.default_rng(0), 9)
    ]
    counts = [len(improver.pattern(history[:n]).shared) for n in (1, 2, 3, 9)]
    assert counts == [20, 12, 7, 4]


@pytest.mark.parametrize("predictor", ["embedded", "llm"])
def test_plan_executes_the_candidate_of_lowest_predicted_cost(data, caplog, predictor):
    improver, _ = scripted("llm-plan", data, predictor=predictor)
    proposal = propose(improver, caplog)
    candidates = proposal.details["candidates"]
    assert len(candidates) == 8
    lowest = min(candidates, key=lambda one: one["predicted_cost"])
    np.testing.assert_array_equal(proposal.theta, lowest["theta"])
    assert proposal.predicted_cost == lowest["predicted_cost"]
    purposes = [exchange["purpose"] for exchange in proposal.details["exchanges"]]
    assert purposes == ["adjustment", *["outcome"] * (8 if predictor == "llm" else 0)]
    costs = [toy.outcome(np.array(one["theta"]), PHYSICS).cost for one in candidates]
    assert costs[candidates.index(lowest)] <= np.median(costs)


# --- budget -------------------------------------------------------------------------------------


def test_a_used_up_budget_ends_the_run_before_a_call(make, httpserver):
    httpserver.expect_request(PATH).respond_with_json(http_models.body('{"output": [10, 20]}'))
    improver = make(max_calls=2)
    for _ in range(2):
        assert improver.propose(HISTORY, np.random.default_rng(3)).provenance == "llm"
    with pytest.raises(BudgetSpent, match="calls is used up: 2 of 2"):
        improver.propose(HISTORY, np.random.default_rng(3))
    assert len(httpserver.log) == 2


def test_what_a_broken_off_proposal_cost_is_on_record(make, httpserver, data, caplog):
    httpserver.expect_request(PATH).respond_with_json(http_models.body("no numbers"))
    improver = make(IMPROVERS.get("llm-steered"), max_calls=2, asks=4)
    # A rejected answer is asked for again until the budget ends; the trial is still made.
    proposal = propose(improver, caplog)
    assert_fallback(proposal, data, name="llm-steered")
    assert proposal.details["spent"]["calls"] == len(httpserver.log) <= 2


def test_a_resumed_run_goes_on_with_what_was_spent(data):
    context = replace(toy.context(data, max_calls=3), spent=Spending(calls=3))
    improver = Llm(context)
    with pytest.raises(BudgetSpent):
        improver._meter.require()
    assert isinstance(improver._meter, Meter)


# --- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"modell": "x"}, "unknown option 'modell' of llm: choose from base_url"),
        ({"k": 0}, "k of llm: 0 is not allowed: a whole number, 1 to 1000"),
        ({"k": "many"}, "k of llm: 'many' is not allowed: a whole number"),
        ({"deadline": float("nan")}, "deadline of llm: nan is not allowed"),
        ({"max_calls": float("inf")}, "max_calls of llm: so large a number is not allowed"),
        ({"digits": 10**400}, "digits of llm: so large a number is not allowed"),
        ({"cassette": "a\x00b"}, "not a file name"),
        (
            {"base_url": "http://localhost:99999/v1"},
            "base_url of llm: this value is not allowed: a URL",
        ),
        ({"base_url": "http://[::1/v1"}, "base_url of llm: this value is not allowed: a URL"),
        ({"deadline": -1}, "deadline of llm: -1 is not allowed: a number, 0.001 to 3600"),
        ({"model": 3}, "model of llm: this value is not allowed: a text"),
        ({"digits": 0}, "digits of llm: 0 is not allowed: a whole number, 1 to 9"),
        ({"digits": 2.5}, "digits of llm: 2.5 is not allowed: a whole number"),
        ({"history": "yes"}, "history of llm: 'yes' is not allowed: true or false"),
        (
            {"order": "random!"},
            "order of llm: 'random!' is not allowed: choose one of nearest-last",
        ),
        ({"max_calls": 0}, "max_calls of llm: 0 is not allowed"),
        ({"features": "pixels"}, "features of llm: 'pixels' is not allowed"),
        ({"cassette_mode": "loop"}, "choose one of auto, replay"),
    ],
)
def test_wrong_options(make, options, words):
    with pytest.raises(UsageError, match=words):
        make(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"key_variable": "sk-secret99"},
        {"base_url": "http://me:secret99@localhost/v1"},
        {"base_url": "http://localhost/v1?key=secret99"},
        {"base_url": "http://localhost/v1#secret99"},
    ],
)
def test_keys_in_options_are_refused_without_showing_them(make, options):
    with pytest.raises(InvalidValue, match="option") as caught:
        make(**options)
    assert "secret99" not in str(caught.value)


def test_more_examples_asked_for_than_there_are(make):
    with pytest.raises(InvalidValue, match="needs at least 301 examples"):
        make(k=301)


def test_options_of_the_prompt(data):
    def lines(**options):
        improver, _ = scripted("llm", data, **options)
        return improver.prompt(HISTORY).messages[1]["content"].splitlines()

    assert len(lines(k=7)) == 7 + 4
    assert len(lines(history=True)) == 20 + 2 + 4
    assert "speed" in lines(describe=True)[0]
    assert lines(digits=2)[0] == "unit: 100"
    assert len(lines(features="raw")[-1].split()) == 2 + 1 + 4 + 1
    assert (
        lines(start="best")[-1] != lines()[-1] or min(HISTORY, key=lambda t: t.cost) is HISTORY[-1]
    )


def test_importing_improvers_is_light():
    code = "import sys, icpi_ros.improvers.llm.plain as m; m.Llm.chosen({}); "
    code += "print({'openai', 'scipy', 'cattrs'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
