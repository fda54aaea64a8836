"""Responses of the page's door to plain requests: pages, their policies, refusals."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from http import HTTPStatus
from importlib.resources import files

import websockets
from websockets.http11 import Response

from icpi_ros.core.html import template_text
from icpi_ros.view.rules import headers


@functools.cache
def client() -> str:
    """Page of viser itself, one file with all that it needs, and our style for phones."""
    page = files("viser").joinpath("client", "build", "index.html").read_text(encoding="utf-8")
    return page.replace("</head>", f"{template_text('scene.html')}</head>", 1)


def scene_policy(framed_by: Sequence[str]) -> str:
    """Policy of viser's page: its scripts unpack themselves; nothing comes from elsewhere."""
    ancestors = " ".join(("'self'", *framed_by))
    return (
        "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
        "style-src 'self' 'unsafe-inline'; worker-src blob:; "
        f"connect-src 'self' data: blob:; frame-ancestors {ancestors}"
    )


def response(status: int, text: str, kind: str, policy: str = "default-src 'none'") -> Response:
    """Return a response with the headers of :func:`icpi_ros.view.rules.headers`."""
    body = text.encode()
    found = websockets.Headers(headers(kind, len(body), policy))
    return Response(status, HTTPStatus(status).phrase, found, body)
