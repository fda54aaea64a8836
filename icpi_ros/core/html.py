"""Markup from templates, the files of ``icpi_ros/templates``; every text in it is escaped.

jinja2 is imported at the first call only: it takes 40 ms.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from icpi_ros.core.text import printable

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a titled table for notebooks, for ``_repr_html_``.

    Args:
        title: one line above the table.
        head: names of the columns; empty = none are shown.
        rows: cells as they are to be shown.
    """
    return template("notebook_table.html").render(title=title, head=head, rows=rows)


@cache
def template(name: str) -> Template:
    """Return a template of the package, compiled once.

    A value that is not Markup is escaped as by :func:`escaped`; a missing one raises.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=escaped,
        keep_trailing_newline=True,
        loader=FunctionLoader(template_text),
    )
    return environment.get_template(name)


def template_text(name: str) -> str:
    """Return a file of the templates, style sheets and scripts as it is."""
    return files("icpi_ros").joinpath("templates", name).read_text(encoding="utf-8")


def escaped(value: object) -> Markup:
    """Return markup as it is, anything else as one line of printable characters, escaped.

    Quotes are written as :func:`html.escape` does (jinja2 would write other entities): in this
    form :func:`icpi_ros.core.redact.redact_text` finds keys.
    """
    from markupsafe import Markup

    return value if isinstance(value, Markup) else Markup(escape(printable(str(value))))
