"""Replies, tokens and waiting of an improver's model in one condition and task."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from icpi_ros.llm.client.budget import Spending


@dataclass(frozen=True)
class ModelUse:
    """Sums over all adjustments for which a model was asked.

    Attributes:
        proposals: adjustments that a model answered, or failed to answer; the missing ones apart.
        wanted: replies; several per proposal where samples are fused.
        read: those that came and hold the numbers asked for.
        missing: adjustments with a question that a replayed cassette has no answer to: they say
            nothing of the model.
        tokens: of prompts and replies of ``proposals``, as the server reported.
        seconds: waiting for the model for ``proposals``, as recorded where it is replayed [s].
    """

    proposals: int = 0
    wanted: int = 0
    read: int = 0
    missing: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def __add__(self, other: ModelUse) -> ModelUse:
        """Return the sum."""
        return ModelUse(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def readable(self) -> float:
        """Share of the wanted replies that could be read, 0 to 1; NaN without any."""
        return self.read / self.wanted if self.wanted else math.nan

    @property
    def tokens_each(self) -> float:
        """Tokens of a proposal, in the mean; NaN without any."""
        return self.tokens / self.proposals if self.proposals else math.nan

    @property
    def seconds_each(self) -> float:
        """Waiting for the model in a proposal, in the mean [s]; NaN without any."""
        return self.seconds / self.proposals if self.proposals else math.nan


def model_use(rows: Iterable[Mapping[str, Any]]) -> dict[str, ModelUse]:
    """Return by improver what its model did; only those that asked one, none in older files."""
    found: dict[str, ModelUse] = {}
    for row in rows:
        if isinstance(row.get("asked"), dict):
            found[row["improver"]] = found.get(row["improver"], ModelUse()) + _of(row)
    return found


def _of(row: Mapping[str, Any]) -> ModelUse:
    asked, paid = row["asked"], row.get("spent")
    spent = Spending.from_dict(paid) if isinstance(paid, dict) else Spending()
    wanted, read = (int(asked.get(name, 0)) for name in ("wanted", "read"))
    if asked.get("missing", 0):
        return ModelUse(0, wanted, read, missing=1)
    return ModelUse(int(spent.calls > 0), wanted, read, 0, spent.tokens, spent.seconds)
