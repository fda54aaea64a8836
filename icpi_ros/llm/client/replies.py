"""A Chat Completions response taken apart; servers leave out or mistype anything."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, TypeGuard

_LONGEST_NAME = 200


class Unreadable(Exception):
    """A response without choices; the text continues "<endpoint> ..."."""


@dataclass(frozen=True)
class Tokens:
    """What a call was billed for.

    Attributes:
        prompt: tokens of the prompt.
        completion: tokens of the reply.
        cached: part of ``prompt`` that the server had cached.
    """

    prompt: int = 0
    completion: int = 0
    cached: int = 0


@dataclass(frozen=True)
class Reply:
    """One response.

    Attributes:
        texts: contents of the usable choices.
        choices: how many choices came, usable or not.
        faults: what was wrong with choices, one line each.
        model: the model that answered, as the server calls it; "" = it did not tell.
        tokens: None = the server told nothing usable.
    """

    texts: tuple[str, ...]
    choices: int
    faults: tuple[str, ...] = ()
    model: str = ""
    tokens: Tokens | None = None


def read_reply(body: bytes) -> Reply:
    """Take a response apart.

    Raises:
        Unreadable: it is no Chat Completions response with at least one choice.
    """
    document = _document(body)
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices:
        raise Unreadable("answered without choices")
    read = [_read_choice(choice) for choice in choices]
    return Reply(
        texts=tuple(text for text, _ in read if text),
        choices=len(choices),
        faults=tuple(fault for _, fault in read if fault),
        model=_name(document.get("model")),
        tokens=_read_usage(document.get("usage")),
    )


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        if not body.strip():
            raise Unreadable("answered with an empty response") from None
        if body.lstrip()[:1] in (b"{", b"["):
            raise Unreadable("answered with unreadable JSON (cut off or broken)") from None
        why = "answered with text that is not JSON: is the base URL right (most end in /v1)?"
        raise Unreadable(why) from None
    if not isinstance(document, dict):
        raise Unreadable("answered with JSON that is not an object")
    return document


def _read_choice(choice: Any) -> tuple[str, str]:
    """Return a choice's text, empty if there is none, and what is wrong with it, if anything."""
    choice = choice if isinstance(choice, dict) else {}
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    content, reason = message.get("content"), choice.get("finish_reason")
    if message.get("refusal"):
        return "", "refused: the model declined to answer"
    if not isinstance(content, str) or not content.strip():
        known = isinstance(reason, str) and reason.isidentifier() and len(reason) < 40
        return "", "answered without text" + (f" (finish_reason {reason})" if known else "")
    if reason == "length" and not set(content) & set("]}"):
        # The last number of such a text may lack digits.
        return "", "cut a reply off at the token limit"
    return content, ""


def _name(value: Any) -> str:
    """Return the name of a model as one short line."""
    return " ".join(value.split())[:_LONGEST_NAME] if isinstance(value, str) else ""


def _read_usage(usage: Any) -> Tokens | None:
    """Return the token counts; None unless both that matter are numbers that can be."""
    if not isinstance(usage, dict):
        return None
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not (_is_count(prompt) and _is_count(completion)):
        return None
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    return Tokens(prompt, completion, min(cached, prompt) if _is_count(cached) else 0)


def _is_count(value: Any) -> TypeGuard[int]:
    """Tell whether a value is a believable number of tokens."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9
