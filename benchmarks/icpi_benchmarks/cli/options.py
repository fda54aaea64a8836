"""Options of `icpi bench` and its programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from icpi_benchmarks.contest.conditions import DRAWS, PRESETS
from icpi_ros.cli.arguments import (
    add_arm,
    add_cassette,
    add_mix,
    add_workers,
    length,
    number,
    whole,
)
from icpi_ros.cli.json_output import add_json

FEWEST = 100
"""Trials that are needed to see memory grow."""
TASKS_SEEN = "slide,roll-gc"
WORLDS = "slide,toss-gc"
SPENT = "slide,slide-gc,roll-gc,rope-swing-gc"
REPEATS = "embedded,embedded:repeats=when-noisy"
COLD = "embedded,bo,cma,random"
"""Improvers that need no examples."""


def main(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    presets = "; ".join(f"{name}: {preset.summary}" for name, preset in PRESETS.items())
    parser.add_argument(
        "--preset", default="main", metavar="P", help=f"what to run (default main). {presets}"
    )
    parser.add_argument("--tasks", metavar="T,..", help="instead of the preset's")
    add_arm(parser, "each task's own")
    parser.add_argument(
        "--dataset",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="examples of one of the tasks instead of the shipped set; may be repeated",
    )
    add_mix(parser, "examples of another arm")
    parser.add_argument(
        "--improvers",
        metavar="I,..",
        help="instead of the preset's; with options NAME:KEY=VALUE, for example ridge:k=10. Beside "
        "language models stand their nulls; a proposal that one did not make costs it a trial "
        "(llm:substitute=hold, unless another is given)",
    )
    parser.add_argument(
        "--model",
        help="model of the improvers llm..., an entry of models.yaml (default: ICPI_MODEL, else "
        "icpi-in-context, which is `icpi serve`)",
    )
    add_cassette(parser)
    parser.add_argument(
        "--cassettes",
        type=Path,
        metavar="FOLDER",
        help="replay every model's answers from its cassette MODEL.jsonl or MODEL.jsonl.xz in "
        "FOLDER, and never ask (presets models and small: the shipped ones)",
    )
    parser.add_argument(
        "--record",
        type=Path,
        metavar="FOLDER",
        help="ask the models' servers, and record the answers in FOLDER/MODEL.jsonl; what is there "
        "is not asked again. FOLDER/models.yaml, if there is one, says where the servers are",
    )
    parser.add_argument(
        "--instances", type=whole(1, 100_000), metavar="N", help="per task (preset: 200)"
    )
    parser.add_argument(
        "--trials",
        type=whole(1, 1000),
        metavar="K",
        help="per instance, the common first attempt included (preset: 6)",
    )
    parser.add_argument("--seed", type=whole(0, 2**63), default=0)
    parser.add_argument(
        "--draws",
        choices=DRAWS,
        help="hidden physics, goal and first attempt: test (default), shifted (physics outside "
        "the data), or train (for tuning)",
    )
    parser.add_argument(
        "--time-limit",
        type=number(0.001, 86_400.0),
        metavar="S",
        help="of one proposal [s]; an improver that exceeds it has failed (default: 30, with "
        "language models their deadline and 5 s)",
    )
    parser.add_argument(
        "--threshold",
        type=length(1e-6, 100.0),
        metavar="M",
        default=0.005,
        help="cost that counts as success [m], or 5mm (default 5mm)",
    )
    add_json(parser, "the results; with FILE resumable, without it nothing is kept; all of them")
    add_workers(parser)


def sim(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument("--tasks", metavar="T,..", help="default: all")
    add_arm(parser, "each task's own")
    parser.add_argument("--rollouts", type=whole(1, 1_000_000), default=512, metavar="N")
    parser.add_argument("--threads", metavar="N,..", help="default: 1 and one per processor")
    parser.add_argument("--repeats", type=whole(1, 100), default=3)
    parser.add_argument("--seed", type=whole(0, 2**62), default=0)
    add_json(parser)


def graph(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument("--task", default="slide", help="default: slide")
    add_arm(parser)
    parser.add_argument("--trials", type=whole(1, 1000), default=20, metavar="N")
    parser.add_argument("--seed", type=whole(0, 2**62), default=0)
    parser.add_argument(
        "--real-time-factor",
        type=number(0.0, 100.0),
        action="append",
        metavar="F",
        help="may be given more than once; default: 1 and 0 (as fast as possible)",
    )
    add_json(parser)


def stop(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument("--trials", type=whole(1, 10_000), default=200, metavar="N")
    parser.add_argument("--seed", type=whole(0, 2**62), default=0)
    parser.add_argument(
        "--request",
        choices=("both", "cancel", "service"),
        default="both",
        help="cancel the goal, call the service stop, or each for half of the trials",
    )
    parser.add_argument(
        "--controller",
        choices=("topic", "action"),
        default="topic",
        help="the way to the arm; action needs control_msgs, and its commands are not overheard",
    )
    parser.add_argument(
        "--commands",
        type=whole(0, 1000),
        default=20,
        metavar="N",
        help="presses of the stop by the command `icpi stop`, whose processor time is measured",
    )
    add_arm(parser)
    add_json(parser)


def view(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument(
        "--seconds",
        type=number(0.0, 3600.0),
        default=30.0,
        metavar="S",
        help="of trials whose joint states are looked for in the browser; 0 = none (default: 30)",
    )
    parser.add_argument(
        "--stops",
        type=whole(0, 10_000),
        default=100,
        metavar="N",
        help="presses of STOP in the browser, each released; 0 = none (default: 100)",
    )
    parser.add_argument(
        "--pairs",
        type=whole(0, 1000),
        default=10,
        metavar="N",
        help="runs without and with the page, the same trials; 0 = none (default: 10)",
    )
    parser.add_argument("--trials", type=whole(1, 100), default=3, metavar="K", help="of a run")
    parser.add_argument(
        "--window",
        type=whole(50, 4000),
        nargs=2,
        default=[240, 180],
        metavar=("W", "H"),
        help="of the browser [px]; default: 240 180, for the processor draws it",
    )
    parser.add_argument(
        "--draw",
        action="store_true",
        help="let the browser draw the scene while STOP is pressed: without a graphics card its "
        "pictures take the processor that stops the arm",
    )
    parser.add_argument("--seed", type=whole(0, 2**62), default=0)
    add_arm(parser)
    add_json(parser)


def soak(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument("--task", default="slide", help="default: slide")
    add_arm(parser)
    add_mix(parser, "learn from a data set of another arm")
    parser.add_argument("--trials", type=whole(FEWEST, 1000), default=300, metavar="N")
    parser.add_argument("--seed", type=whole(0, 2**62), default=0)
    parser.add_argument("--improver", default="random", help="default: random")
    add_json(parser)


def memory(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument("--task", default="slide", help="default: slide")
    add_arm(parser)
    parser.add_argument("--trials", type=whole(1, 1000), default=8, metavar="N")
    parser.add_argument("--seed", type=whole(0, 2**62), default=0)
    parser.add_argument("--improver", default="embedded", help="default: embedded")
    add_json(parser)


def pixels(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument("--tasks", metavar="T,..", default=TASKS_SEEN, help="default: %(default)s")
    add_arm(parser, "each task's own")
    add_mix(parser, "examples of another arm")
    parser.add_argument(
        "--cases", metavar="C,..", default="ideal,typical,occluded", help="default: %(default)s"
    )
    parser.add_argument(
        "--trials", type=whole(0, 100_000), default=100, help="of accuracy, per task; 0 = none"
    )
    parser.add_argument(
        "--instances", type=whole(0, 100_000), default=50, help="of cost, per task; 0 = none"
    )
    parser.add_argument("--seed", type=whole(0, 2**31), default=0)
    parser.add_argument(
        "--workers", type=whole(1, 256), help="processes; default: one per processor"
    )
    add_json(parser)


def demonstration(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument("--worlds", metavar="W,..", default=WORLDS, help="default: %(default)s")
    parser.add_argument(
        "--parameters",
        type=whole(2, 4),
        action="append",
        metavar="N",
        help="2 or 4; may be given more than once; default: both",
    )
    parser.add_argument(
        "--improvers", metavar="I,..", default=COLD, help="as of `icpi bench`; default: %(default)s"
    )
    parser.add_argument(
        "--demonstrations", type=whole(1, 100), default=3, metavar="N", help="default: 3"
    )
    parser.add_argument(
        "--instances",
        type=whole(1, 100_000),
        default=20,
        metavar="N",
        help="draws of physics and goal for each demonstration (default: 20)",
    )
    parser.add_argument("--adjustments", type=whole(1, 100), default=10, metavar="K")
    parser.add_argument(
        "--noise",
        type=length(0.0, 1.0),
        action="append",
        metavar="M",
        help="of the sensor, on every coordinate [m], or 3mm; may be given more than once; "
        "default: none",
    )
    parser.add_argument("--seed", type=whole(0, 2**62), default=0)
    parser.add_argument("--draws", choices=("test", "train"), default="test", help="default: test")
    parser.add_argument(
        "--no-search", action="store_true", help="do not search what the best theta reaches"
    )
    parser.add_argument(
        "--workers", type=whole(1, 256), help="processes; default: one per processor"
    )
    add_json(parser)


def llm(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument("--tasks", metavar="T,..", help="default: all")
    parser.add_argument("--proposals", type=whole(20, 900), default=300, metavar="N")
    parser.add_argument("--history", action="store_true", help="show the run's own trials, too")
    add_json(parser)


def pack(parser: argparse.ArgumentParser) -> None:
    """Add the options of the program."""
    parser.add_argument("folder", type=Path, help="of `icpi bench --record`")
    parser.add_argument("--into", type=Path, required=True, metavar="FOLDER")
    add_json(parser)


def bag(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument("--source", choices=("tracked_pose", "camera"), default="tracked_pose")
    parser.add_argument("--seconds", type=whole(10, 100_000), default=600, help="of a pose bag")
    parser.add_argument("--gigabytes", type=number(0.01, 100.0), default=0.2, help="of images")
    parser.add_argument(
        "--trials",
        type=whole(2, 1000),
        metavar="N",
        help="of a run in a camera bag, 3.25 s each, evaluated as `icpi replay` does",
    )
    parser.add_argument("--folder", type=Path, help="where the bag is made; default: a temporary")
    add_json(parser)


def spending(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument("--tasks", metavar="T,..", default=SPENT, help="default: %(default)s")
    parser.add_argument(
        "--improvers",
        metavar="I,..",
        default=REPEATS,
        help="one that predicts gains, with different options; default: %(default)s",
    )
    parser.add_argument(
        "--noise",
        type=length(0.0, 0.1),
        action="append",
        metavar="M",
        help="of the sensor, on every coordinate [m], or 5mm; may be given more than once; "
        "default: 0, 1, 2, 5 and 10 mm",
    )
    parser.add_argument(
        "--instances", type=whole(1, 100_000), default=20, metavar="N", help="per task; default: 20"
    )
    parser.add_argument("--trials", type=whole(3, 100), default=10, metavar="K", help="default: 10")
    parser.add_argument("--seed", type=whole(0, 2**62), default=0)
    parser.add_argument("--draws", choices=("test", "train"), default="test", help="default: test")
    parser.add_argument("--cold", action="store_true", help="without the shipped examples")
    parser.add_argument(
        "--workers", type=whole(1, 256), help="processes; default: one per processor"
    )
    add_json(parser)
