"""Failures of a request as one line each: what may be tried again, and when."""

from __future__ import annotations

import math
import random
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from icpi_ros.core.errors import CompletionFailed
from icpi_ros.llm.client.bodies import Unreadable
from icpi_ros.llm.client.replies import TOO_LONG
from icpi_ros.llm.local_http import UnusableBody

if TYPE_CHECKING:
    import openai

RETRY_STATUS = (408, 409, 429)
NOT_SERVED = frozenset({404, 405, 501})
"""HTTP statuses with which servers refuse a path that they do not have."""
_PAGES = (401, 403, 500, 502, 503, 504)
"""HTTP statuses of which a web page says that not the model's server answered."""
_MAX_CAUSES = 10
_FIRST_PAUSE, _MAX_PAUSE = 0.5, 8.0
_ADVICE = {
    400: "check the option model and what models.yaml says that it supports",
    404: "check the model's name and the base URL (most end in /v1)",
}
_REDIRECT = "redirects are not followed, set the base URL to where the server really is"


@dataclass(frozen=True)
class Failure:
    """One failed attempt.

    Attributes:
        line: the failure and, if the user can fix it, the setting; never holds a key.
        retry: True if the same request may succeed later.
        retry_after: pause that the server asked for [s]; None = it did not.
        status: HTTP status; 0 = no response.
        lost: True if the server may have worked on the request, at a price that it did not report.
        astray: True if the server may have this path elsewhere.
        too_long: True if the prompt is longer than the model's context.
    """

    line: str
    retry: bool = False
    retry_after: float | None = None
    status: int = 0
    lost: bool = False
    astray: bool = False
    too_long: bool = False


@dataclass(frozen=True)
class Addressee:
    """Names of an endpoint for the lines of its failures.

    Attributes:
        endpoint: its URL, as it may be shown.
        model: name on the wire.
        key_variable: environment variable that holds the key.
        proxy: between this machine and the endpoint, as it may be shown; empty = none.
    """

    endpoint: str
    model: str
    key_variable: str
    proxy: str = ""

    @property
    def way(self) -> str:
        """The endpoint and the proxy that stands before it."""
        return f"{self.endpoint} through the proxy {self.proxy}" if self.proxy else self.endpoint


def classify(exc: Exception, to: Addressee) -> Failure:
    """Turn an exception of the openai client, or of the reading of a response, into a failure.

    The server's own text is left out: it can repeat the key or the prompt.
    """
    import openai

    if isinstance(exc, openai.APIStatusError):
        no_quota = getattr(exc, "code", None) == "insufficient_quota"
        status, headers = int(exc.status_code), exc.response.headers
        if _is_page(headers) and status in _PAGES:
            return _of_page(status, to, headers)
        if _is_too_long(exc):
            return _of_length(f"{to.endpoint} answered HTTP {status}", status, to)
        line = f"{to.way if _is_page(headers) else to.endpoint} answered HTTP {status}"
        failure = _of_status(status, line, to, no_quota, headers)
        return replace(failure, astray=status in NOT_SERVED)
    if isinstance(exc, CompletionFailed):  # there is no client
        return Failure(str(exc))
    for error in (exc, exc.__cause__):
        if isinstance(error, UnusableBody):
            return Failure(f"{to.endpoint} {error}", lost=True)
    if isinstance(exc, openai.APIConnectionError):
        return _classify_connection(exc, to)
    return Failure(f"the request to {to.endpoint} failed with {type(exc).__name__}", lost=True)


def classify_unreadable(exc: Unreadable, to: Addressee, headers: Mapping[str, str]) -> Failure:
    """Turn a response of HTTP 200 that holds no reply into a failure of the status it carries."""
    line = f"{to.endpoint} {exc}"
    if exc.status == 200:
        if to.proxy and _is_page(headers):
            line = f"{to.way} answered with a web page: is it the proxy's own?"
        return Failure(line, retry=exc.retry, status=200, lost=True, astray=exc.astray)
    if exc.too_long:
        return _of_length(line, exc.status, to)
    failure = _of_status(exc.status, line, to, exc.no_quota, headers)
    return replace(failure, astray=exc.astray or exc.status in NOT_SERVED)


