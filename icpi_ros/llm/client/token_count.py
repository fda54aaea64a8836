"""Estimate of the tokens of a text, offline, by kind of tokeniser.

No vocabulary is needed: text is split as byte-pair tokenisers of today split it (a blank joins the
word or the punctuation after it), and a piece is charged by its length.  What differs most between
them is digits, hence :class:`Tokeniser`.

Measured on 30 prompts of the seven shipped data sets (2 to 5 digits, 0 to 40 examples, all three
wires), counted by the vocabularies of SmolLM2, Gemma, Qwen, cl100k and o200k: at most 3.3 % off;
English in Markdown up to 10 %, once 29 % (a table of names with underscores); docs/endpoints.md has
the table.  Chats include the framing of each model's template, for cl100k and o200k by OpenAI's
formula.  Other languages are a rough guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum


class Tokeniser(StrEnum):
    """Kind of a tokeniser: how it splits digits.  Values are those of ``tokeniser:``."""

    PER_DIGIT = "per-digit"
    """Each digit is a token: SmolLM2, Gemma, Qwen and most small models."""
    PER_THREE_DIGITS = "per-three-digits"
    """Digits in groups of up to three: cl100k and o200k of OpenAI, Llama 3."""


PER_MESSAGE = {Tokeniser.PER_DIGIT: 5, Tokeniser.PER_THREE_DIGITS: 4}
"""Tokens that frame a message of a chat (its role is one of them)."""
PER_REPLY = 3
"""Tokens that begin the reply."""
FIRST_TOKEN_LETTERS, NEXT_TOKEN_LETTERS = 9, 5
"""ASCII letters of a word that is one token, and of each token after it."""
MARKS_PER_TOKEN = 3
"""Punctuation marks in one token."""
BLANKS_PER_TOKEN = 16
"""Whitespace characters in one token."""
BYTES_PER_TOKEN = 3
"""Bytes of UTF-8 in one token of a word that is not ASCII."""
DIGITS_PER_TOKEN = {Tokeniser.PER_DIGIT: 1, Tokeniser.PER_THREE_DIGITS: 3}
"""Digits in one token."""
ANSWER_FRAME, NUMBER_FRAME = 16, 4
"""Tokens of an answer around its numbers (key, brackets, fence), and between two of them at most:
comma, end of line, indent and sign, as Gemma writes JSON in several lines."""

_LETTERS = r"[^\W\d_]+"


def _pieces(joins: str, digits: int) -> re.Pattern[str]:
    """Return the pattern of pieces, where ``joins`` may begin a word, of so many digits at most."""
    return re.compile(
        rf"(?P<word>(?:{joins})?{_LETTERS})"
        rf"|(?P<digits>\d{{1,{digits}}})"
        r"|(?P<marks>[ ]?(?:[^\s\w]|_)+[\r\n]*)"
        r"|(?P<blanks>\s*[\r\n]+|\s+(?!\S)|\s)"
        r"|(?P<other>.)",
        re.DOTALL,
    )


# Gemma and SmolLM2 join a blank to a word and no other mark; Qwen is in between.
_JOINS = {Tokeniser.PER_DIGIT: r"[ \t]", Tokeniser.PER_THREE_DIGITS: r"[^\w\r\n]|_"}
_PIECES = {kind: _pieces(_JOINS[kind], DIGITS_PER_TOKEN[kind]) for kind in Tokeniser}


def count_tokens(text: str, kind: Tokeniser = Tokeniser.PER_THREE_DIGITS) -> int:
    """Return the estimated number of tokens of ``text``; linear time, 0 for no text."""
    return sum(_tokens(piece) for piece in _PIECES[kind].finditer(text))


def count_chat(
    messages: Sequence[Mapping[str, str]], kind: Tokeniser = Tokeniser.PER_THREE_DIGITS
) -> int:
    """Return the estimated tokens of the ``content`` of chat messages, framing included."""
    frames = PER_REPLY + PER_MESSAGE[kind] * len(messages)
    return frames + sum(count_tokens(message.get("content", ""), kind) for message in messages)


def cut(text: str, tokens: int, kind: Tokeniser = Tokeniser.PER_THREE_DIGITS) -> str:
    """Return the beginning of ``text``, whole pieces, that has at most ``tokens``."""
    left = tokens
    for piece in _PIECES[kind].finditer(text):
        left -= _tokens(piece)
        if left < 0:
            return text[: piece.start()]
    return text


def answer_tokens(numbers: int, width: int, kind: Tokeniser = Tokeniser.PER_THREE_DIGITS) -> int:
    """Return the tokens that an answer needs at most, as pattern text or JSON; no thoughts.

    Args:
        numbers: how many integers.
        width: characters of the longest one, its sign included.
        kind: of the tokeniser.
    """
    digits = -(-(width - 1) // DIGITS_PER_TOKEN[kind])
    return ANSWER_FRAME + numbers * (digits + NUMBER_FRAME)


def _tokens(piece: re.Match[str]) -> int:
    kind, length = piece.lastgroup, piece.end() - piece.start()
    if kind == "digits":
        return 1
    if kind == "marks":
        return -(-len(piece[0].strip()) // MARKS_PER_TOKEN)
    if kind == "blanks":
        return -(-length // BLANKS_PER_TOKEN)
    if not piece[0].isascii():
        return -(-len(piece[0].encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)
    return 1 + max(0, -(-(length - FIRST_TOKEN_LETTERS) // NEXT_TOKEN_LETTERS))
