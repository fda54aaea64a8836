"""A benchmark as one HTML page: tables, plots, and everything needed to repeat it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from icpi_benchmarks.report.figures import (
    CALIBRATION_COLOURS,
    PANEL,
    TALL,
    WIDE,
    by_task,
    calibration_draws,
    curve_draws,
    pair_colours,
    pair_draws,
    prediction_draws,
    study_draws,
)
from icpi_benchmarks.report.plots import MAX_DOTS
from icpi_benchmarks.report.predictions import prediction_rows
from icpi_benchmarks.report.tables import (
    calibration_table,
    model_table,
    overview,
    task_table,
    trouble_table,
)
from icpi_benchmarks.report.verdict import bench_verdict
from icpi_benchmarks.report.words import (
    instances_text,
    key_trials,
    missing_text,
    nothing_text,
    percent,
    reading_notes,
    significant,
    threshold_text,
    title,
    unused_text,
)
from icpi_benchmarks.results import MIN_OWN, Results, arms_of, mixed_lines
from icpi_benchmarks.statistics.intervals import RESAMPLES
from icpi_benchmarks.statistics.predictions import predictions
from icpi_benchmarks.statistics.summaries import TaskSummary, summarise
from icpi_ros.report import page as kit
from icpi_ros.report.picture import plot_svg

MAX_DETAILED = 10
"""Number of conditions and tasks above which per-instance plots are left out."""


def bench_page(results: Results, found: Sequence[TaskSummary] | None = None) -> str:
    """Return the page of a benchmark's results; ``found`` is their summary, if it is at hand.

    Raises:
        InvalidValue: rows are missing or there twice.
    """
    found = summarise(results) if found is None else found
    config = results.config
    name = f"icpi bench: {config['preset'] or 'own choice'}"
    detailed = len(found) <= MAX_DETAILED
    tasks = by_task(found)
    verdict, known = bench_verdict(found), _predictions(found)
    parts = [
        *([kit.paragraph(verdict, "verdict")] if verdict else []),
        _what_was_run(config, found),
        _contents(tasks, bool(known)),
        kit.section("overview", "Overview", _overview(found)),
        *(_task_section(n, task, ones, detailed) for n, (task, ones) in enumerate(tasks.items())),
        *([kit.section("predictions", "Predictions", known)] if known else []),
        kit.section("reading", "How to read this page", _reading(config, found)),
        kit.section("repeat", "Everything needed to repeat it", _repeat(config)),
    ]
    return kit.document(name, parts)


# --- head ---------------------------------------------------------------------------------------


def _what_was_run(config: Any, found: Sequence[TaskSummary]) -> Markup:
    threshold = threshold_text(float(config["threshold_m"]))
    tasks, conditions = len(config["tasks"]), len(config["conditions"])
    words = [
        _number(tasks, "task"),
        _number(len(config["improvers"]), "improver"),
        _number(int(config["instances"]), "instance") + " of each task",
        f"{_number(int(config['trials']), 'trial')} each (the first attempt is common to all "
        f"improvers, then {_number(int(config['trials']) - 1, 'adjustment')})",
    ]
    if conditions > 1:
        words.insert(2, _number(conditions, "condition"))
    lines = [
        kit.paragraph(f"{', '.join(words)}. Seed {config['seed']}.", "lead"),
        kit.paragraph(
            f"Default improver: {config['default']}. Success: best cost at most "
            f"{threshold}. Improvers whose name ends in “oracle” know the hidden physics: they "
            "mark the practical limit and are no rivals.",
            "lead",
        ),
        *(kit.paragraph(line) for line in mixed_lines(config)),
        _command(config, "The command that repeats it:"),
    ]
    if missing := missing_text(found):
        lines.append(kit.paragraph(missing, "bad"))
    lost = sum(len(one.block.left_out) for one in found)
    if lost:
        lines.append(
            kit.paragraph(
                f"{_number(lost, 'instance')} left out for all improvers alike, because the "
                "common first attempt had no outcome.",
                "bad",
            )
        )
    return kit.joined(lines)


def _command(config: Any, before: str = "") -> Markup:
    """Return the command behind a line of text, or a sentence that there is none."""
    if not config["command"]:
        return kit.paragraph("Conditions of one's own choice: no command repeats it.")
    return kit.joined([kit.paragraph(before)] if before else []) + kit.preformatted(
        str(config["command"])
    )


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _contents(tasks: dict[str, list[TaskSummary]], predicted: bool) -> Markup:
    links = [("overview", "Overview")]
    links += [(f"task-{n}", task) for n, task in enumerate(tasks)]
    links += [
        ("predictions", "Predictions"),
        ("reading", "How to read this page"),
        ("repeat", "Everything needed to repeat it"),
    ]
    return kit.navigation(links)


def _overview(found: Sequence[TaskSummary]) -> Markup:
    ordered = [one for ones in by_task(found).values() for one in ones if one.improvers]
    if not ordered:
        return kit.paragraph("Nothing can be compared: no first attempt had an outcome.", "bad")
    trial = key_trials(min(one.block.trials for one in ordered))[0]
    return overview(ordered, trial) + kit.paragraph(
        f"Mean best cost after {trial} adjustments with its 95 % interval. The best other "
        "improver is the one of lowest mean on the same instances, oracles not counted; being "
        "picked so flatters it a little. Ratios below 1 say that the default is better than it; "
        "a ratio to an oracle says how far the default is from the practical limit.",
        "note",
    )


# --- tasks --------------------------------------------------------------------------------------


def _task_section(number: int, task: str, ones: list[TaskSummary], detailed: bool) -> Markup:
    key, parts = f"task-{number}", []
    shown = [one for one in ones if one.improvers]
    if len(shown) > 1:
        parts.append(_study(key, shown))
    for n, one in enumerate(ones):
        markup = _condition(f"{key}-{n}", one, detailed)
        if len(ones) > 1:
            markup = kit.folded(one.condition or "plain", markup, is_open=n == 0)
        parts.append(markup)
    if not detailed:
        parts.append(
            kit.paragraph(
                "The page would be too large with per-instance plots of all conditions: "
                "`icpi report FILE --png FOLDER` writes them.",
                "note",
            )
        )
    return kit.section(key, task, kit.joined(parts))


def _study(key: str, ones: list[TaskSummary]) -> Markup:
    trials = key_trials(min(one.block.trials for one in ones))
    unused = "".join(f" {text}." for text in dict.fromkeys(map(unused_text, ones)) if text)
    drawn = [
        kit.figure(
            plot_svg(draw, f"{key}-s{n}", f"{ones[0].task}: cost over conditions", WIDE),
            f"Mean best cost after {trial} adjustments under each condition; vertical bars are "
            "95 % intervals. Points are shifted sideways a little so that bars can be told apart. "
            f"Lower is better.{unused}",
        )
        for n, (trial, draw) in enumerate(zip(trials, study_draws(ones), strict=True))
    ]
    return kit.figures(drawn)


def _condition(key: str, one: TaskSummary, detailed: bool) -> Markup:
    if nothing := nothing_text(one):
        return kit.paragraph(f"{nothing.capitalize()}.", "bad")
    parts = [
        kit.paragraph(f"{instances_text(one)}; ratios are {one.default} / this one."),
        task_table(one),
        *([kit.paragraph(f"{unused}.", "note")] if (unused := unused_text(one)) else []),
        model_table(one),
        _curves(key, one),
    ]
    if troubles := trouble_table(one):
        parts += [kit.heading("Failures and fallbacks"), troubles]
    if detailed:
        parts += [_pairs(key, one)]
    parts.append(_calibrations(key, one))
    return kit.joined(parts)


def _curves(key: str, one: TaskSummary) -> Markup:
    band = "The band is the 95 % interval (bootstrap over instances)."
    captions = (
        f"Mean over {len(one.block.instances)} instances of the best cost so far. {band} A mean "
        "is ruled by the hard instances.",
        f"Median over instances of the best cost so far: the typical instance. {band}",
        f"Share of instances with a best cost of {threshold_text(one.threshold)} or less and no "
        "failed trial so far. Higher is better.",
    )
    names = ("mean cost", "median cost", "success")
    drawn = zip(curve_draws(one), captions, names, strict=True)
    return kit.figures(
        kit.figure(
            plot_svg(draw, f"{key}-c{n}", f"{title(one)}: {name}, by adjustments", WIDE), caption
        )
        for n, (draw, caption, name) in enumerate(drawn)
    )


def _pairs(key: str, one: TaskSummary) -> Markup:
    trials = key_trials(one.block.trials)
    panels = []
    for n, (name, draw) in enumerate(pair_draws(one).items()):
        block = one.block
        here, there = (block.best[block.row_of(i), :, -1] for i in (one.default, name))
        won, lost = float((here < there).mean()), float((here > there).mean())
        panels.append(
            kit.figure(
                plot_svg(draw, f"{key}-p{n}", f"{title(one)}: {name} against {one.default}", PANEL),
                f"{one.default} better in {percent(won)}, worse in {percent(lost)}",
            )
        )
    if not panels:
        return Markup("")
    text = (
        f"Each dot is one instance: best cost of {one.default} across, of the other improver up "
        f"({pair_colours(one.block.trials)}). Dots above the line: {one.default} is better there. "
        f"The shares below each plot count all instances after {_number(trials[-1], 'adjustment')}."
    )
    text += _thinned(len(one.block.instances))
    return (
        kit.heading("Instance by instance")
        + kit.paragraph(text, "note")
        + kit.figures(panels, small=True)
    )


def _calibrations(key: str, one: TaskSummary) -> Markup:
    draws = calibration_draws(one)
    if not draws:
        return Markup("")
    head = kit.heading("Predictions against outcomes")
    panels = []
    for n, (name, draw) in enumerate(draws.items()):
        known = one.of(name).calibration
        assert known is not None  # calibration_draws names only those that predict
        shares = f"{percent(known.within_1)} within 1 std, {percent(known.within_2)} within 2"
        panels.append(
            kit.figure(
                plot_svg(draw, f"{key}-k{n}", f"{title(one)}: predictions of {name}", PANEL),
                f"{shares}; median |z| {significant(known.median_z)}",
            )
        )
    text = (
        "Each dot is one adjustment: the cost that the improver predicted across, what came out "
        f"up ({CALIBRATION_COLOURS}). Dots on the line are right, above "
        "it too hopeful. If outcomes were normally distributed around the prediction, 68 % would "
        "lie within one predicted standard deviation and 95 % within two, and the median |z| "
        "would be 0.67."
    )
    known_lines = [line.calibration for line in one.ranked if line.calibration]
    text += _thinned(max(int((known.trial > 1).sum()) for known in known_lines))
    return (
        head
        + kit.paragraph(text, "note")
        + kit.figures(panels, small=True)
        + kit.folded("Calibration as a table", calibration_table(one))
    )


def _predictions(found: Sequence[TaskSummary]) -> Markup:
    """Return a folded table per improver that predicts: shares inside 1 and 2 std, and sign."""
    rows, parts = predictions(found), []
    for n, draw in enumerate(prediction_draws(found)):
        caption = (
            "Share of outcomes inside 1 (blue) and 2 (orange) predicted standard deviations with "
            "its 95 % interval; dashed: 68 % and 95 %."
        )
        parts.append(kit.figure(plot_svg(draw, f"predictions-{n}", "predictions", TALL), caption))
    drawn = [kit.figures(parts)] if parts else []
    for label in dict.fromkeys(row.improver for row in rows):
        header, lines = prediction_rows([row for row in rows if row.improver == label])
        columns = [kit.TableColumn(name, numeric=n > 1) for n, name in enumerate(header)]
        cells = [[kit.Cell(text) for text in line] for line in lines]
        shown = kit.table(columns, cells, f"predictions of {label}", sortable=False)
        drawn.append(kit.folded(f"Predictions of {label}, step by step", shown))
    return kit.joined(drawn)


def _thinned(dots: int) -> str:
    """Return a sentence on the number of dots where not all are drawn."""
    if dots <= MAX_DOTS:
        return ""
    return f" At most {MAX_DOTS} dots of a colour are drawn, evenly chosen; all are counted."


# --- foot ---------------------------------------------------------------------------------------


def _reading(config: Any, found: Sequence[TaskSummary]) -> Markup:
    return kit.items(
        [
            "An instance is a draw of hidden physics, goal and first attempt. All improvers get "
            "the same instances, so comparisons are paired.",
            "Cost is the true distance to the goal that the task defines; best cost is the true "
            "cost of the best trial so far. With sensor noise, the best trial is the one that "
            "looked best to the improver, so its true cost can also rise.",
            f"“n / m” is mean / 95th percentile over instances, in mm. Success counts instances "
            f"within {threshold_text(float(config['threshold_m']))} without a failed trial.",
            "Steps is the median number of adjustments until the best cost is within that "
            "threshold; instances that never got there count as longer than all others, and "
            "“> n” says that at least half never did. The share beside it did.",
            "A ratio is the default's mean best cost divided by the other improver's, on the same "
            "instances: below 1 means that the default is closer. The interval in brackets is its "
            f"95 % percentile interval over {RESAMPLES} bootstrap resamples of instances, the "
            "same for both sides (Efron and Tibshirani 1993; Agarwal et al., NeurIPS 2021). An "
            "interval that does not hold 1 is a clear difference.",
            "Intervals are not corrected for the number of comparisons: with many improvers, one "
            "in twenty lies wrong by chance.",
            "A failed trial (the improver raised, answered nonsense, took too long, or the motion "
            "had no outcome) keeps the best cost so far and uses up one adjustment. No instance "
            "is dropped because an improver failed on it.",
            "Own steps are the adjustments that the improver itself proposed, of all that it was "
            "asked for; “improved” are those of them that cost less than all trials before. "
            f"Improvers with fewer than {percent(MIN_OWN)} own steps are not ranked: they stand "
            "in a table of their own, in no plot, and are never the best other.",
            *reading_notes(config),
            "ms is the mean wall time of a proposal, simulation not counted.",
        ]
    )


def _repeat(config: Any) -> Markup:
    def pairs(name: str, value: str, found: Any) -> Markup:
        columns = (kit.TableColumn(name, numeric=False), kit.TableColumn(value, numeric=False))
        rows = [[kit.Cell(str(key)), kit.Cell(str(text))] for key, text in found.items()]
        return kit.table(columns, rows, name, sortable=False)

    ways = config.get("paths_fingerprint")
    paths = [pairs("paths of the data set", "fingerprint", ways)] if isinstance(ways, dict) else []
    return (
        _command(config)
        + pairs("software", "version", config["versions"])
        + pairs("task", "definition", config["definitions"])
        + kit.joined(
            [pairs("task executed", "with arm", arms)] if (arms := arms_of(config)) else []
        )
        + pairs("data set (task/condition)", "fingerprint", config["datasets"])
        + kit.joined(paths)
        + kit.folded(
            "The whole configuration",
            kit.preformatted(json.dumps(config, indent=1, ensure_ascii=False, sort_keys=True)),
        )
    )
