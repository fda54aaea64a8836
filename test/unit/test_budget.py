"""What calls cost and how much they may: sums, limits and the tab of one completion."""

import contextlib
import json
import math
import sys
import threading
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icpi_ros.core.errors import BudgetSpent, InvalidValue
from icpi_ros.llm.client.budget import Budget, Meter, Spending
from icpi_ros.llm.client.charging import CompletionMeter
from icpi_ros.llm.client.completer import Prompt, Wire
from icpi_ros.llm.client.openai_chat import OpenAIChat
from icpi_ros.llm.client.profile import Price, Profile
from icpi_ros.llm.client.replies import Reply, Tokens
from icpi_ros.llm.client.token_count import Tokeniser, count_chat

MESSAGES = [{"role": "system", "content": "abc"}, {"role": "user", "content": "defghi"}]
CHAT, PROMPT = Prompt(Wire.JSON, tuple(MESSAGES)), count_chat(MESSAGES)
PRICED = Profile("m", "m", price=Price(input=1.0, output=10.0, cached_input=0.1))
counts = st.integers(0, 10**6)
spendings = st.builds(
    Spending, counts, counts, counts, counts, counts, st.floats(0, 1e6), st.floats(0, 1e6)
)


@given(spendings, spendings)
def test_sum(a, b):
    total = a + b
    for f in fields(Spending):
        assert getattr(total, f.name) == getattr(a, f.name) + getattr(b, f.name)
    assert total.tokens == a.tokens + b.tokens


@given(spendings)
def test_round_trip_through_json(spent):
    assert Spending.from_dict(json.loads(json.dumps(spent.as_dict(), allow_nan=False))) == spent


def test_unknown_money_stays_unknown():
    total = Spending(money=math.nan) + Spending(money=1.0)
    assert math.isnan(total.money)
    stored = json.loads(json.dumps(total.as_dict(), allow_nan=False))
    assert stored["money"] is None
    assert math.isnan(Spending.from_dict(stored).money)


@pytest.mark.parametrize("limit", [0.0, -1.0, math.nan, -math.inf])
@pytest.mark.parametrize("name", [f.name for f in fields(Budget)])
def test_limits_that_are_none(name, limit):
    with pytest.raises(InvalidValue, match=f"budget of {name}"):
        Budget(**{name: limit})


@pytest.mark.parametrize(
    ("budget", "spent"),
    [
        (Budget(calls=2), Spending(calls=2)),
        (Budget(tokens=10), Spending(prompt_tokens=6, completion_tokens=4)),
        (Budget(money=0.5), Spending(money=0.75)),
        (Budget(money=0.5), Spending(money=math.nan)),
        (Budget(seconds=1.0), Spending(seconds=1.0)),
    ],
)
def test_meter_stops_at_the_limit(budget, spent):
    meter = Meter(budget)
    meter.require()
    meter.charge(spent)
    with pytest.raises(BudgetSpent, match="is used up"):
        meter.require()
    Meter(None, spent).require()


def test_resumed_meter_counts_what_was_spent():
    with pytest.raises(BudgetSpent, match="calls is used up: 3 of 3"):
        Meter(Budget(calls=3), Spending(calls=3)).require()


def tab(meter=None, profile=PRICED):
    return CompletionMeter(meter or Meter(), profile)


def test_told_tokens_are_charged():
    meter = Meter()
    account = tab(meter)
    account.begin()
    assert meter.spent.calls == 1, "a call counts from its beginning"
    account.end(CHAT, Reply(("1",), 1, tokens=Tokens(100, 20, 40)), billed=True)
    spent = meter.spent
    assert (spent.prompt_tokens, spent.completion_tokens, spent.cached_tokens) == (100, 20, 40)
    assert spent.money == pytest.approx((60 * 1.0 + 40 * 0.1 + 20 * 10.0) / 1e6)
    assert spent.estimated == 0
    assert account.spent == spent


