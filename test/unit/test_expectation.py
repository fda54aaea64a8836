"""Numbers averaged by the probabilities of the tokens that could have come."""

import json
import math
from dataclasses import replace

import http_models
import numpy as np
import pytest
import toy
from werkzeug import Response

from icpi_ros.core.errors import CompletionFailed
from icpi_ros.improvers.llm.expect import LlmExpect
from icpi_ros.llm.cassettes.cassette import (
    Cassette,
    RecordedCompleter,
    request_content,
    request_key,
)
from icpi_ros.llm.client.budget import Meter
from icpi_ros.llm.client.completer import Completion, CompletionRequest, Prompt, Token, Wire
from icpi_ros.llm.client.formats import working_formats
from icpi_ros.llm.client.openai_chat import OpenAIChat
from icpi_ros.llm.client.profile import Profile
from icpi_ros.llm.prompt.expectation import NotWeighed, expect
from icpi_ros.llm.prompt.tokens import NumberFormat

TWO = NumberFormat(2)  # +051: a sign, a digit, two decimal places
BARE = CompletionRequest(Prompt(Wire.COMPLETION, text="+0001 ->"), numbers=1, logprobs=3)


def token(text, *others, p=None):
    """A token and its options: texts with probabilities; its own is what is left."""
    own = 1.0 - sum(q for _, q in others) if p is None else p
    options = [(text, own), *others]
    return Token(text, tuple((one, math.log(q)) for one, q in options))


def one(*tokens, largest=None, numbers=TWO):
    found = expect("".join(t.text for t in tokens), tokens, numbers, 1, largest)
    return float(found.mean[0]) * 10**numbers.digits, float(found.std[0]) * 10**numbers.digits


def test_a_certain_answer_is_what_it_is():
    assert one(token(" +"), token("0"), token("5"), token("1")) == (51.0, 0.0)


def test_last_digit():
    mean, std = one(token("+"), token("0"), token("5"), token("1", ("3", 0.25)))
    assert mean == pytest.approx(0.75 * 51 + 0.25 * 53)
    assert std == pytest.approx(2 * math.sqrt(0.75 * 0.25))


def test_digits_behind_another_one_are_any():
    """029 with 0.4 for a 3 in place of the 2: 030 to 039, not 039."""
    mean, std = one(token("+"), token("0"), token("2", ("3", 0.4)), token("9"))
    assert mean == pytest.approx(0.6 * 29 + 0.4 * 34.5)
    square = 0.6 * 29**2 + 0.4 * np.mean(np.arange(30, 40) ** 2)
    assert std == pytest.approx(math.sqrt(square - mean**2))


def test_the_other_sign_mirrors():
    mean, std = one(token(" +", (" -", 0.3)), token("0"), token("0"), token("4", ("6", 0.5)))
    assert mean == pytest.approx(0.4 * 5)
    assert std == pytest.approx(math.sqrt(0.5 * (16 + 36) - 4))


@pytest.mark.parametrize(
    ("tokens", "mean"),
    [
        ([token(" +"), token("051", ("053", 0.5))], 52),  # three digits to a token
        ([token("+"), token("05", ("06", 0.5)), token("1")], 0.5 * 51 + 0.5 * 64.5),
        ([token(" ", (" +", 0.4)), token("+"), token("051")], 51),  # the same in other tokens
        ([token("+"), token("05", ("0", 0.5)), token("1")], 51),
        ([token("+0", ("-0", 0.5)), token("5"), token("1")], 0.5 * 51 - 0.5 * 49.5),
        ([token("-"), token("051", ("053\n", 0.5))], -52),
    ],
)
def test_tokens_of_any_length(tokens, mean):
    assert one(*tokens)[0] == pytest.approx(mean)


def test_what_ends_a_number_early_or_makes_it_longer_does_not_count():
    others = (("\n", 0.1), (" ", 0.1), (" +", 0.1), ("33", 0.1), ("x", 0.05))
    assert one(token("+"), token("0"), token("5"), token("1", *others))[0] == pytest.approx(51)


@pytest.mark.parametrize("end", ["", "\n"])
def test_an_answer_that_would_end_has_no_number(end):
    begun = token("+", (end, 0.6), ("x", 0.1))
    with pytest.raises(NotWeighed, match="only 30 %"):
        one(begun, token("0"), token("5"), token("1"))


def test_what_cannot_be_accepted_does_not_count():
    leads = token("0", ("1", 0.2), ("9", 0.2))
    mean, _ = one(token("+"), leads, token("5"), token("1"), largest=150)
    assert mean == pytest.approx((0.6 * 51 + 0.2 * 125) / 0.8)


def test_each_number_of_several_has_its_own():
    tokens = [token(" +"), token("05"), token("1"), token(" -", (" +", 0.5)), token("100")]
    found = expect(" +051 -100", [*tokens, token("\n")], TWO, 2)
    np.testing.assert_allclose(found.mean, [0.51, 0.0], atol=1e-12)
    np.testing.assert_allclose(found.std, [0.0, 1.0], atol=1e-12)


