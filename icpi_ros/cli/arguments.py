"""Argument types and groups that several subcommands share.

Every command imports this, `icpi stop` and `icpi serve` too: what needs numpy (0.2 s) or MuJoCo is
imported where an arm or an improver is looked up.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icpi_ros.core.errors import InvalidValue, UnknownName, UsageError
from icpi_ros.core.files import check_folder_writable, open_private, require_place
from icpi_ros.core.units import Length, parse_length, parse_quantity
from icpi_ros.ros.bringup.instance import check_name
from icpi_ros.settings.table import find

if TYPE_CHECKING:
    from icpi_ros.core.space import ParameterSpace
    from icpi_ros.learn.dataset.mixing import ArmId
    from icpi_ros.robots.base import Arm
    from icpi_ros.runs.store.store import TrialStore
    from icpi_ros.tasks.base import Task


def opened_store(path: Path | None, reading: bool = True) -> TrialStore:
    """Open a trial store that is there, to read it or to write; None = the default one.

    Raises:
        UsageError: it is not.
    """
    from icpi_ros.runs.store.store import TrialStore, default_path

    path = path or default_path()
    if not path.exists():
        raise UsageError(f"there is no trial store at {path}: name one with --store")
    return TrialStore(path, reading=reading)


def is_bag(path: Path) -> bool:
    """Tell whether an argument means a bag: a folder, or a file of one."""
    return path.is_dir() or path.suffix in (".mcap", ".db3")


def whole(low: int, high: int) -> type[int]:
    """Return an argparse type: an integer from ``low`` to ``high``."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r}: allowed are integers {low} to {high}")
        return value

    return parse  # type: ignore[return-value]  # argparse takes any callable


def number(low: float, high: float = math.inf) -> type[float]:
    """Return an argparse type: a finite number from ``low`` to ``high`` [unit of the option]."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and low <= value <= high):
            span = f"{low:g} to {high:g}" if math.isfinite(high) else f"of at least {low:g}"
            raise argparse.ArgumentTypeError(f"{text!r}: allowed are numbers {span}")
        return value

    return parse  # type: ignore[return-value]  # argparse takes any callable


def length(low: float, high: float = math.inf) -> type[float]:
    """Return an argparse type: a length from ``low`` to ``high`` [m], such as ``5mm``."""

    def parse(text: str) -> float:
        try:
            value = parse_length(text)
        except InvalidValue as exc:
            raise argparse.ArgumentTypeError(str(exc)) from None
        if not low <= value <= high:
            span = f"of at least {1e3 * low:g} mm"
            span = f"{1e3 * low:g} to {1e3 * high:g} mm" if math.isfinite(high) else span
            raise argparse.ArgumentTypeError(f"{text!r}: allowed are lengths {span}")
        return value

    return parse  # type: ignore[return-value]  # argparse takes any callable


def add_setting(
    parser: argparse.ArgumentParser, name: str, note: str = "", default: Any = None
) -> None:
    """Add the option of a setting: type, range, choices and help are those of the table.

    Args:
        parser: of a command.
        name: of the setting.
        note: that the help ends with.
        default: of the option; None = the command says what it means.
    """
    setting = find(name)
    kind: Any = ros_name if name == "namespace" else type(setting.default)
    value = name.upper()
    if kind is int:
        kind, value = whole(int(setting.lower), int(setting.upper)), "N"
    elif kind is float:
        read = length if setting.unit == "m" else number
        kind, value = read(setting.lower, setting.upper), setting.unit.upper() or "X"
    elif kind is list:
        kind, value = quantities, "X,Y,.."
    parser.add_argument(
        f"--{name.replace('_', '-')}",
        type=kind,
        choices=setting.choices or None,
        metavar=None if setting.choices else value,
        default=default,
        help=f"{setting.help}; {note}" if note else setting.help,
    )


def check_source(name: str, task: Task | None = None) -> None:
    """Look a sensor source up; plug-ins, which may bring it, are loaded once a line is parsed.

    Raises:
        UsageError: there is none of that name, or the task has nothing that a camera looks for.
    """
    from icpi_ros.perception.sources import SOURCES

    try:
        SOURCES.get(name)
    except UnknownName as exc:
        raise UsageError(f"--source: {exc}") from exc
    if name == "camera" and task is not None:
        from icpi_ros.perception.targets import tracked_target

        tracked_target(task)


def quantities(text: str) -> list[float]:
    """Parse ``0.6,42cm``: numbers and lengths; see :func:`of_space` for the rest of the check."""
    try:
        return [parse_quantity(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected numbers with commas between, for example 0.6,0.42 or 60cm,42cm"
        ) from None


def of_space(option: str, values: Sequence[float], space: ParameterSpace) -> list[float]:
    """Return :func:`quantities` as numbers in the units of a space, whose bounds are not checked.

    Raises:
        UsageError: one is a length and its parameter is none.
    """
    for value, parameter in zip(values, space.parameters, strict=False):
        if isinstance(value, Length) and parameter.unit != "m":
            unit = parameter.shown_unit
            raise UsageError(
                f"{option}: {parameter.name} is no length: write a number"
                + (f" [{unit}]" if unit else "")
            )
    return [float(value) for value in values]


def ros_name(text: str) -> str:
    """Argparse type: a ROS namespace or the name of a topic."""
    try:
        return check_name(text, "")
    except UsageError as exc:
        raise argparse.ArgumentTypeError(str(exc).strip()) from None


def add_namespace(parser: argparse.ArgumentParser) -> None:
    """Add ``--namespace`` of a graph that is up."""
    parser.add_argument("--namespace", type=ros_name, default="", help="namespace of the graph")


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add ``--store``."""
    parser.add_argument(
        "--store",
        type=Path,
        metavar="FILE",
        help="trial store (SQLite); default: $ICPI_STORE, else trials.sqlite in the user's "
        "data folder",
    )


