"""The client against a real HTTP server: every fault is one clear line, within the deadline."""

import json
import logging
import math
import re
import socket
import threading
import time
import traceback
from dataclasses import replace

import http_models
import pytest
from http_models import KEY, MESSAGES, PATH, ask

from icpi_ros.core.errors import CompletionFailed
from icpi_ros.llm.client import responses
from icpi_ros.llm.client.budget import Meter
from icpi_ros.llm.client.formats import working_formats
from icpi_ros.llm.client.openai_chat import OpenAIChat
from icpi_ros.llm.client.profile import Price, Profile
from icpi_ros.llm.client.replies import read_reply

SLACK = 60.0
"""What a busy machine may add to a deadline [s]."""
NOTHING = Profile("toy-model", "toy-model", formats=("text",))


@pytest.fixture(autouse=True)
def quick_and_isolated(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for name in ("OPENAI_BASE_URL", "ICPI_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(responses, "_FIRST_PAUSE", 0.02)
    working_formats().forget()


@pytest.fixture
def released():
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def make(httpserver):
    """A client of the test's server with settings that differ from those of an unknown model."""

    def build(meter=None, **settings):
        profile = replace(NOTHING, base_url=httpserver.url_for("/v1"))
        return OpenAIChat(replace(profile, **settings), meter or Meter())

    return build


@pytest.fixture
def chat(make):
    return make()


def failure(client, seconds=20.0, kind=CompletionFailed, **changes):
    """The message of the failure; the key is nowhere in the exception or its traceback."""
    start = time.monotonic()
    with pytest.raises(kind) as caught:
        ask(client, seconds, **changes)
    assert time.monotonic() - start < seconds + SLACK
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert KEY not in "".join(shown.format())
    assert "\n" not in str(caught.value)
    assert caught.value.__context__ is None or KEY not in repr(caught.value.__context__)
    return str(caught.value)


def sent(httpserver):
    """The bodies of all requests."""
    return [request.json for request, _ in httpserver.log]


def test_good_reply(chat, httpserver):
    httpserver.expect_oneshot_request(PATH, method="POST").respond_with_json(
        http_models.body("+0050 -0020")
    )
    completion = ask(chat)
    assert completion.texts == ("+0050 -0020",)
    spent = completion.spent
    assert (spent.calls, spent.prompt_tokens, spent.completion_tokens) == (1, 300, 4)
    assert (spent.cached_tokens, spent.estimated, math.isnan(spent.money)) == (0, 0, True)
    assert 0.0 < spent.seconds < 5.0
    assert repr(chat.meter.spent) == repr(spent)
    assert (completion.model, completion.format) == ("toy-model-1", "text")
    assert (completion.tries, completion.replayed) == ((), False)
    request, _ = httpserver.log[0]
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.json == {"messages": MESSAGES, "model": "toy-model"}


def test_missing_usage_and_model(chat, httpserver):
    reply = http_models.body("1 2")
    del reply["usage"], reply["model"]
    httpserver.expect_request(PATH).respond_with_json(reply)
    completion = ask(chat)
    assert completion.model == "toy-model"
    spent = completion.spent
    assert (spent.prompt_tokens, spent.completion_tokens, spent.estimated) == (3 + 5 + 6, 3, 1)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        7,
        [],
        {"prompt_tokens": 9},
        {"prompt_tokens": True, "completion_tokens": 1},
        {"prompt_tokens": -9, "completion_tokens": 1},
        {"prompt_tokens": "9", "completion_tokens": 1},
        {"prompt_tokens": 9.0, "completion_tokens": 1},
        {"prompt_tokens": 10**40, "completion_tokens": 1},
    ],
)
def test_nonsense_usage_is_estimated(chat, httpserver, usage):
    httpserver.expect_request(PATH).respond_with_json(http_models.body("1 2", usage=usage))
    spent = ask(chat).spent
    assert (spent.prompt_tokens, spent.completion_tokens, spent.estimated) == (3 + 5 + 6, 3, 1)


