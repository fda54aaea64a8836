"""Everything that a server can do to us ends in time, in a completion or in one clear line."""

import asyncio
import contextlib
import gc
import gzip
import json
import logging
import math
import os
import re
import socket
import ssl
import threading
import time
import traceback
import types
from unittest.mock import Mock

import fault_server as faults
import http_models
import httpx2
import openai
import pytest
from fault_server import GOOD, answer, head, part, status
from http_models import KEY, ask
from hypothesis import given, settings
from hypothesis import strategies as st

from icpi_ros.core.errors import CompletionFailed
from icpi_ros.llm import addresses, waiting
from icpi_ros.llm.client import bodies, connections, replies, responses
from icpi_ros.llm.client.budget import Meter
from icpi_ros.llm.client.completer import Prompt, Wire
from icpi_ros.llm.client.formats import working_formats
from icpi_ros.llm.client.openai_chat import OpenAIChat
from icpi_ros.llm.client.profile import Profile

DEADLINE, SLACK = 2.0, 60.0
"""Of what never ends, and what a busy machine may add to it [s]."""
AMPLE = 20.0
"""Deadline of what ends by itself [s]; shorter than what servers here ask to wait."""
HALF = head(200, len(GOOD)) + GOOD[:20]
CODE = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType)
CHUNKS = b"%x;a=1\r\n%b\r\n0\r\nX: y\r\n\r\n" % (len(GOOD), GOOD)


