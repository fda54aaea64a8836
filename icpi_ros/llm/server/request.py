"""Chat Completions requests: the fields that count here, checked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from icpi_ros.llm.prompt.tokens import ANSWER, excerpt

MODEL = "icpi-in-context"
MAX_CHOICES = 128
MAX_TEMPERATURE = 2.0
"""Largest factor on the standard deviation of draws."""
_JSON = re.compile(r"\bjson\b", re.IGNORECASE)
_SEED_RANGE = 2**63


class Refused(Exception):
    """A request that is not answered; ``status`` is HTTP's, the rest is OpenAI's error object."""

    def __init__(
        self, message: str, param: str | None = None, code: str | None = None, status: int = 400
    ) -> None:
        """Make the error: what is wrong, what is allowed and, in ``param``, where."""
        super().__init__(message)
        self.message, self.param, self.code, self.status = message, param, code, status

    @property
    def body(self) -> dict[str, Any]:
        """The error as OpenAI writes it."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return {"error": error}


@dataclass(frozen=True)
class Form:
    """Notation of an answer.

    Attributes:
        key: name of the list in a JSON object; None = no JSON, numbers as in the prompt.
        least: fewest numbers that a schema allows, 0 = no such limit.
        most: most numbers that a schema allows; None = no such limit.
    """

    key: str | None = ANSWER
    least: int = 0
    most: int | None = None


@dataclass(frozen=True)
class ChatRequest:
    """A checked request.

    Attributes:
        contents: texts of all messages.
        prompt: text of the last user message.
        form: of the answer.
        n: choices wanted, 1 to 128.
        temperature: 0 = the mean; above: draws with so many times the standard deviation.
        seed: of the draws; None = they follow from the prompt.
        limit: most tokens of an answer; None = no limit.
    """

    contents: tuple[str, ...]
    prompt: str
    form: Form
    n: int
    temperature: float
    seed: int | None
    limit: int | None

    @classmethod
    def parse(cls, body: bytes) -> ChatRequest:
        """Read the body of a request; fields that are not known are ignored.

        Raises:
            Refused: it is not answered; the message is one line.
        """
        fields = _json(body)
        _require_model(fields.get("model"))
        if fields.get("stream"):
            raise Refused("stream is not offered: ask without it", "stream")
        messages = _messages(fields.get("messages"))
        asked = [content for role, content in messages if role == "user"]
        if not asked:
            raise Refused('messages holds none of role "user": nothing to complete', "messages")
        instructions = [content for role, content in messages if role in ("system", "developer")]
        limits = [_whole(fields, name, None, 1) for name in _LIMITS]
        return cls(
            contents=tuple(content for _, content in messages),
            prompt=asked[-1],
            form=_form(fields.get("response_format"), any(map(_JSON.search, instructions))),
            n=_whole(fields, "n", 1, 1, MAX_CHOICES) or 1,
            temperature=_temperature(fields.get("temperature")),
            seed=_whole(fields, "seed", None, -_SEED_RANGE, _SEED_RANGE - 1),
            limit=min((limit for limit in limits if limit is not None), default=None),
        )


_LIMITS = ("max_tokens", "max_completion_tokens")


def _json(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise Refused(f"the body is not JSON: {excerpt(str(exc), 100)}") from None
    if not isinstance(fields, dict):
        raise Refused("the body is not a JSON object")
    return fields


def _require_model(model: Any) -> None:
    if not isinstance(model, str) or not model:
        raise Refused(f"model is missing: this server has {MODEL}", "model")
    if model != MODEL:
        raise unknown_model(model)


def unknown_model(model: str) -> Refused:
    """Return the error about a model that this server does not have."""
    message = f"the model {excerpt(model)!r} does not exist: this server has {MODEL}"
    return Refused(message, "model", "model_not_found", 404)


def _messages(messages: Any) -> list[tuple[str, str]]:
    """Return (role, text) of every message."""
    if not isinstance(messages, list) or not messages:
        raise Refused("messages is missing: a list of {role, content}", "messages")
    return [_message(message, f"messages[{n}]") for n, message in enumerate(messages)]


def _message(message: Any, where: str) -> tuple[str, str]:
    if not isinstance(message, dict) or not isinstance(message.get("role"), str):
        raise Refused(f"{where} has no role: expected {{role, content}}", where)
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
    texts = [p["text"] for p in parts if isinstance(p, dict) and isinstance(p.get("text"), str)]
    if len(texts) != len(parts):
        raise Refused(f"{where}.content is not text: this model reads nothing else", where)
    return message["role"], "\n".join(texts)


def _whole(
    fields: dict[str, Any], name: str, default: int | None, low: int, high: int = 2**31
) -> int | None:
    value = fields.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Refused(f"{name} = {_shown(value)}: allowed are integers {low} to {high}", name)
    return value


def _temperature(value: Any) -> float:
    if value is None:
        return 0.0
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0.0 <= value <= MAX_TEMPERATURE:
        allowed = f"allowed are numbers 0 to {MAX_TEMPERATURE:g}"
        raise Refused(f"temperature = {_shown(value)}: {allowed}", "temperature")
    return float(value)


def _shown(value: Any) -> str:
    return excerpt(repr(value), 40)


def _form(wanted: Any, json_asked: bool) -> Form:
    forms: dict[Any, Callable[[], Form]] = {
        "text": lambda: Form() if json_asked else Form(key=None),
        "json_object": Form,
        "json_schema": lambda: _schema_form(wanted.get("json_schema")),
    }
    kind = "text" if wanted is None else wanted.get("type") if isinstance(wanted, dict) else None
    if not isinstance(kind, str) or kind not in forms:
        raise Refused(f"response_format.type: allowed are {', '.join(forms)}", "response_format")
    return forms[kind]()


def _schema_form(wrapped: Any) -> Form:
    """Return the form that a schema asks for, by its single required list."""
    schema = wrapped.get("schema") if isinstance(wrapped, dict) else None
    if not isinstance(schema, dict):
        raise Refused("response_format.json_schema.schema is missing", "response_format")
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict) or not isinstance(required, list):
        return Form()
    lists = [key for key in required if isinstance(key, str) and _is_list(properties.get(key))]
    if len(lists) != 1:
        return Form()
    spec = properties[lists[0]]
    least = _whole(spec, "minItems", 0, 0) or 0
    return Form(lists[0], least, _whole(spec, "maxItems", None, 0))


def _is_list(spec: Any) -> bool:
    return isinstance(spec, dict) and spec.get("type") == "array"
