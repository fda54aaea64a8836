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

from icpi_ros.errors import UsageError
from icpi_ros.files import replacing
from icpi_ros.text import printable, printable_lines


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: shown; escaped when it is written.
        sort: what the column sorts by; NaN = by the text.
        small: shown after it, smaller.
        tone: ``""``, ``"good"``, ``"bad"`` or ``"quiet"``.
    """

    text: str
    sort: float = math.nan
    small: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Column:
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


def escaped(text: str) -> str:
    """Return a text as markup: one line of printable characters."""
    return escape(printable(text))


def table(
    columns: Sequence[Column],
    rows: Iterable[Sequence[Cell]],
    label: str,
    marked: Iterable[int] = (),
    sortable: bool = True,
) -> str:
    """Return a table in a box of its own that scrolls where it is wider than the window.

    Args:
        columns: heads; the first column stays in sight.
        rows: a cell per column.
        label: what the table is, for readers that do not see it.
        marked: numbers of the rows to emphasise.
        sortable: a click on a head sorts by its column.
    """
    head = "".join(_head(column, sortable) for column in columns)
    emphasised = set(marked)
    body = "".join(
        f'<tr class="marked">{_cells(columns, row)}</tr>'
        if n in emphasised
        else f"<tr>{_cells(columns, row)}</tr>"
        for n, row in enumerate(rows)
    )
    kind = ' class="sortable"' if sortable else ""
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escaped(label)}">'
        f"<table{kind}><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _head(column: Column, sortable: bool) -> str:
    kind = "num" if column.numeric else "text"
    title = f' title="{escaped(column.meaning)}"' if column.meaning else ""
    inside = escaped(column.text)
    if sortable:
        inside = f'<button type="button">{inside}</button>'
    return f'<th scope="col" class="{kind}"{title}>{inside}</th>'


def _cells(columns: Sequence[Column], row: Sequence[Cell]) -> str:
    parts = []
    for n, (column, cell) in enumerate(zip(columns, row, strict=True)):
        words = ["num"] if column.numeric else ["text"]
        words += [word for word in (cell.tone, "long" if column.wraps else "") if word]
        value = f' data-v="{cell.sort:.9g}"' if not math.isnan(cell.sort) else ""
        small = f" <small>{escaped(cell.small)}</small>" if cell.small else ""
        tag = 'th scope="row"' if n == 0 else "td"
        end = "th" if n == 0 else "td"
        parts.append(f'<{tag} class="{" ".join(words)}"{value}>{escaped(cell.text)}{small}</{end}>')
    return "".join(parts)


def figure(picture: str, caption: str) -> str:
    """Return a figure: ``picture`` is markup (an inline SVG), ``caption`` a text."""
    return f"<figure>{picture}<figcaption>{_prose(caption)}</figcaption></figure>"


def figures(found: Iterable[str], small: bool = False) -> str:
    """Return figures side by side as far as the window allows."""
    return f'<div class="figures{" small" if small else ""}">{"".join(found)}</div>'


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph of escaped text; ``kind`` is a class of the style sheet."""
    return f'<p class="{kind}">{_prose(text)}</p>' if kind else f"<p>{_prose(text)}</p>"


def _prose(text: str) -> str:
    """Escape a text and keep numbers and their units on one line."""
    return re.sub(r"(?<=\d) (?=%|mm\b)", "\u00a0", escaped(text))


def preformatted(text: str) -> str:
    """Return escaped text in fixed width, in a box that scrolls."""
    return f'<pre class="scroll" tabindex="0">{escape(printable_lines(text))}</pre>'


def items(texts: Iterable[str]) -> str:
    """Return a list of escaped texts."""
    return f"<ul>{''.join(f'<li>{_prose(text)}</li>' for text in texts)}</ul>"


def folded(summary: str, markup: str, is_open: bool = False) -> str:
    """Return markup behind a line that unfolds it."""
    state = " open" if is_open else ""
    return f"<details{state}><summary>{escaped(summary)}</summary>{markup}</details>"


def navigation(links: Iterable[tuple[str, str]]) -> str:
    """Return links to sections: (key, text) each."""
    parts = (f'<a href="#{escaped(key)}">{escaped(text)}</a>' for key, text in links)
    return f"<nav>{''.join(parts)}</nav>"


