"""The client against a real HTTP server: every fault is one clear line, within the deadline."""

import logging
import threading
import time
import traceback

import http_models
import pytest
from http_models import KEY, PATH

from icpi_ros.errors import CompletionFailed
from icpi_ros.models import failures
from icpi_ros.models.openai_chat import OpenAIChat

MESSAGES = [{"role": "user", "content": "+0001 ->"}]
SLACK = 0.5


@pytest.fixture(autouse=True)
def quick_and_isolated(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for name in ("OPENAI_BASE_URL", "ICPI_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(failures, "_FIRST_PAUSE", 0.02)


@pytest.fixture
def released():
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def chat(httpserver):
    return OpenAIChat("toy-model", httpserver.url_for("/v1"), deadline=5.0)


def failure(client):
    """The message of the failure; the key is nowhere in the exception or its traceback."""
    start = time.monotonic()
    with pytest.raises(CompletionFailed) as caught:
        client.complete(MESSAGES)
    assert time.monotonic() - start < client.deadline + SLACK
    text = "".join(traceback.format_exception(caught.value))
    assert KEY not in text
    assert "\n" not in str(caught.value)
    assert caught.value.__context__ is None or KEY not in repr(caught.value.__context__)
    return str(caught.value)


def test_good_reply(chat, httpserver):
    httpserver.expect_oneshot_request(PATH, method="POST").respond_with_json(
        http_models.body("+0050 -0020")
    )
    completion = chat.complete(MESSAGES)
    assert completion.text == "+0050 -0020"
    assert completion.usage == {"prompt_tokens": 300, "completion_tokens": 4}
    assert completion.model == "toy-model-1"
    assert 0.0 < completion.latency < 5.0
    request, _ = httpserver.log[0]
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.json == {"messages": MESSAGES, "model": "toy-model"}


def test_missing_usage_and_model(chat, httpserver):
    reply = http_models.body("1 2")
    del reply["usage"], reply["model"]
    httpserver.expect_request(PATH).respond_with_json(reply)
    completion = chat.complete(MESSAGES)
    assert (completion.usage, completion.model) == ({}, "toy-model")


def test_cached_tokens(chat, httpserver):
    usage = {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 7}}
    httpserver.expect_request(PATH).respond_with_json(http_models.body("1 2", usage=usage))
    assert chat.complete(MESSAGES).usage == {"prompt_tokens": 9, "cached_tokens": 7}


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_passing_faults_are_retried(chat, httpserver, status):
    httpserver.expect_ordered_request(PATH).respond_with_data("busy", status=status)
    httpserver.expect_ordered_request(PATH).respond_with_json(http_models.body("1 2"))
    assert chat.complete(MESSAGES).text == "1 2"
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
    assert chat.complete(MESSAGES).latency > 0.4


def test_retry_after_beyond_the_deadline_gives_up_at_once(chat, httpserver):
    httpserver.expect_request(PATH).respond_with_data(
        "slow down", status=429, headers={"Retry-After": "120"}
    )
    start = time.monotonic()
    assert "HTTP 429; a retry would miss the deadline of 5 s" in failure(chat)
    assert time.monotonic() - start < 2.0


@pytest.mark.parametrize("fault", [http_models.stall, http_models.drip])
def test_deadline_holds(httpserver, released, fault):
    httpserver.expect_request(PATH).respond_with_handler(fault(released))
    client = OpenAIChat("toy-model", httpserver.url_for("/v1"), deadline=0.4)
    line = failure(client)
    assert "within 0.4 s" in line
    assert httpserver.url_for("/v1") in line


def test_nobody_listens(unused_port):
    client = OpenAIChat("toy-model", f"http://127.0.0.1:{unused_port}/v1", deadline=5.0)
    assert "cannot reach http://127.0.0.1" in failure(client)


@pytest.fixture
def unused_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


MALFORMED = {
    "HTML": ("<html>Welcome</html>", "text/html", "not JSON"),
    "truncated JSON": ('{"choices": [{"mess', "application/json", "unreadable"),
    "empty": ("", "application/json", "unreadable"),
    "empty object": ("{}", "application/json", "without choices"),
    "a list": ("[1, 2]", "application/json", ""),
    "a number": ("7", "application/json", ""),
    "null": ("null", "application/json", ""),
    "no choices": ('{"choices": []}', "application/json", "without choices"),
    "null choices": ('{"choices": null}', "application/json", "without choices"),
    "choices of text": ('{"choices": "abc"}', "application/json", ""),
    "choice null": ('{"choices": [null]}', "application/json", ""),
    "no message": ('{"choices": [{}]}', "application/json", "without text"),
    "null content": (
        '{"choices": [{"finish_reason": "length", "message": {"content": null}}]}',
        "application/json",
        r"without text \(finish_reason length\)",
    ),
    "content of parts": (
        '{"choices": [{"message": {"content": [{"type": "text", "text": "1 2"}]}}]}',
        "application/json",
        "without text",
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
    if words:
        import re

        assert re.search(words, line)


def test_settings_that_are_missing(monkeypatch, httpserver):
    url = httpserver.url_for("/v1")
    assert "no model: set the option model or ICPI_MODEL" in failure(OpenAIChat("", url))
    assert "must start with http" in failure(OpenAIChat("m", "localhost:8000/v1"))
    assert "no API key: set MY_KEY" in failure(OpenAIChat("m", url, key_variable="MY_KEY"))
    monkeypatch.setenv("OPENAI_API_KEY", "schl\u00fcssel-0123456789")
    assert "not printable ASCII" in failure(OpenAIChat("m", url))
    monkeypatch.delenv("OPENAI_API_KEY")
    assert "no API key: set OPENAI_API_KEY" in failure(OpenAIChat("m", url))
    assert httpserver.log == []


def test_settings_from_the_environment(monkeypatch):
    monkeypatch.setenv("ICPI_MODEL", "from-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1/v1")
    client = OpenAIChat()
    assert (client.model, client.base_url) == ("from-environment", "http://localhost:1/v1")
    chosen = OpenAIChat("m", "http://localhost:2/v1")
    assert (chosen.model, chosen.base_url) == ("m", "http://localhost:2/v1")


def test_password_in_the_url_is_not_shown():
    client = OpenAIChat("m", "http://user:hunter2@localhost:9/v1?token=hunter2", deadline=5.0)
    assert client.endpoint == "http://localhost:9/v1"
    assert "hunter2" not in failure(client)


def test_echoed_key_is_taken_out(chat, httpserver, caplog):
    caplog.set_level(logging.DEBUG)
    reply = http_models.body(f"your key is {KEY}", model=KEY)
    httpserver.expect_request(PATH).respond_with_json(reply)
    completion = chat.complete(MESSAGES)
    assert KEY not in repr(completion)
    assert KEY not in caplog.text
    assert KEY not in repr(vars(chat))


def test_works_inside_a_running_event_loop(chat, httpserver):
    import asyncio

    async def notebook():
        return chat.complete(MESSAGES)

    httpserver.expect_request(PATH).respond_with_json(http_models.body("1 2"))
    assert asyncio.run(notebook()).text == "1 2"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(None, None), ("2", 2.0), ("-3", 0.0), ("soon", None), ("inf", None), ("nan", None)],
)
def test_retry_after_header(value, seconds):
    assert failures.read_retry_after(value) == seconds


def test_retry_after_date():
    assert failures.read_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert failures.read_retry_after("Wed, 21 Oct 2099 07:28:00 GMT") > 1e8


def test_pauses_grow_and_are_bounded(monkeypatch):
    monkeypatch.setattr(failures, "_FIRST_PAUSE", 0.5)
    assert all(0.25 <= failures.pause(0, None) <= 0.5 for _ in range(100))
    assert all(4.0 <= failures.pause(30, None) <= 8.0 for _ in range(100))
