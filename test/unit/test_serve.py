"""``icpi serve`` as a process behind a socket, asked by the openai client."""

import asyncio
import contextlib
import http.client
import json
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import anyio
import gguf_files
import numpy as np
import pytest
from icpi_here import icpi
from uvicorn import Config
from uvicorn.server import ServerState

from icpi_ros import __version__
from icpi_ros.llm.client.completer import Wire
from icpi_ros.llm.client.token_count import count_chat, count_tokens
from icpi_ros.llm.prompt.completion import complete
from icpi_ros.llm.prompt.pattern import Pattern, PatternLines
from icpi_ros.llm.prompt.text import PromptWriter, read_prompt
from icpi_ros.llm.server import connection, server, web
from icpi_ros.llm.server.answering import MAX_COUNT
from icpi_ros.llm.server.connection import MAX_CONNECTIONS
from icpi_ros.llm.server.request import MODEL

PATIENCE = 120.0
WRITER = PromptWriter()


def start(*arguments):
    command = [sys.executable, "-m", "icpi_ros.cli.main", "serve", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def first_line(process):
    ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
    assert ready, "the server says nothing"
    return process.stdout.readline()


def end(process, number=signal.SIGINT):
    """Stop a server and return its exit code and what it said."""
    try:
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait(PATIENCE)
    return process.returncode, out, err


@pytest.fixture
def failed(monkeypatch, capsys):
    """Call of a server that cannot start, in this process: its exit code and what it said."""

    def runs(*_, **__):
        raise AssertionError("it has started")

    monkeypatch.setattr("uvicorn.Server.run", runs)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield partial(icpi, capsys, "serve")
    for number, handler in before.items():  # a server takes them when it is made
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def port():
    process = start("--port", 0)
    try:
        line = first_line(process)
        found = re.fullmatch(
            rf"icpi serve: http://127\.0\.0\.1:(\d+)/v1, model {MODEL} "
            r"\(not a language model: it completes number patterns\)\n",
            line,
        )
        assert found, line
        yield int(found[1])
    finally:
        code, out, err = end(process)
    assert (code, out) == (0, "")
    assert "Traceback" not in err


@pytest.fixture(scope="module")
def client(port):
    url = f"http://127.0.0.1:{port}/v1"
    import openai  # only here: it takes half a second of every worker

    with openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=PATIENCE) as client:
        yield client


def pattern_of(seed=0, shared=20, own=4):
    rng = np.random.default_rng(seed)

    def lines(n):
        inputs = rng.uniform(-1, 1, (n, 4))
        outputs = inputs @ np.array([[0.4, 0.1], [-0.2, 0.3], [0.5, -0.2], [0.1, 0.6]])
        return PatternLines((inputs[:, :2], inputs[:, 2:]), outputs)

    query = rng.uniform(-1, 1, 4)
    return Pattern(lines(shared), lines(own), (query[:2], query[2:]))


def messages(seed=0, shared=20, own=4):
    return WRITER.prompt(pattern_of(seed, shared, own)).messages


def ask(client, chat=None, **extra):
    return client.chat.completions.create(model=MODEL, messages=chat or messages(), **extra)


def texts(reply):
    return [choice.message.content for choice in reply.choices]


def expected(chat):
    """The integers that the model itself answers."""
    pattern, numbers = read_prompt(chat[1]["content"])
    return [round(float(v) * 10**numbers.digits) for v in complete(pattern).mean]


def asked(chat):
    """The pattern that a chat asks to complete."""
    return read_prompt(chat[1]["content"])[0]


def schema(key="output", least=2, most=2):
    items = {"type": "array", "items": {"type": "integer"}, "minItems": least, "maxItems": most}
    inner = {"type": "object", "properties": {key: items}, "required": [key]}
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": inner}}


