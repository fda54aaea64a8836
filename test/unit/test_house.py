"""The house is in order: words, names, sizes of rooms, and what the documentation points to."""

import ast
import collections
import functools
import importlib.util
import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (ROOT / "icpi_ros", ROOT / "benchmarks" / "icpi_benchmarks")
RIDDLE = re.compile(r"(What|Whom|Whose|Who|Where|Which|How|Whether|When|Why)\b")
LIMIT = re.compile(r"(MOST|LEAST|LONGEST|SHORTEST)_")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
MAX_LINES, MAX_FILES = 400, 14
CROWDED = {
    "icpi_ros/cli": "one file per command",
}
"""Rooms with more files, and why."""
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
HISTORY = ("CHANGELOG.md",)
"""Pages that speak of what was."""


def modules():
    return [path for package in PACKAGES for path in sorted(package.rglob("*.py"))]


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path):
    return path.relative_to(ROOT).as_posix()


class Findings(NamedTuple):
    """What is wrong in our modules."""

    riddles: list[str]
    classes: dict[str, list[str]]
    limits: list[str]


@functools.cache
def findings():
    """Look through all modules once: to parse them and to go through them takes a second."""
    found = Findings([], collections.defaultdict(list), [])
    for path in modules():
        tree, place = parsed(path), name_of(path)
        for node in ast.walk(tree):
            if isinstance(node, DOCUMENTED):
                name, text = getattr(node, "name", "module"), ast.get_docstring(node)
                if text and RIDDLE.match(text):
                    found.riddles.append(f"{place}: {name}: {text.splitlines()[0]}")
            elif isinstance(node, ast.Assign):
                targets = ast.walk(ast.Tuple(node.targets, ast.Store()))
                names = (target.id for target in targets if isinstance(target, ast.Name))
                found.limits.extend(f"{place}: {name}" for name in names if LIMIT.match(name))
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                found.classes[node.name].append(place)
    return found


def test_a_docstring_says_what_a_thing_is():
    assert not findings().riddles, "begin with what it is, not with a question"


def test_no_two_classes_share_a_name():
    assert not {name: files for name, files in findings().classes.items() if len(files) > 1}


def test_limits_are_called_max_and_min():
    assert not findings().limits, "write MAX_ or MIN_"


def test_no_module_is_too_long():
    lines = {name_of(p): len(p.read_text(encoding="utf-8").splitlines()) for p in modules()}
    assert not {name: count for name, count in lines.items() if count > MAX_LINES}


def test_no_room_is_crowded():
    files = collections.Counter(
        name_of(path.parent) for path in modules() if path.name != "__init__.py"
    )
    crowded = {room: count for room, count in files.items() if count > MAX_FILES}
    assert set(crowded) == set(CROWDED), "make a sub-room, or say here why not"


GROUPS = {"icpi_ros.tasks", "icpi_ros.improvers", "icpi_ros.arms", "icpi_ros.sources"}
"""Entry points, which are no modules."""
FILE = re.compile(r"`((?:icpi_ros|benchmarks|tools|test|launch|config)/[\w./]*)`")
MODULE = re.compile(r"\b((?:icpi_ros|icpi_benchmarks)\.[a-z_]\w*(?:\.[a-z_]\w*)*)")


def places(text):
    """Return the paths and dotted names of our code that a page names."""
    return {*FILE.findall(text), *MODULE.findall(text)} - GROUPS


def exists(place):
    if "/" in place:
        return (ROOT / place).exists()
    parts = place.split(".")
    root = PACKAGES[parts[0] == "icpi_benchmarks"].parent
    for count in range(len(parts), 1, -1):
        folder = root.joinpath(*parts[:count])
        if folder.is_dir() or folder.with_suffix(".py").is_file():
            inside = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
            names = parts[count:]
            return not names or re.search(rf"\b{names[0]}\b", inside.read_text(encoding="utf-8"))
    inside = PACKAGES[parts[0] == "icpi_benchmarks"] / "__init__.py"
    return re.search(rf"\b{parts[1]}\b", inside.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", [p for p in PAGES if p.name not in HISTORY], ids=name_of)
def test_what_a_page_points_to_is_there(page):
    lost = {place for place in places(page.read_text(encoding="utf-8")) if not exists(place)}
    assert not lost


CALL = re.compile(r"`(?:[\w.]+\.)?([A-Za-z_]\w*)\([^`\n]*`")
CLASS = re.compile(r"`([A-Z][a-z]+[A-Z]\w*)`")
IMPORT = re.compile(r"^ *from icpi_ros[\w.]* import ([\w, ]+)", re.MULTILINE)
DEFINITION = re.compile(
    r"(?:^|\W)(?:def|class) (\w+)|^ *([A-Za-z_]\w*)(?:: [^=\n]+)? =", re.MULTILINE
)
OTHERS = {
    *("ParallelGripperCommand", "GripperCommand", "SetRemap", "FollowJointTrajectory"),
    *("JointState", "PoseStamped", "CameraInfo", "CompressedImage", "TransformStamped"),
    "threadpool_info",
}
"""Names of other packages."""


@functools.cache
def defined():
    """Names of all functions, classes and variables of ours, and of messages."""
    paths = [*modules(), *(ROOT / "test").rglob("*.py")]
    texts = [path.read_text(encoding="utf-8") for path in paths]
    found = {one for text in texts for pair in DEFINITION.findall(text) for one in pair}
    return found | {path.stem for path in (ROOT / "icpi_msgs").rglob("*.*")}


def named(text):
    """Functions, classes and imports that a page names."""
    imported = {name.strip() for names in IMPORT.findall(text) for name in names.split(",")}
    return {*CALL.findall(text), *CLASS.findall(text), *imported} - {""}


@pytest.mark.parametrize("page", [p for p in PAGES if p.name not in HISTORY], ids=name_of)
def test_functions_and_classes_that_a_page_names_are_there(page):
    text = page.read_text(encoding="utf-8")
    own = {one for pair in DEFINITION.findall(text) for one in pair}  # of its examples
    assert not named(text) - defined() - own - OTHERS


@pytest.mark.parametrize(
    "text",
    [
        "call `task.simulate_everything(theta)`",
        "`releases_all(self, thetas)` returns times",
        "a `TaskBuilder` makes it",
        "from icpi_ros.tasks import TASKS, make_task",
        "    from icpi_ros.core.units import kilometres",
    ],
)
def test_a_name_that_is_nowhere_is_found(text):
    assert len(named(text) - defined()) == 1


def drawing():
    spec = importlib.util.spec_from_file_location("draw_rooms", ROOT / "tools" / "draw_rooms.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


def test_the_picture_has_every_room():
    tool = drawing()
    shown = set(re.findall(r">(\w+)</text>", (ROOT / "docs" / "rooms.svg").read_text()))
    rooms = {room for floor in tool.floors() for room in floor}
    assert shown == rooms, "run `make rooms`"
    folders = {path.stem for path in PACKAGES[0].glob("*.py")}
    folders |= {path.parent.name for path in PACKAGES[0].glob("*/__init__.py")}
    assert folders - {"__init__"} == rooms


@pytest.mark.slow
def test_an_arrow_that_a_longer_way_stands_for_is_left_out():
    tool = drawing()
    arrows = tool.imports([room for floor in tool.floors() for room in floor])
    assert ("cli", "core") in arrows
    assert ("cli", "core") not in tool.needed(arrows)
    short = {("a", "b"): 1, ("b", "c"): 1}
    assert tool.needed({**short, ("a", "c"): 9}) == short
