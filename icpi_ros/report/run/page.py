"""A stored run as one HTML page: verdict, pictures, table, predictions, and its configuration.

Sections with nothing in them are left out.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

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
from icpi_ros.report.run.sections import model_section, timing_section, tracking_table
from icpi_ros.report.run.text import learned_lines, mixed_lines, prediction
from icpi_ros.runs.answer import made_how
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
        run_pictures(task, goal, trials) if trials else Markup(""),
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
            Cell(trial.proposal.provenance + made_how(trial, trials)),
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


def run_pictures(task: Task, goal: Array, trials: Sequence[Trial], key: str = "") -> Markup:
    """Return the cost first, which a narrow window shows alone, then the paths and the goal.

    Pictures of several runs on one page have different keys.
    """
    near = near_goal(task, goal, trials)
    drawn = [
        figure(
            plot_svg(lambda axes: draw_costs(axes, trials), f"c{key}", "cost per trial"),
            "Cost of every trial in mm and the lowest so far; a blue dash is what the improver "
            "predicted, with one standard deviation.",
        ),
        figure(
            plot_svg(lambda axes: draw_paths(axes, task, goal, trials), f"p{key}", "object paths"),
            "Where the object went in every trial, frame base; pale behind the point that the "
            "cost counts.",
        ),
    ]
    if near is not None:
        drawn.append(
            figure(
                plot_svg(lambda axes: draw_goal(axes, near), f"g{key}", "the goal, magnified"),
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