@pytest.fixture(autouse=True)
def quick_and_isolated(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(responses, "_FIRST_PAUSE", 0.02)
    working_formats().forget()


@pytest.fixture
def server():
    server = faults.FaultServer()
    yield server
    server.close()


@pytest.fixture
def chat(server):
    return client(server)


def client(server, **settings):
    profile = {"formats": ("text",), "base_url": server.url} | settings
    return OpenAIChat(Profile("toy", "toy", **profile), Meter())


def keep(server, connection):
    return True


def choice(**fields):
    return answer({"choices": [fields]})


def error(**fields):
    return answer({"error": fields})


# What the server does, one request after the other: how it ends (None = well), requests made.
PASSING = {
    "429, soon": ([status(429, Retry_After="0.2"), faults.good], 2),
    "429, date": ([faults.in_seconds(0), faults.good], 2),
    "429, date long ago": ([faults.in_seconds(-1e6), faults.good], 2),
    "429, nonsense": ([status(429, Retry_After="soon"), faults.good], 2),
    "429, infinity": ([status(429, Retry_After="inf"), faults.good], 2),
    "429, negative": ([status(429, Retry_After="-5"), faults.good], 2),
    "429, bare": ([status(429), faults.good], 2),
    "408": ([status(408), faults.good], 2),
    "409": ([status(409), faults.good], 2),
    "500": ([status(500), faults.good], 2),
    "503 once": ([status(503), faults.good], 2),
    "503, compressed": ([status(503, Content_Encoding="gzip"), faults.good], 2),
    "529": ([status(529), faults.good], 2),
    "reset": ([faults.reset, faults.good], 2),
    "reset in the body": ([part(HALF, faults.reset), faults.good], 2),
    "close in the body": ([part(HALF, faults.hang_up), faults.good], 2),
    "close": ([faults.hang_up, faults.good], 2),
    "two closes": ([faults.hang_up, faults.hang_up, faults.good], 3),
    "garbage": ([part(b"\x16\x03\x01 what?\r\n\r\n", faults.hang_up), faults.good], 2),
    "wrong content type": ([answer(GOOD, kind="text/html")], 1),
    "429 in 200": ([error(code=429), faults.good], 2),
    "502 in 200": ([error(code="502"), faults.good], 2),
    "overloaded in 200": ([error(type="overloaded_error"), faults.good], 2),
    "nameless error in 200": ([answer({"error": "runner stopped"}), faults.good], 2),
    "detail in 200": ([answer({"detail": "Internal"}), faults.good], 2),
    "error of a choice": ([choice(error={"code": 502}, finish_reason="error"), faults.good], 2),
    "null choices": ([answer({"choices": None}), faults.good], 2),
    "empty choices": ([answer({"choices": []}), faults.good], 2),
    "empty body": ([answer(b""), faults.good], 2),
    "429 in 200, soon": (
        [answer({"error": {"code": 429}}, Retry_After="0.1"), faults.good],
        2,
    ),
    "comments": ([answer(b": PROCESSING\n\n\n: PROCESSING\n" + GOOD)], 1),
    "stream": ([answer(faults.stream("1", " 2"), kind="text/event-stream")], 1),
    "chunks": ([part(head(200, Transfer_Encoding="chunked") + CHUNKS, keep)], 1),
    "HTTP/1.0": ([part(b"HTTP/1.0 200 OK\r\n\r\n" + GOOD, faults.hang_up)], 1),
    "early hints": ([part(b"HTTP/1.1 103 Wait\r\n\r\n" + head(200, len(GOOD)) + GOOD, keep)], 1),
    "201": ([answer(GOOD, 201)], 1),
    "identity": ([answer(GOOD, Content_Encoding="identity")], 1),
    "two lengths": ([part(head(200, 5, Content_length=9) + GOOD, faults.hang_up), faults.good], 2),
    "bare line feeds": (
        [part(b"HTTP/1.1 200 OK\nContent-Length: %d\n\n" % len(GOOD) + GOOD, keep)],
        1,
    ),
    "a length beside chunks": (
        [part(head(200, len(GOOD), Transfer_Encoding="chunked") + CHUNKS, keep)],
        1,
    ),
    "no content type": ([part(b"HTTP/1.1 200 OK\r\n\r\n" + GOOD, faults.hang_up)], 1),
}
WITHIN = r"within [12]\.\d s"  # what was left of DEADLINE when it was asked
LASTING = {
    "429, too late": ([status(429, Retry_After="60")], "a retry would miss the deadline", 1),
    "429, date too late": ([faults.in_seconds(3600)], "a retry would miss the deadline", 1),
    "429, enormous": ([status(429, Retry_After="1e300")], "a retry would miss the deadline", 1),
    "500 for ever": ([status(500)], r"HTTP 500 \(5 tries\)", 5),
    "reset for ever": ([faults.reset], r"lost the connection.*\(5 tries\)", 5),
    "stall": ([faults.stall], WITHIN, 1),
    "stall in the body": ([part(HALF, faults.stall)], WITHIN, 1),
    "stall in the head": (
        [part(b"HTTP/1.1 200 OK\r\nConte", faults.stall)],
        WITHIN,
        1,
    ),
    "drip": ([faults.drip], WITHIN, 1),
    "retry, then stall": (
        [status(503), faults.stall],
        WITHIN + r" \(last: .*HTTP 503\)",
        2,
    ),
    "HTML": ([answer(b"<html>Hello</html>", kind="text/html")], "not JSON", 1),
    "a list": ([answer([1])], "not an object", 1),
    "text in JSON": ([answer("1 2")], "not JSON|not an object", 1),
    "no choices": ([answer({})], "without choices", 1),
    "empty choices for ever": ([answer({"choices": []})], r"without choices \(5 tries\)", 5),
    "an error with 200": ([error(message=KEY)], r"names no status \(5 tries\)", 5),
    "401 in 200": ([error(code=401, message=KEY)], "status 401: the key in OPENAI_API_KEY", 1),
    "400 in 200": ([error(type="invalid_request_error")], "status 400.*models.yaml", 1),
    "no quota in 200": ([error(code="insufficient_quota")], "no quota left", 1),
    "429 in 200, late": (
        [answer({"error": {"code": 429}}, Retry_After="60")],
        "status 429; a retry would miss the deadline",
        1,
    ),
    "broken stream": ([answer(faults.stream("1", " 2")[:-20])], "broke a stream off|unreadable", 1),
    "reasoning": ([choice(message={"reasoning_content": "1 2"})], "with reasoning_content$", 1),
    "null content": ([choice(message={"content": None})], "without text", 1),
    "no message": ([choice(index=0)], "without text", 1),
    "content filter": ([choice(finish_reason="content_filter")], "content_filter", 1),
    "long reason": ([choice(finish_reason="a" * 99)], "without text$", 1),
    "multi-line reason": ([choice(finish_reason=f"a\n{KEY}")], "without text$", 1),
    "refusal": ([choice(message={"refusal": "No."})], "refused", 1),
    "truncated JSON": ([answer(GOOD[:40])], "unreadable JSON", 1),
    "deep JSON": ([answer(b'{"a":' * 100_000)], "unreadable JSON", 1),
    "long integer": ([answer(b'{"a": ' + b"9" * 5000 + b"}")], "unreadable JSON", 1),
    "huge": ([faults.huge], "more than 8 MB", 1),
    "too short": ([part(head(200, 20) + GOOD, faults.hang_up)], "unreadable JSON", 1),
    "XML": ([answer(b"<?xml version='1.0'?>", kind="application/xml")], "not JSON", 1),
    "two documents": ([answer(GOOD + b"\n" + GOOD)], "unreadable JSON", 1),
    "304": ([answer(b"", 304)], "redirects are not followed", 1),
    "compressed": ([answer(gzip.compress(GOOD), Content_Encoding="gzip")], "compressed", 1),
    "redirect": ([status(307, Location="/elsewhere")], "redirects are not followed", 1),
    "found": ([status(302, Location="http://127.0.0.1:9/")], "redirects are not followed", 1),
    "204": ([answer(b"", 204)], r"empty response \(5 tries\)", 5),
    "400": ([status(400)], "models.yaml", 1),
    "401": ([status(401)], "OPENAI_API_KEY was not accepted", 1),
    "403": ([status(403)], "OPENAI_API_KEY was not accepted", 1),
    "403, page": ([answer(b"<html>", 403, "text/html")], "web page.*proxy or firewall", 1),
    "502, page": ([answer(b"<html>", 502, "text/html")], r"web page.*gateway.*\(5 tries\)", 5),
    "404": ([status(404)], "base URL", 1),
    "418": ([status(418)], "HTTP 418", 1),
}


@pytest.mark.parametrize("case", PASSING)
def test_faults_that_pass(server, chat, case):
    server.script, requests = PASSING[case]
    completion = ask(chat, AMPLE)
    assert completion.texts == ("1 2",)
    assert server.requests == requests == completion.spent.calls
    assert len(completion.tries) == requests - 1
    assert KEY not in repr(completion)


@pytest.mark.slow
@pytest.mark.parametrize("case", LASTING)
def test_faults_that_last(server, chat, case, caplog):
    caplog.set_level(logging.DEBUG)
    server.script, words, requests = LASTING[case]
    start = time.monotonic()
    with pytest.raises(CompletionFailed) as caught:
        ask(chat, DEADLINE if "within" in words else AMPLE)
    assert time.monotonic() - start < DEADLINE + SLACK
    line = str(caught.value)
    assert re.search(words, line)
    assert "\n" not in line
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert KEY not in "".join(shown.format())
    assert KEY not in caplog.text
    assert server.requests == requests == chat.meter.spent.calls


@pytest.mark.parametrize(
    ("script", "estimated"),
    [
        (faults.stall, 1),
        (answer(b"<html>"), 1),
        (status(401), 0),
        (status(429, Retry_After="60"), 0),
    ],
)
def test_failures_are_charged(server, chat, script, estimated):
    server.script = [script]
    with pytest.raises(CompletionFailed):
        ask(chat, 0.3 if script is faults.stall else AMPLE)
    spent = chat.meter.spent
    assert (spent.calls, spent.estimated, spent.completion_tokens) == (1, estimated, 0)
    assert spent.prompt_tokens == (3 + 5 + 6) * estimated  # reply, message, +0001 ->
    assert 0.0 < spent.seconds < SLACK


def test_failure_at_the_first_rung_only(server):
    server.script = [status(500), status(500), faults.good]
    completion = ask(client(server, formats=("json_schema", "text")), AMPLE)
    assert (completion.format, completion.spent.calls) == ("text", 3)


@pytest.mark.parametrize("refusal", [status(400), status(422), error(code=400), status(501)])
def test_several_choices_that_are_refused_are_asked_for_one_by_one(server, refusal):
    """The format stays the best one, and the refusal is remembered."""
    server.script = [refusal, faults.good]
    chat = client(server, formats=("json_schema", "text"), samples=True)
    first = ask(chat, samples=3)
    assert (len(first.texts), first.format, server.requests) == (3, "json_schema", 4)
    assert "n = 3" in first.tries[0]
    second = ask(chat, samples=2)
    assert (len(second.texts), second.tries, server.requests) == (2, (), 6)


def test_a_server_that_has_given_several_choices_is_not_doubted_for_a_passing_fault(server):
    body = http_models.body("1 2")
    three = faults.answer(body | {"choices": 3 * body["choices"]})
    server.script = [three, status(500), status(500), three]
    chat = client(server, formats=("json_schema", "text"), samples=True)
    assert len(ask(chat, samples=3).texts) == 3
    again = ask(chat, samples=3)
    assert (len(again.texts), again.format) == (3, "json_schema")
    assert server.requests == 4  # both faults were waited out, none was worked around
    assert working_formats().several(chat.endpoint, "toy")


def test_a_format_that_is_refused_with_one_choice_too_is_the_fault(server):
    server.script = [status(400), status(400), faults.good]
    chat = client(server, formats=("json_schema", "text"), samples=True)
    assert ask(chat, samples=2).format == "text"
    assert working_formats().several(chat.endpoint, "toy") is not False


def test_a_prompt_that_is_refused_however_it_is_asked(server):
    server.script = [status(400)]
    with pytest.raises(CompletionFailed, match=r"HTTP 400.*\(2 tries\)"):
        ask(client(server, samples=True), samples=2)
    assert server.requests == 2


def test_connections_are_kept(server, chat):
    for _ in range(3):
        ask(chat)
    ask(client(server))
    assert (server.requests, server.connections) == (4, 1)


def test_connection_closed_while_idle(server, chat):
    server.script = [faults.answer_and_hang_up]
    for _ in range(3):
        completion = ask(chat, AMPLE)
        assert completion.texts == ("1 2",)
        time.sleep(0.05)
    assert server.connections == 3


def test_kept_connection_that_breaks_under_the_request(server, chat, monkeypatch):
    monkeypatch.setattr(responses, "_FIRST_PAUSE", 30.0)  # the retry must not wait for it
    server.script = [faults.good, faults.reset, faults.good]
    ask(chat, AMPLE)
    completion = ask(chat, AMPLE)
    assert (completion.texts, completion.spent.calls) == (("1 2",), 2)


def test_a_caller_with_a_loop_of_its_own(server, chat):
    """A notebook's cell is run by a loop, in which no other can be run."""

    async def cell():
        return ask(chat).texts

    assert asyncio.run(cell()) == ask(chat).texts == ("1 2",)


LONG = Prompt(Wire.JSON, ({"role": "user", "content": 6_000_000 * "1"},))
"""Longer than what a socket takes at once."""


@pytest.mark.parametrize("own_loop", [False, True])
def test_a_request_that_is_sent_in_pieces_and_answered_early(server, chat, own_loop):
    async def cell():
        return ask(chat, AMPLE, prompt=LONG)

    def asked():
        return asyncio.run(cell()) if own_loop else ask(chat, AMPLE, prompt=LONG)

    assert asked().texts == ("1 2",)
    read = threading.Event()

    def refuse(connection, _):
        with connection:
            connection.recv(1000)
            connection.sendall(head(413, 0))
            read.wait(60.0)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        chat = client(Mock(url=f"http://127.0.0.1:{listener.getsockname()[1]}/v1"))
        thread = threading.Thread(target=lambda: refuse(*listener.accept()), daemon=True)
        thread.start()
        with pytest.raises(CompletionFailed, match="HTTP 413"):
            asked()
    read.set()
    thread.join()


def test_the_reason_why_no_connection_came_stays_with_the_error():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}/v1"
    kept = connections.connections()
    with pytest.raises(openai.APIConnectionError) as caught:
        kept.run_here(kept.local(url).post("/completions", {}, KEY), time.monotonic() + AMPLE)
    assert isinstance(caught.value.__cause__, httpx2.ConnectError)
    assert isinstance(caught.value.__cause__.__cause__, ConnectionRefusedError)


