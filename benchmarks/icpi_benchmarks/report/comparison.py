"""``icpi report --compare A,B``: two improvers of one benchmark, or two results files, in pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from icpi_benchmarks.report.markdown import table
from icpi_benchmarks.report.words import (
    aligned,
    estimate_text,
    mm,
    percent,
    share_text,
    significant,
)
from icpi_benchmarks.results import Results, read
from icpi_benchmarks.statistics.blocks import ResultBlock, blocks, check
from icpi_benchmarks.statistics.comparison import StepComparison, compared
from icpi_benchmarks.statistics.joining import File, joined, why_not_paired
from icpi_benchmarks.statistics.summaries import IntervalEstimate
from icpi_ros.core.errors import InvalidValue, UsageError
from icpi_ros.core.text import printable

HEADER = ("task", "after", "instances", "A [mm]", "B [mm]", "A / B [95 %]", "A - B [mm] [95 %]")
WINS = ("A closer [95 %]", "equal")


@dataclass(frozen=True)
class Comparison:
    """Improver ``a`` of one file beside improver ``b`` of the same or another one.

    Attributes:
        a, b: labels.
        file_a, file_b: names of their files.
        steps: of every shared condition and task.
        alone: conditions and tasks that only one of them has, in words.
        unshared: where two files were compared, improvers that only one of them has, in words.
    """

    a: str
    b: str
    file_a: str
    file_b: str
    steps: tuple[StepComparison, ...]
    alone: tuple[str, ...]
    unshared: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return asdict(self)


def compare(text: str, paths: Sequence[Path]) -> list[Comparison]:
    """Return what ``--compare A,B`` asks for.

    Args:
        text: two labels of improvers, or two results files where ``paths`` are none.
        paths: results files of the labels, joined.

    Raises:
        UsageError: not two names, or an improver is not there.
        ResultsError: a file cannot be read.
        InvalidValue: the files are not of the same instances.
    """
    names = [part.strip() for part in text.split(",")]
    if len(names) != 2 or not all(names):
        raise UsageError(
            f"--compare {text}: give two improvers of the results file, or two results files, "
            "with a comma between"
        )
    if not paths:
        return _two_files(Path(names[0]), Path(names[1]))
    results = joined([(path, checked(path)) for path in paths])
    shown = " + ".join(path.name for path in paths)
    return [_pair((shown, results), names[0], (shown, results), names[1])]


def comparison_text(found: Sequence[Comparison]) -> str:
    """Return comparisons as tables, and which improvers are in none."""
    return "\n\n".join([*map(_text, found), *_unshared(found)])


def comparison_markdown(found: Sequence[Comparison]) -> str:
    """Return comparisons as tables of Markdown, and which improvers are in none."""
    parts = []
    for one in found:
        rows = [[*cells] for cells in map(_cells, one.steps)]
        parts += [printable(_title(one)), table([*HEADER, *WINS], rows), *_alone(one)]
    return "\n\n".join([*parts, *_unshared(found)]) + "\n"


def checked(path: Path) -> Results:
    """Return the results in a file whose values have the types that joining needs.

    Raises:
        ResultsError: it cannot be read.
        InvalidValue: it is damaged; names the file.
    """
    results = read(path)
    try:
        check(results)
    except InvalidValue as exc:
        exc.args = (f"{path}: {exc}",)
        raise
    return results


# --- inside -------------------------------------------------------------------------------------


def _two_files(first: Path, second: Path) -> list[Comparison]:
    """Compare every improver that both files have; without one, the default of each."""
    one, other = checked(first), checked(second)
    files: list[File] = [(first, one), (second, other)]
    if reason := why_not_paired(files):
        raise UsageError(reason)
    ours, theirs = one.config["improvers"], other.config["improvers"]
    shared = [(label, label) for label in ours if label in theirs]
    pairs = shared or [(one.config["default"], other.config["default"])]
    found = [_pair((first.name, one), a, (second.name, other), b) for a, b in pairs]
    known = {label for pair in pairs for label in pair}
    left = ((first.name, ours), (second.name, theirs))
    unshared = tuple(
        f"{', '.join(labels)} of {file}"
        for file, all_of_it in left
        if (labels := [label for label in all_of_it if label not in known])
    )
    return [replace(pair, unshared=unshared) for pair in found]


def _pair(one: tuple[str, Results], a: str, other: tuple[str, Results], b: str) -> Comparison:
    (file_a, results_a), (file_b, results_b) = one, other
    ours, theirs = _of(file_a, results_a, a), _of(file_b, results_b, b)
    seed = int(results_a.config["seed"])
    steps = [
        step
        for key in ours
        if key in theirs
        for step in compared(ours[key], a, theirs[key], b, seed)
    ]
    only = [(file_a, a, key) for key in ours if key not in theirs]
    only += [(file_b, b, key) for key in theirs if key not in ours]
    if not steps:
        raise UsageError(f"{a} and {b} have no task and condition in common: nothing to compare")
    alone = tuple(f"{where(key)}: only {label} in {file}" for file, label, key in only)
    return Comparison(a, b, file_a, file_b, tuple(steps), alone)


def _of(file: str, results: Results, label: str) -> dict[tuple[str, str], ResultBlock]:
    """Return the rows of an improver by condition and task."""
    found = {(one.condition, one.task): one for one in blocks(results) if label in one.improvers}
    if not found:
        known = ", ".join(results.config["improvers"])
        raise UsageError(f"no rows of {label!r} in {file}: choose two of {known}")
    return found


def where(key: tuple[str, str]) -> str:
    """Return condition and task in words."""
    condition, task = key
    return f"{task}, {condition}" if condition else task


def _text(one: Comparison) -> str:
    lines = aligned([[*HEADER, *WINS], *map(_cells, one.steps)])
    return "\n".join(map(printable, [_title(one), *lines, *_alone(one)]))


def _title(one: Comparison) -> str:
    return (
        f"A = {one.a} ({one.file_a}), B = {one.b} ({one.file_b}): mean best cost on the same "
        "instances; below 1 and below 0 A is closer"
    )


def _alone(one: Comparison) -> list[str]:
    return [f"not compared: {text}" for text in one.alone]


def _unshared(found: Sequence[Comparison]) -> list[str]:
    names = "; ".join(found[0].unshared) if found else ""
    return [printable(f"left out, without a counterpart: {names}")] if names else []


def _cells(step: StepComparison) -> list[str]:
    return [
        where((step.condition, step.task)),
        str(step.step),
        str(step.instances),
        mm(step.mean_a),
        mm(step.mean_b),
        estimate_text(step.ratio),
        _millimetres(step.difference),
        share_text(step.wins),
        percent(step.ties),
    ]


def _millimetres(found: IntervalEstimate) -> str:
    value, low, high = (significant(1e3 * one) for one in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]"
