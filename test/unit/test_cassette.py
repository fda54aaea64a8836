"""Completions recorded and played back: same answers, same costs, same failures, no keys."""

import json
import logging
import math
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import http_models
import pytest
from http_models import KEY, PATH, REQUEST, ask
from hypothesis import given
from hypothesis import strategies as st

from icpi_ros.core.errors import BudgetSpent, CompletionFailed, UsageError
from icpi_ros.llm.cassettes import file as cassette_file
from icpi_ros.llm.cassettes.cassette import Cassette, RecordedCompleter, request_key
from icpi_ros.llm.client.budget import Budget, Meter, Spending, failure_details, spent_of
from icpi_ros.llm.client.completer import Completion, CompletionRequest, Prompt, Wire
from icpi_ros.llm.client.formats import working_formats
from icpi_ros.llm.client.openai_chat import OpenAIChat
from icpi_ros.llm.client.profile import Profile


class Model:
    """Answers with its number of calls, or raises what it is told to; charges its meter."""

    def __init__(self, meter, errors=(), text="answer"):
        self.meter, self.errors, self.calls, self.text = meter, dict(errors), 0, text

    def complete(self, request, until):
        self.calls += 1
        spent = Spending(2, 100, 10, 50, 1, math.nan, 0.25)
        error = self.errors.get(self.calls)
        if error is not None:
            self.meter.charge(spent)
            error.details = failure_details(spent, ["HTTP 500"])
            raise error
        self.meter.require()
        self.meter.charge(spent)
        texts = tuple(f"{self.text} {self.calls}.{i}" for i in range(request.samples))
        return Completion(texts, spent, "wire-1", "json_object", ("json_schema: HTTP 500",))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.jsonl"


def recorder(path, errors=(), meter=None, text="answer"):
    meter = meter or Meter()
    return RecordedCompleter(Model(meter, errors, text), Cassette(path), "wire", meter)


def player(path, budget=None, model="wire"):
    return RecordedCompleter(None, Cassette(path, "replay"), model, Meter(budget))


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_replay_answers_and_costs_the_same(path):
    live = recorder(path)
    first = [ask(live, samples=2), ask(live, samples=2), ask(live, seed=3)]
    again = player(path)
    second = [ask(again, samples=2), ask(again, samples=2), ask(again, seed=3)]
    assert [c.texts for c in first] == [
        ("answer 1.0", "answer 1.1"),
        ("answer 2.0", "answer 2.1"),
        ("answer 3.0",),
    ]
    for a, b in zip(first, second, strict=True):
        assert (a.texts, a.model, a.format, a.tries) == (b.texts, b.model, b.format, b.tries)
        assert a.spent.as_dict() == b.spent.as_dict()
    assert not any(c.replayed for c in first)
    assert all(c.replayed for c in second)
    assert again._meter.spent.as_dict() == live._meter.spent.as_dict()
    assert again._meter.spent.calls == 6


def test_auto_asks_only_for_what_is_missing(path):
    ask(recorder(path), seed=1)
    live = recorder(path)
    assert ask(live, seed=1).replayed
    assert not ask(live, seed=2).replayed
    assert not ask(live, seed=1).replayed, "the second equal request was never made"
    assert live._inner.calls == 2
    assert len(lines(path)) == 3


def test_what_is_not_on_cassette(path):
    ask(recorder(path))
    again = player(path)
    ask(again)
    for changes in ({}, {"seed": 1}):
        with pytest.raises(CompletionFailed, match=f"not on cassette {path}"):
            ask(again, **changes)
    with pytest.raises(CompletionFailed, match="not on cassette"):
        ask(player(path, model="other"))
    with pytest.raises(CompletionFailed, match="not on cassette"):
        ask(RecordedCompleter(None, Cassette(path), "wire", Meter()), seed=9)


def test_failures_fail_again(path):
    with pytest.raises(CompletionFailed):
        ask(recorder(path, {1: CompletionFailed("HTTP 500 (5 tries)")}))
    again = player(path)
    with pytest.raises(CompletionFailed, match=r"^HTTP 500 \(5 tries\)$"):
        ask(again)
    assert again._meter.spent.calls == 2


def test_a_failure_costs_its_own_calls_not_its_neighbours(path):
    meter = Meter()
    live = recorder(path, {1: CompletionFailed("down")}, meter)
    ask_model = live._inner.complete

    def beside(request, until):
        meter.charge(Spending(calls=40))  # of another completion that is under way
        return ask_model(request, until)

    live._inner.complete = beside
    with pytest.raises(CompletionFailed):
        ask(live)
    with pytest.raises(CompletionFailed) as caught:
        ask(player(path))
    assert spent_of(caught.value).calls == 2
    assert caught.value.details["tries"] == ["HTTP 500"]