def test_a_caller_that_is_interrupted_leaves_nothing_that_goes_on():
    ended = []

    def interrupt(*_):
        raise KeyboardInterrupt

    async def in_loop():
        asyncio.get_running_loop().call_soon(interrupt)
        try:
            await asyncio.sleep(60.0)
        finally:
            ended.append("loop")

    async def work(wait):
        try:
            await wait
        finally:
            ended.append("work")

    for wait in (waiting.in_loop(in_loop()), waiting.ready(None, Mock(poll=interrupt), False)):
        with pytest.raises(KeyboardInterrupt):
            connections.connections().run_here(work(wait), time.monotonic() + 60.0)
    assert ended == ["loop", "work", "work"]


def test_no_deadline_at_all(chat):
    assert ask(chat, float("inf")).texts == ("1 2",)


def test_deadline_that_is_over(server, chat):
    with pytest.raises(CompletionFailed, match="deadline is over"):
        ask(chat, -1.0)
    assert server.requests == chat.meter.spent.calls == 0


def test_no_sample_asked_for(server, chat):
    with pytest.raises(CompletionFailed, match="samples must be 1 or more"):
        ask(chat, samples=0)
    assert server.requests == 0


def test_requests_of_several_threads_overlap(server):
    barrier = threading.Barrier(4)

    def together(server, connection):
        barrier.wait(60.0)
        return faults.good(server, connection)

    server.script, done = [together], []
    clients = [client(server) for _ in range(4)]
    threads = [threading.Thread(target=lambda c=c: done.append(ask(c))) for c in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [completion.texts for completion in done] == [("1 2",)] * 4


def test_one_loop_for_all_calls(server, chat):
    ask(chat)
    before = threading.active_count()
    for _ in range(20):
        ask(chat)
    assert threading.active_count() <= before


def test_a_loop_that_hangs_does_not_hang_the_caller(monkeypatch):
    monkeypatch.setattr(connections, "GRACE", 0.05)
    own, release = connections.Connections(), threading.Event()

    async def block():
        release.wait(120.0)

    start = time.monotonic()
    with pytest.raises(TimeoutError):
        own.run(block(), start + 0.1)
    assert time.monotonic() - start < 60.0
    release.set()


def test_work_is_cancelled_at_the_deadline(monkeypatch):
    monkeypatch.setattr(connections, "GRACE", 0.05)
    cancelled = threading.Event()

    async def sleep():
        try:
            await asyncio.sleep(60.0)
        finally:
            cancelled.set()

    with pytest.raises(TimeoutError):
        connections.connections().run(sleep(), time.monotonic() + 0.05)
    assert cancelled.wait(300.0)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_its_own_loop(server, chat):
    ask(chat)
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if ask(chat).texts == ("1 2",) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert ask(chat).texts == ("1 2",)


BAD_PROXIES = ["ftp://me:hunter2@localhost", "socks5://me:hunter2@localhost:1"]
ELSEWHERE = "http://models.invalid/v1"


@pytest.fixture
def no_proxy(monkeypatch):
    """An environment without proxies, and a wire that has not seen one."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    connections._connections.cache_clear()
    yield
    connections._connections.cache_clear()


@pytest.fixture
def nobody():
    """A port of this machine at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("proxy", BAD_PROXIES)
def test_proxy_that_cannot_be(no_proxy, monkeypatch, proxy):
    monkeypatch.setenv("ALL_PROXY", proxy)
    chat = OpenAIChat(Profile("toy", "toy", base_url=ELSEWHERE), Meter())
    with pytest.raises(CompletionFailed, match=r"check the environment .*ALL_PROXY") as caught:
        ask(chat)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_that_does_not_answer_is_named(no_proxy, nobody, monkeypatch, variable):
    monkeypatch.setenv(variable, f"http://me:hunter2@127.0.0.1:{nobody}")
    chat = OpenAIChat(Profile("toy", "toy", base_url=ELSEWHERE), Meter())
    with pytest.raises(CompletionFailed) as caught:
        ask(chat)
    named = f"through the proxy http://127.0.0.1:{nobody} ({variable.upper()})"
    assert named in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_proxy_that_stalls_is_named(no_proxy, server, monkeypatch):
    server.script = [faults.stall]
    monkeypatch.setenv("HTTP_PROXY", server.url.removesuffix("/v1"))
    chat = OpenAIChat(Profile("toy", "toy", base_url=ELSEWHERE), Meter())
    with pytest.raises(CompletionFailed, match=r"through the proxy .* within 0\.\d s"):
        ask(chat, 0.3)


PAGE = b"<!DOCTYPE html><h1>Access denied</h1>"
OWN_PAGES = {
    200: "through the proxy .* answered with a web page: is it the proxy's own",
    302: "through the proxy .* redirects are not followed",
    403: "through the proxy .* HTTP 403 with a web page.*proxy or firewall",
    407: "the proxy .* wants a password",
    503: r"through the proxy .* HTTP 503 with a web page.*gateway\? \(5 tries\)",
}


@pytest.mark.parametrize("code", OWN_PAGES)
def test_a_proxys_own_page_is_said_to_be_one(no_proxy, server, monkeypatch, code):
    server.script = [
        answer(PAGE, code, "text/html; charset=utf-8", Location="http://login.invalid")
    ]
    monkeypatch.setenv("HTTP_PROXY", server.url.replace("//", "//me:hunter2@").removesuffix("/v1"))
    chat = OpenAIChat(Profile("toy", "toy", base_url=ELSEWHERE, formats=("text",)), Meter())
    with pytest.raises(CompletionFailed, match=OWN_PAGES[code]) as caught:
        ask(chat, AMPLE)
    assert "OPENAI_API_KEY" not in str(caught.value)  # nobody has looked at it
    assert "hunter2" not in str(caught.value)


TUNNELS = {
    "403": ([answer(PAGE, 403, "text/html")], "refused the way to https.* HTTP 403: NO_PROXY", 1),
    "407": ([answer(b"", 407)], "refused the way .* HTTP 407: it wants a password", 1),
    "502": ([answer(PAGE, 502)], r"refused the way .* HTTP 502.*\(5 tries\)", 5),
    "closed": ([faults.hang_up], r"through the proxy .*RemoteProtocolError.*\(5 tries\)", 5),
    "no HTTP": ([part(b"what?\r\n\r\n", faults.hang_up)], "lost the connection .* the proxy", 5),
}


@pytest.mark.parametrize("case", TUNNELS)
def test_a_proxy_that_refuses_a_tunnel(no_proxy, server, monkeypatch, case):
    server.script, words, requests = TUNNELS[case]
    monkeypatch.setenv("HTTPS_PROXY", server.url.removesuffix("/v1"))
    url = ELSEWHERE.replace("http", "https")
    with pytest.raises(CompletionFailed, match=words):
        ask(OpenAIChat(Profile("toy", "toy", base_url=url), Meter()), AMPLE)
    assert server.requests == requests


def test_a_server_without_tls_is_asked_by_http(server):
    chat = client(server, base_url=server.url.replace("http", "https"))
    with pytest.raises(CompletionFailed, match=r"does not speak TLS.*begin with http://"):
        ask(chat, AMPLE)


def test_a_certificate_that_is_not_trusted():
    import openai  # half a second, which workers that run nothing here would pay as well

    error = openai.APIConnectionError(request=None)
    error.__cause__ = httpx2.ConnectError("")
    error.__cause__.__context__ = ssl.SSLCertVerificationError(1, "unable to get local issuer")
    failure = responses.classify(error, responses.Addressee(ELSEWHERE, "toy", "KEY"))
    assert "certificate is not trusted; SSL_CERT_FILE" in failure.line
    assert not failure.retry


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2", "0.0.0.0", "LOCALHOST"])
@pytest.mark.parametrize("proxy", [*BAD_PROXIES, "http://127.0.0.1:9"])
def test_loopback_never_goes_through_a_proxy(no_proxy, server, monkeypatch, proxy, host):
    monkeypatch.setenv("ALL_PROXY", proxy)
    url = server.url.replace("127.0.0.1", host)
    if host == "127.0.0.2":  # nobody listens there
        assert addresses.proxy_before(url) == ""
        return
    assert ask(client(server, base_url=url)).texts == ("1 2",)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://[::1]:9/v1", True),
        ("http://[::ffff:127.0.0.1]/v1", True),
        ("http://models.localhost:9/v1", True),
        ("http://localhost./v1", True),
        ("http://localhost.example/v1", False),
        ("http://127.0.0.1.example/v1", False),
        ("http://10.0.0.1/v1", False),
        ("http://[::1/v1", False),
        ("", False),
    ],
)
def test_which_servers_are_on_this_machine(url, here):
    assert addresses.is_this_machine(url) is here


