"""Responses of the page's door to plain requests: pages, their policies, refusals."""

from __future__ import annotations

import functools
from http import HTTPStatus
from importlib.resources import files

import websockets
from websockets.http11 import Response


@functools.cache
def client() -> str:
    """Page of viser itself, one file with all that it needs."""
    return files("viser").joinpath("client", "build", "index.html").read_text(encoding="utf-8")


def scene_policy() -> str:
    """Policy of viser's page: its scripts unpack themselves; nothing comes from elsewhere."""
    return (
        "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
        "style-src 'self' 'unsafe-inline'; worker-src blob:; "
        "connect-src 'self' data: blob:; frame-ancestors 'self'"
    )


def response(status: int, text: str, kind: str, policy: str = "default-src 'none'") -> Response:
    """Return a response that may load, frame and tell nothing that its policy does not name."""
    body = text.encode()
    if "frame-ancestors" not in policy:
        policy += "; frame-ancestors 'none'"
    headers = websockets.Headers(
        {
            "Content-Type": f"{kind}; charset=utf-8",
            "Content-Length": str(len(body)),
            "Content-Security-Policy": f"{policy}; base-uri 'none'; form-action 'none'",
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
        }
    )
    return Response(status, HTTPStatus(status).phrase, headers, body)
