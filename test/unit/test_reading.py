"""Prompts read back: what was written comes back, anything else is refused in one line."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from linear_time import seconds

from icpi_ros.core.errors import InvalidValue
from icpi_ros.llm.client.completer import Wire
from icpi_ros.llm.prompt.pattern import Pattern, PatternLines
from icpi_ros.llm.prompt.text import MAX_LINES, OWN, SHARED, PromptWriter, read_prompt

scaled = st.one_of(st.floats(-1.5, 1.5), st.floats(-9.9, 9.9), st.floats(-1e5, 1e5))


@st.composite
def patterns(draw):
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    width = draw(st.integers(1, 4))

    def array(*shape):
        count = int(np.prod(shape))
        return np.array(draw(st.lists(scaled, min_size=count, max_size=count))).reshape(shape)

    def lines(n):
        return PatternLines(tuple(array(n, size) for size in sizes), array(n, width))

    shared, own = lines(draw(st.integers(0, 4))), lines(draw(st.integers(0, 3)))
    return Pattern(shared, own, tuple(array(size) for size in sizes))


def numbers_of(pattern):
    parts = [*pattern.shared.inputs, pattern.shared.outputs, *pattern.own.inputs]
    return np.concatenate([p.ravel() for p in [*parts, pattern.own.outputs, *pattern.query]])


def text_of(pattern, digits=4, description="", wire=Wire.JSON):
    prompt = PromptWriter(wire, digits, description).prompt(pattern)
    return prompt.text or prompt.messages[1]["content"]


def slide(shared=3, own=2, digits=4):
    rng = np.random.default_rng(0)

    def lines(n):
        return PatternLines(
            (rng.normal(size=(n, 2)), rng.normal(size=(n, 3))), rng.normal(size=(n, 2))
        )

    pattern = Pattern(lines(shared), lines(own), (rng.normal(size=2), rng.normal(size=3)))
    return text_of(pattern, digits, "Task slide: speed, heading.\nunits: m/s, rad")


def require_alike(found, pattern, quantum):
    def close(a, b):
        np.testing.assert_allclose(a, b, rtol=1e-15, atol=0.5000001 * quantum)

    for ours, theirs in ((found.shared, pattern.shared), (found.own, pattern.own)):
        assert len(ours) == len(theirs)
        for a, b in zip(ours.inputs, theirs.inputs, strict=True):
            close(a, b)
        if len(pattern.shared) + len(pattern.own):  # else nobody can know the number of outputs
            close(ours.outputs, theirs.outputs)
    for a, b in zip(found.query, pattern.query, strict=True):
        close(a, b)


@settings(max_examples=60, deadline=None)
@given(
    patterns(),
    st.integers(1, 9),
    st.sampled_from(["", "Task: push.", "a -> b\n\n| 1 2 ->"]),
    st.sampled_from([Wire.JSON, Wire.COMPLETION]),
)
def test_what_was_written_is_read_back(pattern, digits, description, wire):
    if wire == Wire.COMPLETION:
        # Were all numbers longer than the format's width, their quantum could not be known.
        assume(np.abs(numbers_of(pattern)).min() < 9.9)
        pattern = replace(pattern, own=pattern.own.take(np.empty(0, dtype=np.intp)))
    found, numbers = read_prompt(text_of(pattern, digits, description, wire))
    assert numbers.digits == digits
    require_alike(found, pattern, numbers.quantum)


def test_the_quantum_survives_a_majority_of_large_numbers():
    """The shortest number is as wide as the format, however many are longer."""
    pattern = Pattern(
        PatternLines((np.full((3, 1), 47.0), np.full((3, 1), -12.5)), np.full((3, 1), 31.25)),
        PatternLines((np.empty((0, 1)), np.empty((0, 1))), np.empty((0, 1))),
        (np.array([0.25]), np.array([-80.0])),
    )
    found, numbers = read_prompt(text_of(pattern, 3, wire=Wire.COMPLETION))
    assert numbers.digits == 3
    require_alike(found, pattern, numbers.quantum)


def test_lines_under_their_headings():
    found, numbers = read_prompt(slide())
    assert (len(found.shared), len(found.own), found.width, numbers.digits) == (3, 2, 2, 4)
    assert [len(group) for group in found.query] == [2, 3]


def test_without_an_example_the_outputs_are_like_the_first_group():
    found, _ = read_prompt(f"{OWN}\n+0100 -0200 | +0300 ->")
    assert (len(found.shared), len(found.own), found.width) == (0, 0, 2)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_ends_and_blanks_do_not_matter(ending):
    text = slide()
    other = text.replace("\n", f"  {ending}\t") + f"   {ending}{ending}"
    found, numbers = read_prompt(other)
    require_alike(found, read_prompt(text)[0], numbers.quantum)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no line to complete"),
        ("Hello, who are you?", "no line to complete"),
        ("+0100 -> +0200", "no line to complete"),
        ("0100 ->", "no line to complete"),
        ("+0100 ->\n+0100 -> +0200", "line 2 comes after"),
        ("+0100 ->\n+0100 ->", "line 2 comes after"),
        ("+0100 -> +0200\n+0100 +0100 ->", "line 2 has other numbers"),
        ("+0100 | +0100 -> +0200\n+0100 +0100 -> +0200\n", "line 2 has other numbers"),
        ("+0100 -> +0200\n+0100 -> +0200 +0300\n+0100 ->", "line 2 has other numbers"),
        (f"{SHARED}\n+0100 -> +0200\n{OWN}\n+0100 | +0200 ->", "line 4 has other numbers"),
        ("+0100 -> +0200\n+0100 +0100 ->\nThank you.", "line 2 has other numbers"),
        ("+0100 -> +0200\n" * MAX_LINES + "+0100 ->", f"at most {MAX_LINES}"),
    ],
)
def test_prompts_that_are_refused(text, words):
    with pytest.raises(InvalidValue, match=words) as caught:
        read_prompt(text)
    assert "\n" not in str(caught.value)


def read_or_refused(text):
    """Read; a Pattern is finite and has the shape of its query."""
    message = ""
    try:
        found, numbers = read_prompt(text)
    except InvalidValue as exc:
        message = str(exc)
    assert "\n" not in message
    if message:
        return
    assert 1 <= numbers.digits <= 9
    for lines in (found.shared, found.own):
        assert [g.shape for g in lines.inputs] == [(len(lines), len(g)) for g in found.query]
        assert lines.outputs.shape == (len(lines), found.width)
        assert np.isfinite(lines.joined).all()
        assert np.isfinite(lines.outputs).all()
    assert np.isfinite(found.asked).all()


NUMBERS = ["+0100", "-0200", "+1", "0100", "+" + "9" * 300, "+" + "9" * 301, "+\u0664\u0664"]
MARKS = ["-", "+", "->", "|", " ", "  ", "\n", "\x00", "\u2028", "\ud800"]
PIECES = [*NUMBERS, *MARKS, "nan", SHARED, OWN]


@settings(max_examples=120, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=30).map("".join)))
@example("+" + "9" * 300 + " ->")
@example("+00 ->")
@example("->")
def test_any_text_is_a_pattern_or_refused(text):
    read_or_refused(text)


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_mutated_prompts_are_patterns_or_refused(data):
    text = slide()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 12))
        text = text[:at] + data.draw(st.sampled_from(["", *PIECES])) + text[at + cut :]
    read_or_refused(text)


@pytest.mark.parametrize(
    "unit",
    ["+0100 ", "+0100 | ", "+0100  \t ", " ", "+", "+0100 -> ", "9", "| ", "+1", "->",
     "+0100 -> +0200\n", "+0100 | +0100 -> +0200\n", "\n", f"{OWN}\n", "+01    "],
)  # fmt: skip
@pytest.mark.parametrize("end", ["", "x", "->", " ->"])
def test_reading_takes_linear_time(unit, end):
    """Ten times the text takes about ten times as long; quadratic would be a hundred."""

    def needed(length):
        return seconds(read_or_refused, unit * (length // len(unit)) + end)

    assert needed(60_000) < 40.0 * needed(6_000) + 0.02