@pytest.mark.parametrize(
    ("tokens", "numbers", "why"),
    [
        ([token("+"), token("051", (" ", 0.6))], TWO, "only 40 %"),
        ([token("+"), token("051", p=0.3)], TWO, "only 30 %"),
        ([token("+"), token("0051")], TWO, "fixed width"),
        ([token("+051"), token(" +002")], TWO, "1 numbers"),
        ([token("output "), token("+051")], TWO, "fixed width"),
        ([token("51")], replace(TWO, padded=False), "JSON"),
    ],
)
def test_what_has_no_expectation(tokens, numbers, why):
    with pytest.raises(NotWeighed, match=why):
        one(*tokens, numbers=numbers)


def test_tokens_of_another_text():
    with pytest.raises(NotWeighed, match="not those"):
        expect("+052", [token("+"), token("051")], TWO, 1)


# --- the improver -------------------------------------------------------------------------------


class Model:
    """Answers a completion of two numbers, with or without the probabilities of its tokens."""

    def __init__(self, tells=True):
        self.tells, self.requests = tells, []

    def complete(self, request, until):
        self.requests.append(request)
        tokens = (token(" +", (" -", 0.25)), token("01000"), token(" -"), token("02000"))
        told = (tokens,) if self.tells else ()
        return Completion((" +01000 -02000",), wire=Wire.COMPLETION, tokens=told)


@pytest.fixture(scope="module")
def data():
    return toy.dataset()


PHYSICS = np.array([0.2, 0.8])
HISTORY = [toy.outcome(np.array([1.2, 0.1]), PHYSICS)]


def propose(data, model, **options):
    improver = LlmExpect(toy.context(data, wire="completion", substitute="fail", **options), model)
    return improver.propose(HISTORY, np.random.default_rng(0))


def test_the_expectation_is_proposed_and_its_std_kept(data):
    model = Model()
    proposal = propose(data, model)
    assert proposal.provenance == "llm-expect"
    step = np.array([0.5 * 0.1, -0.2]) * toy.SPACE.half_range
    np.testing.assert_allclose(proposal.theta, HISTORY[0].theta + step)
    std = 0.2 * math.sqrt(0.75 * 0.25) * toy.SPACE.half_range[0]
    np.testing.assert_allclose(proposal.details["spread"], [std, 0.0], atol=1e-9)
    (exchange,) = proposal.details["exchanges"]
    np.testing.assert_allclose(exchange["weighed"][0]["mean"], [0.05, -0.2])
    assert [(r.logprobs, r.samples, r.temperature) for r in model.requests] == [(10, 1, 0.0)]


def test_without_probabilities_the_answer_counts_as_it_is(data):
    proposal = propose(data, Model(tells=False))
    step = np.array([0.1, -0.2]) * toy.SPACE.half_range
    np.testing.assert_allclose(proposal.theta, HISTORY[0].theta + step)
    (exchange,) = proposal.details["exchanges"]
    assert "weighed" not in exchange
    assert "tells no probabilities" in exchange["not_weighed"][0]
    assert proposal.details["spread"] == [None, None]


# --- the wire -----------------------------------------------------------------------------------

LISTED = {
    "content": [
        {"token": "+", "logprob": 0.0, "top_logprobs": [{"token": "+", "logprob": 0.0}]},
        {"token": "051", "logprob": -0.25, "top_logprobs": [
            {"token": "051", "logprob": -0.25}, {"token": "053", "logprob": -1.5}]},
    ]
}  # fmt: skip
LEGACY = {
    "tokens": ["+", "051"],
    "token_logprobs": [0.0, -0.25],
    "top_logprobs": [{"+": 0.0}, {"051": -0.25, "053": -1.5}],
    "text_offset": [0, 1],
}
TOLD = (Token("+", (("+", 0.0),)), Token("051", (("051", -0.25), ("053", -1.5))))


class Server:
    """Completes bare lines and chats; may refuse or ignore to tell probabilities."""

    def __init__(self, server, told, refusal=0):
        self.told, self.refusal, self.bodies = told, refusal, []
        self.text, self.refused = "+051", {}
        server.clear()
        for path in ("/v1/completions", "/v1/chat/completions"):
            server.expect_request(path).respond_with_handler(self)
        self.url = server.url_for("/v1")

    def __call__(self, request):
        self.bodies.append(request.json)
        if status := self.refused.get(request.path):
            return Response("no", status=status)
        if self.refusal and "logprobs" in request.json:
            return Response("no", status=self.refusal)
        choice = {"index": 0, "finish_reason": "stop"}
        if "logprobs" in request.json:
            choice["logprobs"] = self.told
        bare = "prompt" in request.json
        choice |= {"text": self.text} if bare else {"message": {"content": self.text}}
        body = http_models.body("", choices=[choice])
        return Response(json.dumps(body), content_type="application/json")


def ask(server, request=BARE):
    chat = OpenAIChat(Profile("toy", "toy", base_url=server.url, needs_key=False), Meter())
    asked = ("prompt", "logprobs", "otherwise")
    return http_models.ask(chat, **{name: getattr(request, name) for name in asked})


