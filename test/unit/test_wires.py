"""Prompts over the three wires: what is sent, and which wire a server is found to serve."""

import threading
from dataclasses import replace

import http_models
import numpy as np
import pytest
import toy
from http_models import PATH, ask

from icpi_ros.core.errors import CompletionFailed
from icpi_ros.improvers.llm.plain import Llm
from icpi_ros.improvers.llm.samples import LlmSamples
from icpi_ros.llm.client.budget import Meter
from icpi_ros.llm.client.completer import Completion, Prompt, Wire
from icpi_ros.llm.client.formats import reply_grammar, working_formats
from icpi_ros.llm.client.openai_chat import OpenAIChat
from icpi_ros.llm.client.profile import Profile
from icpi_ros.llm.connect import ModelChoice, profile_of, wires_of

BARE = "/v1/completions"
TEXT = Prompt(Wire.COMPLETION, text="+0100 -> +0200\n+0300 ->")
TURNS = Prompt(Wire.TURNS, ({"role": "user", "content": "+0300"},))


@pytest.fixture(autouse=True)
def forgetful(monkeypatch):
    for name in ("OPENAI_BASE_URL", "ICPI_MODEL", "ICPI_MODELS"):
        monkeypatch.delenv(name, raising=False)
    working_formats().forget()


@pytest.fixture
def make(httpserver):
    def build(**settings):
        profile = Profile("toy", "toy", base_url=httpserver.url_for("/v1"))
        return OpenAIChat(replace(profile, **settings), Meter())

    return build


def texts(*lines):
    return {"choices": [{"index": i, "text": line} for i, line in enumerate(lines)]}


def paths(httpserver):
    return [request.path for request, _ in httpserver.log]


def test_bare_lines_are_completed_up_to_their_end(make, httpserver):
    httpserver.expect_request(BARE).respond_with_json(texts(" +0050", " +0070"))
    completion = ask(make(), prompt=TEXT, numbers=1, samples=2, temperature=0.0, seed=7)
    assert (completion.texts, completion.wire) == ((" +0050", " +0070"), Wire.COMPLETION)
    (request, _), *more = httpserver.log
    assert more == []
    assert request.json == {
        "model": "toy", "prompt": TEXT.text, "stop": ["\n"], "max_tokens": 31,
        "n": 2, "temperature": 0.0, "seed": 7,
    }  # fmt: skip


def test_a_bare_line_that_was_cut_off_is_no_answer(make, httpserver):
    cut = {"choices": [{"index": 0, "text": " +00", "finish_reason": "length"}]}
    httpserver.expect_request(BARE).respond_with_json(cut)
    with pytest.raises(CompletionFailed, match="cut a reply off at the token limit"):
        ask(make(), prompt=TEXT, numbers=1)


def test_turns_are_asked_without_a_format(make, httpserver):
    httpserver.expect_request(PATH).respond_with_json(http_models.body("+0050"))
    completion = ask(make(token_limit="max_tokens"), prompt=TURNS, numbers=1)
    assert (completion.wire, completion.format) == (Wire.TURNS, "text")
    ask(make(token_limit="max_tokens", max_tokens=400), prompt=TURNS, numbers=1)
    ask(make(token_limit="max_tokens"), prompt=TURNS, numbers=1, words=50)
    short, roomy, words = (request.json for request, _ in httpserver.log)
    assert "stop" not in words  # a critique has lines
    assert set(short) == {"model", "messages", "max_tokens", "stop"}
    assert set(roomy) == {"model", "messages", "max_tokens"}  # a model that thinks writes lines


@pytest.mark.parametrize("status", [404, 405, 501, 400, 500])
def test_a_server_that_only_chats_is_asked_by_turns_from_then_on(make, httpserver, status):
    httpserver.expect_request(BARE).respond_with_json({"error": "no"}, status)
    httpserver.expect_request(PATH).respond_with_json(http_models.body("+0050"))
    client = make()
    first = ask(client, prompt=TEXT, otherwise=TURNS, numbers=1)
    assert (first.texts, first.wire) == (("+0050",), Wire.TURNS)
    assert first.tries  # why it was not asked as it should be
    asked = paths(httpserver).count(BARE)
    assert ask(client, prompt=TEXT, otherwise=TURNS, numbers=1).wire == Wire.TURNS
    assert paths(httpserver).count(BARE) == asked


@pytest.mark.parametrize("status", [400, 500])
def test_a_prompt_that_is_refused_by_turns_too_says_nothing_of_the_wire(
    make, httpserver, monkeypatch, status
):
    monkeypatch.setattr("icpi_ros.llm.client.openai_chat.MAX_ATTEMPTS", 1)
    for path in (BARE, PATH):
        httpserver.expect_request(path).respond_with_json({"error": "too long"}, status)
    client = make()
    with pytest.raises(CompletionFailed, match=str(status)):
        ask(client, prompt=TEXT, otherwise=TURNS, numbers=1)
    httpserver.clear()
    httpserver.expect_request(BARE).respond_with_json(texts("+0050"))
    assert ask(client, prompt=TEXT, otherwise=TURNS, numbers=1).wire == Wire.COMPLETION


TOO_LONG = {
    "OpenAI": ({"code": "context_length_exceeded", "type": "invalid_request_error"}, 400),
    "llama.cpp": ({"code": 400, "type": "exceed_context_size_error", "n_ctx": 512}, 400),
    "llama-cpp-python": ({"code": "context_length_exceeded"}, 500),
    "vLLM": ({"code": 400, "message": "This model's maximum context length is 512 tokens."}, 400),
    "in 200": ({"code": "context_length_exceeded"}, 200),
}


