"""The estimate of tokens, against counts of real vocabularies, and its cost.

``token_counts.csv`` and ``answer_token_counts.csv`` hold what the vocabularies themselves count:
SmolLM2 135M, Gemma 3 270M and Qwen2.5 0.5B by ``POST /tokenize`` of llama.cpp's server, cl100k and
o200k by the npm package gpt-tokenizer 4.0.0.  Chats are counted with the framing of each model.
"""

import csv
import functools
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linear_time import seconds

from icpi_ros.core.types import Outcome
from icpi_ros.improvers import IMPROVERS
from icpi_ros.improvers.base import Context
from icpi_ros.learn.dataset.dataset import shipped
from icpi_ros.llm.client.token_count import (
    ANSWER_FRAME,
    PER_MESSAGE,
    PER_REPLY,
    Tokeniser,
    answer_tokens,
    count_chat,
    count_tokens,
    cut,
)
from icpi_ros.llm.prompt.text import INSTRUCTION
from icpi_ros.tasks import TASKS

PER_DIGIT, PER_THREE_DIGITS = Tokeniser
VOCABULARIES = {
    "smollm2": PER_DIGIT,
    "gemma": PER_DIGIT,
    "qwen": PER_DIGIT,
    "cl100k": PER_THREE_DIGITS,
    "o200k": PER_THREE_DIGITS,
}
LINE = "+0512 -0031 | +0512 -1207 -> +0001 +12345"
kinds = st.sampled_from(Tokeniser)


def rows(name):
    with Path(__file__).with_name(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@functools.cache
def prompt(wire, task, digits, k):
    """The prompt that llm (llm-zero without examples) sends after an example of the data set."""
    task = TASKS.get(task)
    data, name = shipped(task), "llm" if k else "llm-zero"
    options = {"wire": wire, "digits": digits} | ({"k": k} if k else {})
    context = Context(task.space, task.default_goal, task.cost_mask, data, options)
    trial = Outcome(data.theta[0], data.error[0], float(data.cost[0]))
    return IMPROVERS.get(name)(context, proposes=False).prompt([trial])


def answer(form, numbers, digits):
    """The longest answer of a form: negative numbers, one digit wider than those within +-10."""
    values = [-(10 ** (digits + 1)) - 37 * n for n in range(numbers)]
    if form == "text":
        return " ".join(map(str, values))
    return json.dumps({"output": values}, indent=4 if form == "json-in-lines" else None)


@pytest.mark.parametrize(
    "row", rows("token_counts.csv"), ids=lambda row: "-".join([*row.values()][:4])
)
def test_prompts_are_counted_within_a_tenth_of_the_vocabularies(row):
    asked = prompt(row["wire"], row["task"], int(row["digits"]), int(row["k"]))
    for name, kind in VOCABULARIES.items():
        assert asked.tokens(kind) == pytest.approx(int(row[name]), rel=0.1), name


@pytest.mark.parametrize("form", ["text", "json", "json-in-lines"])
def test_answers_fit_their_tokens(form):
    counted = [row for row in rows("answer_token_counts.csv") if row["form"] == form]
    assert {int(row["digits"]) for row in counted} == set(range(1, 10))
    for row in counted:
        numbers, digits = int(row["numbers"]), int(row["digits"])
        text = answer(form, numbers, digits)
        for name, kind in VOCABULARIES.items():
            assert int(row[name]) <= answer_tokens(numbers, digits + 3, kind), (name, row)
            if form != "json-in-lines":
                assert count_tokens(text, kind) == pytest.approx(int(row[name]), rel=0.1)


@settings(max_examples=40)
@given(st.lists(st.integers(-(10**11), 10**11), min_size=1, max_size=8), kinds)
def test_any_answer_fits_its_tokens(values, kind):
    width = max(len(f"{value:+d}") for value in values)
    room = answer_tokens(len(values), width, kind)
    fixed = " ".join(f"{value:+0{width}d}" for value in values)
    for text in (fixed, json.dumps({"output": values}), json.dumps({"output": values}, indent=2)):
        assert count_tokens(text, kind) <= room
    assert room <= ANSWER_FRAME + len(values) * (width + 3)


@pytest.mark.parametrize(
    ("text", "tokens"),  # as both cl100k_base and o200k_base count
    [
        ("", 0),
        (INSTRUCTION, 117),
        ("+0512 -0031", 6),
        (LINE, 20),
        ("\n".join([LINE] * 20), 20 * 20 + 19),
        ('{"output": [512, -31]}', 9),
        ("other systems:\n", 3),
        ("this system:\n", 3),
    ],
)
def test_counts_are_within_five_percent_of_real_ones(text, tokens):
    assert abs(count_tokens(text) - tokens) <= 0.05 * tokens


@given(st.text(max_size=300), kinds)
def test_any_text_has_a_count(text, kind):
    bytes_ = len(text.encode("utf-8", "surrogatepass"))
    assert (count_tokens(text, kind) == 0) == (text == "")
    assert count_tokens(text, kind) <= bytes_


@given(st.text(max_size=100), st.integers(0, 40), kinds)
def test_a_cut_text_is_a_beginning_within_the_limit(text, tokens, kind):
    short = cut(text, tokens, kind)
    assert text.startswith(short)
    assert count_tokens(short, kind) <= tokens
    assert (short == text) == (count_tokens(text, kind) <= tokens)


def test_cut_keeps_what_fits():
    assert cut("+0512 -0031", 3, PER_THREE_DIGITS) == "+0512"
    assert cut("+0512 -0031", 3, PER_DIGIT) == "+05"
    assert cut("+0512 -0031", 0) == ""


@pytest.mark.parametrize("kind", Tokeniser)
def test_a_chat_costs_its_texts_and_their_frames(kind):
    texts = ("Complete the line.", LINE)
    expected = PER_REPLY + sum(PER_MESSAGE[kind] + count_tokens(text, kind) for text in texts)
    assert count_chat([{"role": "user", "content": text} for text in texts], kind) == expected


@pytest.mark.parametrize("unit", ["a", " ", "\n", "9", "+", "a ", " \n", "\r", "\u4e2d", " +", "_"])
@pytest.mark.parametrize("end", ["", "x", "!"])
def test_counting_takes_linear_time(unit, end):
    def needed(length):
        return seconds(count_tokens, unit * (length // len(unit)) + end)

    assert needed(50_000) < 40.0 * needed(5_000) + 0.02
