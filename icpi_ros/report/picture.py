"""Figures of matplotlib as files, whole or not there, and as inline SVG of pages.

In an inline SVG text stays text (readable at any size, searchable), our colours become variables of
the page (dark where the reader's screen is), coordinates keep one decimal, and many dots become one
path of round-capped strokes, a tenth of the bytes of one element each.
matplotlib is imported at the first call only, and without a display.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from icpi_ros.core.errors import UsageError
from icpi_ros.core.files import replacing
from icpi_ros.core.pictures import style
from icpi_ros.core.redact import redact_text
from icpi_ros.core.text import printable

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Draw = Callable[[Axes], None]

FORMATS = (".svg", ".png")
_MANY = 8
"""From so many equal markers on, they become one path."""
_NUMBER = re.compile(r"-?\d+\.\d+")
_HREF = "{http://www.w3.org/1999/xlink}href"
_SKIPPED = {"metadata", "style", "title"}


@dataclass(frozen=True)
class Layout:
    """Size of one plot with its labels, and the room for labels at its edges [px]."""

    width: int
    height: int
    left: int
    right: int
    bottom: int
    top: int


PLAIN = Layout(430, 404, 64, 12, 42, 66)
"""Room at the left for ticks such as -0.75 and the name of the axis."""


def save_figure(path: str | Path, figure: Figure, dpi: float | None = None) -> None:
    """Write a figure as PNG or SVG, whole or not at all; the same figure gives the same bytes.

    Args:
        path: file to write, its ending is the format; its folder is made if it is not there.
        figure: to write.
        dpi: dots per inch of a PNG; None = the figure's own.

    Raises:
        UsageError: another ending, or the file cannot be written.
    """
    from matplotlib import rc_context

    path = Path(path)
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise UsageError(f"cannot draw {path}: allowed endings are {' and '.join(FORMATS)}")
    metadata = {"Date": None} if ending == ".svg" else {"Software": "icpi_ros"}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, rc_context({"svg.hashsalt": "icpi_ros"}):
            figure.savefig(temporary, format=ending[1:], dpi=dpi or "figure", metadata=metadata)
    except OSError as exc:
        raise UsageError(f"cannot write the picture {path}: {exc.strerror or exc}") from exc


def plot_svg(draw: Draw, key: str, label: str, layout: Layout = PLAIN) -> Markup:
    """Return one plot as an inline SVG; ``key`` and ``label`` as in :func:`inline_svg`."""
    with style.settings():
        return inline_svg(grid([draw], layout), key, label)


def grid(draws: Sequence[Draw], layout: Layout, columns: int = 1, below: int = 0) -> Figure:
    """Return a figure of equal plots at 72 dots per inch.

    Args:
        draws: one each.
        layout: of every plot.
        columns: most in a row.
        below: room below all plots [px].
    """
    from matplotlib.figure import Figure

    columns = min(columns, len(draws))
    rows = ceil(len(draws) / columns)
    whole = (layout.width * columns, layout.height * rows + below)
    figure = Figure(figsize=(whole[0] / 72, whole[1] / 72), dpi=72)
    for n, draw in enumerate(draws):
        x, y = layout.width * (n % columns), below + layout.height * (rows - 1 - n // columns)
        box = (
            (x + layout.left) / whole[0],
            (y + layout.bottom) / whole[1],
            (layout.width - layout.left - layout.right) / whole[0],
            (layout.height - layout.bottom - layout.top) / whole[1],
        )
        draw(figure.add_axes(box))
    return figure


def inline_svg(figure: Figure, key: str, label: str) -> Markup:
    """Return an ``svg`` element that scales with its box and refers to nothing outside.

    Args:
        figure: drawn at 72 dots per inch: a point is a CSS pixel at natural size.
        key: unique on the page (letters, digits, ``-``); keeps ids apart.
        label: what it shows, for readers that do not see it.
    """
    from markupsafe import Markup
    from matplotlib import rc_context

    buffer = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": key, "path.simplify": True}):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    drawn = ElementTree.fromstring(buffer.getvalue())
    box = drawn.attrib["viewBox"]
    attributes = {
        "viewBox": box,
        "role": "img",
        "aria-label": redact_text(printable(label)),
        "style": f"max-width:{float(box.split()[2]):.0f}px",
    }
    shown = ElementTree.Element("svg", attributes)
    shown.extend(_Rewriter(drawn, key).children)
    return Markup(ElementTree.tostring(shown, encoding="unicode"))


class _Rewriter:
    """Shorter elements of one SVG; ids become ``key-1``, ``key-2``..."""

    def __init__(self, root: ElementTree.Element, key: str) -> None:
        self._named = {e.attrib["id"]: e for e in root.iter() if "id" in e.attrib}
        used = _used_ids(root)
        self._ids = {name: f"{key}-{n}" for n, name in enumerate(self._named) if name in used}
        self.children = self._rewritten(root)

    def _rewritten(self, parent: ElementTree.Element) -> list[ElementTree.Element]:
        return [made for child in parent for made in self._element(child)]

    def _element(self, element: ElementTree.Element) -> list[ElementTree.Element]:
        """Return the element itself, its children where it is a group of no use, or nothing."""
        tag = element.tag.rpartition("}")[2]
        if tag in _SKIPPED:
            return []
        inside = self._dots(element) if tag == "g" else []
        inside = inside or self._rewritten(element)
        if not inside and tag in {"g", "defs", "clipPath"}:
            return []
        attributes = self._attributes(element)
        if tag == "g" and not attributes:
            return inside
        made = ElementTree.Element(tag, attributes)
        if tag == "text":
            made.text = redact_text("".join(element.itertext()))
        else:
            made.extend(inside)
        return [made]

    def _attributes(self, element: ElementTree.Element) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, value in element.attrib.items():
            if name == "id":
                if value in self._ids:
                    found["id"] = self._ids[value]
            elif name == _HREF:
                found["href"] = "#" + self._ids[value[1:]]
            elif name == "clip-path":
                found[name] = f"url(#{self._ids[value[5:-1]]})"
            elif name == "style":
                found[name] = style.with_variables(_short_style(value))
            elif name == "transform":
                if not value.startswith("rotate(-0 "):
                    found[name] = _rounded(value)
            else:
                found[name] = _short_path(value) if name == "d" else _rounded(value)
        return found

    def _dots(self, group: ElementTree.Element) -> list[ElementTree.Element]:
        """Return many equal round markers as one path; nothing if the group is something else."""
        children = list(group)
        if len(children) < _MANY:
            return []
        first = children[0]
        if not all(child.tag.endswith("}use") for child in children) or any(
            child.attrib[name] != first.attrib[name]
            for child in children
            for name in (_HREF, "style")
        ):
            return []
        marker = self._named[first.attrib[_HREF][1:]].attrib["d"]
        across = [float(pair.split()[0]) for pair in re.findall(r"-?[\d.]+ -?[\d.]+", marker)]
        given = dict(
            part.split(": ", 1) for part in first.attrib["style"].split("; ") if ": " in part
        )
        points = "".join(
            f"M{_rounded(child.attrib['x'])} {_rounded(child.attrib['y'])}h0" for child in children
        )
        opacity = f";opacity:{given['fill-opacity']}" if "fill-opacity" in given else ""
        looks = style.with_variables(
            f"fill:none;stroke:{given.get('fill', '#000')};"
            f"stroke-width:{max(across) - min(across):.1f};stroke-linecap:round{opacity}"
        )
        return [ElementTree.Element("path", {"d": points, "style": looks})]


def _used_ids(root: ElementTree.Element) -> set[str]:
    """Return the ids that something refers to."""
    used = set()
    for element in root.iter():
        if _HREF in element.attrib:
            used.add(element.attrib[_HREF][1:])
        if "clip-path" in element.attrib:
            used.add(element.attrib["clip-path"][5:-1])
    return used


def _rounded(text: str) -> str:
    """Round every decimal number in ``text`` to one digit."""
    return _NUMBER.sub(lambda found: f"{float(found.group()):.1f}".removesuffix(".0"), text)


def _short_path(text: str) -> str:
    return re.sub(r"\s*([A-Za-z])\s*", r"\1", _rounded(" ".join(text.split())))


def _short_style(text: str) -> str:
    """Drop the fonts, which the page sets, and blanks."""
    parts = [part.strip() for part in text.split(";")]
    kept = [part for part in parts if part and not part.startswith("font-family")]
    return ";".join(part.replace(": ", ":") for part in kept)
