"""A short description of the task, for prompts that are not task-agnostic."""

from __future__ import annotations

from icpi_ros.core.space import ParameterSpace
from icpi_ros.learn.retrieval import Scale


def describe(task: str, space: ParameterSpace, scale: Scale, unit: str, raw: bool) -> str:
    """Return lines that say what the groups of an adjustment pattern mean.

    Args:
        task: its name.
        space: policy parameters.
        scale: of errors.
        unit: how 1 is written, for example ``+01000``.
        raw: state and goal are shown, not the error.
    """
    seen = "state and then the goal" if raw else "error, outcome minus goal"
    wanted = "brings the state to the goal" if raw else "makes the error 0"
    parameters = ", ".join(
        f"{p.name} [{p.unit}] (0 is {0.5 * (p.lower + p.upper):.4g}, {unit} is {half:.4g} more)"
        for p, half in zip(space.parameters, space.half_range, strict=True)
    )
    errors = ", ".join(f"{unit} is {rms:.3g}" for rms in scale.rms)
    return (
        f"A robot repeats the motion of task {task} with policy parameters: {parameters}.\n"
        f"Input: the parameters of an attempt | its outcome as {seen} ({errors}, in SI units). "
        f"Output: the change of the parameters that {wanted}."
    )


def describe_costs(task: str, space: ParameterSpace, unit: str, metres: float) -> str:
    """Return lines that say what a pattern ``cost -> parameters`` means.

    Args:
        task: its name.
        space: policy parameters.
        unit: how 1 is written.
        metres: cost of one unit [m].
    """
    parameters = ", ".join(
        f"{p.name} [{p.unit}] (-{unit[1:]} is {p.lower:.4g}, {unit} is {p.upper:.4g})"
        for p in space.parameters
    )
    return (
        f"A robot repeats the motion of task {task} with policy parameters: {parameters}.\n"
        f"Input: the cost of an attempt, its distance from the goal ({unit} is {metres:.3g} m). "
        "Output: the parameters of that attempt. Attempts come worst to best; give parameters "
        "that have not been tried and whose cost is 0."
    )
