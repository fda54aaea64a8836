"""Answers of a Chat Completions server, good and bad, for pytest-httpserver."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from werkzeug import Response

from icpi_ros.llm.client.completer import CompletionRequest, Prompt, Wire

PATH = "/v1/chat/completions"
KEY = "sk-marked-0123456789abcdef"
MESSAGES = [{"role": "user", "content": "+0001 ->"}]
REQUEST = CompletionRequest(Prompt(Wire.JSON, tuple(MESSAGES)), numbers=2)


def ask(completer, seconds=20.0, **changes):
    """The completion of :data:`REQUEST`, changed, within ``seconds``."""
    return completer.complete(replace(REQUEST, **changes), time.monotonic() + seconds)


def body(content, **extra):
    """A Chat Completions response with one choice."""
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "toy-model-1",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": content},
            }
        ],
        "usage": {"prompt_tokens": 300, "completion_tokens": 4, "total_tokens": 304},
    } | extra


def choices(*contents):
    """The choices of a response."""
    message = {"role": "assistant", "finish_reason": "stop"}
    return [
        {"index": i, "message": message | {"content": content}}
        for i, content in enumerate(contents)
    ]


def usage(prompt, completion, **extra):
    """What a server tells about tokens."""
    total = prompt + completion
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
    return counts | extra


def stall(released: threading.Event):
    """A handler that says nothing until ``released``, at most 10 s."""

    def handler(request):
        released.wait(10.0)
        return Response("{}", content_type="application/json")

    return handler


def drip(released: threading.Event):
    """A handler that sends a blank every 20 ms until ``released``, at most 10 s."""

    def blanks():
        for _ in range(500):
            if released.wait(0.02):
                return
            yield " "

    def handler(request):
        return Response(blanks(), content_type="application/json")

    return handler
