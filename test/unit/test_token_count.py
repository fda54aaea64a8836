"""The estimate of tokens, against counts of real vocabularies, and its cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linear_time import seconds

from icpi_ros.llm.client.token_count import PER_MESSAGE, PER_REPLY, count_chat, count_tokens, cut
from icpi_ros.llm.prompt.text import INSTRUCTION

LINE = "+0512 -0031 | +0512 -1207 -> +0001 +12345"


@pytest.mark.parametrize(
    ("text", "tokens"),  # as both cl100k_base and o200k_base count
    [
        ("", 0),
        (INSTRUCTION, 107),
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


@given(st.text(max_size=300))
def test_any_text_has_a_count(text):
    bytes_ = len(text.encode("utf-8", "surrogatepass"))
    assert (count_tokens(text) == 0) == (text == "")
    assert count_tokens(text) <= bytes_


@given(st.text(max_size=100), st.integers(0, 40))
def test_a_cut_text_is_a_beginning_within_the_limit(text, tokens):
    short = cut(text, tokens)
    assert text.startswith(short)
    assert count_tokens(short) <= tokens
    assert (short == text) == (count_tokens(text) <= tokens)


def test_cut_keeps_what_fits():
    assert cut("+0512 -0031", 3) == "+0512"
    assert cut("+0512 -0031", 0) == ""


def test_a_chat_costs_its_texts_and_their_frames():
    texts = ("Complete the line.", LINE)
    expected = PER_REPLY + sum(PER_MESSAGE + count_tokens(text) for text in texts)
    assert count_chat([{"role": "user", "content": text} for text in texts]) == expected


@pytest.mark.parametrize("unit", ["a", " ", "\n", "9", "+", "a ", " \n", "\r", "\u4e2d", " +", "_"])
@pytest.mark.parametrize("end", ["", "x", "!"])
def test_counting_takes_linear_time(unit, end):
    def needed(length):
        return seconds(count_tokens, unit * (length // len(unit)) + end)

    assert needed(50_000) < 40.0 * needed(5_000) + 0.02