def test_failures_are_asked_again_in_auto_mode_and_the_last_answer_wins(path):
    with pytest.raises(CompletionFailed):
        ask(recorder(path, {1: CompletionFailed("down")}))
    assert ask(recorder(path)).texts == ("answer 1.0",)
    assert len(lines(path)) == 2
    assert ask(player(path)).texts == ("answer 1.0",)


def test_budget_spent_during_a_call_is_spent_again(path):
    with pytest.raises(BudgetSpent):
        ask(recorder(path, {1: BudgetSpent("calls are used up")}))
    with pytest.raises(BudgetSpent, match="calls are used up"):
        ask(player(path))


def test_budgets_hold_in_replay(path):
    live = recorder(path)
    ask(live), ask(live), ask(live)
    again = player(path, Budget(calls=4))
    ask(again), ask(again)
    with pytest.raises(BudgetSpent, match="calls is used up: 4 of 4"):
        ask(again)


def test_budget_that_forbids_a_call_leaves_no_record(path):
    meter = Meter(Budget(calls=1), Spending(calls=1))
    with pytest.raises(BudgetSpent):
        ask(recorder(path, meter=meter))
    assert lines(path) == []


def test_order_counts_from_the_making_of_the_completer(path):
    live = recorder(path)
    ask(live), ask(live)
    assert [ask(player(path)).texts for _ in range(2)] == [("answer 1.0",)] * 2


def test_lines_say_what_they_are(path):
    ask(recorder(path), temperature=0.5)
    (line,) = lines(path)
    assert next(iter(line)) == "cassette"
    assert line["cassette"] == 1
    assert line["key"] == request_key(replace(REQUEST, temperature=0.5), "wire")
    assert line["request"]["prompt"]["messages"] == list(REQUEST.prompt.messages)
    assert line["request"]["temperature"] == 0.5
    assert line["spent"]["money"] is None


def test_key_of_a_request_does_not_change():
    """Cassettes that were recorded must stay readable."""
    digest = "4fba429b6e35abb6c61ff9896790e6b3a9b8b617a8bc9d29186b628224c36708"
    assert request_key(REQUEST, "wire") == digest
    other = Prompt(Wire.TURNS, REQUEST.prompt.messages)
    assert request_key(replace(REQUEST, largest=20_000, otherwise=other), "wire") == digest
    assert request_key(replace(REQUEST, prompt=other), "wire") != digest


texts = st.text(max_size=10)
requests = st.builds(
    CompletionRequest,
    st.lists(st.fixed_dictionaries({"role": texts, "content": texts}), max_size=2).map(tuple),
    st.integers(1, 3),
    st.integers(1, 3),
    st.none() | st.floats(0, 2),
    st.none() | st.integers(0, 3),
)


@given(requests, requests, texts, texts)
def test_equal_requests_have_equal_keys(a, b, model_a, model_b):
    same = (a, model_a) == (b, model_b)
    assert (request_key(a, model_a) == request_key(b, model_b)) == same
    assert request_key(replace(a), model_a) == request_key(a, model_a)


def test_no_key_reaches_the_file(path, httpserver, monkeypatch):
    working_formats().forget()
    monkeypatch.setenv("ODD_NAME", KEY)
    reply = http_models.body(f"your key is {KEY}", model=KEY)
    httpserver.expect_request(PATH).respond_with_json(reply)
    url, meter = httpserver.url_for("/v1"), Meter()
    chat = OpenAIChat(Profile("toy", "toy", url, key_variable="ODD_NAME"), meter)
    live = RecordedCompleter(chat, Cassette(path), "toy", meter)
    prompt = Prompt(Wire.JSON, ({"role": "user", "content": f"my key is {KEY}"},))
    completion = ask(live, prompt=prompt)
    stored = path.read_text()
    assert KEY not in stored
    assert "[ODD_NAME removed]" in stored
    assert url not in stored
    assert "uthorization" not in stored
    replayed = RecordedCompleter(None, Cassette(path, "replay"), "toy", Meter())
    assert ask(replayed, prompt=prompt).texts == completion.texts


def test_lines_added_by_others_are_seen(path, monkeypatch):
    taken = []
    original = cassette_file.CassetteFile._take_line
    monkeypatch.setattr(
        cassette_file.CassetteFile,
        "_take_line",
        lambda self, line: (taken.append(line), original(self, line))[1],
    )
    ask(recorder(path), seed=1)
    again = player(path)
    ask(again, seed=1)
    whole = path.read_bytes()
    other = path.with_name("other.jsonl")
    ask(recorder(other, text="other"), seed=2)
    taken.clear()
    path.write_bytes(whole)  # same content, new time
    with path.open("ab") as file:
        file.write(other.read_bytes())
    assert ask(again, seed=2).texts == ("other 1.0",)
    assert len(taken) == 1, "only the tail must be read"
    monkeypatch.delattr(Path, "open")
    with pytest.raises(CompletionFailed, match="not on cassette"):  # and not: cannot be opened
        ask(again, seed=9)


