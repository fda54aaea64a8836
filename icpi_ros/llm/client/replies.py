"""Responses of a Chat Completions server as replies: the texts of their choices, or why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeGuard

from icpi_ros.llm.client.bodies import BROKEN_OFF, Unreadable, read_document
from icpi_ros.llm.client.completer import Token
from icpi_ros.llm.client.objects import ends_whole

_MAX_NAME = 200
_UNKNOWN = 500
"""Status of an error that names none."""
_NAMED = {  # the first that fits counts
    "quota": 429,
    "rate_limit": 429,
    "ratelimit": 429,
    "too_many": 429,
    "exhausted": 429,
    "throttl": 429,
    "overloaded": 503,
    "unavailable": 503,
    "timeout": 504,
    "deadline_exceeded": 504,
    "authentication": 401,
    "unauthenticated": 401,
    "invalid_api_key": 401,
    "permission": 403,
    "not_found": 404,
    "notfound": 404,
    "invalid": 400,
    "bad_request": 400,
    "badrequest": 400,
    "context_length": 400,
}
"""HTTP statuses of errors by parts of their names."""
TOO_LONG = ("context_length_exceeded", "exceed_context_size_error")
"""Codes and types of errors about prompts that are longer than the context."""
_AT_LIMIT = "cut a reply off at the token limit"
_CUT = {
    "length": _AT_LIMIT,
    "max_tokens": _AT_LIMIT,
    "max_output_tokens": _AT_LIMIT,
    "model_length": _AT_LIMIT,
    "content_filter": "cut a reply off by a content filter",
    BROKEN_OFF: "broke a stream off within a reply",
}
"""Faults of texts that were cut off, by the reason of a choice to end."""
_LEAST = -9999.0
"""Logarithm of the probability of what is impossible, as OpenAI writes it."""
_OTHERS = (
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "thinking",
    "tool_calls",
    "function_call",
    "audio",
)
"""Fields of a message that can hold something while its content is empty."""


@dataclass(frozen=True)
class Tokens:
    """Tokens that a call was billed for.

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
        choices: number of choices, usable or not.
        faults: of choices, one line each.
        model: the model that answered, as the server calls it; None = not reported.
        tokens: None = no usable report of the server.
        likely: tokens of each text with their probabilities; None = not told, or not readable.
    """

    texts: tuple[str, ...]
    choices: int
    faults: tuple[str, ...] = ()
    model: str | None = None
    tokens: Tokens | None = None
    likely: tuple[tuple[Token, ...] | None, ...] = ()


def read_reply(body: bytes) -> Reply:
    """Take a response apart.

    Raises:
        Unreadable: it is no Chat Completions response with at least one choice, or an error.
    """
    document = read_document(body)
    if (error := _error_of(document)) is not None:
        raise _carried(error)
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices:
        lost = "choices" in document and not choices
        raise Unreadable("answered without choices", retry=lost)
    read = [_read_choice(choice) for choice in choices]
    texts = tuple(text for text, _ in read if text)
    errors = [error for choice in choices if (error := _choice_error(choice)) is not None]
    if errors and not texts:
        raise _carried(errors[0])
    return Reply(
        texts=texts,
        choices=len(choices),
        faults=tuple(fault for _, fault in read if fault),
        model=_name(document.get("model")),
        tokens=_read_usage(document.get("usage")),
        likely=tuple(
            _read_tokens(choice["logprobs"]) if choice.get("logprobs") else None
            for choice, (text, _) in zip(choices, read, strict=True)
            if text
        ),
    )


def _error_of(document: dict[str, Any]) -> Any:
    """Return the error that a response is, in any of the forms in use; None = it is none."""
    for name in ("error", "errors"):
        if document.get(name):
            return document[name]
    if "choices" in document:
        return None
    if document.get("object") == "error" or any(map(_is_status, _codes(document))):
        return document
    return document.get("detail")


def _choice_error(choice: Any) -> Any:
    if not isinstance(choice, dict):
        return None
    return choice.get("error") or ("error" if choice.get("finish_reason") == "error" else None)


def _carried(error: Any) -> Unreadable:
    """Return an error as the HTTP status that it carries; nothing of its own text is shown."""
    if isinstance(error, list) and error:
        error = error[0]
    fields = error if isinstance(error, dict) else {}
    names = " ".join(str(fields[key]).lower() for key in _CODES if key in fields)
    told = [int(code) for code in _codes(fields) if _is_status(code)]
    named = [status for part, status in _NAMED.items() if part in names]
    status = (told or named or [_UNKNOWN])[0]
    line = "answered HTTP 200 with an error"
    line += f" of status {status}" if told or named else " that names no status"
    no_quota, nameless = "insufficient_quota" in names, not (told or named)
    too_long = any(name in names.split() for name in TOO_LONG)
    return Unreadable(line, status, no_quota=no_quota, astray=nameless, too_long=too_long)


_CODES = ("code", "status", "status_code", "type")


def _codes(fields: dict[str, Any]) -> list[Any]:
    return [fields[key] for key in _CODES if key in fields]


def _is_status(value: Any) -> bool:
    """Return whether a value is an HTTP status of an error, as a number or a text."""
    if isinstance(value, str):
        return len(value) == 3 and value.isascii() and value.isdigit() and value[0] in "45"
    return isinstance(value, int) and 400 <= value < 600


def _read_choice(choice: Any) -> tuple[str | None, str | None]:
    """Return a choice's text, or None and what is wrong with it."""
    choice = choice if isinstance(choice, dict) else {}
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    reason = choice.get("finish_reason")
    if message.get("refusal"):
        return None, "refused: the model declined to answer"
    if _choice_error(choice) is not None:
        return None, "answered with an error in place of a choice"
    texts = [_text(holder.get(name)) for holder, name in ((message, "content"), (choice, "text"))]
    texts = [text for text in texts if text is None or text.strip()]
    if None in texts:
        return None, "answered with parts of text that divide a number"
    if not texts:
        return None, "answered without text" + _instead(message, reason)
    if any(text != texts[0] for text in texts):
        return None, "answered with two texts in one choice"
    cut = _CUT.get(reason.lower()) if isinstance(reason, str) else None
    if cut and not ends_whole(texts[0] or ""):
        # A draft is no answer, and the last number of such a text may lack digits.
        return None, cut
    return texts[0], None


