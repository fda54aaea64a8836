"""Draws docs/rooms.svg: the rooms of icpi_ros on their floors, and what imports what.

    make rooms

Floors are the layers of the first import-linter contract in pyproject.toml; an arrow stands for the
imports of one room from another, unless other arrows lead there too.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

import grimp

REPO = Path(__file__).resolve().parents[1]
PACKAGE = "icpi_ros"
PICTURE = REPO / "docs" / "rooms.svg"
BOX, GAP, FLOOR = (150, 40), 24, 78
"""Size of a box, space between boxes, and distance of floors [px]."""
LEFT, RIGHT = 150, 680
"""Space for arrows that pass floors, and for the rooms' purposes [px]."""
STYLE = """
text { font: 13px sans-serif; fill: #1b1f24; text-anchor: middle }
text.purpose { font-size: 12px; text-anchor: start; fill: #57606a }
text.small { font-size: 10px; fill: #57606a }
rect { fill: #ddf4ff; stroke: #0969da; rx: 5px }
rect.paper { fill: #ffffff; stroke: none; rx: 0 }
path { fill: none; stroke: #57606a; stroke-opacity: 0.75 }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f3f6 } text.purpose, text.small { fill: #b7bec7 } path { stroke: #b7bec7 }
  rect { fill: #14324f } rect.paper { fill: #1b1f27 }
}
"""


def floors(repo: Path = REPO) -> list[list[str]]:
    """Return the rooms of every floor, from the top."""
    with (repo / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    return [
        [room.strip(" ()") for room in layer.replace(":", "|").split("|")]
        for layer in contracts[0]["layers"]
    ]


def imports(rooms: Sequence[str]) -> dict[tuple[str, str], int]:
    """Return the number of imports from one room into another."""
    graph = grimp.build_graph(PACKAGE)
    found: dict[tuple[str, str], int] = {}
    for module in graph.modules:
        for other in graph.find_modules_directly_imported_by(module):
            pair = _room(module), _room(other)
            if pair[0] != pair[1] and set(pair) <= set(rooms):
                found[pair] = found.get(pair, 0) + 1
    return found


def needed(arrows: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """Return the arrows that no longer way over other rooms stands for."""
    below: dict[str, set[str]] = {}
    for start, end in arrows:
        below.setdefault(start, set()).add(end)

    def reachable(room: str) -> set[str]:
        near = below.get(room, set())
        return near.union(*(reachable(one) for one in near))

    return {
        (start, end): count
        for (start, end), count in arrows.items()
        if not any(end in reachable(one) for one in below[start] - {end})
    }


def draw(layers: Sequence[Sequence[str]], arrows: Mapping[tuple[str, str], int]) -> str:
    """Return the picture as SVG."""
    boxes = max(map(len, layers)) * (BOX[0] + GAP)
    width = LEFT + boxes + RIGHT
    height = len(layers) * FLOOR + GAP
    size = {"width": str(width), "height": str(height), "viewBox": f"0 0 {width} {height}"}
    svg = ElementTree.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **size})
    ElementTree.SubElement(svg, "style").text = STYLE
    paper = {"width": str(width), "height": str(height), "class": "paper"}
    ElementTree.SubElement(svg, "rect", paper)
    places = {
        room: (LEFT + boxes / 2 + (i - (len(layer) - 1) / 2) * (BOX[0] + GAP), GAP + number * FLOOR)
        for number, layer in enumerate(layers)
        for i, room in enumerate(layer)
    }
    for (start, end), count in sorted(arrows.items()):
        _arrow(svg, places[start], places[end], 0.8 + count**0.5 / 3)
    for room, (x, y) in places.items():
        _box(svg, room, x, y)
    for number, layer in enumerate(layers):
        for i, room in enumerate(layer):
            place = {"x": str(LEFT + boxes), "class": "purpose"}
            place["y"] = f"{GAP + number * FLOOR + 24 + (i - (len(layer) - 1) / 2) * 16:.0f}"
            ElementTree.SubElement(svg, "text", place).text = f"{room}: {_purpose(room)}"
    ElementTree.indent(svg)
    return ElementTree.tostring(svg, encoding="unicode") + "\n"


def _arrow(
    svg: ElementTree.Element, start: tuple[float, float], end: tuple[float, float], thick: float
) -> None:
    """Add one arrow; one that passes floors bends around their boxes."""
    (x0, y0), (x1, y1) = (start[0], start[1] + BOX[1]), end
    passed = round((y1 - start[1]) / FLOOR) - 1
    side = (x0 + x1) / 2 if passed < 1 else min(x0, x1) - BOX[0] * (0.9 + passed / 3)
    way = f"M {x0:.0f} {y0:.0f} C {side:.0f} {y0 + FLOOR / 3:.0f}"
    way += f" {side:.0f} {y1 - FLOOR / 3:.0f} {x1:.0f} {y1 - 4:.0f}"
    ElementTree.SubElement(svg, "path", {"d": way, "stroke-width": f"{thick:.1f}"})
    tip = f"M {x1 - 4:.0f} {y1 - 7:.0f} L {x1:.0f} {y1:.0f} L {x1 + 4:.0f} {y1 - 7:.0f}"
    ElementTree.SubElement(svg, "path", {"d": tip, "stroke-width": "1.2"})


def _box(svg: ElementTree.Element, room: str, x: float, y: float) -> None:
    corner = {"x": f"{x - BOX[0] / 2:.0f}", "y": f"{y:.0f}"}
    size = {"width": str(BOX[0]), "height": str(BOX[1])}
    ElementTree.SubElement(svg, "rect", {**corner, **size})
    place = {"x": f"{x:.0f}", "y": f"{y + 17:.0f}"}
    ElementTree.SubElement(svg, "text", place).text = room
    files = _files(room)
    lines = sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)
    place = {"x": f"{x:.0f}", "y": f"{y + 32:.0f}", "class": "small"}
    ElementTree.SubElement(svg, "text", place).text = f"{len(files)} modules, {lines:,} lines"


def _files(room: str) -> list[Path]:
    """Return the files of a room without its packages' empty ``__init__``."""
    folder = REPO / PACKAGE / room
    found = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    return [file for file in found if file.name != "__init__.py"]


def _purpose(room: str) -> str:
    """Return the first line of a room's docstring."""
    folder = REPO / PACKAGE / room
    file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.split("\n")[0].rstrip(".").replace("``", "").removeprefix(f"{room.capitalize()}: ")


def _room(module: str) -> str:
    return f"{module}.".split(".")[1]


def main() -> int:
    """Write the picture."""
    layers = floors()
    arrows = imports([room for layer in layers for room in layer])
    PICTURE.write_text(draw(layers, needed(arrows)), encoding="utf-8")
    print(PICTURE.relative_to(REPO))
    return 0


if __name__ == "__main__":
    sys.exit(main())
