"""Addresses of servers: as people write them, on which machine, behind which proxy."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

SCHEMES = ("http", "https")
_PATHS = re.compile(
    r"(?:/(?:chat/completions|completions|responses|embeddings|models)"
    r"|(?<=/api)/(?:chat|generate|tags))$",
    re.IGNORECASE,
)
"""Paths of single requests, which stand behind a base URL."""
_VERSION = re.compile(r"/v[0-9]+[a-z0-9]*$")
_TWICE = re.compile(r"(/v[0-9]+)\1$")
_SLASHES = re.compile(r"^(?:https?:)?[/\\]*", re.IGNORECASE)
_QUOTES = "\"'`<>\ufeff"
_AZURE = ".openai.azure.com"


@lru_cache(256)
def base_url_of(text: str) -> str:
    """Return the base URL that is meant: no blanks and quotes around it, no path of a request.

    A text that is no URL comes back as it is, see :func:`fault_of`.
    """
    text = text.strip().strip(_QUOTES).strip()
    try:
        parts = urlsplit(text)
    except ValueError:
        return text
    if parts.scheme not in SCHEMES or not parts.netloc:
        return text
    if "://" in parts.path:
        return text
    path = re.sub(r"/{2,}", "/", parts.path).rstrip("/")
    path = _TWICE.sub(r"\1", _PATHS.sub("", path))
    return SplitResult(parts.scheme, parts.netloc, path, parts.query, "").geturl()


def other_bases(url: str) -> tuple[str, ...]:
    """Return the base URLs that may be meant if a server does not know the paths under ``url``.

    Most servers have them under ``/v1``, which is often left out; some have an API of their own
    under ``/api`` beside it.  Where the path ends in a version there is no other.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return ()
    if _VERSION.search(parts.path.lower()):
        lower = parts.path.lower()
        paths = [] if lower == parts.path else [lower]
    else:
        paths = [f"{parts.path}/v1"]
        if parts.path.endswith("/api"):
            paths.append(f"{parts.path.removesuffix('/api')}/v1")
    return tuple(parts._replace(path=path).geturl() for path in paths)


@lru_cache(256)
def fault_of(url: str) -> str:
    """Return why a base URL cannot be used, as it continues "base URL ... "; "" = it can."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "cannot be read, expected http://HOST:PORT/v1 or https://HOST/v1"
    if parts.scheme not in SCHEMES:
        return "must start with http:// or https://"
    if any(mark.isspace() or not mark.isprintable() or mark == "\\" for mark in url):
        return "holds a blank or a mark that no URL has"
    if not parts.hostname:
        return "names no host, expected http://HOST:PORT/v1 or https://HOST/v1"
    if port == 0:
        return "names port 0, allowed are 1 to 65535"
    if "://" in parts.path:
        return "holds two URLs, where one is asked"
    azure = f", write https://RESOURCE{_AZURE}/openai/v1" * parts.hostname.endswith(_AZURE)
    return f"has a query, which is not sent{azure}" if parts.query else ""


def shown(url: str) -> str:
    """Return a URL without user name, password and query, for messages and records."""
    try:
        parts = urlsplit(url if "://" in url else f"//{_SLASHES.sub('', url)}")
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an invalid URL"
    scheme = f"{parts.scheme}://" if parts.scheme else ""
    return f"{scheme}{host}{port}{parts.path}"


def is_plain_url(text: str) -> bool:
    """Return whether a text is an http URL without anything in it that may be secret."""
    url = base_url_of(text)
    if fault_of(url) or {"?", "#"} & set(text):
        return False
    parts = urlsplit(url)
    return not (parts.username or parts.password)


@lru_cache(256)
def is_this_machine(url: str) -> bool:
    """Return whether the host of a URL is this machine by its name or address alone."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)


def proxy_before(url: str) -> str:
    """Return the proxy that the environment sets before a server, without its password.

    It is empty where there is none; its variable follows in brackets.
    """
    from urllib.request import getproxies, proxy_bypass

    try:
        parts = urlsplit(url)
        proxies = getproxies()
        name = next((name for name in (parts.scheme, "all") if proxies.get(name)), "")
        if not name or is_this_machine(url) or proxy_bypass(parts.hostname or ""):
            return ""
        address = proxies[name]
        proxy = urlsplit(address if "://" in address else f"http://{address}")
        port = f":{proxy.port}" if proxy.port else ""
        return f"{proxy.scheme}://{proxy.hostname}{port} ({name.upper()}_PROXY)"
    except ValueError:
        return ""
