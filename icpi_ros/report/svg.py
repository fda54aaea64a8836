"""A matplotlib figure as a small inline SVG: for pages that are one file.

Text stays text (readable at any size, searchable), coordinates keep one decimal, and many dots
become one path of round-capped strokes, which takes a tenth of the bytes of one element each.
"""

from __future__ import annotations

import io
import re
from html import escape
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MANY = 8
"""From so many equal markers on, they become one path."""
_NUMBER = re.compile(r"-?\d+\.\d+")
_HREF = "{http://www.w3.org/1999/xlink}href"
_SKIPPED = {"metadata", "style", "title"}


def inline_svg(figure: Figure, key: str, label: str) -> str:
    """Return an ``<svg>`` element that scales with its box and refers to nothing outside.

    Args:
        figure: drawn at 72 dots per inch: a point is a CSS pixel at natural size.
        key: unique on the page (letters, digits, ``-``); keeps ids apart.
        label: what it shows, for readers that do not see it.
    """
    from matplotlib import rc_context

    buffer = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": key, "path.simplify": True}):
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    root = ElementTree.fromstring(buffer.getvalue())
    box = root.attrib["viewBox"]
    width = float(box.split()[2])
    inside = _Writer(root, key).inside
    return (
        f'<svg viewBox="{escape(box)}" role="img" aria-label="{escape(label)}" '
        f'style="max-width:{width:.0f}px">{inside}</svg>'
    )


class _Writer:
    """Rewrites the elements of one SVG; ids become ``key-1``, ``key-2``..."""

    def __init__(self, root: ElementTree.Element, key: str) -> None:
        found = [e.attrib["id"] for e in root.iter() if "id" in e.attrib]
        self._paths = {e.attrib["id"]: e for e in root.iter() if "id" in e.attrib}
        self._used = _used_ids(root)
        self._ids = {name: f"{key}-{n}" for n, name in enumerate(found) if name in self._used}
        self.inside = "".join(self._element(child) for child in root)

    def _element(self, element: ElementTree.Element) -> str:
        tag = element.tag.rpartition("}")[2]
        if tag in _SKIPPED:
            return ""
        children = list(element)
        if tag == "g" and len(children) >= _MANY and (dots := self._dots(children)):
            return self._wrapped("g", element, dots)
        inside = "".join(self._element(child) for child in children)
        if tag == "text":
            inside = escape("".join(element.itertext()))
        if not inside and tag in {"g", "defs", "clipPath"}:
            return ""
        return self._wrapped(tag, element, inside)

    def _wrapped(self, tag: str, element: ElementTree.Element, inside: str) -> str:
        attributes = self._attributes(tag, element)
        if tag == "g" and not attributes:
            return inside
        words = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
        return f"<{tag}{words}>{inside}</{tag}>" if inside else f"<{tag}{words}/>"

    def _attributes(self, tag: str, element: ElementTree.Element) -> dict[str, str]:
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
                found[name] = _short_style(value)
            elif name == "transform":
                if not value.startswith("rotate(-0 "):
                    found[name] = _rounded(value)
            else:
                found[name] = _short_path(value) if name == "d" else _rounded(value)
        return found

    def _dots(self, children: list[ElementTree.Element]) -> str:
        """Return equal round markers as one path; empty if the children are something else."""
        first = children[0]
        if not all(child.tag.endswith("}use") for child in children) or any(
            child.attrib[name] != first.attrib[name]
            for child in children
            for name in (_HREF, "style")
        ):
            return ""
        marker = self._paths[first.attrib[_HREF][1:]].attrib["d"]
        across = [float(pair.split()[0]) for pair in re.findall(r"-?[\d.]+ -?[\d.]+", marker)]
        style = dict(
            part.split(": ", 1) for part in first.attrib["style"].split("; ") if ": " in part
        )
        points = "".join(
            f"M{_rounded(child.attrib['x'])} {_rounded(child.attrib['y'])}h0" for child in children
        )
        opacity = f";opacity:{style['fill-opacity']}" if "fill-opacity" in style else ""
        return (
            f'<path d="{points}" style="fill:none;stroke:{escape(style.get("fill", "#000"))};'
            f'stroke-width:{max(across) - min(across):.1f};stroke-linecap:round{opacity}"/>'
        )


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
