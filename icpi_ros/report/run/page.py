"""A stored run as one HTML page: its table, its pictures, predictions, and its configuration."""

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
from icpi_ros.report.run.sections import model_section, timing_section, tracking_table
from icpi_ros.report.run.text import mixed_lines, prediction
from icpi_ros.runs.picture import draw_costs, draw_paths
from icpi_ros.runs.setup import RANDOM
from icpi_ros.runs.store.records import RunRecord
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
    parts = [
        _lead(record, task, trials, goal),
        navigation(
            [("trials", "Trials"), ("predictions", "Predictions"), ("notes", "Notes"),
             ("model", "Model"), ("timings", "Timings"),
             *([("arm", "Arm")] if any(trial.tracking.motion for trial in trials) else []),
             *((one.key, one.heading) for one in more),
             ("repeat", "Everything needed to repeat it")]
        ),
        section("trials", "Trials", _trials(task, trials) + _pictures(task, goal, trials)),
        section("predictions", "Predictions against outcomes", _predictions(trials)),
        section("notes", "Fallbacks and failures", _notes(trials)),
        section("model", "What the model was asked", model_section(trials, spent)),
        section("timings", "Timings", timing_section(trials)),
        *_arm(trials),
        *(section(one.key, one.heading, one.markup) for one in more),
        section("repeat", "Everything needed to repeat it", _repeat(record)),
    ]  # fmt: skip
    return document(f"{heading}: {record.run_id}", parts, heading)


def _lead(record: RunRecord, task: Task, trials: Sequence[Trial], goal: Array) -> Markup:
    done = [trial for trial in trials if trial.status is TrialStatus.DONE]
    best = min(done, key=lambda trial: trial.cost, default=None)
    aim = ", ".join(
        f"{p.name} {p.text(value, 6)}"
        for p, value in zip(task.goal_space.parameters, goal, strict=True)
    )
    end = f"{record.state}: {record.note}" if record.note else record.state
    result = (
        f"Best cost {millimetres(best.cost)} in trial {best.number}; {len(done)} of "
        f"{record.config.budget} trials observed."
        if best
        else "No trial was observed."
    )
    begun = f", begun {record.created[:19]} UTC" if record.created else ""
    return paragraph(
        f"Run {record.run_id}{begun}. State: {end}. Goal: {aim}. Seed {record.config.seed}.",
        "lead",
    ) + joined(map(paragraph, [result, *mixed_lines(record)]))


def _arm(trials: Sequence[Trial]) -> list[Markup]:
    """Return the section about the arm; none where no arm is known."""
    markup = tracking_table(trials)
    return [section("arm", "What the arm was commanded last", markup)] if markup else []


def _trials(task: Task, trials: Sequence[Trial]) -> Markup:
    done = [trial for trial in trials if trial.status is TrialStatus.DONE]
    best = min(done, key=lambda trial: trial.cost, default=None)
    columns = [
        TableColumn("trial"),
        *(TableColumn(p.heading, p.description) for p in task.space.parameters),
        TableColumn("cost"),
        TableColumn("best so far"),
        TableColumn("seconds", "wall time of the trial"),
        TableColumn("improver", "who really proposed", numeric=False),
        TableColumn(
            "why", "why it failed, or why another improver proposed", numeric=False, wraps=True
        ),
    ]
    rows = [
        [
            Cell(str(trial.number), trial.number),
            *(Cell(f"{value:.4g}", float(value)) for value in trial.theta),
            _cost_cell(trial),
            Cell(millimetres(trial.best_cost), trial.best_cost),
            Cell(f"{trial.seconds:.2f}" if math.isfinite(trial.seconds) else "-", trial.seconds),
            Cell(trial.proposal.provenance + (", projected" if trial.projected else "")),
            Cell("; ".join(filter(None, (trial.proposal.fallback_reason, trial.note))), tone="bad"),
        ]
        for trial in trials
    ]
    marked = [n for n, trial in enumerate(trials) if trial is best]
    return table(columns, rows, "trials", marked)


def _cost_cell(trial: Trial) -> Cell:
    if trial.status is TrialStatus.DONE:
        return Cell(millimetres(trial.cost), trial.cost)
    return Cell(trial.status.value, tone="bad")


def _pictures(task: Task, goal: Array, trials: Sequence[Trial]) -> Markup:
    drawn = [
        figure(
            plot_svg(lambda axes: draw_paths(axes, task, goal, trials), "p", "object paths"),
            "Where the object went in every trial, dark for the first to bright for the last; "
            "the red circle is the goal.",
        ),
        figure(
            plot_svg(lambda axes: draw_costs(axes, trials), "c", "cost per trial"),
            "Cost of every trial and the lowest so far; a blue dash is what the improver "
            "predicted, with one standard deviation.",
        ),
    ]
    return figures(drawn)


def _predictions(trials: Sequence[Trial]) -> Markup:
    columns = [
        TableColumn("trial"),
        TableColumn("predicted"),
        TableColumn("outcome"),
        TableColumn("|z|", "miss in predicted standard deviations"),
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
                Cell(f"{z:.1f}" if math.isfinite(z) else "-", z),
                Cell(proposal.provenance),
            ]
        )
    if not rows:
        return paragraph("The improver of this run does not predict the cost.", "note")
    return table(columns, rows, "predictions") + paragraph(
        "|z| is the distance between outcome and prediction in predicted standard deviations; "
        "values above 2 should be rare.",
        "note",
    )


def _z(trial: Trial) -> float:
    std = trial.proposal.predicted_std
    if not std > 0.0:  # NaN too
        return math.nan
    return abs(trial.cost - trial.proposal.predicted_cost) / std


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
    if not found:
        return paragraph("No improver was replaced by another and no trial failed.", "note")
    return items(found)


def _repeat(record: RunRecord) -> Markup:
    config = record.config
    words = ["icpi", "run", "--task", config.task, "--improver", config.improver]
    words += ["--trials", str(config.budget), "--seed", str(config.seed)]
    words += [f"--goal={','.join(f'{value!r}' for value in config.goal)}"]
    words += ["--target-cost", repr(config.target_cost)] if config.target_cost else []
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
