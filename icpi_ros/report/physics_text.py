"""Calibrated physics as text and as JSON."""

from __future__ import annotations

from typing import Any

from icpi_ros.identify.estimate import LEVEL, POOR, Estimate, ParameterEstimate
from icpi_ros.lengths import millimetres
from icpi_ros.tasks.base import Task
from icpi_ros.text import printable


def physics_lines(found: Estimate, task: Task) -> list[str]:
    """Return the estimate, what is not known, and how well the recordings are explained."""
    parameters = zip(found.parameters, task.physics_space.parameters, strict=True)
    lines = [f"{'':12}{'estimate':>10}  {f'{LEVEL:.0%} interval':<20}{'range':<18}"]
    lines += [_row(p, f"{box.lower:g} to {box.upper:g}") for p, box in parameters]
    lines += [
        f"{one} and {other} are only known together (correlation {correlation:+.2f})"
        for one, other, correlation in found.tied
    ]
    worst = max(found.trials, key=lambda trial: trial.rms)
    lines.append(
        f"recorded paths: noise {millimetres(found.noise)}, simulation rough by "
        f"{millimetres(found.rough)}; worst trial {worst.name}: {millimetres(worst.rms)} off "
        f"(root mean square), {millimetres(worst.end)} at its end"
    )
    if not found.settled:
        lines.append("warning: the fit had not settled when it was stopped: trust it less")
    if found.poor:
        names = ", ".join(trial.name for trial in found.poor)
        lines.append(
            f"warning: no physics of the range explains {names} to {1e3 * POOR:.0f} mm: was "
            "something moved, or is the table unlike the simulated one?"
        )
    return [printable(line) for line in lines]


def _row(p: ParameterEstimate, span: str) -> str:
    unit = "" if p.unit == "1" else f" {p.unit}"
    interval = f"{p.interval[0]:.4g} to {p.interval[1]:.4g}"
    line = f"{p.name:12}{p.value:10.4g}  {interval:<20}{span + unit:<18}"
    if not p.known:
        line += "not known: these recordings hardly depend on it"
    elif p.border:
        line += f"at the {p.border} end of its range: the true value may lie outside"
    return line.rstrip()


def physics_json(found: Estimate) -> dict[str, Any]:
    """Return the estimate as JSON types; keys as in the dataclasses."""
    return {
        "task": found.belief.task,
        "physics": list(found.belief.mean),
        "covariance": [list(row) for row in found.belief.covariance],
        "parameters": [vars(p) | {"interval": list(p.interval)} for p in found.parameters],
        "tied": [list(pair) for pair in found.tied],
        "trials": [vars(trial) for trial in found.trials],
        "noise": found.noise,
        "rough": found.rough,
        "rollouts": found.rollouts,
        "settled": found.settled,
    }
