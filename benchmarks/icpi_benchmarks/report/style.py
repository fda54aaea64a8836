"""Style of each improver in all plots of a report: colour, dashes, marker, label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from icpi_benchmarks.report.words import is_oracle
from icpi_ros.core.pictures import style
from icpi_ros.core.text import printable

_KNOWN = (
    "knn", "ridge", "ridge-hindsight", "random", "gauss-newton", "bo-warm", "cma-warm", "llm",
    "broyden", "knn-copy",
)  # fmt: skip
"""Improvers that have the same colour in every report; others take the next one."""
_DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1, 1.5)))
_MARKERS = ("o", "s", "^", "v")
_MAX_LABEL = 18


@dataclass(frozen=True)
class Style:
    """Style of one improver; ``line`` and ``text`` are matplotlib's, ``band`` is an opacity."""

    label: str
    colour: str
    line: dict[str, Any]
    text: dict[str, Any]
    band: float


def styles(improvers: Sequence[str], default: str) -> dict[str, Style]:
    """Return a style per improver: the default stands out, oracles are dashed black.

    The same list gives the same styles, so that all plots of a page agree.
    """
    found, used = {}, dict[str, int]()
    families = _families(improvers, default)
    for improver in improvers:
        if improver == default:
            found[improver] = _style(improver, style.DEFAULT, "-", "o", emphasis=True)
            continue
        oracle = is_oracle(improver)
        place = 0 if oracle else families.index(_family(improver))
        colour = style.ORACLE if oracle else style.CATEGORIES[place % len(style.CATEGORIES)]
        before = used[colour] = used.get(colour, -1) + 1
        if oracle:
            found[improver] = _style(improver, colour, _DASHES[1 + before % 3], "None")
        else:
            marker = _MARKERS[before % len(_MARKERS)]
            found[improver] = _style(improver, colour, _DASHES[before % len(_DASHES)], marker)
    return found


def plain(text: str, longest: int = _MAX_LABEL) -> str:
    """Return a text that a plot can show: printable, one line, not too long."""
    line = printable(text)
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _families(improvers: Sequence[str], default: str) -> list[str]:
    """Return the names that need a colour; options of one improver share it.

    The usual ones keep theirs in every report.
    """
    others = [i for i in improvers if i != default and not is_oracle(i)]
    return list(dict.fromkeys([*_KNOWN, *map(_family, others)]))


def _family(improver: str) -> str:
    return improver.split(":")[0]


def _style(improver: str, colour: str, dashes: Any, marker: str, emphasis: bool = False) -> Style:
    line = {
        "color": colour,
        "linestyle": dashes,
        "linewidth": 2.8 if emphasis else 1.3,
        "marker": marker,
        "markersize": 5.0 if emphasis else 3.2,
        "zorder": 5 if emphasis else 3,
    }
    text = {"color": colour, "fontweight": "bold" if emphasis else "normal"}
    return Style(plain(improver), colour, line, text, 0.22 if emphasis else 0.07)
