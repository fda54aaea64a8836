"""Replies in every shape that servers and models give them, with what must come of each.

As a program, ``python test/reply_shapes.py [NUMBER]`` reads so many of them (100,000 by default),
one half of them with bytes changed at random, and counts.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter

from icpi_ros.core.errors import CompletionFailed
from icpi_ros.llm.client.bodies import Unreadable
from icpi_ros.llm.client.replies import read_reply
from icpi_ros.llm.prompt.tokens import read_numbers

QUERY = ((100.0, -200.0), (300.0, 400.0))
LINE = "+0100 -0200 | +0300 +0400 ->"
OTHER = "+0111 -0222 | +0333 +0444 ->"
DRAFT = [7, 8]
"""Numbers that are never an answer."""
OPENINGS = ["<think>", "<thinking>", "<Thought>", "<reasoning>", "[THINK]", "<|channel>thought\n"]
CLOSINGS = ["</think>", "</thinking>", "</thought>", "</reasoning>", "[/THINK]", "<channel|>"]
ANALYSIS = "<|channel|>analysis<|message|>"
FINAL = "<|end|><|start|>assistant<|channel|>final<|message|>"


def answers(rng, numbers):
    """A reply that answers with ``numbers``, in one of many forms."""
    one, two = numbers
    plain, signed = json.dumps({"output": numbers}), f"{one:+05d} {two:+05d}"
    spaced = json.dumps({"thought": {"x": DRAFT}, "output": numbers}, indent=rng.choice([None, 2]))
    return rng.choice(
        [
            plain,
            spaced,
            signed,
            f"{LINE} {signed}",
            f"-> {signed}",
            f"[{one}, {two}]",
            f"```json\n{plain}\n```",
            f"Here it is: {plain}",
            f'{{"output": "{signed}"}}',
            f"{OTHER} +0007 +0008\n{LINE} {signed}",
            f"{signed}\n{OTHER} +0007 +0008",
        ]
    )


def good_text(rng, numbers):
    """A reply that answers, perhaps behind a thought that ended."""
    answer, draft = answers(rng, numbers), answers(rng, DRAFT)
    kind = rng.randrange(len(OPENINGS))
    return rng.choice(
        [
            answer,
            f"{OPENINGS[kind]}{draft}{CLOSINGS[kind]}\n{answer}",
            f"{draft}</think>\n{answer}",
            f"{ANALYSIS}{draft}{FINAL}{answer}",
            f"analysisMaybe {draft}.assistantfinal{answer}",
        ]
    )


def bad_text(rng):
    """A reply that holds a draft, an echo or two answers, but no answer."""
    draft, (one, two) = answers(rng, DRAFT), DRAFT
    return rng.choice(
        [
            f"{rng.choice(OPENINGS)}{draft}",
            f"{ANALYSIS}{draft}",
            f"analysisMaybe {draft}",
            f"{OTHER} {one:+05d} {two:+05d}",
            f"x | y -> {one} {two}",
            "[300, 400]",
            "100 -200",
            '{"output": [7, 8], "output": [8, 7]}',
            '{"output": [7, 8]} or {"output": [8, 7]}',
            '{"output": [300, 400]}',
            f"{LINE} +0300 +0400",
            f"<think>a</think><think>{draft}",
            '{"a": {"output": [7, 8]}, "output": [8, 7]}',
            "7.0 8.0",
            "[7, 8",
            "I cannot.",
        ]
    )


def whole(content, reason="stop", **fields):
    message = {"role": "assistant", "content": content} | fields
    return json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": reason}]})


def events(rng, text, ended=True):
    """A reply as a stream of events, cut into pieces anywhere."""
    cuts = sorted(rng.sample(range(len(text) + 1), min(3, len(text))))
    bounds = list(zip([0, *cuts], [*cuts, len(text)], strict=True))
    chunks = [{"choices": [{"index": 0, "delta": {"content": text[a:b]}}]} for a, b in bounds]
    if ended:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    lines = [f"data: {json.dumps(chunk)}" for chunk in chunks]
    return rng.choice(["\n\n", "\r\n\r\n"]).join([*lines, *["data: [DONE]"] * ended, ""])


def wrapped(rng, text):
    """A response that holds a reply, in one of many forms."""
    thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": str(DRAFT)}]}]
    parts = [*rng.choice([[], thinking]), {"type": "text", "text": text}]
    body = rng.choice(
        [
            whole(text),
            whole(parts),
            whole(text, reasoning_content=str(DRAFT)),
            events(rng, text),
            json.dumps({"choices": [{"text": text, "index": 0, "finish_reason": "stop"}]}),
            f"data: {whole(text)}\n\ndata: [DONE]\n\n",
            whole(text) + "\n\ndata: [DONE]",
        ]
    )
    return rng.choice(["", "", "\ufeff", "\n\n  \n", ": PROCESSING\n\n: x\n", "\r\n"]) + body


def refused(rng):
    """A response without any answer, whatever it holds."""
    draft = answers(rng, DRAFT)
    error = rng.choice([{"code": 429}, {"code": "502"}, "stopped", {"type": "overloaded_error"}])
    cut = f"maybe {draft} but the slope of the others is"
    return rng.choice(
        [
            wrapped(rng, bad_text(rng)),
            json.dumps({"error": error}),
            whole(cut, "length"),
            "",
            "{}",
            '{"choices": null}',
            '{"choices": []}',
            whole(None, reasoning_content=draft),
            whole("", reasoning=draft),
            whole(None, tool_calls=[{"arguments": draft}]),
            ": x\n\n",
            events(rng, cut, ended=False),
            f"data: {json.dumps({'error': error})}\n\n",
            whole(draft)[:-1] + f', "error": {json.dumps(error)}}}',
            whole(cut, "max_tokens"),
            '{"choices": [{"error": {"code": 502}, "finish_reason": "error"}]}',
            f"<html>{draft}",
        ]
    )


def read(body):
    """The numbers of a response; None = it was refused."""
    try:
        reply = read_reply(body)
        assert reply.texts or reply.faults
        return read_numbers(reply.texts[0], 2, QUERY) if reply.texts else None
    except (CompletionFailed, Unreadable):
        return None


def changed(rng, body):
    """A body with some of its bytes replaced, put in or taken out."""
    data = bytearray(body)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(data) + 1)
        data[at : at + rng.randrange(3)] = rng.choice(
            [b"", b"<think>", b"->", b"{", b'"', b"\\", b"7", b"-", b"\n", b"\xff", b"data:", b":"]
        )
    return bytes(data)


def check(number, seed=0):
    """Read so many responses, each third good, refused and changed; the counts of what came."""
    rng, counts = random.Random(seed), Counter()
    for _ in range(number):
        wanted = [rng.randint(-1999, 1999), rng.randint(500, 1999)]
        good, bad = wrapped(rng, good_text(rng, wanted)), refused(rng)
        assert read(good.encode()) == wanted, good
        assert read(bad.encode()) is None, bad
        found = read(changed(rng, rng.choice([good, bad]).encode()))
        counts["changed and read" if found else "changed and refused"] += 1
    return counts + Counter({"answered": number, "refused": number})


if __name__ == "__main__":
    total = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    print(dict(check(-(-total // 3))))
