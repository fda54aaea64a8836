"""Tables of HTML for notebooks: what ``_repr_html_`` returns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from icpi_ros.text import printable


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a titled table; every text is escaped, control characters too.

    Args:
        title: one line above the table.
        head: names of the columns; empty = none are shown.
        rows: cells as they are to be shown.
    """
    top = "".join(f"<th>{_cell(name)}</th>" for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(value)}</td>" for value in row) + "</tr>" for row in rows
    )
    thead = f"<thead><tr>{top}</tr></thead>" if top else ""
    return f"<div><b>{_cell(title)}</b><table>{thead}<tbody>{body}</tbody></table></div>"


def _cell(value: object) -> str:
    return escape(printable(str(value)))
