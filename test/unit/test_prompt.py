"""Patterns as prompts; replies of every kind end in numbers or CompletionFailed."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from icpi_ros.core.errors import CompletionFailed, InvalidValue
from icpi_ros.llm.client.completer import Wire
from icpi_ros.llm.prompt.pattern import Pattern, PatternLines
from icpi_ros.llm.prompt.text import PromptWriter
from icpi_ros.llm.prompt.tokens import MAX_REPLY, NumberFormat, excerpt, read_numbers

WRITER = PromptWriter(digits=3)
QUERY = ((100.0, -200.0), (300.0, 400.0))
"""Groups of the line "+0100 -0200 | +0300 +0400 ->"."""
finite = st.floats(-1e6, 1e6)


@given(st.lists(finite, min_size=1, max_size=6), st.integers(1, 9))
def test_encoding_is_exact_to_half_a_quantum(values, digits):
    numbers = NumberFormat(digits)
    text = numbers.encode(np.array(values))
    back = numbers.decode(read_numbers(text, len(values)))
    np.testing.assert_allclose(back, values, rtol=1e-15, atol=numbers.quantum * 0.5000001)


@given(st.lists(st.floats(-9.99, 9.99), min_size=1, max_size=6), st.integers(1, 9))
def test_numbers_have_one_width(values, digits):
    numbers = NumberFormat(digits)
    words = numbers.encode(np.array(values)).split(" ")
    assert all(re.fullmatch(r"[+-][0-9]+", word) for word in words)
    for word, value in zip(words, values, strict=True):
        assert len(word) in {numbers.width, numbers.width + (abs(value) > 9.9)}


@pytest.mark.parametrize("digits", [0, 10])
def test_digits_out_of_range(digits):
    with pytest.raises(InvalidValue, match="digits"):
        NumberFormat(digits)


@pytest.mark.parametrize(
    "reply",
    [
        '{"output": [50, -20]}',
        '{"output": ["+0050", "-0020"], "confidence": 0.8}',
        '{"output": "+0050 -0020", "steps": 3}',
        '{"pattern": [1, 2], "output": [50, -20]}',
        'Here it is: {"output": [50, -20]} as the 20 examples suggest [1, 2].',
        '{"output": [50, -20]} to sum up: {"output": [50, -20]}',
        '{"output": [+0050, -0020]}',
        "+0050 -0020\n+0111 | +0222 -> +0333 +0444\n+0555 | +0666 ->",
        '```json\n{\n  "output": [\n    50,\n    -20\n  ]\n}\n```',
        "+0050 -0020",
        "  +0050, -0020\n",
        "50 -20",
        "```\n+0050 -0020\n```",
        "```json\n[50, -20]\n```",
        "[50, -20].",
        "The output is +0050 and -0020.",
        "Outputs: +0050 -0020",
        "Sure! Here is the completion:\n\n+0050 -0020\n\nIt follows the last 3 examples.",
        "+0100 -0200 | +0300 +0400 -> +0050 -0020",
        "-> +0050 -0020",
        "<think>perhaps 1 2 3 [7, 8]</think>\n+0050 -0020",
        '<think>{"output": [7, 8]}</think>{"output": [50, -20]}',
        "+5e1 -2E+1",
        "<think>" + "1 2 " * 6_000 + "</think>\n+0050 -0020",
        "50 \u221220",
        "+50\n-20",
        "`100 -200 | +300 +400 -> +0050 -0020`",
        "+0100 -0200 | +0300 +0400->[50, -20]",
        "+0111 -0222 | +0333 +0444 -> +0007 +0008\n+0100 -0200 | +0300 +0400 -> +0050 -0020",
        "+0050 -0020\n+0100 -0200 | +0300 +0400 -> +0050 -0020",
        "+0050 -0020\n+0111 -0222 | +0333 +0444 -> +0007 +0008",
        '{"thought": {"x": [7, 8]}, "output": [50, -20]}',
        '{"answer": {"output": [50, -20]}}',
        '{"reasoning": "as {x} and {\\"output\\": [7, 8]}", "output": [50, -20]}',
        '{"output": [50, -20], "output": [50, -20]}',
        '{"Output": [50, -20]}',
        '<thinking>{"output": [7, 8]}</thinking>\n{"output": [50, -20]}',
        '<|channel|>analysis<|message|>{"output": [7, 8]}<|end|><|start|>assistant'
        '<|channel|>final <|constrain|>json<|message|>{"output": [50, -20]}<|return|>',
        'analysisMaybe {"output": [7, 8]}.assistantfinal{"output": [50, -20]}',
        '<|channel>thought\n{"output": [7, 8]}<channel|>{"output": [50, -20]}',
        '[THINK]{"output": [7, 8]}[/THINK]{"output": [50, -20]}',
        'so 7 8\n</think>\n{"output": [50, -20]}',
    ],
)
def test_replies_that_are_understood(reply):
    assert read_numbers(reply, 2, QUERY) == [50.0, -20.0]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("", "no answer"),
        ("I cannot do that.", "no answer"),
        ("plus fifty, minus twenty", "no answer"),
        ('{"output": ["fifty", "minus twenty"]}', "no integer"),
        ('{"output": "fifty less 20"}', "3 numbers|no integer"),
        ('{"output": "move 12 left 15"}', "4 numbers"),
        ('{"output": null}', "1 numbers"),
        ('{"output": [50, null]}', "no integer"),
        ('{"output": [null, 50, -20]}', "3 numbers"),
        ('{"output": [true, 50]}', "no integer"),
        ('{"output": [50, -20, 3]}', "3 numbers"),
        ('{"output": [200, "x", 300]}', "3 numbers"),
        ('{"output": [50]}', "1 numbers"),
        ('{"output": [[50, -20], [1, 2]]}', "no integer"),
        ('{"output": [NaN, Infinity]}', "no integer"),
        ('{"output": [1e999, 2]}', "not finite"),
        ('{"output": [0.512, -0.031]}', "no integer"),
        ('{"output": [1, 2]} no, rather {"output": [50, -20]}', "several answers"),
        ('{"output": [50, -2', "cut off"),
        ("[50, -2", "cut off"),
        ('{"output": [50, -20]', "cut off"),
        ('{"speed": 50, "heading": -20}', "no answer"),
        ("I saw 3 cats and then 5 dogs", "no answer"),
        ("the 2 outputs are +0050 -0020 -0030", "no answer"),
        ("The 2 numbers are [50, -20].", "no answer"),
        ("I would not answer [0, 0]", "no answer"),
        ("The input was +0111 -0222\nI cannot complete this.", "no answer"),
        ("+0050 -0020\nor\n+0051 -0021", "several answers"),
        ("1. +0500\n2. +0600", "no answer|several answers|no integer"),
        ("- 5 6", "no answer"),
        ("5-6", "no answer|1 numbers"),
        ("--5 6", "no answer"),
        ("+-5 6", "no answer"),
        ("1,234", "no answer"),
        ("+0050", "1 numbers"),
        # a group of the query
        ('{"output": [100, -200]}', "repeats an input"),
        ('{"output": [300, 400]}', "repeats an input"),
        ("+0300 +0400", "repeats an input"),
        ("+0100 -0200\n+0111 | +0222 -> +0333 +0444", "repeats an input"),
        ("+0100 -0200 | +0300 +0400 -> +0300 +0400", "repeats an input"),
        ('{"output": "+0100 -0200"}', "repeats an input"),
        # another line than the query
        ("+0111 -0222 | +0333 +0444 -> +0050 -0020", "another line"),
        ("+0300 +0400 | +0100 -0200 -> +0050 -0020", "another line"),
        ("+0100 -0200 | +0300 -> +0050 -0020", "another line"),
        ("+0300 +0400 -> +0050 -0020", "another line"),
        ("x | y -> +0050 -0020", "another line"),
        ("+0100 -0200 | +0300 +0400 -> +0007 +0008 -> +0050 -0020", "another line"),
        ("+0111 -0222 | +0333 +0444 -> +0007 +0008\n+0050 -0020", "another line"),
        ("-> +0050 -0020\n-> +0051 -0020", "several answers"),
        ("+0050 -0020\n+0100 -0200 | +0300 +0400 -> +0051 -0020", "several answers"),
        # two answers in one object, or beside what is no JSON
        ('{"output": [50, -20], "output": [1, 2]}', "several answers"),
        ('{"output": [1, 2], "\\u006futput": [50, -20]}', "several answers"),
        ('{"output": [50, -20], "OUTPUT": [1, 2]}', "several answers"),
        ('{"output": [50, -20], "next": {"output": [1, 2]}}', "several answers"),
        ('{"all": [{"output": [50, -20]}, {"output": [1, 2]}]}', "several answers"),
        ("{'draft': {\"output\": [1, 2]}, 'output': [50, -20]}", "cut off or broken"),
        # thoughts that do not end
        ('<think>maybe {"output": [50, -20]} or', "unfinished thought"),
        ("<think>\nFirst:\n50 -20\nno", "unfinished thought"),
        ('<think>a</think><think>maybe {"output": [50, -20]}', "unfinished thought"),
        ('<think><think>a</think>{"output": [50, -20]}', "unfinished thought"),
        ('{"output": [50, -20]}<think>or', "unfinished thought"),
        ('<Thinking mode="x">{"output": [50, -20]}', "unfinished thought"),
        ('<reasoning>{"output": [50, -20]}', "unfinished thought"),
        ('<think>{"output": [50, -20]}</thinking>{"output": [50, -20]}', "unfinished thought"),
        ('<|channel|>analysis<|message|>{"output": [50, -20]}', "unfinished thought"),
        ("<|channel|>final<|message|>50 -20<|channel|>analysis<|message|>or", "unfinished"),
        ("<|channel|>final 50 -20", "unfinished thought"),
        ('analysisWe could say {"output": [50, -20]}', "unfinished thought"),
        ('<|channel>thought\n{"output": [50, -20]}', "unfinished thought"),
        ('[THINK]{"output": [50, -20]}', "unfinished thought"),
        ('<|START_THINKING|>{"output": [50, -20]}', "unfinished thought"),
        ('{"output": [50, -20]}</think>', "no answer"),
        ("[1, 2, 3]", "3 numbers"),
        ("1 2 3", "3 numbers"),
        ("[NaN, 5]", "no integer"),
        ("nan nan", "no integer"),
        ("+0050 Infinity", "no integer"),
        ("-inf 3", "no integer"),
        ("1e999 3", "not finite"),
        ("[1e999, 3]", "not finite"),
        ("9" * 400 + " 3", "no integer"),
        ("0x10 0x20", "no answer"),
        ("1.2.3 4", "no integer"),
        ("null", "no answer"),
        ("[50, ", "cut off"),
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
        read_numbers(reply, 2, QUERY)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


integers = st.lists(st.integers(-(10**16), 10**16) | st.integers(-9, 9), min_size=1, max_size=4)
blanks = st.sampled_from(["", " ", "\n\t"])


@given(integers, blanks, st.integers(1, 4))
def test_the_answer_alone_is_read_as_one_among_other_text(values, blank, count):
    alone = blank.join(
        ["", "{", '"output"', ":", "[", f",{blank}".join(map(str, values)), "]", "}"]
    )
    found = []
    for reply in (alone + blank, f"So it is: {alone}."):
        try:
            found.append(read_numbers(reply, count, [[1.0, 2.0]]))
        except CompletionFailed as exc:
            found.append(str(exc).partition(":")[0])
    assert found[0] == found[1]


def test_numbers_beyond_what_64_bits_hold_are_written_whole():
    numbers, values = NumberFormat(9, padded=False), np.array([[2e12, -1.0]])
    line = "2000000000000000000000 -1000000000"
    assert numbers.rows([values], "") == [line] == [numbers.row([values[0]], "")]
    assert numbers.lines([values], "", " -> ", values) == f"{line} -> {line}"


NUMBERS = ["+0050", "-1", "nan", "Infinity", "1e999", "null", "e", "E5", "two", "\u2212", "\u0664"]
MARKS = ["[", "]", "{", "}", "->", "|", ",", ".", "--", '"', "\n", " ", "\x00", '{"output": ', ":"]
pieces = st.sampled_from([*NUMBERS, *MARKS, "```", "<think>", "</think>"])


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=80), st.lists(pieces, max_size=40).map("".join)))
@example("9" * 19_999 + "x")
@example("[" * 20_000)
@example("{" * 20_000)
@example('{"output":' * 2_000)
@example("[a" * 9_000)
@example("<|channel|>" * 9_000)
@example("<think>" * 9_000 + "</think>" * 9_000)
@example('{"output":' * 900 + "1" + "}" * 900)
@example("{" * 9_000 + "}" * 9_000)
@example("+" + "0" * 19_990 + ".")
@example(" " * 19_990 + "```" + " x")
@example("<think>" * 2_800)
@example("1e" * 10_000)
@example("\n" * 20_000)
@example("-0" * 10_000)
@example("\u0664\u0665 \u0666")
def test_any_text_gives_finite_numbers_or_completion_failed(reply):
    message = ""
    try:
        outputs = WRITER.outputs(reply, pattern())
    except CompletionFailed as exc:
        message = str(exc)
    else:
        assert outputs.shape == (2,)
        assert np.isfinite(outputs).all()
    assert "\n" not in message


def pattern(shared=3, own=2):
    rng = np.random.default_rng(4)

    def lines(count):
        return PatternLines(
            (rng.normal(size=(count, 2)), rng.normal(size=(count, 2))), np.ones((count, 2))
        )

    return Pattern(lines(shared), lines(own), (np.array([0.1, -0.2]), np.array([0.5, 20.0])))


def test_prompt_has_prefix_then_examples_then_query():
    system, user = WRITER.prompt(pattern()).messages
    assert (system["role"], user["role"]) == ("system", "user")
    lines = user["content"].splitlines()
    assert [n for n, line in enumerate(lines) if line.endswith(":")] == [1, 5]
    assert (lines[0], lines[1], lines[5]) == ("unit: 1000", "other systems:", "this system:")
    assert lines[-1] == "100 -200 | 500 20000 ->"  # nothing is clipped
    pair = r"(0|-?[1-9][0-9]*) (0|-?[1-9][0-9]*)"  # as JSON writes integers
    examples = [*lines[2:5], *lines[6:8]]
    assert all(re.fullmatch(rf"{pair} \| {pair} -> 1000 1000", line) for line in examples)
    assert WRITER.prompt(pattern(shared=7)).messages[0] == system  # a prefix that servers can cache


def test_without_examples_there_is_no_empty_heading():
    lines = WRITER.prompt(pattern(shared=0, own=0)).messages[1]["content"].splitlines()
    assert lines == ["unit: 1000", "this system:", "100 -200 | 500 20000 ->"]


def test_the_description_comes_before_the_examples():
    writer = replace(WRITER, description="what this is about")
    text = writer.prompt(pattern()).messages[1]["content"]
    assert text.startswith("what this is about\nunit: 1000\nother systems:\n")


def test_bare_lines_have_no_heading_and_numbers_of_one_width():
    prompt = PromptWriter(Wire.COMPLETION, digits=3).prompt(pattern())
    *examples, query = prompt.text.splitlines()
    assert (prompt.messages, len(examples)) == ((), 5)
    pair = r"[+-][0-9]{4,} [+-][0-9]{4,}"
    assert all(re.fullmatch(rf"{pair} \| {pair} -> \+1000 \+1000", line) for line in examples)
    assert query == "+0100 -0200 | +0500 +20000 ->"
    assert prompt.text == PromptWriter(Wire.COMPLETION, 3, "").prompt(pattern()).text


def test_examples_as_turns():
    prompt = PromptWriter(Wire.TURNS, digits=3).prompt(pattern(own=0))
    system, *turns, query = prompt.messages
    assert (system["role"], len(system["content"].splitlines())) == ("system", 1)
    assert [turn["role"] for turn in turns] == ["user", "assistant"] * 3
    lines = PromptWriter(Wire.COMPLETION, digits=3).prompt(pattern(own=0)).text.splitlines()
    shown = [f"{turns[i]['content']} -> {turns[i + 1]['content']}" for i in (0, 2, 4)]
    assert [*shown, f"{query['content']} ->"] == lines


def test_excerpt_is_one_short_line():
    assert excerpt("a\nb\tc") == "a b c"
    assert len(excerpt("word " * 10_000)) <= 60