@pytest.mark.parametrize(("told", "counted"), [(7, 7), (700, 9), (-1, 0), ("7", 0), (None, 0)])
def test_cached_tokens_and_money(make, httpserver, told, counted):
    usage = http_models.usage(9, 2, prompt_tokens_details={"cached_tokens": told})
    httpserver.expect_request(PATH).respond_with_json(http_models.body("1 2", usage=usage))
    spent = ask(make(price=Price(2.0, 10.0, 0.5))).spent
    assert spent.cached_tokens == counted
    assert spent.money == pytest.approx(((9 - counted) * 2.0 + counted * 0.5 + 20.0) / 1e6)


def test_only_what_the_profile_allows_is_sent(make, httpserver):
    httpserver.expect_request(PATH).respond_with_json(http_models.body("1 2"))
    ask(make(), temperature=0.7, seed=3)
    capable = {"temperature": True, "seed": True, "samples": True, "effort": "low"}
    limit = {"token_limit": "max_completion_tokens", "max_tokens": 40}
    ask(make(model="wire-name", **capable, **limit), temperature=0.7, seed=3)
    ask(make(**capable))
    careful, everything, unasked = sent(httpserver)
    assert set(careful) == {"model", "messages"}
    extra = {"temperature": 0.7, "seed": 3, "reasoning_effort": "low", "max_completion_tokens": 40}
    assert everything == {"model": "wire-name", "messages": MESSAGES} | extra
    assert set(unasked) == {"model", "messages", "reasoning_effort"}


def test_reply_with_json_schema(make, httpserver):
    httpserver.expect_request(PATH).respond_with_json(http_models.body('{"output": [1, 2]}'))
    completion = ask(make(formats=("json_schema", "json_object", "text")))
    assert completion.format == "json_schema"
    asked = sent(httpserver)[0]["response_format"]
    assert asked["type"] == "json_schema"
    assert asked["json_schema"]["strict"] is True
    schema = asked["json_schema"]["schema"]
    assert schema["properties"]["output"] == {
        "type": "array",
        "items": {"type": "integer"},
        "minItems": 2,
        "maxItems": 2,
    }
    assert (schema["required"], schema["additionalProperties"]) == (["output"], False)


@pytest.mark.parametrize("form", ["json_schema", "json_object+schema"])
def test_a_schema_says_how_large_numbers_may_be(make, httpserver, form):
    httpserver.expect_request(PATH).respond_with_json(http_models.body('{"output": [1, 2]}'))
    ask(make(formats=(form,)), largest=20_000)
    asked = sent(httpserver)[0]["response_format"]
    schema = asked["json_schema"]["schema"] if form == "json_schema" else asked["schema"]
    items = schema["properties"]["output"]["items"]
    assert items == {"type": "integer", "minimum": -20_000, "maximum": 20_000}


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_passing_faults_are_retried(chat, httpserver, status):
    httpserver.expect_ordered_request(PATH).respond_with_data("busy", status=status)
    httpserver.expect_ordered_request(PATH).respond_with_json(http_models.body("1 2"))
    assert ask(chat).texts == ("1 2",)
    assert len(httpserver.log) == 2


def test_retries_are_bounded(chat, httpserver):
    httpserver.expect_request(PATH).respond_with_data("broken", status=500)
    assert "HTTP 500 (5 tries)" in failure(chat)
    assert len(httpserver.log) == 5


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (400, "option model"),
        (401, "OPENAI_API_KEY was not accepted"),
        (403, "OPENAI_API_KEY was not accepted"),
        (404, "base URL"),
        (422, "not worth a retry"),
        (302, "redirects are not followed"),
    ],
)
def test_lasting_faults_are_not_retried(chat, httpserver, status, advice):
    echo = {"error": {"message": f"Incorrect API key provided: {KEY}", "code": "x"}}
    httpserver.expect_request(PATH).respond_with_json(echo, status=status)
    line = failure(chat)
    assert f"HTTP {status}" in line
    assert advice in line
    assert len(httpserver.log) == 1