def test_hosts_without_a_proxy(no_proxy, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "proxy.example:3128")
    assert addresses.proxy_before(ELSEWHERE) == "http://proxy.example:3128 (HTTP_PROXY)"
    assert addresses.proxy_before("https://models.invalid/v1") == ""
    monkeypatch.setenv("NO_PROXY", "models.invalid")
    assert addresses.proxy_before(ELSEWHERE) == ""


def reached_from(*holders):
    """What lasts as long as the holders do, but for code."""
    found, left = {}, list(holders)
    while left:
        one = left.pop()
        if id(one) not in found and not isinstance(one, CODE):
            found[id(one)] = one
            left += gc.get_referents(one)
    return found.values()


def test_key_is_kept_nowhere(server, chat, monkeypatch):
    # A key of this test alone: others may still be in a traceback of pytest.
    monkeypatch.setenv("OPENAI_API_KEY", "sk-" + "only-here" * 2)
    secret = os.environ["OPENAI_API_KEY"]
    with socket.create_server(("127.0.0.1", 0)) as gone:
        nobody = client(Mock(url=f"http://127.0.0.1:{gone.getsockname()[1]}/v1"))
    server.script = [status(401), faults.good]
    gc.disable()  # it may come late
    try:
        for asked in (nobody, chat, chat):
            with contextlib.suppress(CompletionFailed):
                ask(asked)
        frames = [one for one in gc.get_objects() if isinstance(one, types.FrameType)]
        left = [frame.f_code.co_name for frame in frames if frame.f_locals.get("key") == secret]
    finally:
        gc.enable()
    assert left == []
    monkeypatch.delenv("OPENAI_API_KEY")
    kept = connections.connections()
    assert secret not in repr(list(reached_from(kept.local(server.url), vars(chat))))
    holders = [kept.client(server.url), kept.http(server.url).headers]
    assert not any(secret in repr(vars(h) if hasattr(h, "__dict__") else h) for h in holders)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
choices = st.fixed_dictionaries(
    {}, optional={"message": json_values, "finish_reason": json_values, "index": json_values}
)
some = st.fixed_dictionaries(
    {},
    optional={
        "choices": json_values | st.lists(choices),
        "usage": st.dictionaries(
            st.sampled_from(["prompt_tokens", "completion_tokens", "prompt_tokens_details"]),
            json_values,
        ),
        "model": json_values,
    },
)


@given(st.one_of(json_values, some).map(lambda v: json.dumps(v).encode()) | st.binary(max_size=60))
@settings(deadline=None, max_examples=80)
def test_any_response_is_read_or_refused(data):
    try:
        reply = replies.read_reply(data)
    except bodies.Unreadable:
        return
    assert reply.choices >= max(1, len(reply.texts))
    assert all(text.strip() for text in reply.texts)
    assert len(reply.texts) + len(reply.faults) >= reply.choices
    if reply.tokens:
        assert 0 <= reply.tokens.cached <= reply.tokens.prompt
        assert reply.tokens.completion >= 0


@given(st.text(max_size=30) | st.floats().map(str))
@settings(deadline=None)
def test_any_retry_after(value):
    seconds = responses.read_retry_after(value)
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0.0)
    assert http_models.KEY not in repr(seconds)
