"""Marks with which models set their thoughts apart from their answer."""

from __future__ import annotations

import re

MAX_MARKS = 1000
"""Most marks of a reply: with more it is taken for one that does not end."""
_TAGS = "think|thinking|thought|thoughts|reason|reasoning|analysis|reflection|scratchpad"
_MARKS = re.compile(  # the marks that begin one first: other texts are passed over quickly
    r"[<\[\u25c1](?:"
    rf"(?<=<)\s*(?:seed:)?(?P<tag>{_TAGS})\b[^<>\n]*>?"
    rf"|(?<=<)\s*/\s*(?:seed:)?(?P<end>{_TAGS})\b[^<>\n]*>?"
    r"|(?P<bracket>(?<=\[)THINK\]|(?<=\u25c1)think\u25b7)"
    r"|(?P<bracket_end>(?<=\[)/THINK\]|(?<=\u25c1)/think\u25b7)"
    r"|(?<=<)(?P<token>\|(?:begin_of_thought|START_THINKING|think(?:ing)?)\|>|unused94>)"
    r"|(?<=<)(?P<token_end>\|(?:end_of_thought|END_THINKING|/think(?:ing)?)\|>|unused95>)"
    r"|(?<=<)(?P<gemma>\|channel>)|(?<=<)(?P<gemma_end>channel\|>))",
    re.IGNORECASE,
)
_CHANNEL = re.compile(
    r"<\|channel\|>\s*(\w*)[^<]*(?:<\|(?!message|channel)\w+\|>[^<]*)*<\|message\|>"
)
_SPOKEN = re.compile(r"\s*(?:analysis|commentary)(?=[A-Z\n\"'({])")
"""Beginning of a Harmony reply whose special tokens a server has dropped."""
_FINAL = "assistantfinal"
_FRAME = re.compile(r"<\|(?:start|end|return|call|message|channel)\|>")


class UnfinishedThought(Exception):
    """A reply whose thoughts do not end: nothing in it is an answer."""


def after_thoughts(reply: str) -> str:
    """Return the part of a reply behind its thoughts; all of it where there are none.

    Raises:
        UnfinishedThought: the reply ends within a thought.
    """
    return _after_marks(_final_channel(reply))


def _final_channel(reply: str) -> str:
    """Return the texts in the channel ``final`` of Harmony; other texts come back as they are."""
    if "<|channel|>" in reply:
        channels = list(_CHANNEL.finditer(reply))
        # An opening that does not fit the form is one, too: a header that was cut off.
        if len(channels) != reply.count("<|channel|>") or channels[-1][1] != "final":
            raise UnfinishedThought
        ends = [channel.start() for channel in channels[1:]] + [len(reply)]
        texts = [
            _FRAME.split(reply[channel.end() : end])[0]
            for channel, end in zip(channels, ends, strict=True)
            if channel[1] == "final"
        ]
        return "\n".join(texts)
    if _SPOKEN.match(reply) and _FINAL not in reply:
        raise UnfinishedThought
    return reply.rpartition(_FINAL)[2]


def _after_marks(reply: str) -> str:
    """Return the text behind the last closing mark; one may come without its opening."""
    opened: dict[str, int] = {}
    start = 0
    for number, mark in enumerate(_MARKS.finditer(reply)):
        if number == MAX_MARKS:
            raise UnfinishedThought
        kind = mark.lastgroup or ""
        name = mark[kind].lower() if kind in ("tag", "end") else kind.removesuffix("_end")
        if not kind.endswith("end"):
            opened[name] = opened.get(name, 0) + 1
            continue
        start = mark.end()
        opened[name] = max(opened.get(name, 0) - 1, 0)
    if any(opened.values()):
        raise UnfinishedThought
    return reply[start:]