def test_quota_is_not_retried(chat, httpserver):
    reply = {"error": {"message": "pay", "code": "insufficient_quota"}}
    httpserver.expect_request(PATH).respond_with_json(reply, status=429)
    assert "no quota left" in failure(chat)
    assert len(httpserver.log) == 1


def test_retry_after_is_honoured(chat, httpserver):
    httpserver.expect_ordered_request(PATH).respond_with_data(
        "slow down", status=429, headers={"Retry-After": "0.4"}
    )
    httpserver.expect_ordered_request(PATH).respond_with_json(http_models.body("1 2"))
    assert ask(chat).spent.seconds > 0.4


def test_retry_after_beyond_the_deadline_gives_up_at_once(chat, httpserver):
    httpserver.expect_request(PATH).respond_with_data(
        "slow down", status=429, headers={"Retry-After": "120"}
    )
    start = time.monotonic()
    said = failure(chat, 90.0)
    assert re.search(r"HTTP 429; a retry would miss the deadline of \d\d\.\d s", said), said
    assert time.monotonic() - start < 60.0


@pytest.mark.parametrize("fault", [http_models.stall, http_models.drip])
def test_deadline_holds(chat, httpserver, released, fault):
    httpserver.expect_request(PATH).respond_with_handler(fault(released))
    line = failure(chat, 0.4)
    assert re.search(r"within 0\.\d s", line)  # what was left when it was asked
    assert httpserver.url_for("/v1") in line


def test_nobody_listens(make, unused_port):
    client = make(base_url=f"http://127.0.0.1:{unused_port}/v1")
    assert "cannot reach http://127.0.0.1" in failure(client)
    spent = client.meter.spent
    assert (spent.calls, spent.tokens, spent.estimated) == (5, 0, 0)


@pytest.fixture
def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


MALFORMED = {
    "HTML": ("<html>Welcome</html>", "text/html", "not JSON"),
    "truncated JSON": ('{"choices": [{"mess', "application/json", "unreadable"),
    "empty object": ("{}", "application/json", "without choices"),
    "a list": ("[1, 2]", "application/json", ""),
    "a number": ("7", "application/json", ""),
    "null": ("null", "application/json", ""),
    "choices of text": ('{"choices": "abc"}', "application/json", ""),
    "choice null": ('{"choices": [null]}', "application/json", ""),
    "no message": ('{"choices": [{}]}', "application/json", "without text"),
    "null content": (
        '{"choices": [{"finish_reason": "length", "message": {"content": null}}]}',
        "application/json",
        r"without text \(finish_reason length\)",
    ),
    "blank content": ('{"choices": [{"message": {"content": " "}}]}', "application/json", ""),
    "refusal": (
        '{"choices": [{"message": {"content": null, "refusal": "I must not."}}]}',
        "application/json",
        "refused",
    ),
    "invalid UTF-8": (b'{"choices": "\xff\xfe"}', "application/json", ""),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_responses(chat, httpserver, case):
    data, kind, words = MALFORMED[case]
    httpserver.expect_request(PATH).respond_with_data(data, content_type=kind)
    line = failure(chat)
    assert line.count(httpserver.url_for("/v1")) == 1
    assert chat.meter.spent.calls == 1
    if words:
        assert re.search(words, line)


def test_settings_that_are_missing(monkeypatch, make, httpserver):
    assert "no model: set the option model or ICPI_MODEL" in failure(make(model=""))
    assert "must start with http" in failure(make(base_url="localhost:8000/v1"))
    elsewhere = "https://models.invalid/v1"  # a server of this machine may need no key
    assert "no API key: set MY_KEY" in failure(make(key_variable="MY_KEY", base_url=elsewhere))
    monkeypatch.setenv("OPENAI_API_KEY", "schl\u00fcssel-0123456789")
    assert "not printable ASCII" in failure(make())
    monkeypatch.delenv("OPENAI_API_KEY")
    client = make(base_url=elsewhere)
    assert "no API key: set OPENAI_API_KEY" in failure(client)
    assert client.meter.spent.calls == 0
    assert httpserver.log == []


def test_server_that_needs_no_key(make, httpserver, monkeypatch):
    httpserver.expect_request(PATH).respond_with_json(http_models.body("1 2"))
    client = make(key_variable="LOCAL_SERVER_PASS", needs_key=False)
    ask(client)
    monkeypatch.setenv("LOCAL_SERVER_PASS", "now-there-is-one")
    ask(client)
    keys = [request.headers["Authorization"] for request, _ in httpserver.log]
    assert keys == ["Bearer none", "Bearer now-there-is-one"]


def test_a_server_of_this_machine_is_asked_without_a_key(make, httpserver, monkeypatch):
    httpserver.expect_request(PATH).respond_with_json(http_models.body("1 2"))
    monkeypatch.delenv("OPENAI_API_KEY")
    ask(make())
    assert httpserver.log[0][0].headers["Authorization"] == "Bearer none"


def test_url_from_the_environment(monkeypatch):
    assert OpenAIChat(NOTHING, Meter()).base_url == "https://api.openai.com/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1/v1")
    assert OpenAIChat(NOTHING, Meter()).base_url == "http://localhost:1/v1"
    chosen = replace(NOTHING, base_url="http://localhost:2/v1")
    assert OpenAIChat(chosen, Meter()).base_url == "http://localhost:2/v1"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:hunter2@localhost:9/v1?token=hunter2", "http://localhost:9/v1"),
        ("http://[::1]:9/v1", "http://[::1]:9/v1"),
        ("http://localhost:99999/v1", "an invalid URL"),
    ],
)
def test_password_in_the_url_is_not_shown(make, url, shown):
    client = make(base_url=url)
    assert client.endpoint == shown
    assert "hunter2" not in failure(client)