@pytest.mark.parametrize("server", TOO_LONG)
def test_a_prompt_longer_than_the_context_says_nothing_of_wire_and_format(make, httpserver, server):
    error, status = TOO_LONG[server]
    httpserver.expect_oneshot_request(BARE).respond_with_json({"error": error}, status)
    httpserver.expect_request(BARE).respond_with_json(texts("+0050"))
    httpserver.expect_request(PATH).respond_with_json(http_models.body("+0070"))
    client = make(formats=("json_schema", "text"), samples=True)
    with pytest.raises(CompletionFailed, match=r"longer than its context, show it less \(option k"):
        ask(client, prompt=TEXT, otherwise=TURNS, numbers=1, samples=2, logprobs=5)
    assert paths(httpserver) == [BARE]
    assert ask(client, prompt=TEXT, otherwise=TURNS, numbers=1).wire == Wire.COMPLETION
    assert working_formats().several(httpserver.url_for("/v1"), "toy") is None


def test_a_line_that_was_completed_while_another_was_refused_counts(make, httpserver):
    httpserver.expect_oneshot_request(BARE).respond_with_json({"error": "no"}, 404)
    httpserver.expect_request(BARE).respond_with_json(texts("+0050"))
    httpserver.expect_request(PATH).respond_with_json(http_models.body("+0070"))
    client = make()
    working_formats().found_single(httpserver.url_for(BARE), "toy")
    both = ask(client, prompt=TEXT, otherwise=TURNS, numbers=1, samples=2)  # at the same time
    assert "+0050" in both.texts
    assert ask(client, prompt=TEXT, otherwise=TURNS, numbers=1).wire == Wire.COMPLETION


def test_what_a_server_completed_once_it_is_not_asked_by_turns(make, httpserver):
    httpserver.expect_ordered_request(BARE).respond_with_json(texts("+0050"))
    httpserver.expect_ordered_request(BARE).respond_with_json({}, 404)
    client = make()
    assert ask(client, prompt=TEXT, otherwise=TURNS, numbers=1).wire == Wire.COMPLETION
    with pytest.raises(CompletionFailed, match="404"):
        ask(client, prompt=TEXT, otherwise=TURNS, numbers=1)


def test_a_wire_that_is_chosen_is_not_changed(make, httpserver):
    httpserver.expect_request(BARE).respond_with_json({}, 404)
    with pytest.raises(CompletionFailed, match="404"):
        ask(make(), prompt=TEXT, numbers=1)
    assert paths(httpserver) == [BARE]


@pytest.mark.parametrize(
    ("choice", "wires"),
    [
        ({"base_url": "http://127.0.0.1:1/v1"}, ("completion", "turns")),
        ({"base_url": "https://models.example/v1"}, ("json",)),
        ({"base_url": "https://models.example/v1", "wire": "turns"}, ("turns",)),
        ({"model": "vllm"}, ("completion",)),
        ({"model": "ollama"}, ("turns",)),
        ({"model": "ollama", "wire": "json"}, ("json",)),
    ],
)
def test_the_wire_of_a_server_is_by_choice_entry_and_place(choice, wires):
    assert wires_of(profile_of(ModelChoice(**choice))) == wires


def test_a_small_model_is_shown_less_and_asked_more_often():
    small, large = Llm.chosen({"size": "small"}), Llm.chosen({})
    assert (small.k, small.digits, small.samples, small.temperature) == (8, 2, 5, 0.7)
    assert (small.examples, small.inputs, small.numbers) == ("pairs", "error", "fitted")
    assert (large.k, large.digits, large.samples, large.temperature) == (20, 4, 1, 0.0)
    assert Llm.chosen({"size": "small", "k": 9}).k == 9
    assert LlmSamples.chosen({"size": "small"}).samples == 8  # its own


def test_what_is_asked_for_goes_before_what_suits_a_small_model():
    described = Llm.chosen({"size": "small", "describe": True})
    assert (described.k, described.numbers, described.digits) == (8, "fixed", 4)
    assert Llm.chosen({"size": "small", "features": "raw"}).examples == "labels"


def test_a_model_of_this_machine_has_more_time():
    here = {"base_url": "http://localhost:1/v1"}
    assert (Llm.chosen({}).deadline, Llm.chosen(here).deadline) == (30.0, 120.0)
    assert Llm.chosen(here | {"deadline": 7}).deadline == 7.0


def test_a_deadline_that_passed_names_the_remedies(make, httpserver):
    released = threading.Event()
    httpserver.expect_request(PATH).respond_with_handler(http_models.stall(released))
    with pytest.raises(CompletionFailed, match=r"within 0\.3 s: raise the option deadline or ask"):
        ask(make(), seconds=0.3)
    released.set()


def test_several_answers_become_one_whoever_asks():
    class Model:
        def complete(self, request, until):
            assert request.samples == 3
            replies = (" +0100 +0000", " +0110 +0000", " +0900 +0000")
            return Completion(replies, wire=Wire.COMPLETION)

    options = {"wire": "completion", "digits": 3, "samples": 3}
    improver = Llm(toy.context(toy.dataset(), **options), Model())
    history = [toy.outcome([1.2, 0.1], [0.2, 0.8])]
    proposal = improver.propose(history, np.random.default_rng(0))
    assert proposal.theta == pytest.approx([1.2 + 0.5 * 0.11, 0.1])
    (exchange,) = proposal.details["exchanges"]
    assert exchange["wire"] == "completion"
    assert exchange["prompt"] == improver.prompt(history).text


def test_the_grammar_has_no_free_blank():
    root, integer = reply_grammar(2, 200).splitlines()
    assert root == 'root ::= "{\\"output\\":[" integer "," integer "]}"'
    assert integer == 'integer ::= "-"? ("0" | [1-9] [0-9]{0,2})'
