"""Estimate of the tokens of a text, offline, as byte-pair tokenisers of today count.

No vocabulary is needed: text is split as cl100k and o200k split it (digits in groups of up to
three, a blank joins the word or the punctuation after it), and a piece is charged by its length.

Measured against both vocabularies, with tiktoken: 50 prompts of the shipped data sets (124 to 977
tokens, 2 to 5 digits, up to 35 lines): at most 1.1 % off, 0.4 % on average.  English documentation
in Markdown is counted 5 % too low on average, 9 % at worst; other languages are a rough guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

PER_MESSAGE, PER_REPLY = 4, 3
"""Tokens that frame a message (its role is one of them), and the reply."""
FIRST_TOKEN_LETTERS, NEXT_TOKEN_LETTERS = 9, 5
"""ASCII letters of a word that is one token, and of each token after it."""
MARKS_PER_TOKEN = 3
"""Punctuation marks in one token."""
BLANKS_PER_TOKEN = 16
"""Whitespace characters in one token."""
BYTES_PER_TOKEN = 3
"""Bytes of UTF-8 in one token of a word that is not ASCII."""

_LETTERS = r"[^\W\d_]+"
_PIECE = re.compile(
    rf"(?P<word>(?:[^\w\r\n]|_)?{_LETTERS})"
    r"|(?P<digits>\d{1,3})"
    r"|(?P<marks>[ ]?(?:[^\s\w]|_)+[\r\n]*)"
    r"|(?P<blanks>\s*[\r\n]+|\s+(?!\S)|\s)"
    r"|(?P<other>.)",
    re.DOTALL,
)


def count_tokens(text: str) -> int:
    """Return the estimated number of tokens of ``text``; linear time, 0 for no text."""
    return sum(_tokens(piece) for piece in _PIECE.finditer(text))


def count_chat(messages: Sequence[Mapping[str, str]]) -> int:
    """Return the estimated tokens of the ``content`` of chat messages, framing included."""
    return PER_REPLY + sum(PER_MESSAGE + count_tokens(m["content"]) for m in messages)


def cut(text: str, tokens: int) -> str:
    """Return the beginning of ``text``, whole pieces, that has at most ``tokens``."""
    left = tokens
    for piece in _PIECE.finditer(text):
        left -= _tokens(piece)
        if left < 0:
            return text[: piece.start()]
    return text


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
