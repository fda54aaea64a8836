"""Evaluated bag as one HTML page: perception, proposals, their predicted costs, the ranking."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from icpi_ros.bags.reader import Bag
from icpi_ros.core.pictures import style
from icpi_ros.core.units import millimetres, multiple
from icpi_ros.evaluate.evaluated_runs import EvaluatedImprover, EvaluatedRun
from icpi_ros.evaluate.evaluation import Evaluation
from icpi_ros.evaluate.outcomes import LEVEL, MEASURED, OutcomeEstimate, RankedImprover
from icpi_ros.report.bag.evaluation_text import counted, reproduced
from icpi_ros.report.bag.sections import as_trials
from icpi_ros.report.page import (
    Cell,
    TableColumn,
    document,
    figure,
    heading,
    items,
    navigation,
    paragraph,
    section,
    table,
)
from icpi_ros.report.picture import Layout, plot_svg
from icpi_ros.report.run.page import run_pictures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS = (
    "Measured: the proposed theta was executed in the recording, and its cost was seen. Estimated: "
    "it was not executed. The estimate is that of the in-context outcome model, conditioned on all "
    f"trials of the run, with an interval of {LEVEL:.0%}; beside it stands the nearest executed "
    "theta with its measured cost, and a bound that holds if outcomes change with theta nowhere "
    "faster than between two recorded trials."
)
_FLOOR = 1e-2
"""Costs [mm] below this are drawn at it: a logarithmic axis has no zero."""
MAX_RUNS = 50
"""Runs with a section of their own."""


def replay_page(bag: Bag, evaluation: Evaluation) -> str:
    """Return the page of an evaluated bag."""
    shown = evaluation.runs[:MAX_RUNS]
    links = [("ranking", "Ranking")]
    links += [(f"run-{n}", f"Run {one.run.run_id}") for n, one in enumerate(shown)]
    parts = [
        *_verdict_on(evaluation.ranking),
        _lead(evaluation),
        navigation([*links, ("left-out", "Left out")]),
        section("ranking", "Ranking", _ranking(evaluation.ranking)),
        *(
            section(f"run-{n}", f"Run {one.run.run_id}: {one.run.task.name}", _run(one, n))
            for n, one in enumerate(shown)
        ),
        section("left-out", "Left out", _left_out(evaluation)),
    ]
    return document(f"{bag.path.name}, evaluated offline", parts)


def _verdict_on(places: Sequence[RankedImprover]) -> list[Markup]:
    """Return who would come closest, in one sentence; none where nobody was compared."""
    if not places:
        return []
    first = places[0]
    text = f"{first.improver} would come closest: {millimetres(first.cost)} expected"
    if len(places) > 1:
        other = places[1]
        text += f", then {other.improver} with {millimetres(other.cost)} (estimated; best of "
        text += f"{len(places)} with probability {first.best:.2f})"
    return [paragraph(f"{text}.", "verdict")]


def _lead(evaluation: Evaluation) -> Markup:
    speed = f", {multiple(evaluation.factor)} real time" if math.isfinite(evaluation.factor) else ""
    source = evaluation.source or "not done again"
    runs = counted(len(evaluation.runs), "run")
    return paragraph(
        f"{runs}, {evaluation.recorded:.1f} s recorded, evaluated in "
        f"{evaluation.seconds['total']:.1f} s{speed}. Perception: {source}.",
        "lead",
    ) + paragraph(KINDS)


def _ranking(places: Sequence[RankedImprover]) -> Markup:
    if not places:
        return paragraph("No improver was asked.", "note")
    columns = [
        TableColumn("improver", numeric=False),
        TableColumn("expected cost", "of the next trial, mean over all instances; estimated"),
        TableColumn("from", f"{LEVEL:.0%} interval"),
        TableColumn("to", f"{LEVEL:.0%} interval"),
        TableColumn("measured", "proposals that were executed in the recording"),
        TableColumn("instances"),
        TableColumn("best of all", "probability"),
    ]
    rows = [
        [
            Cell(place.improver),
            _length(place.cost),
            _length(place.low),
            _length(place.high),
            Cell(str(place.measured), place.measured),
            Cell(str(place.instances), place.instances),
            Cell(f"{place.best:.2f}", place.best),
        ]
        for place in places
    ]
    layout = Layout(640, 90 + 46 * len(places), 14, 14, 42, 28)
    drawn = plot_svg(
        lambda axes: _draw_ranking(axes, places), "r", "expected cost by improver", layout
    )
    caption = f"Expected cost of the next trial with its {LEVEL:.0%} interval; estimated."
    return figure(drawn, caption) + table(columns, rows, "ranking")


def _run(one: EvaluatedRun, n: int) -> Markup:
    run = one.run
    trials = as_trials(run)
    pictures = run_pictures(run.task, run.goal, trials, f"{n}")
    text = f"Recorded with {run.improver or 'an unknown improver'}, seed {run.settings.seed} "
    text += f"({run.settings.seed_from}). "
    text += "; ".join(f"{name}: {_verdict(a)}" for name, a in one.answers.items())
    return (
        paragraph(text + ".")
        + pictures
        + heading("Perception now against then")
        + _perception(one)
        + heading("What improvers would have proposed")
        + _proposals(one)
    )


def _verdict(answer: EvaluatedImprover) -> str:
    return f"no answer ({answer.failed})" if answer.failed else reproduced(answer.proposed)


def _perception(one: EvaluatedRun) -> Markup:
    columns = [
        TableColumn("trial"),
        TableColumn("largest distance [mm]"),
        TableColumn("rms [mm]"),
        TableColumn("at the end [mm]"),
        TableColumn("coverage now"),
        TableColumn("recorded coverage"),
        TableColumn("cost now"),
        TableColumn("recorded cost"),
        TableColumn("why", numeric=False, wraps=True),
    ]
    rows = [
        [
            Cell(str(number), number),
            *(_fine(value) for value in (d.most, d.rms, d.end)),
            _share(d.coverage),
            _share(d.recorded_coverage),
            _length(d.cost),
            _length(d.recorded_cost),
            Cell(d.reason, tone="bad"),
        ]
        for number, d in one.differences.items()
    ]
    return table(columns, rows, "perception")


def _proposals(one: EvaluatedRun) -> Markup:
    space = one.run.task.space
    columns = [
        TableColumn("trial"),
        TableColumn("improver", numeric=False),
        *(TableColumn(p.heading) for p in space.parameters),
        TableColumn("as recorded", numeric=False),
        TableColumn("outcome", numeric=False),
        TableColumn("cost"),
        TableColumn(f"{LEVEL:.0%}", numeric=False),
        TableColumn("nearest executed", numeric=False),
    ]
    rows = [
        [
            Cell(str(proposed.number), proposed.number),
            Cell(name, small=_substitute(name, proposed.trial.proposal.provenance)),
            *(Cell(f"{value:.4g}", float(value)) for value in proposed.theta),
            Cell(_same(proposed.same)),
            *_outcome(estimate),
        ]
        for name, answer in one.answers.items()
        for proposed, estimate in zip(answer.proposed, answer.estimates, strict=False)
    ]
    return table(columns, rows, "proposals") + _hindsight(one.answers)


def _hindsight(answers: Mapping[str, EvaluatedImprover]) -> Markup:
    lines = [
        f"{name}: {len(a.solved)} solved instances, expected cost {millimetres(_mean(a.solved))} "
        "(estimated)"
        for name, a in answers.items()
        if a.solved
    ]
    if not lines:
        return Markup("")
    return paragraph(
        "Solved instances: the outcome of one recorded trial is the goal, others are the history; "
        "a theta that reaches the goal exactly is known."
    ) + items(lines)


def _mean(estimates: Sequence[OutcomeEstimate]) -> float:
    return sum(estimate.cost for estimate in estimates) / len(estimates)


def _outcome(estimate: OutcomeEstimate) -> list[Cell]:
    near = estimate.nearest
    measured = estimate.kind == MEASURED
    span = "" if measured else f"{millimetres(estimate.low)} to {millimetres(estimate.high)}"
    nearest = f"trial {near.trial}, {near.distance:.3f} away: {millimetres(near.cost)}"
    bound = f"bound {millimetres(near.low)} to {millimetres(near.high)}"
    return [
        Cell(estimate.kind, tone="good" if measured else ""),
        _length(estimate.cost),
        Cell(span),
        Cell(nearest, small="" if measured else bound),
    ]


def _substitute(asked: str, made: str) -> str:
    return f"made by {made}" if made != asked else ""


def _same(same: bool | None) -> str:
    return "-" if same is None else "exactly" if same else "no"


def _length(metres: float) -> Cell:
    return Cell(millimetres(metres), metres)


def _fine(metres: float) -> Cell:
    return Cell(f"{1e3 * metres:.3f}" if math.isfinite(metres) else "-", metres)


def _share(value: float) -> Cell:
    return Cell(f"{value:.1%}" if math.isfinite(value) else "-", value)


def _left_out(evaluation: Evaluation) -> Markup:
    if not evaluation.skipped:
        return paragraph("Nothing was left out.", "note")
    return items(evaluation.skipped)


def _draw_ranking(axes: Axes, places: Sequence[RankedImprover]) -> None:
    """Draw expected costs with their intervals and probabilities, the best improver on top."""
    for row, place in enumerate(places):
        low, cost, high = (
            max(1e3 * value, _FLOOR) for value in (place.low, place.cost, place.high)
        )
        colour = style.DEFAULT if row == 0 else style.QUIET
        axes.plot([low, high], [row, row], color=colour, linewidth=6.0, alpha=0.35)
        axes.plot(cost, row, "o", color=colour, markersize=8)
        axes.annotate(
            f"{place.improver}: {millimetres(place.cost)}, best with probability {place.best:.2f}",
            (0.0, row), xycoords=("axes fraction", "data"), xytext=(4, 9),
            textcoords="offset points", fontsize=10, color=style.INK,
            fontweight="bold" if row == 0 else "normal",
        )  # fmt: skip
    axes.set_yticks([])
    axes.set_ylim(len(places) - 0.5, -0.8)
    axes.set_xscale("log")
    low, high = (math.log10(value) for value in axes.get_xlim())
    axes.set_xlim(10.0 ** math.floor(low), 10.0 ** math.ceil(high))
    style.log_ticks(axes, "x")
    axes.set(xlabel="expected cost of the next trial [mm]")
    axes.set_title("ranking, estimated")
    axes.grid(visible=False, axis="y")
