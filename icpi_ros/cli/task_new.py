"""A task made from a demonstrated motion: its YAML file and its recordings."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from icpi_ros.cli.arguments import checked_folder
from icpi_ros.core.errors import UsageError
from icpi_ros.core.files import replacing
from icpi_ros.core.space import Parameter
from icpi_ros.motion.demonstration import DemonstratedMotion, read_csv, write_csv
from icpi_ros.motion.demonstration.bounds import FeasibleBox, feasible_box
from icpi_ros.motion.demonstration.demonstration import TOLERANCE, motion_alone
from icpi_ros.motion.demonstration.parameters import FASTEST, SPEED, on_offer, with_fastest
from icpi_ros.motion.demonstration.recording import JointRecording
from icpi_ros.motion.limits_file import gate_of
from icpi_ros.robots import argument_of, find_arm
from icpi_ros.robots.base import Arm
from icpi_ros.tasks import TASKS

TOPIC = "/joint_states"
RELEASE = Parameter(
    "release", "s", -0.1, 0.1, "letting go of what a gripper holds, after the highest tool speed"
)
"""Parameter of every task that its motion knows nothing of: it goes into the file unchecked."""
GOAL_BEYOND, GOAL_HALF = 0.2, 0.15
"""Guess of the goals: a square so far beyond the end of the motion, of this half side [m]."""
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_YAML = """\
# Task {name}, made from a demonstration.
task: {name}
summary: {name}, from a demonstration
arm: {arm}
motion:
  demonstration: {files}
  parameters:                # {count} of those on offer; narrow them, or choose others:
{parameters}
{others}
# All below is a guess: say what is observed, where it should come to be, and when it rests.
draft: true                  # take this line away once that is said
observe: {{at: rest, coordinates: [x, y]}}
goal:                        # m, frame base
  x: {{lower: {x_low:.2f}, upper: {x_high:.2f}}}
  y: {{lower: {y_low:.2f}, upper: {y_high:.2f}}}
object:
  name: object
