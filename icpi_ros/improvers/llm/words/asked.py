"""A task, a run's trials and an object's path in words, and thetas that are answered in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from icpi_ros.core.errors import CompletionFailed
from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array, ObjectTrajectory, Outcome
from icpi_ros.improvers.base import Context
from icpi_ros.llm.client.objects import find_objects
from icpi_ros.llm.prompt.tokens import answer_text, excerpt

MAX_SHOWN = 20
"""Most trials that are shown: the latest ones and the best one."""
ANSWER = "theta"
"""Key of the answer."""
_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?"
_LINE = re.compile(rf"[`*\s]*{ANSWER}[`*\s]*[:=][`*\s]*(.+?)[`*\s]*\.?[`*\s]*", re.IGNORECASE)


def task_in_words(context: Context) -> str:
    """Return the task: its parameters with bounds and meaning, the goal, what is to be reached."""
    lines = [
        f"A robot repeats the motion of task {context.dataset.task}. "
        "Its parameters can be changed before every attempt:"
    ]
    lines += [
        f"- {p.heading}, from {p.lower:.4g} to {p.upper:.4g}"
        + f": {p.description}" * bool(p.description)
        for p in context.space.parameters
    ]
    if context.goal.size:
        lines.append(f"Goal: ({_numbers(context.goal)}), in SI units.")
    lines.append(
        "The error of an attempt is its outcome minus the goal, in SI units; the cost is how far "
        "the outcome is from the goal, in mm. The cost must become 0."
    )
    return "\n".join(lines)


def trials_in_words(history: Sequence[Outcome], space: ParameterSpace) -> str:
    """Return the trials of a run, oldest first, and which is the best one."""
    best = min(range(len(history)), key=lambda n: history[n].cost)
    shown = sorted({*range(len(history))[-MAX_SHOWN:], best})
    lines = [_trial_in_words(n + 1, history[n], space) for n in shown]
    lines.append(f"Attempt {best + 1} is the best one so far.")
    return "\n".join(lines)


def _trial_in_words(number: int, trial: Outcome, space: ParameterSpace) -> str:
    """Return a trial; its parameters as they are to be answered."""
    theta, names = _numbers(trial.theta), ", ".join(space.names)
    return (
        f"Attempt {number} ({names}):\ntheta: {theta}\n"
        f"error: {_numbers(trial.error)}\ncost: {1e3 * trial.cost:.4g} mm"
    )


def path_in_words(path: ObjectTrajectory | None, points: int) -> str:
    """Return at most so many points of an object's path, evenly chosen; empty = none."""
    if path is None or not points:
        return ""
    seen = np.flatnonzero(np.isfinite(path.positions).all(axis=1))
    if not len(seen):
        return ""
    chosen = np.unique(seen[np.linspace(0, len(seen) - 1, points).round().astype(int)])
    listed = "; ".join(
        f"{path.times[n]:.2f} s ({', '.join(f'{x:.3f}' for x in path.positions[n])})"
        for n in chosen
    )
    return f"Path of the object in the latest attempt, x y z in m: {listed}."


def read_theta(reply: str, names: Sequence[str]) -> Array:
    """Return the theta ``(d,)`` of a reply, finite: of its JSON, or of its line "theta: ...".

    Args:
        reply: the model's text.
        names: of the parameters, which may stand before their values.

    Raises:
        CompletionFailed: it holds none, or several, or what is no number; one line.
    """
    text = answer_text(reply)
    found = find_objects(text)
    answers = [_entries(value, names) for value in found.values(ANSWER)]
    lines = map(_LINE.fullmatch, found.rest.splitlines())
    answers += [_words(line[1], names) for line in lines if line]
    if not answers:
        raise CompletionFailed(f"the reply holds no theta: {excerpt(reply)!r}")
    if any(answer != answers[0] for answer in answers):
        raise CompletionFailed(f"the reply holds several thetas: {excerpt(reply)!r}")
    entries = answers[0]
    if len(entries) != len(names) or not all(re.fullmatch(_NUMBER, one) for one in entries):
        raise CompletionFailed(
            f"the reply holds no {len(names)} numbers as theta: {excerpt(reply)!r}"
        )
    theta = np.array([float(one) for one in entries])
    if not np.isfinite(theta).all():
        raise CompletionFailed(f"the reply holds a number that is not finite: {excerpt(reply)!r}")
    return theta


def _entries(value: Any, names: Sequence[str]) -> list[str]:
    """Return the entries of a JSON value as texts: of a list, or of an object with all names."""
    if isinstance(value, str):
        return _words(value, names)
    pairs = list(value) if isinstance(value, tuple | list) else []
    if isinstance(value, tuple):
        named = dict(pairs)
        if len(named) != len(pairs) or set(named) != set(names):
            return []
        pairs = [named[name] for name in names]
    return [entry.strip() if isinstance(entry, str) else "" for entry in pairs]


def _words(text: str, names: Sequence[str]) -> list[str]:
    """Return the values of a line: numbers, or ``name = number`` in the order of the names."""
    bare = text.strip()
    if re.search(r"\d,\d", bare):
        return []  # 0,15 is one number or two
    if bare[:1] + bare[-1:] in ("[]", "()"):
        bare = bare[1:-1]
    parts = [part.strip() for part in re.split(r"[,;]", bare)]
    if len(parts) == 1:
        parts = bare.split()
    named = [re.fullmatch(r"(\w+)\s*[:=]\s*(\S+)", part) for part in parts]
    if all(named) and [found[1] for found in named if found] == list(names):
        return [found[2] for found in named if found]
    return parts


def _numbers(values: Array) -> str:
    return ", ".join(f"{value:.4g}" for value in values)
