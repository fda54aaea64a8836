"""Numbers as text and back; replies of every kind end in numbers or CompletionFailed."""

import re

import numpy as np
import pytest
import toy
from hypothesis import example, given, settings
from hypothesis import strategies as st

from icpi_ros.context.prompt import MAX_REPLY, NumberFormat, PromptWriter, excerpt, read_numbers
from icpi_ros.context.retrieval import Index, Scale
from icpi_ros.errors import CompletionFailed, InvalidValue

WRITER = PromptWriter(Scale.of(toy.dataset(), toy.SPACE))
finite = st.floats(-1e6, 1e6)


@given(st.lists(finite, min_size=1, max_size=6), st.integers(1, 9))
def test_encoding_is_exact_to_half_a_quantum(values, digits):
    numbers = NumberFormat(digits)
    text = numbers.encode(np.array(values))
    back = numbers.decode(read_numbers(text, len(values)))
    np.testing.assert_allclose(back, values, rtol=1e-15, atol=numbers.quantum * 0.5000001)


@given(st.lists(st.floats(-9.99, 9.99), min_size=1, max_size=6), st.integers(1, 9))
def test_numbers_have_one_width(values, digits):
    words = NumberFormat(digits).encode(np.array(values)).split(" ")
    assert all(re.fullmatch(rf"[+-][0-9]{{{digits + 1},{digits + 2}}}", word) for word in words)
    assert all(len(w) == digits + 2 for w, v in zip(words, values, strict=True) if abs(v) < 9.9)


@pytest.mark.parametrize("digits", [0, 10])
def test_digits_out_of_range(digits):
    with pytest.raises(InvalidValue, match="digits"):
        NumberFormat(digits)


@given(st.tuples(st.floats(-3, 3), st.floats(-3, 3)))
def test_reply_in_the_prompts_own_format_is_read_back(scaled):
    step = WRITER.scale.unscale_dtheta(np.array(scaled))
    reply = WRITER.numbers.encode(WRITER.scale.dtheta(step))
    np.testing.assert_allclose(
        WRITER.dtheta(reply),
        step,
        atol=0.500001 * WRITER.numbers.quantum * toy.SPACE.half_range.max(),
    )


@pytest.mark.parametrize(
    "reply",
    [
        "+0050 -0020",
        "  +0050, -0020\n",
        "50 -20",
        "```\n+0050 -0020\n```",
        "```json\n[50, -20]\n```",
        '{"output": [50, -20]}',
        '{"output": ["+0050", "-0020"], "confidence": 0.8}',
        '{"speed": 50, "heading": -20}',
        "The 2 numbers are [50, -20].",
        "The output is +0050 and -0020.",
        "Sure! Here is the completion:\n\n+0050 -0020\n\nIt follows the last 3 examples.",
        "+0100 -0200 | +0300 +0400 -> +0050 -0020",
        "-> +0050 -0020",
        "<think>perhaps 1 2 3 [7, 8]</think>\n+0050 -0020",
        "+5e1 -2E+1",
        "<think>" + "1 2 " * 6_000 + "</think>\n+0050 -0020",
        "50 \u221220",
        "+50\n-20",
    ],
)
def test_replies_that_are_understood(reply):
    assert read_numbers(reply, 2) == [50.0, -20.0]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("", "0 numbers instead of 2"),
        ("I cannot do that.", "0 numbers"),
        ("plus fifty, minus twenty", "0 numbers"),
        ("+0050", "1 numbers"),
        ("[1, 2, 3]", "3 numbers"),
        ("1 2 3", "3 numbers"),
        ("[NaN, 5]", "not finite"),
        ("nan nan", "not finite"),
        ("+0050 Infinity", "not finite"),
        ("-inf 3", "not finite"),
        ("1e999 3", "not finite"),
        ("[1e999, 3]", "not finite"),
        ("9" * 400 + " 3", "not finite"),
        ("0x10 0x20", "0 numbers"),
        ("1.2.3 4", "1 numbers"),
        ("null", "0 numbers"),
        ("[50, ", "1 numbers"),
        ("x" * (MAX_REPLY + 1), "characters"),
        ("<think>1</think>" + "x" * (MAX_REPLY + 1), "characters"),
        ("0.512 -0.031", "no integer"),
        ("+0050 -.5", "no integer"),
        ("[1.0, -1.0]", "no integer"),
        ("5e-1 3", "no integer"),
    ],
)
def test_replies_that_are_not(reply, words):
    with pytest.raises(CompletionFailed, match=words) as caught:
        read_numbers(reply, 2)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


NUMBERS = ["+0050", "-1", "nan", "Infinity", "1e999", "null", "e", "E5", "two", "\u2212", "\u0664"]
MARKS = ["[", "]", "{", "}", "->", "|", ",", ".", "--", '"', "\n", " ", "\x00"]
pieces = st.sampled_from([*NUMBERS, *MARKS, "```", "<think>", "</think>"])


@settings(max_examples=1000, deadline=None)
@given(st.one_of(st.text(max_size=80), st.lists(pieces, max_size=40).map("".join)))
@example("9" * 19_999 + "x")
@example("[" * 20_000)
@example("[a" * 9_000)
@example("<think>" * 2_800)
@example("1e" * 10_000)
@example("\u0664\u0665 \u0666")
def test_any_text_gives_finite_numbers_or_completion_failed(reply):
    message = ""
    try:
        dtheta = WRITER.dtheta(reply)
    except CompletionFailed as exc:
        message = str(exc)
    else:
        assert dtheta.shape == (2,)
        assert np.isfinite(dtheta).all()
    assert "\n" not in message


def test_prompt_has_prefix_then_examples_nearest_last_then_query():
    data = toy.dataset()
    query = toy.outcome(np.array([1.0, 0.1]), np.array([0.2, 0.5]))
    nearest = Index(data, toy.SPACE).query(query.theta, query.error)
    system, user = WRITER.messages(data, nearest, query)
    assert (system["role"], user["role"]) == ("system", "user")
    lines = user["content"].splitlines()
    assert len(lines) == 21
    assert lines[-1] == f"{WRITER.input_text(query.theta, query.error)} ->"
    number = r"[+-][0-9]{4,}"
    pair = rf"{number} {number}"
    assert all(re.fullmatch(rf"{pair} \| {pair} -> {pair}", line) for line in lines[:-1])
    closest = nearest[0]
    assert lines[-2].startswith(WRITER.input_text(data.theta[closest], data.error[closest]))
    np.testing.assert_allclose(
        WRITER.dtheta(lines[-2]), data.dtheta[closest], atol=0.6e-3 * toy.SPACE.half_range.max()
    )
    other = toy.outcome(np.array([0.7, -0.3]), np.array([0.3, -0.5]))
    assert WRITER.messages(data, nearest, other)[0] == system


def test_excerpt_is_one_short_line():
    assert excerpt("a\nb\tc") == "a b c"
    assert len(excerpt("word " * 10_000)) <= 60