def add_arm(parser: argparse.ArgumentParser, default: str = "the task's own") -> None:
    """Add ``--arm``."""
    parser.add_argument(
        "--arm",
        metavar="NAME_OR_FILE",
        help="arm that executes: a name, see `icpi arm list`, or a YAML file (docs/arms.md); "
        f"default: {default}",
    )


def add_mix(parser: argparse.ArgumentParser, what: str) -> None:
    """Add ``--mix``; ``what`` may be mixed then."""
    parser.add_argument("--mix", action="store_true", help=f"{what}; the result says so")


def chosen_arm(given: str | None, task: Task, world: Task | None = None) -> Arm:
    """Return the arm that ``--arm`` names, else the task's own; it can be simulated with the task.

    Where the task has no scene nothing is simulated.

    Args:
        given: value of ``--arm``.
        task: that the arm executes.
        world: task in whose scene it does; None = the same.

    Raises:
        UsageError: no such arm, a bad file, or a scene of the task that does not take it.
    """
    from icpi_ros.robots import ARMS, find_arm

    arm = find_arm(given) if given else ARMS.get(task.arm)
    scene = world or task
    if arm.name != scene.arm and scene.scene is not None:
        from icpi_ros.sim.world import load_model

        load_model(scene, scene.seeded_physics(0), arm)
    return arm


def arm_argument(arm: Arm, task: Task) -> str:
    """Return the value of a graph's argument ``arm``; empty = the task's own."""
    from icpi_ros.robots import argument_of

    return "" if arm.name == task.arm else argument_of(arm)