def _is_too_long(exc: openai.APIStatusError) -> bool:
    """Return whether an error says that the context is too short: vLLM does in its text alone."""
    body = exc.body if isinstance(exc.body, dict) else {}
    names = [body.get("code"), body.get("type")]
    if any(isinstance(name, str) and name.lower() in TOO_LONG for name in names):
        return True
    text = body.get("message")
    return exc.status_code == 400 and isinstance(text, str) and "context length" in text.lower()


def _of_length(line: str, status: int, to: Addressee) -> Failure:
    remedy = "show it less (option k), or give its server more context"
    why = f"{line} for model {to.model}: the prompt is longer than its context, {remedy}"
    return Failure(why, status=status, too_long=True)


def _is_page(headers: Mapping[str, str]) -> bool:
    """Return whether a response is a web page: no API sends one, but proxies and gateways do."""
    return headers.get("content-type", "").strip().lower().startswith("text/html")


def _of_page(status: int, to: Addressee, headers: Mapping[str, str]) -> Failure:
    """Return the failure of an HTTP status that came with a web page."""
    line = f"{to.way} answered HTTP {status} with a web page, as no model's server does"
    if status in (401, 403):
        return Failure(f"{line}: does a proxy or firewall refuse it?", status=status)
    after = read_retry_after(headers.get("retry-after"))
    return Failure(f"{line}: is it up behind its gateway?", True, after, status)


def _classify_connection(exc: Exception, to: Addressee) -> Failure:
    cause = type(exc.__cause__).__name__ if exc.__cause__ else "no connection"
    if (fault := _tls_fault(exc)) is not None:
        return Failure(f"no encrypted connection to {to.way}: {fault}")
    if to.proxy and cause == "ProxyError" and (status := str(exc.__cause__)[:3]).isdigit():
        line = f"the proxy {to.proxy} refused the way to {to.endpoint} with HTTP {status}"
        remedy = "it wants a password" if status == "407" else "NO_PROXY names exceptions"
        return Failure(f"{line}: {remedy}", retry=int(status) >= 500)
    if to.proxy and cause.startswith(("Connect", "Proxy")):
        line = f"cannot reach {to.way} ({cause}): does the proxy run? NO_PROXY names exceptions"
        return Failure(line, retry=True)
    if cause.startswith("Connect"):
        return Failure(f"cannot reach {to.endpoint} ({cause}): is it running?", retry=True)
    return Failure(f"lost the connection to {to.way} ({cause})", retry=True, lost=True)


def _tls_fault(exc: BaseException) -> str | None:
    """Return why TLS was not agreed on, and what helps; None = that was not the fault."""
    error: BaseException | None = exc
    for _ in range(_MAX_CAUSES):
        error = error.__cause__ or error.__context__ if error is not None else None
        if isinstance(error, ssl.SSLCertVerificationError):
            return "its certificate is not trusted; SSL_CERT_FILE names a file with others"
        if isinstance(error, ssl.SSLError):
            return "it does not speak TLS as it should; does its URL begin with http://?"
    return None


def _of_status(
    status: int, line: str, to: Addressee, no_quota: bool, headers: Mapping[str, str]
) -> Failure:
    """Return the failure of an HTTP status, or of an error that carries one."""
    if status in (401, 403):
        line += f": the key in {to.key_variable} was not accepted, set a valid one"
        return Failure(line, status=status)
    if no_quota:
        line += f": the account of the key in {to.key_variable} has no quota left"
        return Failure(line, status=status)
    if status == 407 and to.proxy:
        return Failure(f"{line}: the proxy {to.proxy} wants a password", status=status)
    if status in RETRY_STATUS or status >= 500:
        after = read_retry_after(headers.get("retry-after"))
        return Failure(line, retry=True, retry_after=after, status=status)
    advice = _REDIRECT if status < 400 else _ADVICE.get(status, "not worth a retry")
    return Failure(f"{line} for model {to.model}: {advice}", status=status)


def read_retry_after(value: str | None) -> float | None:
    """Return the seconds of a ``Retry-After`` header: a number or an HTTP date."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def pause(attempt: int, retry_after: float | None) -> float:
    """Return the pause before the next attempt [s].

    At least what the server asked for, else 0.5 s doubling up to 8 s; jitter takes up to half
    off, so that clients do not come back all at once.
    """
    if retry_after is not None:
        return retry_after + random.uniform(0.0, 0.1)
    return min(_FIRST_PAUSE * 2.0**attempt, _MAX_PAUSE) * random.uniform(0.5, 1.0)
