"""Texts from elsewhere (messages, stores, bags, models, files) as a terminal may show them.

Such a text can command a terminal: an escape sequence that repaints the screen, a line
break that forges a line of a log, an override of the writing direction.  Stored values stay as
they came; whatever shows one passes it through here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable


def printable(text: str) -> str:
    r"""Return ``text`` on one line, with all that is not printable as visible escapes.

    Escaped as in Python (``\n``, ``\x1b``, ``\u202e``) are control characters, separators of lines
    and paragraphs, blanks other than the space, overrides of the writing direction and other
    invisible characters.  Letters of any script stay, and so does a backslash: what was escaped
    once stays as it is.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable_lines(text: str) -> str:
    r"""Return ``text`` with every line :func:`printable`; only ``\n`` ends a line."""
    return "\n".join(map(printable, text.split("\n")))


_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)


def decimal_number(text: str) -> float:
    """Return the number that a text is: digits of ASCII, nothing between them.

    Raises:
        ValueError: it is none.
    """
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{printable(text[:40])!r} is not a number")
    return float(text)


def error_line(error: BaseException) -> str:
    """Return the type and the text of an error of foreign code on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` with the name most like ``name``; empty if none is.

    Capitals and the signs between words do not count: UR5e is ur5e, and so is ur-5e.
    """
    from difflib import get_close_matches  # 4 ms, for errors alone

    names = list(known)
    plain = {_plain(one): one for one in names}
    close = get_close_matches(name, names, n=1)
    same = plain.get(_plain(name)) or next(iter(close), None)
    if same is None:
        same = next((plain[one] for one in get_close_matches(_plain(name), plain, n=1)), None)
    return f" (did you mean {same!r}?)" if same is not None else ""


def _plain(name: str) -> str:
    return "".join(mark for mark in name.casefold() if mark.isalnum())