def _read_tokens(told: Any) -> tuple[Token, ...] | None:
    """Return the tokens that a choice tells, in the form of chats or of old completions."""
    try:
        if "content" in told:
            entries = [
                (one["token"], [(o["token"], o["logprob"]) for o in one["top_logprobs"]])
                for one in told["content"]
            ]
        else:
            pairs = zip(told["tokens"], told["top_logprobs"], strict=True)
            entries = [(text, list((options or {}).items())) for text, options in pairs]
        return tuple(Token(text, tuple(map(_option, options))) for text, options in entries)
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


def _option(option: tuple[Any, Any]) -> tuple[str, float]:
    """Return a token and the logarithm of its probability, to 5 decimal places.

    Raises:
        ValueError: they are something else.
    """
    text, logprob = option
    number = isinstance(logprob, int | float) and not isinstance(logprob, bool)
    if not (isinstance(text, str) and number and logprob <= 0.01):  # NaN is refused, too
        raise ValueError
    return text, round(float(max(min(logprob, 0.0), _LEAST)), 5)  # an integer has no largest one


def _text(content: Any) -> str | None:
    """Return the text of a content, "" if it has none; None = its parts divide a number.

    Thoughts are parts of their own type, and left out.
    """
    if isinstance(content, str):
        return content
    text = ""
    for part in content if isinstance(content, list) else []:
        more = part.get("text") if isinstance(part, dict) else None
        if not isinstance(more, str) or part.get("type", "text") not in ("text", "output_text"):
            continue
        if text[-1:].isdigit() and more[:1].isdigit():
            return None
        text += more
    return text


def _instead(message: dict[str, Any], reason: Any) -> str:
    """Return what came in place of a text: the fields that hold something, the reason."""
    held = [name for name in _OTHERS if message.get(name)]
    if message.get("content") and not isinstance(message["content"], str):
        held.append("content in another form")
    said = f" in content, but with {' and '.join(held)}" if held else ""
    known = isinstance(reason, str) and reason.isidentifier() and len(reason) < 40
    return said + (f" (finish_reason {reason})" if known else "")


def _name(value: Any) -> str | None:
    """Return the name of a model as one short line; None where it is none."""
    return " ".join(value.split())[:_MAX_NAME] or None if isinstance(value, str) else None


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
    """Return whether a value is a believable number of tokens."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9
