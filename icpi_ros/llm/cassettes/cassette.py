"""Completions recorded in a file and played back: the same run again, without the model.

The file holds JSON lines and only ever grows; processes that record into one file at the same
time take turns.  URL, headers and keys are never in it.  A packed one is replayed only.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icpi_ros.core.errors import (
    BudgetSpent,
    CompletionFailed,
    NotOnCassette,
    UsageError,
)
from icpi_ros.core.files import open_private, require_regular
from icpi_ros.core.redact import redact_text
from icpi_ros.llm.cassettes.file import CassetteFile, cassette_file
from icpi_ros.llm.client.budget import Meter, Spending, failure_details, spent_of
from icpi_ros.llm.client.completer import Completer, Completion, CompletionRequest, Token, Wire

AUTO, REPLAY = "auto", "replay"
MODES = (AUTO, REPLAY)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cassette:
    """A file of recorded completions.

    Attributes:
        path: of the file.
        mode: ``auto`` asks the model for what is missing or had failed, and records it;
            ``replay`` never asks.
    """

    path: Path
    mode: str = AUTO

    def __post_init__(self) -> None:
        """Read the file.

        Raises:
            UsageError: unknown mode; the file is missing (replay), cannot be written or is packed
                (auto), or is no cassette.
        """
        if self.mode not in MODES:
            raise UsageError(
                f"cassette mode {redact_text(self.mode)!r}: choose from {', '.join(MODES)}"
            )
        self._check_access()
        self.file.refresh()
        if self.mode == AUTO and self.file.is_packed:
            raise UsageError(
                f"the cassette {self.path} is packed, nothing can be recorded into it: replay it "
                "with cassette_mode=replay, or record into another file"
            )

    @property
    def file(self) -> CassetteFile:
        """Entries of the file, shared by all cassettes of that path in this process."""
        return cassette_file(self.path.expanduser().resolve())

    def _check_access(self) -> None:
        path = self.path.expanduser()
        try:
            if self.mode != AUTO or path.exists():
                require_regular(path)
            (open_private(path, "ab") if self.mode == AUTO else path.open("rb")).close()
        except (OSError, ValueError) as exc:
            what = "cannot read the cassette"
            if self.mode == AUTO:
                what = "cannot write the cassette"
            why = exc.strerror if isinstance(exc, OSError) else "not a file name"
            advice = " (cassette_mode=replay would only read it)" if self.mode == AUTO else ""
            raise UsageError(f"{what} {path}: {why}{advice}") from None


class RecordedCompleter:
    """A completer that answers from a cassette where it can.

    Equal requests are distinguished by their order, counted from the making of this object; so a
    run that is repeated with a new one gets the same answers.
    """

    def __init__(
        self, inner: Completer | None, cassette: Cassette, model: str, meter: Meter
    ) -> None:
        """Make a completer.

        Args:
            inner: asked for what the cassette lacks; None = it never is.
            cassette: the file and what may be done with it.
            model: name on the wire.
            meter: charged what was recorded; ``inner`` charges it for what it asks.
        """
        self._inner = inner if cassette.mode == AUTO else None
        self._cassette, self._model, self._meter = cassette, model, meter
        self._seen: Counter[str] = Counter()
        self._lock = threading.Lock()

    def complete(self, request: CompletionRequest, until: float) -> Completion:
        """Return the recorded completion, else the model's; see :meth:`Completer.complete`."""
        key, occurrence = self._identify(request)
        found = self._find(key, occurrence)
        if found and (self._inner is None or "texts" in found):
            return self._replay(found)
        if self._inner is None:
            path = self._cassette.path
            raise NotOnCassette(f"not on cassette {path}: request {key[:12]}, {occurrence + 1}.")
        return self._ask(self._inner, request, until, {"key": key, "occurrence": occurrence})

    def _identify(self, request: CompletionRequest) -> tuple[str, int]:
        """Return the request's key and how many equal ones there were before."""
        key = request_key(request, self._model)
        with self._lock:
            self._seen[key] += 1
            return key, self._seen[key] - 1

    def _find(self, key: str, occurrence: int) -> dict[str, Any] | None:
        try:
            self._cassette.file.refresh()
        except UsageError as exc:  # damaged or removed since this object was made
            raise CompletionFailed(str(exc)) from None
        return self._cassette.file.find(key, occurrence)

    def _replay(self, found: dict[str, Any]) -> Completion:
        spent = Spending.from_dict(found["spent"])
        self._meter.pay(spent)
        if "texts" not in found:
            failure = _ERRORS.get(found["error"], CompletionFailed)(found["line"])
            failure.details = failure_details(spent, found.get("tries", []))
            raise failure
        return Completion(
            texts=tuple(found["texts"]),
            spent=spent,
            model=found["model"],
            format=found["format"],
            tries=tuple(found["tries"]),
            wire=Wire(found.get("wire", Wire.JSON)),
            replayed=True,
            tokens=_tokens(found.get("tokens", [])),
        )

    def _ask(
        self, inner: Completer, request: CompletionRequest, until: float, place: dict[str, Any]
    ) -> Completion:
        """Ask the model and record what it answers, be it a failure."""
        try:
            completion = inner.complete(request, until)
        except (CompletionFailed, BudgetSpent) as exc:
            # A call that the budget forbade left nothing to repeat: it will forbid it again.
            if spent_of(exc).calls or isinstance(exc, CompletionFailed):
                self._record(place, request, _failure_content(exc))
            raise
        self._record(place, request, _completion_content(completion))
        return completion

    def _record(
        self, place: dict[str, Any], request: CompletionRequest, content: dict[str, Any]
    ) -> None:
        entry = place | {"request": request_content(request, self._model)} | content
        try:
            self._cassette.file.append(entry)
        except OSError as exc:  # the answer is worth more than its record
            _log.warning("cannot write the cassette %s: %s", self._cassette.path, exc.strerror)


_ERRORS: dict[str, type[CompletionFailed] | type[BudgetSpent]] = {
    "BudgetSpent": BudgetSpent,
    "CompletionFailed": CompletionFailed,
}


def request_content(request: CompletionRequest, model: str) -> dict[str, Any]:
    """Return the content by which requests differ."""
    content = dataclasses.asdict(request) | {"model": model}
    del content["largest"], content["otherwise"]  # follow from the pattern
    for name in ("logprobs", "words"):
        if not content[name]:  # the keys of other requests stay as they were
            del content[name]
    return content


def request_key(request: CompletionRequest, model: str) -> str:
    """Return the digest of a request to a model: the same on every machine."""
    content = json.dumps(
        request_content(request, model), sort_keys=True, separators=(",", ":"), ensure_ascii=True
    )
    return hashlib.sha256(content.encode("ascii")).hexdigest()


def _completion_content(completion: Completion) -> dict[str, Any]:
    content = dataclasses.asdict(completion) | {"spent": completion.spent.as_dict()}
    del content["replayed"], content["tokens"]
    if completion.tokens:
        content["tokens"] = [
            some and [[token.text, [list(option) for option in token.options]] for token in some]
            for some in completion.tokens
        ]
    return content


def _tokens(recorded: list[Any]) -> tuple[tuple[Token, ...] | None, ...]:
    return tuple(
        tuple(Token(text, tuple(map(tuple, options))) for text, options in some) if some else None
        for some in recorded
    )


def _failure_content(exc: CompletionFailed | BudgetSpent) -> dict[str, Any]:
    tries = list(exc.details.get("tries", ()))
    content = {"error": type(exc).__name__, "line": str(exc), "spent": spent_of(exc).as_dict()}
    return content | ({"tries": tries} if tries else {})
