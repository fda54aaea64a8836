"""Requests for completions of text and of chats: the fields that count here, checked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from icpi_ros import __version__
from icpi_ros.llm.client.token_count import count_chat, count_tokens
from icpi_ros.llm.prompt.text import example_line, query_line
from icpi_ros.llm.prompt.tokens import ANSWER, excerpt

MODEL = "icpi-in-context"
DESCRIPTION = "not a language model: it completes number patterns"
MAX_CHOICES = 128
MAX_STOPS = 4
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
class ServedModel:
    """The model behind an endpoint, as it says itself.

    Attributes:
        name: in every answer.
        description: one line: is it a language model, which one.
        is_language_model: False for the stand-in.
        owner: of the model, as OpenAI's list of models has it.
        alias: another name under which it may be asked; "" = none.
    """

    name: str
    description: str
    is_language_model: bool
    owner: str
    alias: str = ""

    @property
    def line(self) -> str:
        """The model and its description, for people."""
        return f"model {self.name} ({self.description})"

    @property
    def card(self) -> dict[str, Any]:
        """The model as an entry of OpenAI's list of models."""
        return {
            "id": self.name,
            "object": "model",
            "created": 0,
            "owned_by": self.owner,
            "language_model": self.is_language_model,
            "description": self.description,
            "version": __version__,
        }

    def require(self, asked: Any) -> None:
        """Check that a request is for this model.

        Raises:
            Refused: it names none, or another.
        """
        if not isinstance(asked, str) or not asked:
            raise Refused(f"model is missing: this server has {self.name}", "model")
        if asked not in (self.name, self.alias):
            message = f"the model {excerpt(asked)!r} does not exist: this server has {self.line}"
            raise Refused(message, "model", "model_not_found", 404)


STAND_IN = ServedModel(MODEL, DESCRIPTION, False, "icpi_ros")


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
class PatternRequest:
    """A checked request for the outputs of one line.

    Attributes:
        prompt: text with the lines.
        source: field that holds it.
        tokens: of the whole request.
        form: of the answer.
        n: choices wanted, 1 to 128.
        temperature: 0 = the mean; above: draws with so many times the standard deviation.
        seed: of the draws; None = they follow from the prompt.
        limit: most tokens of an answer; None = no limit.
        stop: texts before which an answer ends.
    """

    prompt: str
    source: str
    tokens: int
    form: Form
    n: int
    temperature: float
    seed: int | None
    limit: int | None
    stop: tuple[str, ...]

    @classmethod
    def chat(cls, body: bytes) -> PatternRequest:
        """Read a request for the next message of a chat; fields that are not known are ignored.

        Raises:
            Refused: it is not answered; the message is one line.
        """
        fields = _common(body)
        messages = _messages(fields.get("messages"))
        instructions = [content for role, content in messages if role in ("system", "developer")]
        form = _form(fields.get("response_format"), any(map(_JSON.search, instructions)))
        tokens = count_chat([{"content": content} for _, content in messages])
        return cls(_lines(messages), "messages", tokens, form, **_sampling(fields))

    @classmethod
    def completion(cls, body: bytes) -> PatternRequest:
        """Read a request for the continuation of a text, as :meth:`chat` does.

        Raises:
            Refused: it is not answered; the message is one line.
        """
        fields = _common(body)
        prompt = fields.get("prompt")
        if isinstance(prompt, list) and len(prompt) == 1:
            prompt = prompt[0]
        if not isinstance(prompt, str):
            raise Refused("prompt is not a text, or a list of one", "prompt")
        tokens = count_tokens(prompt)
        return cls(prompt, "prompt", tokens, Form(key=None), **_sampling(fields))


def _common(body: bytes) -> dict[str, Any]:
    """Return the fields of a request to the stand-in."""
    fields = read_fields(body)
    STAND_IN.require(fields.get("model"))
    return fields


def _sampling(fields: dict[str, Any]) -> dict[str, Any]:
    limits = [whole(fields, name, None, 1) for name in LIMITS]
    return {
        "n": whole(fields, "n", 1, 1, MAX_CHOICES) or 1,
        "temperature": _temperature(fields.get("temperature")),
        "seed": whole(fields, "seed", None, -_SEED_RANGE, _SEED_RANGE - 1),
        "limit": min((limit for limit in limits if limit is not None), default=None),
        "stop": _stop(fields.get("stop")),
    }


def _stop(value: Any) -> tuple[str, ...]:
    texts = [] if value is None else value if isinstance(value, list) else [value]
    if len(texts) > MAX_STOPS or not all(isinstance(text, str) and text for text in texts):
        raise Refused(f"stop: allowed are a text or a list of at most {MAX_STOPS}", "stop")
    return tuple(texts)


def _lines(messages: list[tuple[str, str]]) -> str:
    """Return the text to complete: the turns of the chat as lines, or its last user message.

    The examples are turns if every user message is the left side of a line, and all but the last
    one are answered by the outputs.
    """
    asked = [n for n, (role, _) in enumerate(messages) if role == "user"]
    if not asked:
        raise Refused('messages holds none of role "user": nothing to complete', "messages")
    turns = [_turn(messages[n : n + 2]) for n in asked[:-1]]
    last = messages[asked[-1]][1]
    query = query_line(last)
    if query is None or None in turns:
        return last
    return "\n".join([*filter(None, turns), query])


def _turn(pair: list[tuple[str, str]]) -> str | None:
    """Return a question and its answer as a line; None = they are no example."""
    (_, left), (role, right) = pair
    return example_line(left, right) if role == "assistant" else None


LIMITS = ("max_tokens", "max_completion_tokens")


def read_fields(body: bytes) -> dict[str, Any]:
    """Return the fields of a request that does not ask for a stream.

    Raises:
        Refused: the body is no JSON object, or a stream is asked for.
    """
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise Refused(f"the body is not JSON: {excerpt(str(exc), 100)}") from None
    if not isinstance(fields, dict):
        raise Refused("the body is not a JSON object")
    if fields.get("stream"):
        raise Refused("stream is not offered: ask without it", "stream")
    return fields


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


def whole(
    fields: dict[str, Any], name: str, default: int | None, low: int, high: int = 2**31
) -> int | None:
    """Return an integer from ``low`` to ``high``, or ``default`` where there is none.

    Raises:
        Refused: anything else.
    """
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
    least = whole(spec, "minItems", 0, 0) or 0
    return Form(lists[0], least, whole(spec, "maxItems", None, 0))


def _is_list(spec: Any) -> bool:
    return isinstance(spec, dict) and spec.get("type") == "array"