def section(key: str, heading: str, markup: str) -> str:
    """Return a section with a heading that ``#key`` leads to."""
    return f'<section id="{escaped(key)}"><h2>{escaped(heading)}</h2>{markup}</section>'


def document(title: str, body: str) -> str:
    """Return the whole page.

    Args:
        title: of the page, a text.
        body: markup, made of what the other functions return.
    """
    digest = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode("ascii")
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light">\n'
        f"<title>{escaped(title)}</title>\n<style>{_STYLE}</style></head>\n"
        f"<body><main>{body}</main>\n<script>{_SCRIPT}</script></body></html>\n"
    )


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


_STYLE = """
:root{--ink:#1b1f24;--quiet:#59636e;--line:#d7dade;--soft:#f5f6f8;--mark:#e8f0fb;--blue:#0b4fa8}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:#fff;color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
main{max-width:1320px;margin:0 auto;padding:20px 24px 60px}
h1{font-size:26px;line-height:1.25;margin:8px 0 4px}
h2{font-size:21px;margin:44px 0 8px;padding-top:10px;border-top:2px solid var(--ink)}
h3{font-size:16px;margin:26px 0 6px}
h1,h2,h3,p,li,summary,figcaption{overflow-wrap:anywhere}
p{margin:6px 0 10px;max-width:82ch}
ul{margin:6px 0 10px;padding-left:20px;max-width:100ch}
.lead,.note{color:var(--quiet)}
.bad{color:#a5200d}.good{color:#14632f}.quiet{color:var(--quiet)}
nav a{display:inline-block;margin:2px 14px 2px 0;color:var(--blue)}
.scroll{overflow-x:auto;max-width:100%;margin:8px 0 12px;
background:linear-gradient(90deg,transparent,#fff 70%) right/40px 100% local no-repeat,
linear-gradient(90deg,transparent,rgba(20,30,45,.18)) right/14px 100% scroll no-repeat}
pre,pre.scroll{background:var(--soft);padding:10px 12px;border-radius:6px;
font:13px/1.45 ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums}
th,td{padding:4px 10px;white-space:nowrap;border-bottom:1px solid var(--line);text-align:right}
th.text,td.text{text-align:left}
td.long{white-space:normal;min-width:16em}
thead th{vertical-align:bottom;color:var(--quiet);font-weight:600;
border-bottom:2px solid var(--ink)}
tbody th{font-weight:400;position:sticky;left:0;background:#fff}
tr.marked th,tr.marked td{background:var(--mark);font-weight:600}
tr.marked small{font-weight:400}
td small{color:var(--quiet);font-size:12px}
th button{font:inherit;color:inherit;background:none;border:0;padding:0;cursor:pointer;
text-align:inherit}
th button::after{content:"";display:inline-block;width:.8em}
th[aria-sort=ascending] button::after{content:" \\2191"}
th[aria-sort=descending] button::after{content:" \\2193"}
.figures{display:grid;gap:18px 26px;align-items:start;margin:10px 0;
grid-template-columns:repeat(auto-fill,minmax(min(100%,400px),1fr))}
.figures.small{gap:12px 14px;grid-template-columns:repeat(auto-fill,minmax(min(46%,190px),1fr))}
figure{margin:0;min-width:0}
figure svg{display:block;width:100%;height:auto}
svg *{stroke-linejoin:round}
svg text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
figcaption{font-size:13px;color:var(--quiet);max-width:70ch;margin-top:2px}
.small figcaption{font-size:12px;line-height:1.35}
summary{cursor:pointer;font-weight:600;margin:8px 0}
@media (max-width:600px){main{padding:12px 14px 40px}h1{font-size:22px}h2{font-size:19px}
th,td{padding:4px 7px}table{font-size:13px}}
@media print{.scroll{overflow:visible}}
"""

_SCRIPT = """
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, place) => head.querySelector("button").addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => {
      const cell = row.cells[place];
      return cell.dataset.v === undefined ? cell.textContent.trim() : Number(cell.dataset.v);
    };
    const compare = (a, b) => typeof a === "number" && typeof b === "number"
      ? a - b : typeof a === "number" ? -1 : typeof b === "number" ? 1 : a.localeCompare(b);
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => (down ? -1 : 1) * compare(key(a), key(b)));
    table.tBodies[0].append(...rows);
  }));
}
"""