rest: {{speed: 0.01, window: 0.1}}   # m/s, s
max_duration: 6.0            # s
"""


@dataclass(frozen=True)
class _Outputs:
    """Files that are written: the task, and one recording for each demonstration."""

    task: Path
    recordings: tuple[Path, ...]


def new_task(args: argparse.Namespace) -> int:
    """Write NAME.yaml and NAME.csv of a demonstrated motion."""
    arm = find_arm(args.arm or "ur5e")
    wanted, gate = _wanted(args.parameters), gate_of(arm, args.limits)
    outputs = _outputs(args)
    release = _release(wanted)
    recordings = [_prepared(one, args.between, arm) for one in _recordings(args, arm)]
    asked = _asked(recordings, arm, wanted)
    print(f"proposing bounds: every corner of {', '.join(wanted)} is checked by the gate ...")
    box = feasible_box(asked, gate)
    bounds = _bounds(box)
    motion = DemonstratedMotion.of(recordings, arm, bounds)
    for path, recording in zip(outputs.recordings, recordings, strict=True):
        write_csv(path, recording)
    with replacing(outputs.task) as temporary:
        text = _yaml(args.name, motion, outputs, arm, release)
        temporary.write_text(text, encoding="utf-8")
    if args.json:
        args.json.write(_as_json(motion, box, outputs))
    _print(motion, box, outputs, fastest=_takes_fastest(wanted))
    return 0


def _outputs(args: argparse.Namespace) -> _Outputs:
    """Return the files to write, none of which is there yet.

    Raises:
        UsageError: the name is not allowed or taken, or a file is there.
    """
    if not _NAME.fullmatch(args.name):
        raise UsageError(
            f"name {args.name!r} is not allowed: small letters, digits, _ and -, a letter first, "
            "at most 40"
        )
    if args.name in TASKS:
        raise UsageError(f"there is a task {args.name!r} already: choose another name")
    folder = checked_folder("--out", args.out)
    folder.mkdir(parents=True, exist_ok=True)
    count = len(args.sources or [None])
    ends = [""] if count == 1 else [f"_{number}" for number in range(1, count + 1)]
    recordings = tuple(folder / f"{args.name}{end}.csv" for end in ends)
    for path in (folder / f"{args.name}.yaml", *recordings):
        if path.exists():
            raise UsageError(f"{path} is there already: choose another name or --out")
    return _Outputs(folder / f"{args.name}.yaml", recordings)


def _recordings(args: argparse.Namespace, arm: Arm) -> list[JointRecording]:
    if not args.sources:
        return [_live(args.topic or TOPIC, args.timeout, arm)]
    return [_read(path, args.topic, arm) for path in args.sources]


def _read(path: Path, topic: str, arm: Arm) -> JointRecording:
    if path.suffix.lower() == ".csv":
        return read_csv(path, arm)
    from icpi_ros.bags.joint_states import recorded_joints

    return recorded_joints(path, arm, topic)


def _live(topic: str, timeout: float, arm: Arm) -> JointRecording:
    try:
        from icpi_ros.ros.clients.joint_client import JointClient  # needs ROS
    except ImportError as exc:
        raise UsageError(
            f"recording from {topic} needs ROS, which is not there: {exc}; give a bag or CSV with "
            "--from"
        ) from exc
    with JointClient(topic, arm) as client:
        print(f"recording {topic}: show the motion now, then hold the arm at rest ...", flush=True)
        return client.recorded(timeout)


def _prepared(
    recording: JointRecording, between: Sequence[float] | None, arm: Arm
) -> JointRecording:
    """Return the part with the motion, and a little rest before and after it."""
    if between:
        if len(between) != 2:
            raise UsageError("--between needs two times [s], for example 0.5,3.2")
        recording = recording.between(*map(float, between))
    return motion_alone(recording, arm)


def _wanted(text: str) -> dict[str, tuple[float, float] | None]:
    """Return bounds by name of ``speed,heading=-0.2:0.2``; None = those that are proposed.

    Raises:
        UsageError: it has another form, or a name twice.
    """
    found: dict[str, tuple[float, float] | None] = {}
    for part in text.split(","):
        name, given, pair = part.strip().partition("=")
        if name in found:
            raise UsageError(f"--parameters: {name} is there twice")
        try:
            low, high = map(float, pair.split(":")) if given else (0.0, 0.0)
        except ValueError:
            raise UsageError(
                f"--parameters: {part!r} is not allowed: a name, or bounds as in speed=0.6:1.6"
            ) from None
        found[name] = (low, high) if given else None
    return found


def _asked(
    recordings: Sequence[JointRecording],
    arm: Arm,
    wanted: Mapping[str, tuple[float, float] | None],
) -> DemonstratedMotion:
    """Return the motions whose box is to be cut; where no bounds of speed are given, fast ones."""
    motion = DemonstratedMotion.of(recordings, arm, wanted)
    if not _takes_fastest(wanted):
        return motion
    return replace(motion, space=with_fastest(motion.shown, motion.space))


def _takes_fastest(wanted: Mapping[str, tuple[float, float] | None]) -> bool:
    """Tell whether the speed is a parameter whose bounds nobody gave."""
    return wanted.get(SPEED, ()) is None


def _release(wanted: dict[str, tuple[float, float] | None]) -> Parameter | None:
    """Take the moment of release out of the parameters; None = the task lets nothing go."""
    if RELEASE.name not in wanted:
        return None
    low, high = wanted.pop(RELEASE.name) or (RELEASE.lower, RELEASE.upper)
    return replace(RELEASE, lower=low, upper=high)


def _bounds(box: FeasibleBox) -> dict[str, tuple[float, float]]:
    """Return the bounds of a box in few digits.

    Raises:
        UsageError: a parameter is left without any room.
    """
    for p in box.space.parameters:
        if not p.lower < p.upper:
            why = dict(box.cuts).get(p.name, p.name)
            raise UsageError(f"--parameters: leave out {p.name}, it cannot be changed: {why}")
    return {name: _rounded(*pair) for name, pair in box.bounds.items()}


def _rounded(low: float, high: float) -> tuple[float, float]:
    """Return bounds in few digits, not beyond the given ones."""
    step = 10.0 ** (np.floor(np.log10(high - low)) - 2)
    pair = np.ceil(low / step - 1e-6) * step, np.floor(high / step + 1e-6) * step
    return float(f"{pair[0]:.6g}"), float(f"{pair[1]:.6g}")


def _yaml(
    name: str, motion: DemonstratedMotion, outputs: _Outputs, arm: Arm, release: Parameter | None
) -> str:
    files = [path.name for path in outputs.recordings]
    chosen = [*motion.space.parameters, *filter(None, [release])]
    names = {p.name for p in chosen}
    offered = [*on_offer(motion.shown).values(), RELEASE]
    start, end = arm.tool_pose(motion.shown.positions[[0, -1]])[0]
    ahead = (end - start)[:2] / max(float(np.linalg.norm((end - start)[:2])), 1e-9)
    x, y = end[:2] + GOAL_BEYOND * ahead
    return _YAML.format(
        name=name,
        arm=argument_of(arm),
        files=files[0] if len(files) == 1 else f"[{', '.join(files)}]",
        count=len(chosen),
        parameters="\n".join(f"    {_row(p)}" for p in chosen),
        others="\n".join(f"    # {_row(p)}" for p in offered if p.name not in names),
        x_low=x - GOAL_HALF,
        x_high=x + GOAL_HALF,
        y_low=y - GOAL_HALF,
        y_high=y + GOAL_HALF,
    )


def _row(p: Parameter) -> str:
    """Return a parameter as a line of the file: ``speed: [0.2, 0.8]  # m/s, peak speed ..``."""
    unit = f"{p.shown_unit}, " if p.shown_unit else ""
    return f"{p.name}: [{p.lower:.6g}, {p.upper:.6g}]  # {unit}{p.description}"