def test_replaced_file_is_read_anew(path):
    ask(recorder(path), seed=1)
    other = path.with_name("other.jsonl")
    live = recorder(other, text="other")
    for seed in range(5):
        ask(live, seed=seed)
    path.write_bytes(other.read_bytes())
    assert ask(player(path), seed=1).texts == ("other 2.0",)
    path.write_bytes(other.read_bytes().splitlines(keepends=True)[3])
    with pytest.raises(CompletionFailed, match="not on cassette"):
        ask(player(path), seed=1)
    assert ask(player(path), seed=3).texts == ("other 4.0",)


@pytest.mark.parametrize("cut", [1, 5, 40, 200])
def test_cut_last_line_is_skipped_and_recording_goes_on(path, caplog, cut):
    live = recorder(path)
    ask(live, seed=1), ask(live, seed=2)
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second[:cut])
    caplog.set_level(logging.WARNING)
    assert ask(player(path), seed=1).texts == ("answer 1.0",)
    with pytest.raises(CompletionFailed, match="not on cassette"):
        ask(player(path), seed=2)
    assert "cut off" in caplog.text
    assert ask(recorder(path, text="new"), seed=2).texts == ("new 1.0",)
    assert ask(player(path), seed=2).texts == ("new 1.0",)
    assert ask(player(path), seed=1).texts == ("answer 1.0",)


def test_cut_first_line(path):
    ask(recorder(path))
    path.write_bytes(path.read_bytes()[:6])
    ask(recorder(path, text="new"))
    assert ask(player(path)).texts == ("new 1.0",)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("key", 7),
        ("occurrence", "0"),
        ("texts", []),
        ("texts", [7]),
        ("spent", {"calls": 10**400}),
        ("texts", "text"),
        ("tries", None),
        ("spent", None),
        ("spent", {"calls": "many"}),
        ("spent", {"seconds": True}),
        ("model", None),
    ],
)
def test_damaged_entries_are_skipped(path, caplog, field, value):
    ask(recorder(path), seed=1), ask(recorder(path), seed=2)
    first, second = lines(path)
    path.write_text(json.dumps(first | {field: value}) + "\n" + json.dumps(second) + "\n")
    path.write_text(path.read_text().replace('{"cassette": 1', '{"cassette":1'))
    with pytest.raises(CompletionFailed, match="not on cassette"):
        ask(player(path), seed=1)
    assert "damaged" in caplog.text
    assert ask(player(path), seed=2).texts == ("answer 1.0",)


@pytest.mark.parametrize(
    "content",
    ["hello", "hello\n", "{}\n", '{"model": 1}\n', "[]\n", "\x00\x01", '{"cassette":2}\n'],
)
@pytest.mark.parametrize("mode", ["auto", "replay"])
def test_files_of_another_format(path, content, mode):
    path.write_text(content)
    with pytest.raises(UsageError, match="is not a cassette of this program") as caught:
        Cassette(path, mode)
    assert "\n" not in str(caught.value)
    assert path.read_text() == content


def test_files_that_cannot_be_used(tmp_path):
    with pytest.raises(UsageError, match="cannot read the cassette"):
        Cassette(tmp_path / "none.jsonl", "replay")
    with pytest.raises(UsageError, match="cannot write the cassette"):
        Cassette(tmp_path / "none" / "run.jsonl")
    with pytest.raises(UsageError, match="cannot write the cassette"):
        Cassette(tmp_path)
    with pytest.raises(UsageError, match="cannot write the cassette"):
        Cassette(Path("/proc/version"))
    with pytest.raises(UsageError, match="choose from auto, replay"):
        Cassette(tmp_path / "run.jsonl", "record")


def test_cassette_that_vanishes_is_one_clear_line(path):
    ask(recorder(path))
    again = player(path)
    path.unlink()
    with pytest.raises(CompletionFailed, match="cannot read the cassette"):
        ask(again)


WRITER = """
import sys
sys.path[:0] = {path!r}
from test_cassette import recorder, ask
from pathlib import Path
live = recorder(Path(sys.argv[1]), text="x" * 20000)
for i in range(25):
    ask(live, seed=int(sys.argv[2]) * 100 + i)
"""


@pytest.mark.slow
def test_processes_record_into_one_file(path):
    code = WRITER.format(path=[p for p in sys.path if p])
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(path), str(number)])
        for number in range(3)
    ]
    assert [writer.wait(300) for writer in writers] == [0, 0, 0]
    assert len(lines(path)) == 75
    again = player(path)
    for number in range(3):
        assert all(ask(again, seed=number * 100 + i).texts for i in range(25))


def test_replay_takes_no_time(path, monkeypatch):
    live = recorder(path)
    for seed in range(200):
        ask(live, seed=seed)
    again = player(path)

    def waited(*_):
        raise AssertionError("it waited")

    monkeypatch.setattr(time, "sleep", waited)
    monkeypatch.setattr(threading.Event, "wait", waited)
    for seed in range(200):
        ask(again, seconds=-1.0, seed=seed)  # what is known needs no time