def test_echoed_key_is_taken_out(make, httpserver, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.setenv("ODD_NAME", KEY)
    client = make(key_variable="ODD_NAME")
    reply = http_models.body(f"your key is {KEY}", model=KEY)
    httpserver.expect_request(PATH).respond_with_json(reply)
    completion = ask(client)
    assert KEY not in repr(completion)
    assert KEY not in caplog.text
    assert KEY not in repr(vars(client))


def test_works_inside_a_running_event_loop(chat, httpserver):
    import asyncio

    async def notebook():
        return ask(chat)

    httpserver.expect_request(PATH).respond_with_json(http_models.body("1 2"))
    assert asyncio.run(notebook()).texts == ("1 2",)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(None, None), ("2", 2.0), ("-3", 0.0), ("soon", None), ("inf", None), ("nan", None)],
)
def test_retry_after_header(value, seconds):
    assert responses.read_retry_after(value) == seconds


def test_retry_after_date():
    assert responses.read_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert responses.read_retry_after("Wed, 21 Oct 2099 07:28:00 GMT") > 1e8


def test_pauses_grow_and_are_bounded(monkeypatch):
    monkeypatch.setattr(responses, "_FIRST_PAUSE", 0.5)
    assert all(0.25 <= responses.pause(0, None) <= 0.5 for _ in range(100))
    assert all(4.0 <= responses.pause(30, None) <= 8.0 for _ in range(100))


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        ('{"output": [50, -20]}', True),
        ('Here it is:\n```json\n{"output": [50, -20]}\n```\n', True),
        ("[50, -20]", True),
        ('<think>{"output": [1, 2]}</think>{"output": [50, -20]}', True),
        ('{"output": [50, -20]}\nFor example', False),
        ('maybe {"output": [50, -20]} but the slope', False),
        ('maybe {"output": [50, -20]} as in [1]', False),
        ('<think>maybe {"output": [50, -20]}', False),
        ('{"output": [50, -20]}, {"output": [1, 2', False),
        ("+0050 -002", False),
        ("+0050", False),
    ],
)
def test_a_text_cut_off_at_the_token_limit_may_lack_digits(content, kept):
    choice = {"finish_reason": "length", "message": {"content": content}}
    reply = read_reply(json.dumps({"choices": [choice]}).encode())
    assert reply.texts == ((content,) if kept else ())
    assert kept or "token limit" in reply.faults[0]
