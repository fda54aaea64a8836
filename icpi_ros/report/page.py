"""One self-contained HTML page: nothing is loaded from elsewhere, every text is escaped.

The page allows itself no network at all (Content-Security-Policy) and only its own script, by
its hash, so that a text in a results file cannot become one.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Literal

from markupsafe import Markup

from icpi_ros.core.errors import UsageError
from icpi_ros.core.files import replacing
from icpi_ros.core.html import escaped, template, template_text
from icpi_ros.core.pictures.style import style_sheet
from icpi_ros.core.redact import redact_text
from icpi_ros.core.text import printable_lines

Tone = Literal["", "good", "bad", "quiet"]


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: shown; escaped when it is written.
        sort: what the column sorts by [unit of the column]; NaN = by the text.
        small: shown after it, smaller.
        tone: class of the style sheet; "" = like the text around it.
    """

    text: str
    sort: float = math.nan
    small: str = ""
    tone: Tone = ""

    @property
    def sort_text(self) -> str:
        """Number that the script sorts by; "" = the text."""
        return "" if math.isnan(self.sort) else f"{self.sort:.9g}"


@dataclass(frozen=True)
class TableColumn:
    """The head of a column.

    Attributes:
        text: short.
        meaning: what it stands for, shown on pointing at it.
        numeric: aligned at the right.
        wraps: long texts go over several lines.
    """

    text: str
    meaning: str = ""
    numeric: bool = True
    wraps: bool = False

    @property
    def kind(self) -> str:
        """Class of the style sheet."""
        return "num" if self.numeric else "text"


def table(
    columns: Sequence[TableColumn],
    rows: Iterable[Sequence[Cell]],
    label: str,
    marked: Iterable[int] = (),
    sortable: bool = True,
) -> Markup:
    """Return a table in a box of its own that scrolls where it is wider than the window.

    Args:
        columns: heads; the first column stays in sight.
        rows: a cell per column.
        label: what the table is, for readers that do not see it.
        marked: numbers of the rows to emphasise.
        sortable: a click on a head sorts by its column.
    """
    pairs = [list(zip(columns, row, strict=True)) for row in rows]
    return _part("table", columns, pairs, label, set(marked), sortable)


def figure(picture: Markup, caption: str) -> Markup:
    """Return a figure: ``picture`` is an inline SVG, ``caption`` a text."""
    return _part("figure", picture, _prose(caption))


def figures(found: Iterable[Markup], small: bool = False) -> Markup:
    """Return figures side by side as far as the window allows."""
    return _part("figures", list(found), small)


def paragraph(text: str, kind: str = "") -> Markup:
    """Return a paragraph of escaped text; ``kind`` is a class of the style sheet."""
    return _part("paragraph", _prose(text), kind)


def heading(text: str) -> Markup:
    """Return a heading within a section."""
    return _part("heading", text)


def preformatted(text: str) -> Markup:
    """Return escaped text in fixed width, in a box that scrolls."""
    return _part("preformatted", Markup(escape(printable_lines(text))))


def items(texts: Iterable[str]) -> Markup:
    """Return a list of escaped texts."""
    return _part("items", list(map(_prose, texts)))


def folded(summary: str, markup: Markup, is_open: bool = False) -> Markup:
    """Return markup behind a line that unfolds it."""
    return _part("folded", summary, markup, is_open)


def navigation(links: Iterable[tuple[str, str]]) -> Markup:
    """Return links to sections: (key, text) each."""
    return _part("navigation", list(links))


def section(key: str, heading: str, markup: Markup) -> Markup:
    """Return a section with a heading that ``#key`` leads to."""
    return _part("section", key, heading, markup)


def joined(parts: Iterable[Markup]) -> Markup:
    """Return markup one after the other."""
    return Markup("").join(parts)


def document(
    title: str, parts: Iterable[Markup], heading: str | None = None, script: str = "page.js"
) -> str:
    """Return the whole page, without the keys of the environment.

    Args:
        title: of the window, a text.
        parts: made of what the other functions return.
        heading: first line of the page; None = the title.
        script: template of the only script that runs.
    """
    page = template("page.html").render(
        title=title,
        heading=heading or title,
        body=joined(parts),
        policy=Markup(f"{policy(script)}; base-uri 'none'; form-action 'none'"),
        style=Markup(style_sheet() + template_text("page.css")),
        script=Markup(template_text(script)),
    )
    return redact_text(page)


def policy(script: str = "page.js") -> str:
    """Return what a page may load: its own style sheet, images inside it, its only script."""
    text = template_text(script)
    # The browser hashes all that is between the tags, the line end before the first line too.
    digest = base64.b64encode(hashlib.sha256(f"\n{text}".encode()).digest()).decode("ascii")
    own = f"img-src data:; script-src 'sha256-{digest}'"
    return f"default-src 'none'; style-src 'unsafe-inline'; {own}"


def save(path: Path, text: str) -> None:
    """Write a page, whole or not at all.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise UsageError(f"cannot write the page {path}: {exc.strerror or exc}") from exc


def _part(name: str, *values: object) -> Markup:
    """Return a part of the page, a macro of the kit."""
    return Markup(getattr(template("kit.html").module, name)(*values))


def _prose(text: str) -> Markup:
    """Escape a text and keep numbers and their units on one line."""
    return Markup(re.sub(r"(?<=\d) (?=%|mm\b)", "\u00a0", escaped(text)))