@pytest.mark.parametrize(
    ("reply", "billed", "expected"),
    [
        (Reply(("1234", "5"), 2), True, (PROMPT, 2 + 1, 1)),
        (None, True, (PROMPT, 0, 1)),
        (None, False, (0, 0, 0)),
    ],
)
def test_estimates(reply, billed, expected):
    account = tab()
    account.begin()
    account.end(CHAT, reply, billed)
    spent = account.spent
    assert (spent.prompt_tokens, spent.completion_tokens, spent.estimated) == expected
    assert spent.money == pytest.approx((expected[0] + 10 * expected[1]) / 1e6)


@pytest.mark.parametrize(
    ("kind", "url", "tokens"),
    [
        (None, None, 2),
        (None, "http://127.0.0.1:8080/v1", 4),  # small models run here
        (Tokeniser.PER_DIGIT, None, 4),
        (Tokeniser.PER_THREE_DIGITS, "http://127.0.0.1:8080/v1", 2),
    ],
)
def test_estimates_by_kind_of_tokeniser(monkeypatch, kind, url, tokens):
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    account = tab(profile=Profile("m", "m", base_url=url, tokeniser=kind))
    account.begin()
    account.end(Prompt(Wire.JSON), Reply(("1234",), 1), billed=True)
    assert account.spent.completion_tokens == tokens


def test_time_is_counted_once(monkeypatch):
    clock = iter([10.0, 11.0, 11.5, 12.0, 12.0, 15.0])
    monkeypatch.setattr("icpi_ros.llm.client.budget.time.monotonic", lambda: next(clock))
    account = tab()
    account.begin()  # two calls that overlap
    account.begin()
    account.end(CHAT, None, billed=False)
    account.end(CHAT, None, billed=False)
    account.close()
    assert account.spent.seconds == pytest.approx(5.0)


def test_completions_that_overlap_share_the_time(monkeypatch):
    now = [10.0]
    monkeypatch.setattr("icpi_ros.llm.client.openai_chat.time.monotonic", lambda: now[0])
    meter = Meter()
    first = tab(meter)
    now[0] = 11.0
    second = tab(meter)
    now[0] = 13.0
    for account in (first, second, second):
        account.close()
    now[0] = 20.0  # nobody waits
    third = tab(meter)
    now[0] = 20.5
    third.close()
    assert [account.spent.seconds for account in (first, second, third)] == [2.0, 1.0, 0.5]
    assert meter.spent.seconds == 3.5


def test_charges_of_several_threads_all_count():
    meter, before = Meter(Budget(calls=1500)), sys.getswitchinterval()

    def charge():
        with contextlib.suppress(BudgetSpent):
            for _ in range(500):
                meter.pay(Spending(calls=1))

    threads = [threading.Thread(target=charge) for _ in range(4)]
    try:
        sys.setswitchinterval(1e-6)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert meter.spent.calls == 1500


def test_call_beyond_the_budget_is_not_charged():
    meter = Meter(Budget(calls=1))
    account = tab(meter)
    account.begin()
    with pytest.raises(BudgetSpent):
        account.begin()
    assert meter.spent.calls == account.spent.calls == 1


def test_unknown_price():
    assert math.isnan(Profile("m", "m").money(1, 1))
    assert not Profile("m", "m").priced
    account = tab(profile=Profile("m", "m"))
    account.begin()
    account.end(CHAT, None, billed=False)
    assert math.isnan(account.spent.money)


def test_price_without_cached_input():
    profile = Profile("m", "m", price=Price(2.0, 3.0))
    assert profile.money(1_000_000, 0, 400_000) == pytest.approx(2.0)


def test_budget_of_money_needs_a_price():
    meter = Meter(Budget(money=1.0))
    with pytest.raises(InvalidValue, match=r"add `price:` to its entry in models\.yaml"):
        OpenAIChat(Profile("m", "m"), meter)
    OpenAIChat(PRICED, meter)