def same_arm(
    given: str | None,
    task: Task,
    known: Sequence[ArmId],
    what: str,
    mix: bool,
    world: Task | None = None,
) -> Arm:
    """Return the arm of recorded trials: that of ``--arm``, else the recorded one.

    Args:
        given: value of ``--arm``.
        task: of the trials.
        known: arms that executed them; none = not known.
        what: the trials, to begin a message with, such as ``run 3``.
        mix: another arm is meant.
        world: see :func:`chosen_arm`.

    Raises:
        UsageError: it is another arm than the recorded one and ``mix`` is false, the recorded one
            is not here, or see :func:`chosen_arm`.
    """
    from icpi_ros.learn.dataset.mixing import ArmId
    from icpi_ros.robots import ARMS

    recorded = known[0] if known else None
    if given or recorded is None:
        arm = chosen_arm(given, task, world)
    elif recorded.name in ARMS:
        arm = chosen_arm(recorded.name, task, world)
    else:
        raise UsageError(
            f"{what} was executed with {recorded}, an arm of a file: give that file with --arm"
        )
    other = next((one for one in known if one.differs(ArmId.of(arm))), None)
    if other is not None and not mix:
        raise UsageError(
            f"{what} was executed with {other}, not with {ArmId.of(arm)}: give that arm with "
            "--arm, or --mix if mixing is meant"
        )
    return arm


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add what the improver llm and its variants take."""
    parser.add_argument(
        "--model", help="model of the improver llm: an entry of models.yaml, or its name"
    )
    parser.add_argument("--base-url", help="OpenAI-compatible endpoint of the improver llm")
    add_cassette(parser)
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any option of the improver, for example digits=3; may be repeated",
    )


def add_cassette(parser: argparse.ArgumentParser) -> None:
    """Add ``--cassette``."""
    parser.add_argument(
        "--cassette",
        type=Path,
        metavar="FILE",
        help="replay the model's answers from FILE; what is missing is asked and recorded",
    )


def model_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the improver's options that were given.

    Raises:
        UsageError: not KEY=VALUE, or an option is given twice.
    """
    from icpi_ros.improvers.options import parse_option

    cassette = str(args.cassette.absolute()) if args.cassette else ""
    named = {"model": args.model, "base_url": args.base_url, "cassette": cassette}
    pairs = [(key, value) for key, value in named.items() if value]
    pairs += [_absolute(*parse_option(text)) for text in args.option]
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise UsageError(f"option {key!r} is given more than once")
    return dict(pairs)


def _absolute(key: str, value: Any) -> tuple[str, Any]:
    """Return an option; a file by its whole path, since a node may run elsewhere."""
    if key in ("cassette", "models") and isinstance(value, str) and value:
        return key, os.path.abspath(os.path.expanduser(value))
    return key, value


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Add ``--workers`` and ``--dask``: who does the work."""
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--workers", type=whole(1, 256), help="processes; default: one per processor")
    who.add_argument(
        "--dask", default="", metavar="ADDRESS", help="Dask scheduler, tcp://HOST:8786"
    )


def add_graph(parser: argparse.ArgumentParser) -> None:
    """Add what decides how a simulated graph runs."""
    add_setting(parser, "namespace", default="")
    add_setting(parser, "real_time_factor", "default: 0", default=0.0)
    add_setting(parser, "source", default="tracked_pose")
    add_setting(parser, "log_level", default="warn")


def checked_picture(path: Path, formats: Sequence[str] = (".png",)) -> Path:
    """Return ``path`` if a picture of one of these endings can be written there.

    Raises:
        UsageError: another ending, or see :func:`checked_output`.
    """
    if path.suffix.lower() not in formats and not path.is_dir():
        raise UsageError(f"--picture {path}: allowed endings are {' and '.join(formats)}")
    return checked_output(path)


def checked_folder(option: str, path: Path) -> Path:
    """Return ``path`` if files can be written into that folder, which need not be there yet.

    Raises:
        UsageError: it is a file, or it cannot be made or written.
    """
    if path.exists() and not path.is_dir():
        raise UsageError(f"{option} {path} is a file: name a folder")
    try:
        check_folder_writable(path)
    except OSError as exc:
        raise UsageError(f"{option} {path} cannot be written: {exc.strerror or exc}") from exc
    return path


def checked_output(path: Path) -> Path:
    """Return ``path`` if a file can be written there.

    Raises:
        UsageError: its folder does not exist, it is a folder, or it cannot be opened.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder: name a file in it")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"cannot write {path}: its folder does not exist")
    new = not path.exists()
    try:
        if not new and not path.is_file():
            require_place(path)
            return path  # a pipe or a device: to open one is to use it
        open_private(path, "ab").close()  # permissions alone do not tell: root, /proc
    except OSError as exc:
        raise UsageError(f"cannot write {path}: {exc.strerror or exc}") from exc
    if new:
        path.unlink()
    return path
