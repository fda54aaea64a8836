"""Sections of a run's page on its model, its times and its arm; empty where nothing is known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from icpi_ros.core.types import Trial
from icpi_ros.llm.client.budget import Spending
from icpi_ros.report.page import (
    Cell,
    TableColumn,
    folded,
    joined,
    paragraph,
    preformatted,
    table,
)
from icpi_ros.report.run.text import spending_line


def model_section(trials: Sequence[Trial], spent: Spending) -> Markup:
    """Return the requests of a run's last attempts to its model; ``spent`` is that of all.

    Empty where none was asked.
    """
    asked = [trial for trial in trials if trial.proposal.details.get("exchanges")]
    if not asked:
        return Markup("")
    return (
        paragraph(f"In all: {spending_line(spent)}.")
        + _spending(asked)
        + joined(_questions(trial) for trial in asked)
    )


def _spending(trials: Sequence[Trial]) -> Markup:
    columns = [
        TableColumn("trial"),
        TableColumn("calls", "HTTP requests, retries included"),
        TableColumn("prompt tokens"),
        TableColumn("reply tokens"),
        TableColumn("cached", "part of the prompt tokens"),
        TableColumn("seconds", "waiting for the model"),
        TableColumn("money", "by the price table in models.yaml"),
        TableColumn("spread", "of several answers, per parameter"),
        TableColumn("model", numeric=False),
    ]
    rows = [_model_row(trial) for trial in trials]
    return table(columns, rows, "what the model cost")


def _model_row(trial: Trial) -> list[Cell]:
    details = trial.proposal.details
    spent = Spending.from_dict(details.get("spent", {}))
    known = spent.money == spent.money
    counts = (spent.calls, spent.prompt_tokens, spent.completion_tokens, spent.cached_tokens)
    spread = ", ".join(f"{value:.3g}" for value in details.get("spread", ()) if value is not None)
    return [
        Cell(str(trial.number), trial.number),
        *(Cell(str(count), count) for count in counts),
        Cell(f"{spent.seconds:.3f}", spent.seconds),
        Cell(f"{spent.money:.6g}", spent.money) if known else Cell("unknown"),
        Cell(spread or "-"),
        Cell(str(details.get("model", "")) or "-"),
    ]


def _questions(trial: Trial) -> Markup:
    exchanges: Sequence[Mapping[str, Any]] = trial.proposal.details["exchanges"]
    text = "\n\n".join(map(_exchange, exchanges))
    return folded(f"Trial {trial.number}: prompts and replies", preformatted(text))


def _exchange(exchange: Mapping[str, Any]) -> str:
    replayed = " (from a cassette)" if exchange.get("replayed") else ""
    wire = f", wire {exchange['wire']}" if "wire" in exchange else ""
    parts = [f"[{exchange.get('purpose')}{wire}]{replayed}"]
    parts += [str(exchange["prompt"])] if "prompt" in exchange else []
    parts += [f"{m['role']}: {m['content']}" for m in exchange.get("messages", ())]
    parts += [f"reply: {text}" for text in exchange.get("replies", ())]
    parts += [f"refused: {why}" for why in exchange.get("refused", ())]
    parts += [f"on the way: {why}" for why in exchange.get("tries", ())]
    failed = "not on cassette" if exchange.get("missing") else "failed"
    parts += [f"{failed}: {exchange['failed']}"] if "failed" in exchange else []
    return "\n".join(parts)


def timing_section(trials: Sequence[Trial]) -> Markup:
    """Return a table of times [s], a row per trial; ``-`` = not known."""
    columns = [
        TableColumn("trial"),
        TableColumn("proposal [s]", "wall time of the improver"),
        TableColumn("moving [s]", "arm motions and settling, in the arm's own time"),
        TableColumn("seen [s]", "length of the object's path"),
        TableColumn("trial [s]", "wall time of the whole trial"),
        TableColumn("improver", numeric=False),
    ]
    return table(columns, [_timing_row(trial) for trial in trials], "timings") + _sum(trials)


def _timing_row(trial: Trial) -> list[Cell]:
    path = trial.trajectory
    seen = float(path.times[-1]) if path is not None and len(path.times) else math.nan
    return [
        Cell(str(trial.number), trial.number),
        _number(trial.proposal.latency, 4),
        _number(trial.moving),
        _number(seen),
        _number(trial.seconds),
        Cell(trial.proposal.provenance),
    ]


def _sum(trials: Sequence[Trial]) -> Markup:
    proposing = sum(trial.proposal.latency for trial in trials)
    known = [trial.seconds for trial in trials if math.isfinite(trial.seconds)]
    whole = f" of {sum(known):.1f} s in all" if known else ""
    return paragraph(f"The improver took {proposing:.3f} s{whole}.", "note")


def tracking_table(trials: Sequence[Trial]) -> Markup:
    """Return a table, a row per trial; empty where no trial knows of an arm (in-process runs)."""
    known = [trial for trial in trials if trial.tracking.motion]
    if not known:
        return Markup("")
    columns = [
        TableColumn("trial"),
        TableColumn("last command", numeric=False),
        TableColumn("error [rad]", "largest distance of a joint from its path"),
        TableColumn("joint", numeric=False),
        TableColumn("at [s]", "when, since the start of that motion, in the arm's own time"),
    ]
    return table(columns, [_tracking_row(trial) for trial in known], "tracking")


def _tracking_row(trial: Trial) -> list[Cell]:
    tracking = trial.tracking
    return [
        Cell(str(trial.number), trial.number),
        Cell(tracking.motion),
        _number(tracking.error, 4),
        Cell(tracking.joint or "-"),
        _number(tracking.time),
    ]


def _number(value: float, digits: int = 2) -> Cell:
    return Cell(f"{value:.{digits}f}", value) if math.isfinite(value) else Cell("-")