@pytest.fixture(autouse=True)
def begin():
    working_formats().forget()


@pytest.mark.parametrize("told", [LISTED, LEGACY])
def test_both_forms_are_read(httpserver, told):
    server = Server(httpserver, told)
    assert ask(server).tokens == (TOLD,)
    assert server.bodies[0]["logprobs"] == 3


def test_what_is_next_to_impossible_may_be_any_integer(httpserver):
    server = Server(
        httpserver, {"tokens": ["+051"], "top_logprobs": [{"+051": 0, "x": -(10**400)}]}
    )
    assert ask(server).tokens == ((Token("+051", (("+051", 0.0), ("x", -9999.0))),),)


def test_a_chat_is_asked_in_its_own_way(httpserver):
    server = Server(httpserver, LISTED)
    chat = Prompt(Wire.TURNS, tuple(http_models.MESSAGES))
    assert ask(server, replace(BARE, prompt=chat)).tokens == (TOLD,)
    assert (server.bodies[0]["logprobs"], server.bodies[0]["top_logprobs"]) == (True, 3)


@pytest.mark.parametrize(
    "told",
    [None, [], "no", {"content": [{"token": "+"}]}, {"tokens": ["+"], "top_logprobs": []},
     {"content": None}, {"tokens": ["+"], "top_logprobs": [{"+": 5.0}]},
     {"tokens": [1], "top_logprobs": [{"+": "0"}]},
     {"tokens": ["+"], "top_logprobs": [{"+": 10**400}]}],
)  # fmt: skip
def test_a_server_that_ignores_it_is_asked_once(httpserver, told):
    server = Server(httpserver, told)
    for _ in range(2):
        completion = ask(server)
        assert (completion.texts, completion.tokens) == (("+051",), ())
    assert ["logprobs" in body for body in server.bodies] == [True, False]


@pytest.mark.parametrize("status", [400, 422, 500])
def test_a_server_that_refuses_it_is_asked_once(httpserver, status):
    server = Server(httpserver, LISTED, refusal=status)
    completion = ask(server)
    assert (completion.texts, completion.tokens) == (("+051",), ())
    assert f"logprobs = 3: {server.url} answered HTTP {status}" in completion.tries[0]
    ask(server)
    asked = ["logprobs" in body for body in server.bodies]
    assert asked == [True] * (1 + (status == 500)) + [False, False]


def test_a_reply_without_text_says_nothing_of_probabilities(httpserver):
    server = Server(httpserver, LISTED)
    server.text = ""
    with pytest.raises(CompletionFailed, match="without text"):
        ask(server)
    server.text = "+051"
    assert ask(server).tokens == (TOLD,)


@pytest.mark.parametrize("status", [400, 404])
def test_a_path_that_is_refused_says_nothing_of_probabilities_on_another(httpserver, status):
    server = Server(httpserver, LISTED)
    server.refused = {"/v1/completions": status}
    chat = Prompt(Wire.TURNS, tuple(http_models.MESSAGES))
    for _ in range(2):
        assert ask(server, replace(BARE, otherwise=chat)).tokens == (TOLD,)


def test_a_server_that_told_them_once_is_not_doubted(httpserver):
    server = Server(httpserver, LISTED)
    ask(server)
    server.told = None
    ask(server)
    ask(server)
    assert all("logprobs" in body for body in server.bodies)


# --- cassettes ----------------------------------------------------------------------------------


def test_cassettes_keep_tokens_and_old_keys(tmp_path, httpserver):
    path, server = tmp_path / "run.jsonl", Server(httpserver, LISTED)
    chat = OpenAIChat(Profile("toy", "toy", base_url=server.url, needs_key=False), Meter())
    live = RecordedCompleter(chat, Cassette(path), "toy", Meter())
    first = http_models.ask(live, prompt=BARE.prompt, logprobs=3)
    again = RecordedCompleter(None, Cassette(path, "replay"), "toy", Meter())
    assert http_models.ask(again, prompt=BARE.prompt, logprobs=3).tokens == first.tokens == (TOLD,)
    plain = replace(BARE, logprobs=0)
    assert request_key(plain, "toy") != request_key(BARE, "toy")
    assert "logprobs" not in request_content(plain, "toy")


def test_a_cassette_with_damaged_tokens_is_not_played(tmp_path, httpserver):
    path, server = tmp_path / "run.jsonl", Server(httpserver, LISTED)
    chat = OpenAIChat(Profile("toy", "toy", base_url=server.url, needs_key=False), Meter())
    live = RecordedCompleter(chat, Cassette(path), "toy", Meter())
    http_models.ask(live, prompt=BARE.prompt, logprobs=3)
    entry = json.loads(path.read_text())
    assert entry["tokens"][0][1] == ["051", [["051", -0.25], ["053", -1.5]]]
    for broken in ([["+", 3]], [[["+", [["+", "x"]]]]], [[["+", [["+", -(10**400)]]]]], 5):
        path.write_text(json.dumps(entry | {"tokens": broken}) + "\n")
        assert Cassette(path, "replay").file.find(entry["key"], 0) is None