def _as_json(motion: DemonstratedMotion, box: FeasibleBox, outputs: _Outputs) -> dict[str, Any]:
    shown, space = motion.shown, motion.space
    return {
        "task": str(outputs.task),
        "recordings": list(map(str, outputs.recordings)),
        "length": shown.length,
        "peak": shown.peak,
        "speed": shown.speed,
        "bounds": {p.name: [p.lower, p.upper] for p in space.parameters},
        "demonstrated": dict(zip(space.names, motion.demonstrated.tolist(), strict=True)),
        "notes": [*shown.remarks, *box.notes],
    }


def _print(motion: DemonstratedMotion, box: FeasibleBox, outputs: _Outputs, fastest: bool) -> None:
    shown = motion.shown
    for line in shown.remarks:
        print(line)
    print(
        f"motion: {shown.length:.3f} m, peak speed {shown.speed:.3f} m/s after {shown.peak:.3f} m; "
        f"smoothed within {1e3 * TOLERANCE:g} mm"
    )
    for p, value in zip(motion.space.parameters, motion.demonstrated, strict=True):
        print(f"  {p.name:10s} {p.lower:g} to {p.text(p.upper)}, first trial {p.text(value, 3)}")
    for note in box.notes:
        print(f"  cut: {note}")
    print("every corner of these bounds passes the gate")
    if fastest:
        print(
            f"the upper bound of {SPEED} is what the arm can do, at most {FASTEST:g} x what was "
            "shown: narrow it to what the motion needs"
        )
    print(f"written: {outputs.task}, {', '.join(map(str, outputs.recordings))}")
    print(
        f"next: say in {outputs.task} what is observed, the goal and the object, then "
        f"icpi task try {shlex.quote(str(outputs.task))} --picture try.png"
    )
