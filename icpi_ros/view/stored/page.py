"""Page of the stored runs side by side, behind the same door as the live page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

from icpi_ros.core.errors import IcpiError
from icpi_ros.core.html import template, template_text
from icpi_ros.core.pictures.style import style_sheet
from icpi_ros.core.redact import Json
from icpi_ros.core.text import error_line
from icpi_ros.view.rules import NO_PAGE, NotAdmitted
from icpi_ros.view.stored.listing import RunListing
from icpi_ros.view.stored.rows import shown
from icpi_ros.view.stored.server import PageResponse, PageServer, Query

MAX_SETTINGS = 32
"""Most runs whose settings are given at once."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Policy of the page: files of its own alone, and no text that becomes markup or a script."""
SCRIPTS = ("page.mjs", "choice.mjs", "curves.mjs", "table.mjs", "parts.mjs")


class StoredRunsPage:
    """Open page of a store's runs; a context manager.

    Attributes:
        link: address with the token and the filters that it starts with.
    """

    def __init__(
        self,
        store: Path,
        host: str,
        port: int,
        filters: Mapping[str, str],
        report: Callable[[str], PageResponse],
    ) -> None:
        """Open the page.

        Args:
            store: file of the runs; it need not be there yet.
            host: address to bind.
            port: to bind; 0 = any that is free.
            filters: that it starts with, by name as in the page's address.
            report: page of one run, by its id.

        Raises:
            UsageError: the address cannot be bound.
        """
        self._listing, self._report = RunListing(store), report
        self._server = PageServer(host, port, self._respond)
        start = urlencode(filters)
        self.link = self._server.door.link + (f"#{start}" if start else "")
        self._server.start()

    def __enter__(self) -> StoredRunsPage:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the page; its link is dead then."""
        self._server.close()
        self._listing.close()

    def _respond(self, place: str, query: Query) -> PageResponse:
        if place == "":
            return PageResponse(template("stored/page.html").render(), "text/html", POLICY)
        if place == "page.css":
            return PageResponse(_style(), "text/css")
        if place in SCRIPTS:
            return PageResponse(template_text(f"stored/{place}"), "text/javascript")
        if place == "news":
            return _json(self._listing.news(_number(query)))
        if place == "settings":
            return _json({run: self._settings(run) for run in query.get("run", ())[:MAX_SETTINGS]})
        if place == "run" and query.get("id"):
            return self._report(query["id"][0])
        raise NotAdmitted(404, NO_PAGE)

    def _settings(self, run_id: str) -> Json:
        """Return the settings of a run, or the line that says why they cannot be read."""
        try:
            return self._listing.settings(run_id)
        except IcpiError as exc:
            return shown(str(exc))
        except Exception as exc:  # a file of another hand may hold anything
            return shown(f"run {run_id}: its settings cannot be read: {error_line(exc)}")


@cache
def _style() -> str:
    return style_sheet() + template_text("page.css") + template_text("stored/page.css")


def _number(query: Query) -> int:
    try:
        return int(query.get("since", ["0"])[0])
    except ValueError:
        return 0


def _json(content: Json) -> PageResponse:
    return PageResponse(json.dumps(content, allow_nan=False), "application/json")