def post(port, body, path="/v1/chat/completions", method="POST"):
    """Return the status and the parsed answer of a raw request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def error_of(port, fields, **where):
    body = fields if isinstance(fields, bytes) else json.dumps(fields)
    status, text = post(port, body, **where)
    error = json.loads(text)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert "\n" not in error["message"]
    return status, error


def test_the_model_says_what_it_is(client, port):
    (model,) = client.models.list().data
    assert (model.id, model.owned_by) == (MODEL, "icpi_ros")
    assert "not a language model" in model.description
    assert client.models.retrieve(MODEL) == model
    status, text = post(port, None, "/", "GET")
    assert status == 200
    assert "not a language model" in text
    status, text = post(port, None, "/health", "GET")
    health = json.loads(text)
    assert (status, health["status"], health["language_model"]) == (200, "ok", False)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_served_is_what_the_model_completes(client, seed):
    chat = messages(seed)
    assert json.loads(texts(ask(client, chat))[0]) == {"output": expected(chat)}
    np.testing.assert_allclose(
        WRITER.outputs(texts(ask(client, chat))[0], asked(chat)),
        complete(asked(chat)).mean,
        atol=0.500001 * WRITER.numbers.quantum,
    )


def test_the_reply_has_openais_shape_and_honest_counts(client):
    reply = ask(client, user="me", metadata={"a": "b"}, extra_body={"no such field": [1]})
    assert reply.id.startswith("chatcmpl-")
    assert (reply.object, reply.model) == ("chat.completion", MODEL)
    assert reply.system_fingerprint == f"icpi_ros-{__version__}"
    (choice,) = reply.choices
    assert (choice.index, choice.finish_reason) == (0, "stop")
    assert (choice.message.role, choice.message.refusal) == ("assistant", None)
    usage = reply.usage
    assert usage.prompt_tokens == count_chat(messages())
    assert usage.completion_tokens == count_tokens(choice.message.content)
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.prompt_tokens_details.cached_tokens == 0


def test_every_response_format(client):
    import openai

    wanted = expected(messages())
    for form in (None, {"type": "text"}, {"type": "json_object"}, schema()):
        (text,) = texts(ask(client, response_format=form or openai.omit))
        assert json.loads(text) == {"output": wanted}
    (text,) = texts(ask(client, response_format=schema("steps")))
    assert json.loads(text) == {"steps": wanted}


@pytest.mark.parametrize("system", [None, "Complete the last line."])
def test_without_the_word_json_the_answer_is_written_as_the_prompt_is(client, system):
    chat = [messages()[1]]
    if system:
        chat.insert(0, {"role": "system", "content": system})
    (text,) = texts(ask(client, chat))
    assert re.fullmatch(r"-?\d+ -?\d+", text)
    assert [int(word) for word in text.split()] == expected(messages())


def test_without_lines_the_schema_says_how_many_outputs(client):
    chat = [{"role": "user", "content": "this system:\n+0100 +0200 | +0300 ->"}]
    assert texts(ask(client, chat)) == ["+0000 +0000"]
    (text,) = texts(ask(client, chat, response_format=schema(least=3, most=3)))
    assert json.loads(text) == {"output": [0, 0, 0]}


def test_parts_of_text_and_the_last_user_message_count(client):
    system, user = messages()
    part = {"type": "text", "text": user["content"]}
    early = {"role": "user", "content": "+0100 -> +0100\n+0100 ->"}
    chat = [system, early, {"role": "assistant", "content": None}, {**user, "content": [part]}]
    assert json.loads(texts(ask(client, chat))[0]) == {"output": expected(messages())}


def test_draws_follow_temperature_and_seed(client):
    drawn = texts(ask(client, n=8, temperature=1.0, seed=5))
    assert len(set(drawn)) == 8
    assert texts(ask(client, n=8, temperature=1.0, seed=5)) == drawn
    assert texts(ask(client, n=3, temperature=1.0, seed=5)) == drawn[:3]
    assert texts(ask(client, n=8, temperature=1.0, seed=-5)) != drawn
    unseeded = texts(ask(client, n=8, temperature=1.0))
    assert unseeded != drawn
    assert texts(ask(client, n=8, temperature=1.0)) == unseeded
    assert len(set(texts(ask(client, n=8)))) == 1


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_draws_are_spread_about_the_mean_as_the_model_is_unsure(client, temperature):
    reply = texts(ask(client, n=128, temperature=temperature, seed=1))
    drawn = np.array([WRITER.outputs(text, asked(messages())) for text in reply])
    guess = complete(asked(messages()))
    spread = temperature * guess.std
    np.testing.assert_allclose(drawn.mean(axis=0), guess.mean, atol=4.0 * spread / 128**0.5)
    np.testing.assert_allclose(drawn.std(axis=0), spread, rtol=0.3)


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_token_limit_cuts_the_text(client, name):
    whole = texts(ask(client))[0]
    reply = ask(client, n=2, **{name: 4})
    for choice in reply.choices:
        assert choice.finish_reason == "length"
        assert whole.startswith(choice.message.content)
        assert count_tokens(choice.message.content) <= 4
    assert reply.usage.completion_tokens <= 8
    enough = ask(client, **{name: 1000}).choices[0]
    assert (enough.finish_reason, enough.message.content) == ("stop", whole)


GOOD = {"model": MODEL, "messages": list(messages())}
QUERY = {"role": "user", "content": "+0100 ->"}


@pytest.mark.parametrize(
    ("change", "param", "words"),
    [
        ({"model": None}, "model", "missing"),
        ({"messages": None}, "messages", "messages is missing"),
        ({"messages": []}, "messages", "messages is missing"),
        ({"messages": "hello"}, "messages", "messages is missing"),
        ({"messages": ["hello"]}, "messages[0]", "role"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0]", "not text"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, None, "not text"),
        ({"messages": [{"role": "system", "content": "+0100 ->"}]}, "messages", '"user"'),
        ({"messages": [{"role": "user", "content": "Hello?"}]}, "messages", "no line to complete"),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, "messages", "no line to complete"),
        ({"messages": [{**QUERY, "content": "+0100 " * 1001 + "->"}]}, "messages", "1001 outputs"),
        ({"n": 0}, "n", "1 to 128"),
        ({"n": 129}, "n", "1 to 128"),
        ({"n": 1.5}, "n", "1 to 128"),
        ({"n": True}, "n", "1 to 128"),
        ({"temperature": -0.1}, "temperature", "0 to 2"),
        ({"temperature": 2.1}, "temperature", "0 to 2"),
        ({"temperature": float("nan")}, "temperature", "0 to 2"),
        ({"temperature": "hot"}, "temperature", "0 to 2"),
        ({"seed": "x"}, "seed", "integers"),
        ({"max_tokens": 0}, "max_tokens", "integers 1"),
        ({"stream": True}, "stream", "not offered"),
        ({"response_format": "json"}, "response_format", "json_object"),
        ({"response_format": {"type": ["text"]}}, "response_format", "json_object"),
        ({"response_format": {"type": "json_schema"}}, "response_format", "schema is missing"),
        ({"response_format": schema(least=3, most=3)}, "response_format", "2 outputs"),
        ({"messages": [QUERY], "response_format": schema(least=2**30)}, "messages", "at most 1000"),
    ],
)
def test_requests_that_are_refused(port, change, param, words):
    status, error = error_of(port, GOOD | change)
    assert (status, error["type"]) == (400, "invalid_request_error")
    assert param is None or error["param"] == param
    assert words in error["message"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"n": ' + b"9" * 5000 + b"}"]
)
def test_bodies_that_are_no_json_objects(port, body):
    status, error = error_of(port, body)
    assert status == 400
    assert "not" in error["message"]


def test_unknown_models_paths_and_methods(port, client):
    import openai

    status, error = error_of(port, GOOD | {"model": "gpt-\n5"})
    assert (status, error["code"], error["param"]) == (404, "model_not_found", "model")
    with pytest.raises(openai.NotFoundError, match="gpt-5"):
        client.models.retrieve("gpt-5")
    assert error_of(port, GOOD, path="/v1/embeddings")[0] == 404
    assert error_of(port, GOOD, path="/v1/models")[0] == 405
    assert error_of(port, b"", path="/v1/chat/completions", method="GET")[0] == 405


@pytest.mark.parametrize("length", [16_000_001, 10**12, 10**19])
def test_a_body_that_says_it_is_far_over_the_limit_is_not_waited_for(port, length):
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as line:
        line.sendall(HEAD + b"Content-Length: %d\r\n\r\n{" % length)
        assert line.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_body_over_the_limit(port):
    status, error = error_of(port, GOOD | {"user": "x" * 2_000_000})
    assert status == 413
    assert "2000000 bytes" in error["message"]


def test_numbers_of_any_size_are_answered_or_refused(port):
    for digits in (15, 100, 150, 160, 300):
        nine = "+" + "9" * digits
        content = f"{nine} | {nine} -> {nine}\n+0100 | -0200 -> {nine}\n{nine} | -0100 ->"
        fields = GOOD | {"messages": [{"role": "user", "content": content}], "temperature": 2}
        status, text = post(port, json.dumps(fields))
        if status == 200:
            number = json.loads(text)["choices"][0]["message"]["content"]
            assert abs(int(number)) <= MAX_COUNT
        else:
            assert status == 500
            assert "numerically" in json.loads(text)["error"]["message"]
    assert status == 500


def test_requests_side_by_side_get_their_own_answers(client):
    chats = [messages(seed, shared=200) for seed in range(24)]
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda chat: ask(client, chat), chats, timeout=PATIENCE))
    for chat, reply in zip(chats, replies, strict=True):
        assert json.loads(texts(reply)[0]) == {"output": expected(chat)}


def bare_lines():
    """The lines of a prompt alone: examples, then the query."""
    return PromptWriter(Wire.COMPLETION).prompt(pattern_of()).text.splitlines()


def completed(client, prompt, **extra):
    reply = client.completions.create(model=MODEL, prompt=prompt, **extra)
    assert reply.object == "text_completion"
    return reply


def test_raw_lines_are_completed_as_the_prompt_writes_numbers(client):
    lines = bare_lines()
    reply = completed(client, "\n".join(lines), stop=["\n"], n=2)
    chat = [{"role": "user", "content": "\n".join(lines)}]
    assert [choice.text for choice in reply.choices] == [f" {texts(ask(client, chat))[0]}"] * 2
    assert re.fullmatch(r" [-+]\d{5} [-+]\d{5}", reply.choices[0].text)
    assert {choice.finish_reason for choice in reply.choices} == {"stop"}
    assert completed(client, ["\n".join(lines)]).choices[0].text == reply.choices[0].text
    assert reply.usage.prompt_tokens == count_tokens("\n".join(lines))


def test_raw_lines_take_temperature_seed_limit_and_stop(client):
    prompt = "\n".join(bare_lines())
    drawn = [c.text for c in completed(client, prompt, n=4, temperature=1, seed=5).choices]
    assert len(set(drawn)) == 4
    again = completed(client, prompt, n=4, temperature=1, seed=5)
    assert [choice.text for choice in again.choices] == drawn
    whole = completed(client, prompt).choices[0].text
    (short,) = completed(client, prompt, max_tokens=3).choices
    assert (short.finish_reason, whole.startswith(short.text)) == ("length", True)
    assert count_tokens(short.text) <= 3
    (stopped,) = completed(client, prompt, stop=whole[6:]).choices
    assert (stopped.finish_reason, stopped.text) == ("stop", whole[:6])


@pytest.mark.parametrize("arrow", ["", " ->"])
def test_examples_as_turns_are_completed_as_in_one_message(client, arrow):
    *examples, query = bare_lines()
    turns = [{"role": "system", "content": "Complete the sequence."}]
    for line in examples:
        left, _, right = line.partition(" ->")
        turns.append({"role": "user", "content": left + arrow})
        turns.append({"role": "assistant", "content": right.strip()})
    turns.append({"role": "user", "content": query.removesuffix(" ->") + arrow})
    one = [turns[0], {"role": "user", "content": "\n".join([*examples, query])}]
    for sampling in ({}, {"temperature": 1.0, "n": 3}):
        assert texts(ask(client, turns, **sampling)) == texts(ask(client, one, **sampling))


def test_turns_that_are_no_examples_are_passed_over(client):
    user = {"role": "user", "content": "+0100 ->"}
    talk = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "+0100"}]
    assert texts(ask(client, [*talk, user])) == texts(ask(client, [user])) == ["+0000"]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": ["+01 ->", "+02 ->"]}, "prompt"),
        ({"prompt": "Hello?"}, "prompt"),
        ({"prompt": "+0100 " * 1001 + "->"}, "prompt"),
        ({"stop": [1]}, "stop"),
        ({"stop": [""]}, "stop"),
        ({"stop": list("abcde")}, "stop"),
        ({"model": "icpi-local"}, "model"),
    ],
)
def test_completions_that_are_refused(port, change, param):
    fields = {"model": MODEL, "prompt": "+0100 ->"} | change
    status, error = error_of(port, fields, path="/v1/completions")
    assert (status, error["param"]) == (404 if param == "model" else 400, param)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://localhost:8888"}, 403),
        ({"Host": "rebound.example:8377"}, 403),
        ({"Host": "127.0.0.1.example"}, 403),
        ({"Host": "attacker.localhost.example"}, 403),
        ({"Host": "[::1"}, 403),
        ({"Host": ""}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "[::1]:8377"}, 200),
    ],
)
def test_web_pages_are_refused(port, headers, status):
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        line.request("GET", "/v1/models", headers=headers)
        assert line.getresponse().status == status
    finally:
        line.close()


HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
BEGINNINGS = {
    "nothing": b"",
    "half a line": HEAD[:9],
    "half a head": HEAD,
    "a blank line": b"\r\n",
    "no body": HEAD + b"Content-Length: 9999999\r\n\r\n",
    "half a body": HEAD + b"Content-Length: 100\r\n\r\n{",
    "half a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{",
    "more after an answer": b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" + HEAD,
}


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_whoever_begins_and_does_not_go_on_stops_nobody(port, beginning):
    """Three hundred connections, more than are held, and then a client."""
    lines = []
    try:
        for _ in range(MAX_CONNECTIONS + 44):
            lines.append(socket.create_connection(("127.0.0.1", port), PATIENCE))
            lines[-1].sendall(BEGINNINGS[beginning])
        assert post(port, None, "/health", "GET")[0] == 200
    finally:
        for line in lines:
            line.close()


ANSWERED = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
UNREAD = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n"


@pytest.mark.parametrize(
    ("before", "beginning"),
    [
        (b"", b""),
        (b"", HEAD[:9]),
        (b"", HEAD),
        (ANSWERED, HEAD[:9]),
        (ANSWERED, HEAD),
        (UNREAD, b"{"),
    ],
)
def test_a_head_that_does_not_arrive(monkeypatch, before, beginning):
    monkeypatch.setattr(connection, "HEAD_DEADLINE", 0.05)

    async def no_content(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def scenario():
        config, state = Config(no_content, log_config=None), ServerState()
        listening = await asyncio.get_running_loop().create_server(
            lambda: connection.PatientConnection(config, state, {}), "127.0.0.1", 0
        )
        async with listening, asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
            writer.write(before)
            if before:
                assert b" 204 " in await reader.readuntil(b"\r\n\r\n")
            writer.write(beginning)
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
            writer.close()
            while state.connections:
                await asyncio.sleep(0)

    asyncio.run(scenario())


@pytest.mark.parametrize("part", [0, 20, 100, 1000])
@pytest.mark.parametrize("how", ["goodbye", "reset"])
def test_a_client_that_leaves_leaves_no_trace(port, part, how):
    """The fixture looks for tracebacks."""
    body = json.dumps(GOOD).encode().ljust(1000)
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as line:
        line.sendall(HEAD + b"Content-Length: 1000\r\n\r\n" + body[:part])
        if how == "reset":
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert post(port, None, "/health", "GET")[0] == 200


def test_weights_are_served_in_the_place_of_the_stand_in(tmp_path):
    pytest.importorskip("xllamacpp")
    path = tmp_path / "toy-weights.gguf"
    path.write_bytes(gguf_files.model())
    sizes = ("--threads", 1, "--parallel", 2, "--context", 64)
    process = start("--weights", path, "--port", 0, *sizes)
    try:
        line = first_line(process)
        assert "model toy-weights (a language model: 'random weights'" in line
        port = int(re.search(r":(\d+)/v1", line)[1])
        fields = {"model": "icpi-local", "n": 2, "max_tokens": 2, "logit_bias": {"2": -100}}
        for where, more in {
            "/v1/completions": {"prompt": "+01 ->"},
            "/v1/chat/completions": {"messages": [{"role": "user", "content": "+01 ->"}]},
        }.items():
            status, text = post(port, json.dumps(fields | more), where)
            reply = json.loads(text)
            assert (status, reply["model"], len(reply["choices"])) == (200, "toy-weights", 2)
        health = json.loads(post(port, None, "/health", "GET")[1])
        assert (health["model"], health["language_model"]) == ("toy-weights", True)
        assert "a language model" in post(port, None, "/", "GET")[1]
        (card,) = json.loads(post(port, None, "/v1/models", "GET")[1])["data"]
        assert card["id"] == "toy-weights"
        too_long = {"model": "toy-weights", "prompt": "+0123 " * 90}
        assert "--context" in error_of(port, too_long, path="/v1/completions")[1]["message"]
        assert error_of(port, GOOD)[0] == 404
    finally:
        code, out, err = end(process, signal.SIGTERM)
    assert (code, out) == (0, "")
    assert "Traceback" not in err


SCOPE = {"type": "http", "method": "POST", "path": "/v1/chat/completions", "headers": [],
         "query_string": b"", "root_path": "", "http_version": "1.1", "scheme": "http"}  # fmt: skip


async def call(application, receive):
    """Ask the application without a socket; return the status."""
    sent = []

    async def send(message):
        sent.append(message)

    await application(dict(SCOPE), receive, send)
    return sent[0]["status"]


def test_a_body_that_does_not_arrive(monkeypatch):
    monkeypatch.setattr(web, "BODY_DEADLINE", 0.05)

    async def scenario():
        with anyio.fail_after(PATIENCE):
            return await call(server.create_app(), anyio.sleep_forever)

    assert anyio.run(scenario) == 408


def test_only_so_many_are_answered_at_once(monkeypatch):
    busy, most, lock = [0], [0], threading.Lock()
    full, over = threading.Event(), threading.Event()

    def respond(_body):
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
            if busy[0] == server.MAX_CONCURRENT:
                full.set()
            if busy[0] > server.MAX_CONCURRENT:
                over.set()
        assert full.wait(PATIENCE)
        over.wait(0.1)  # time for one too many to arrive
        with lock:
            busy[0] -= 1
        return {}

    async def receive():
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def scenario():
        application, statuses = server.create_app(), []

        async def one():
            statuses.append(await call(application, receive))

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                for _ in range(5 * server.MAX_CONCURRENT):
                    tasks.start_soon(one)
        return statuses

    monkeypatch.setattr(server, "respond", respond)
    assert anyio.run(scenario) == [200] * 5 * server.MAX_CONCURRENT
    assert most[0] == server.MAX_CONCURRENT


def test_sigterm_ends_it_cleanly_with_a_connection_open():
    process = start("--port", 0, "--log-level", "info")
    kept, begun = None, []
    try:
        port = int(re.search(r":(\d+)/v1", first_line(process))[1])
        for beginning in BEGINNINGS.values():
            begun.append(socket.create_connection(("127.0.0.1", port), PATIENCE))
            begun[-1].sendall(beginning)
        kept = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        kept.request("GET", "/health")
        assert kept.getresponse().read()
    finally:
        code, out, err = end(process, signal.SIGTERM)
        for line in filter(None, [*begun, kept]):
            line.close()
    assert (code, out) == (0, "")  # the log goes to stderr
    assert "GET /health" in err
    assert "Traceback" not in err


def test_a_port_in_use(failed):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = failed("--port", port)
    assert (code, out) == (1, "")
    assert re.fullmatch(rf"icpi: error: port {port} of 127\.0\.0\.1 is taken: .*--port.*\n", err)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "no such host"])
def test_only_loopback_unless_told_otherwise(host, failed):
    code, out, err = failed("--host", host, "--port", 0)
    assert (code, out) == (2, "")
    assert re.fullmatch(r"icpi: error: --host .*\n", err)


def test_remote_addresses_when_told():
    process = start("--host", "0.0.0.0", "--port", 0, "--allow-remote")
    try:
        assert "http://0.0.0.0:" in first_line(process)
    finally:
        code, _, _ = end(process)
    assert code == 0


def test_help_does_not_import_the_server():
    code = (
        "import sys\nfrom icpi_ros.cli.main import main\n"
        "try:\n    main(['serve', '--help'])\nexcept SystemExit:\n    pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert "--port" in done.stdout
    assert not set(done.stderr.split()) & {"numpy", "starlette", "uvicorn", "openai", "anyio"}
