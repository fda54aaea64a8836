"""A stored run as one HTML page: verdict, pictures, table, predictions, and its configuration.

Sections with nothing in them are left out.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from icpi_ros.core.plugins import as_options
from icpi_ros.core.types import Array, Trial, TrialStatus
from icpi_ros.core.units import millimetres
from icpi_ros.llm.client.budget import Spending
from icpi_ros.report.page import (
    Cell,
    TableColumn,
    document,
    figure,
    figures,
    folded,
    items,
    joined,
    navigation,
    paragraph,
    preformatted,
    section,
    table,
)
from icpi_ros.report.picture import plot_svg
from icpi_ros.report.run.remarks import belief_lines, remark_lines
from icpi_ros.report.run.text import learned_lines, mixed_lines, prediction, spending_line
from icpi_ros.runs.picture import draw_costs, draw_goal, draw_paths, near_goal
from icpi_ros.runs.setup import RANDOM
from icpi_ros.runs.store.records import RunRecord
from icpi_ros.runs.verdict import verdict
from icpi_ros.tasks.base import Task


@dataclass(frozen=True)
class PageSection:
    """Section that only some pages have; ``markup`` is made with the kit of report/page.py."""

    key: str
    heading: str
    markup: Markup


def run_page(
    record: RunRecord,
    task: Task,
    trials: Sequence[Trial],
    goal: Array,
    spent: Spending,
    more: Sequence[PageSection] = (),
) -> str:
    """Return the page of one run.

    Args:
        record: the stored run.
        task: of the run.
        trials: last attempt of each, by number.
        goal: ``(g,)`` goal of the run.
        spent: on its model, by all attempts.
        more: sections before the last one.
    """
    config = record.config
    heading = f"{config.task} with {config.improver}"
    found = [
        PageSection("trials", "Trials", _trials(task, trials)),
        PageSection("predictions", "Predictions against outcomes", _predictions(trials)),
        PageSection("notes", "Fallbacks and failures", _notes(trials)),
        PageSection("model", "What the model was asked", model_section(trials, spent)),
        PageSection("timings", "Timings", timing_section(trials) if trials else Markup("")),
        PageSection("arm", "What the arm was commanded last", tracking_table(trials)),
        *more,
        PageSection("repeat", "Everything needed to repeat it", _repeat(record)),
    ]
    shown = [one for one in found if one.markup]
    parts = [
        paragraph(verdict(trials), "verdict"),
        _pictures(task, goal, trials) if trials else Markup(""),
        _lead(record, task, trials, goal),
        navigation((one.key, one.heading) for one in shown),
        *(section(one.key, one.heading, one.markup) for one in shown),
    ]
    return document(f"{heading}: {record.run_id}", parts, heading)


def _lead(record: RunRecord, task: Task, trials: Sequence[Trial], goal: Array) -> Markup:
    done = [trial for trial in trials if trial.status is TrialStatus.DONE]
    aim = ", ".join(
        f"{p.name} {p.text(value, 6)}"
        for p, value in zip(task.goal_space.parameters, goal, strict=True)
    )
    end = f"{record.state}: {record.note}" if record.note else record.state
    begun = f", begun {record.created[:19]} UTC" if record.created else ""
    observed = f"{len(done)} of {record.config.budget} trials observed"
    return paragraph(
        f"Run {record.run_id}{begun}. State: {end}; {observed}. Goal: {aim}. "
        f"Seed {record.config.seed}.",
        "lead",
    ) + joined(
        map(
            paragraph,
            [
                *mixed_lines(record),
                *learned_lines(record),
                *belief_lines(trials),
                *remark_lines(trials),
            ],
        )
    )


def _trials(task: Task, trials: Sequence[Trial]) -> Markup:
    done = [trial for trial in trials if trial.status is TrialStatus.DONE]
    best = min(done, key=lambda trial: trial.cost, default=None)
    why = TableColumn(
        "why", "why it failed, or why another improver proposed", numeric=False, wraps=True
    )
    columns = [
        TableColumn("trial"),
        *(TableColumn(p.heading, p.description) for p in task.space.parameters),
        TableColumn("cost"),
        TableColumn("best so far"),
        TableColumn("seconds", "wall time of the trial"),
        TableColumn("improver", "who really proposed", numeric=False),
        *([why] if any(map(_why, trials)) else []),
    ]
    rows = [
        [
            Cell(str(trial.number), trial.number),
            *(Cell(f"{value:.4g}", float(value)) for value in trial.theta),
            _cost_cell(trial),
            Cell(millimetres(trial.best_cost), trial.best_cost),
            Cell(f"{trial.seconds:.2f}" if math.isfinite(trial.seconds) else "-", trial.seconds),
            Cell(trial.proposal.provenance + (", projected" if trial.projected else "")),
            Cell(_why(trial), tone="bad"),
        ][: len(columns)]
        for trial in trials
    ]
    marked = [n for n, trial in enumerate(trials) if trial is best]
    return table(columns, rows, "trials", marked)


def _why(trial: Trial) -> str:
    return "; ".join(filter(None, (trial.proposal.fallback_reason, trial.note)))


def _cost_cell(trial: Trial) -> Cell:
    if trial.status is TrialStatus.DONE:
        return Cell(millimetres(trial.cost), trial.cost)
    return Cell(trial.status.value, tone="bad")


def _pictures(task: Task, goal: Array, trials: Sequence[Trial]) -> Markup:
    """Return the cost first, which a narrow window shows alone, then the paths and the goal."""
    near = near_goal(task, goal, trials)
    drawn = [
        figure(
            plot_svg(lambda axes: draw_costs(axes, trials), "c", "cost per trial"),
            "Cost of every trial in mm and the lowest so far; a blue dash is what the improver "
            "predicted, with one standard deviation.",
        ),
        figure(
            plot_svg(lambda axes: draw_paths(axes, task, goal, trials), "p", "object paths"),
            "Where the object went in every trial, frame base; pale behind the point that the "
            "cost counts.",
        ),
    ]
    if near is not None:
        drawn.append(
            figure(
                plot_svg(lambda axes: draw_goal(axes, near), "g", "the goal, magnified"),
                "By how much each trial missed the goal, and in which direction.",
            )
        )
    return figures(drawn)


def _predictions(trials: Sequence[Trial]) -> Markup:
    columns = [
        TableColumn("trial"),
        TableColumn("predicted"),
        TableColumn("outcome"),
        TableColumn("outcome - predicted", "above 0: worse than predicted"),
        TableColumn("z", "the same in predicted standard deviations"),
        TableColumn("improver", numeric=False),
    ]
    rows = []
    for trial in trials:
        proposal = trial.proposal
        if not math.isfinite(proposal.predicted_cost):
            continue
        z = _z(trial)
        rows.append(
            [
                Cell(str(trial.number), trial.number),
                Cell(prediction(proposal), proposal.predicted_cost),
                _cost_cell(trial),
                _difference_cell(trial),
                Cell(f"{z:+.1f}" if math.isfinite(z) else "-", z),
                Cell(proposal.provenance),
            ]
        )
    if not rows:
        return Markup("")
    return table(columns, rows, "predictions") + paragraph(
        "z is the outcome minus the prediction in predicted standard deviations: above 0 the trial "
        "was worse than predicted, below 0 better; values beyond -2 and +2 should be rare.",
        "note",
    )


def _z(trial: Trial) -> float:
    std = trial.proposal.predicted_std
    if not std > 0.0:  # NaN too
        return math.nan
    return (trial.cost - trial.proposal.predicted_cost) / std


def _difference_cell(trial: Trial) -> Cell:
    """Return by how much a trial cost more than predicted; with its sign."""
    more = trial.cost - trial.proposal.predicted_cost
    sign = "+" if more > 0.0 else ""
    return Cell(sign + millimetres(more), more)


def _notes(trials: Sequence[Trial]) -> Markup:
    found = [
        f"trial {trial.number}: proposed by {trial.proposal.provenance} because "
        f"{trial.proposal.fallback_reason}"
        for trial in trials
        if trial.proposal.fallback_reason
    ]
    found += [
        f"trial {trial.number}: {trial.status.value}" + (f", {trial.note}" if trial.note else "")
        for trial in trials
        if trial.status is not TrialStatus.DONE
    ]
    return items(found) if found else Markup("")


def _repeat(record: RunRecord) -> Markup:
    config = record.config
    words = ["icpi", "run", "--task", config.task, "--improver", config.improver]
    words += ["--trials", str(config.budget), "--seed", str(config.seed)]
    words += [f"--goal={','.join(f'{value!r}' for value in config.goal)}"]
    words += ["--target-cost", repr(config.target_cost)] if config.target_cost else []
    words += ["--learn-from", ",".join(config.learned_from)] if config.learned_from else []
    words += ["--first", config.first] if config.first == RANDOM else []
    words += as_options()
    for key, value in config.options.items():
        words += ["--option", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
    text = json.dumps(config.as_dict(), indent=1, ensure_ascii=False, sort_keys=True)
    return (
        paragraph(
            "The same goal, seed and improver; the arm and the sensors are those of the set-up "
            "that it is started in (add --in-process to simulate without ROS), and a data set of "
            "one's own is given with --dataset."
        )
        + preformatted(shlex.join(words))
        + preformatted(text)
    )


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
    parts = [f"[{exchange.get('purpose')}]{replayed}"]
    parts += [f"{m['role']}: {m['content']}" for m in exchange.get("messages", ())]
    parts += [f"reply: {text}" for text in exchange.get("replies", ())]
    parts += [f"refused: {why}" for why in exchange.get("refused", ())]
    parts += [f"on the way: {why}" for why in exchange.get("tries", ())]
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
