"""Several samples, the ladder of formats and the budget, against a real HTTP server."""

import json
import re
import threading
import time
from dataclasses import replace

import http_models
import pytest
from http_models import KEY, PATH, ask
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Response

from icpi_ros.core.errors import BudgetSpent, CompletionFailed
from icpi_ros.llm.client import openai_chat, responses
from icpi_ros.llm.client.budget import Budget, Meter
from icpi_ros.llm.client.formats import (
    FALLBACK_STATUS,
    FORMATS,
    TRANSIENT_STATUS,
    WorkingFormats,
    working_formats,
)
from icpi_ros.llm.client.openai_chat import OpenAIChat
from icpi_ros.llm.client.profile import Price, Profile

NOTHING = Profile("toy-model", "toy-model", formats=("text",))


@pytest.fixture(autouse=True)
def quick_and_isolated(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(responses, "_FIRST_PAUSE", 0.02)
    working_formats().forget()


class Server:
    """Answers as many choices as ``most`` allows; counts and records the requests."""

    def __init__(self, httpserver, most=100, supports=FORMATS, refusal=422, pause=0.0):
        self.most, self.supports, self.refusal, self.pause = most, supports, refusal, pause
        self.bodies, self.fail_from, self.status = [], 10**9, 401
        self.busy = self.busiest = 0
        self.contents = None
        self.fail_once = 0  # status
        self.hold = None  # the first request waits for this event
        self._lock = threading.Lock()
        self.url = httpserver.url_for("/v1")
        httpserver.expect_request(PATH).respond_with_handler(self.answer)

    def answer(self, request):
        with self._lock:
            self.bodies.append(request.json)
            number = len(self.bodies)
            self.busy += 1
            self.busiest = max(self.busiest, self.busy)
        time.sleep(self.pause)
        if number == 1 and self.hold:
            self.hold.wait(60.0)
        with self._lock:
            self.busy -= 1
        return self.response(request.json, number)

    def response(self, body, number):
        if self.fail_once:
            code, self.fail_once = self.fail_once, 0
            return Response("no", status=code)
        if number >= self.fail_from:
            return Response("no", status=self.status)
        if asked_format(body) not in self.supports:
            return Response("what?", status=self.refusal)
        count = min(body.get("n", 1), self.most)
        contents = self.contents or [f"{number} {i}" for i in range(count)]
        reply = http_models.body("", choices=http_models.choices(*contents))
        return Response(json.dumps(reply), content_type="application/json")


def asked_format(body):
    asked = body.get("response_format", {"type": "text"})
    return asked["type"] + ("+schema" if "schema" in asked else "")


@pytest.fixture(scope="module")
def threaded_server():
    with HTTPServer(threaded=True) as server:
        yield server


@pytest.fixture
def serve(threaded_server):
    yield lambda **options: Server(threaded_server, **options)
    threaded_server.clear()


def client(server, meter=None, **changes):
    profile = replace(NOTHING, base_url=server.url, **changes)
    return OpenAIChat(profile, meter or Meter())


def test_one_call_for_all_samples(serve):
    server = serve()
    completion = ask(client(server, samples=True, seed=True), samples=8, seed=5)
    assert len(set(completion.texts)) == 8
    assert [(b["n"], b["seed"]) for b in server.bodies] == [(8, 5)]
    assert (completion.spent.calls, completion.tries) == (1, ())


@pytest.mark.slow
def test_one_call_per_sample_where_n_is_not_honoured(serve):
    server = serve(pause=0.5)
    start = time.monotonic()
    completion = ask(client(server, seed=True), samples=8, seed=5)
    assert len(set(completion.texts)) == 8
    assert sorted(b["seed"] for b in server.bodies) == list(range(5, 13))
    assert not any("n" in b for b in server.bodies)
    assert completion.spent.calls == 8
    assert completion.spent.prompt_tokens == 8 * 300
    assert server.busiest == openai_chat.MAX_CONCURRENT
    elapsed = time.monotonic() - start
    assert completion.spent.seconds <= elapsed, "overlapping calls must not be counted twice"


@pytest.mark.parametrize("most", [1, 3, 5])
def test_missing_samples_are_asked_for_again(serve, most):
    server = serve(most=most)
    completion = ask(client(server, samples=True, seed=True), samples=8, seed=5)
    assert len(completion.texts) == 8
    assert len({b["seed"] for b in server.bodies}) == len(server.bodies)
    assert len(server.bodies) == -(-8 // most)


def test_more_choices_than_asked_for(serve):
    server = serve()
    server.contents = ["1", "2", "3"]
    assert ask(client(server)).texts == ("1",)


def test_malformed_choices_are_dropped_one_by_one(serve):
    server = serve()
    server.contents = ["1 2", None, " ", "3 4"]
    completion = ask(client(server, samples=True), samples=4)
    assert completion.texts == ("1 2", "3 4")
    assert len(completion.tries) == 2
    assert all("without text" in line for line in completion.tries)
    assert len(server.bodies) == 1


def test_no_usable_choice(serve):
    server = serve()
    server.contents = [None, ""]
    with pytest.raises(CompletionFailed, match="without text"):
        ask(client(server, samples=True), samples=2)


def test_samples_that_came_before_a_failure_are_kept(serve):
    server = serve()
    server.fail_from = 4
    completion = ask(client(server), samples=8)
    assert len(completion.texts) == 3
    assert any("HTTP 401" in line for line in completion.tries)
    assert len(server.bodies) <= 3 + openai_chat.MAX_CONCURRENT


@pytest.mark.slow
def test_samples_that_came_before_the_deadline_are_kept(serve):
    server = serve(pause=0.5)
    completion = ask(client(server), seconds=4.4, samples=80)
    assert 4 <= len(completion.texts) < 80
    assert re.search(r"within [34]\.\d s: raise the option deadline", completion.tries[-1])
    assert completion.spent.estimated >= 1  # what was under way may be billed


def test_samples_that_came_before_the_budget_was_spent_are_kept(serve):
    server, meter = serve(pause=0.05), Meter(Budget(calls=3))
    chat = client(server, meter)
    completion = ask(chat, samples=8)
    assert len(completion.texts) == 3
    assert "budget of calls is used up: 3 of 3" in completion.tries[-1]
    assert len(server.bodies) == meter.spent.calls == 3
    with pytest.raises(BudgetSpent, match="budget of calls"):
        ask(chat)
    assert len(server.bodies) == 3


def test_budget_stops_retries(serve):
    server, meter = serve(), Meter(Budget(calls=2))
    server.fail_from, server.status = 1, 500
    with pytest.raises(BudgetSpent):
        ask(client(server, meter))
    assert len(server.bodies) == meter.spent.calls == 2


@pytest.mark.parametrize(
    ("budget", "price"),
    [(Budget(tokens=305), Price()), (Budget(money=0.000305), Price(1.0, 1.0))],
)
def test_budget_of_tokens_and_money(serve, budget, price):
    server, meter = serve(), Meter(budget)
    chat = client(server, meter, price=price)
    ask(chat), ask(chat)
    with pytest.raises(BudgetSpent):
        ask(chat)
    assert len(server.bodies) == 2


def test_concurrent_callers_are_all_charged(serve):
    server, meter = serve(), Meter()
    chat = client(server, meter, samples=True)
    done = []
    threads = [
        threading.Thread(target=lambda: done.append(ask(chat, samples=3))) for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(c.texts) for c in done] == [3] * 12
    assert (meter.spent.calls, meter.spent.prompt_tokens) == (12, 12 * 300)
    assert sum(c.spent.tokens for c in done) == meter.spent.tokens


@pytest.mark.parametrize("status", sorted(FALLBACK_STATUS))
@pytest.mark.parametrize("works", FORMATS[1:])
def test_ladder(serve, status, works):
    server, meter = serve(supports=[works], refusal=status), Meter()
    chat = client(server, meter, formats=FORMATS)
    completion = ask(chat)
    steps = FORMATS.index(works)
    each = 2 if status == TRANSIENT_STATUS else 1  # a 500 may pass: it is asked once more
    assert completion.format == works
    down = [reply_format for reply_format in FORMATS[:steps] for _ in range(each)]
    assert [asked_format(b) for b in server.bodies] == [*down, works]
    assert [line.split(":")[0] for line in completion.tries] == down
    assert all(f"HTTP {status}" in line for line in completion.tries)
    assert meter.spent.calls == each * steps + 1
    assert ask(chat).format == works
    assert len(server.bodies) == each * steps + 2, "what worked must be remembered"


def test_what_works_is_remembered_per_model(serve):
    server = serve(supports=["text"])
    assert ask(client(server, formats=FORMATS)).spent.calls == len(FORMATS)
    assert ask(client(server, formats=FORMATS)).spent.calls == 1
    assert ask(client(server, formats=FORMATS, model="other")).spent.calls == len(FORMATS)


def test_no_fall_once_a_format_has_worked(serve):
    server = serve()
    chat = client(server, formats=FORMATS)
    ask(chat)
    server.fail_from, server.status = 2, 400
    with pytest.raises(CompletionFailed, match="HTTP 400"):
        ask(chat)
    assert [asked_format(b) for b in server.bodies] == ["json_schema"] * 2


def test_server_error_of_a_format_that_works_is_retried(serve):
    server = serve()
    chat = client(server, formats=FORMATS)
    ask(chat)
    server.fail_from, server.status = 2, 500
    with pytest.raises(CompletionFailed, match=r"HTTP 500 \(5 tries\)"):
        ask(chat)
    assert {asked_format(b) for b in server.bodies} == {"json_schema"}


def ask_twice_at_once(server, meanwhile):
    """The completion of a call whose first response comes after another whole completion."""
    server.hold, done = threading.Event(), []
    slow = threading.Thread(target=lambda: done.append(ask(client(server, formats=FORMATS))))
    slow.start()
    while not server.bodies:
        time.sleep(0.01)
    ask(client(server, formats=FORMATS))
    meanwhile()
    server.hold.set()
    slow.join()
    return done[0]


def test_calls_that_climb_down_at_once(serve):
    server = serve(supports=["text"])
    assert ask_twice_at_once(server, lambda: None).format == "text"


def test_format_that_worked_for_another_call_is_not_given_up(serve):
    server = serve()
    slow = ask_twice_at_once(server, lambda: setattr(server, "fail_once", 500))
    assert (slow.format, slow.spent.calls) == ("json_schema", 2)
    assert {asked_format(b) for b in server.bodies} == {"json_schema"}


def test_a_server_error_that_passes_costs_no_format(serve):
    server = serve()
    server.fail_once = 500
    assert ask(client(server, formats=FORMATS)).format == "json_schema"
    assert {asked_format(b) for b in server.bodies} == {"json_schema"}


@pytest.mark.parametrize("status", [401, 403, 404, 429, 503])
def test_other_statuses_do_not_lead_down(serve, status):
    server = serve(supports=[], refusal=status)
    with pytest.raises(CompletionFailed, match=f"HTTP {status}"):
        ask(client(server, formats=FORMATS))
    assert {asked_format(b) for b in server.bodies} == {"json_schema"}


@pytest.mark.parametrize(("status", "calls"), [(400, 4), (422, 4), (500, 2 * 3 + 5)])
def test_bottom_of_the_ladder(serve, status, calls):
    server = serve(supports=[], refusal=status)
    with pytest.raises(CompletionFailed, match=rf"HTTP {status}.*\({calls} tries\)"):
        ask(client(server, formats=FORMATS))
    assert len(server.bodies) == calls


def test_only_the_first_of_several_calls_climbs_down(serve):
    server = serve(supports=["text"])
    completion = ask(client(server, formats=FORMATS), samples=6)
    assert (len(completion.texts), completion.spent.calls) == (6, len(FORMATS) + 5)


def test_only_listed_formats_are_tried(serve):
    server = serve(supports=["text"])
    ask(client(server, formats=("json_object", "text")))
    assert [asked_format(b) for b in server.bodies] == ["json_object", "text"]


def test_experience_prefers_the_better_format():
    known = WorkingFormats()
    known.worked("e", "m", "text")
    known.worked("e", "m", "json_object")
    known.worked("e", "m", "text")
    assert known.to_try("e", "m", FORMATS) == ("json_object",)
    assert known.to_try("e", "m", ("text",)) == ("text",)
    assert known.to_try("other", "m", FORMATS) == FORMATS
    known.forget()
    assert known.to_try("e", "m", FORMATS) == FORMATS


@given(st.integers(1, 60), st.integers(1, 60))
@settings(deadline=None)
def test_split(total, size):
    parts = openai_chat._split(total, size)
    assert sum(parts) == total
    assert all(0 < part <= size for part in parts)
    assert len(parts) == -(-total // size)
