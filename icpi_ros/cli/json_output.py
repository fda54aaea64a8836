"""The option ``--json [FILE|-]``: what a command shows, for programs."""

from __future__ import annotations

import argparse
import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from typing import Any, TypeVar

from icpi_ros.cli.arguments import checked_output
from icpi_ros.core.errors import UsageError
from icpi_ros.core.files import PRIVATE, Planted, open_private, replacing

T = TypeVar("T")
_IN_PLACE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY)
"""Why a file cannot be replaced, but may be written: its folder is another's, or it is mounted."""


class JsonOutput:
    """Destination of a command's JSON: a file, or standard output and nothing else there.

    Attributes:
        path: the file; None = standard output.
    """

    def __init__(self, target: str) -> None:
        """Take a file's path, or ``-``; nothing is opened yet."""
        self.path = None if target == "-" else Path(target)
        self._stream = sys.stdout

    def check(self) -> None:
        """Refuse a file that cannot be written.

        Raises:
            UsageError: it cannot.
        """
        if self.path is None:
            return
        checked_output(self.path)
        if self.path.is_file() and _first_byte(self.path) not in (b"", b"{", b"["):
            raise UsageError(
                f"--json {self.path}: this file is not JSON, it is not overwritten: give another "
                "FILE, or - for standard output"
            )

    def alone(self) -> AbstractContextManager[Any]:
        """Send what is printed for people to stderr where the JSON goes to standard output."""
        return nullcontext() if self.path else redirect_stdout(sys.stderr)

    def write(self, content: object, secret: bool = False) -> None:
        """Write ``content`` as standard JSON: arrays as lists, null for what is not finite.

        Args:
            content: to write.
            secret: a file that is there becomes its owner's alone, as a new one is.
        """
        # json is 5 ms and numpy 0.2 s that a help and a wrong option need not take
        import json

        from icpi_ros.core.redact import jsonable

        path = self.path
        if secret and path is not None and path.is_file() and not path.is_symlink():
            path.chmod(PRIVATE)  # it was there before; a link is replaced, not its file
        self.write_text(json.dumps(jsonable(content), indent=1) + "\n")

    def write_text(self, text: str) -> None:
        """Write a text that is JSON already; a file has all of it, or what it had."""
        if self.path is None:
            self._stream.write(text)
            self._stream.flush()
            return
        if not _is_foreign(self.path):
            try:
                with replacing(self.path, private=True) as temporary:
                    temporary.write_bytes(text.encode())
                return
            except OSError as exc:
                if exc.errno not in _IN_PLACE or isinstance(exc, Planted):
                    raise
        with open_private(self.path, "wb") as file:
            file.write(text.encode())

    def __str__(self) -> str:
        """Return the word that means the same in any folder."""
        return str(self.path.absolute()) if self.path else "-"


def _is_foreign(path: Path) -> bool:
    """Tell whether another user owns a file that is there, who would lose it to a new one."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_uid != os.geteuid()


def _first_byte(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(1)


def add_json(parser: argparse.ArgumentParser, what: str = "the result") -> None:
    """Add ``--json``, which writes ``what``; the command finds a JsonOutput or None there."""
    parser.add_argument(
        "--json",
        nargs="?",
        const="-",
        type=JsonOutput,
        metavar="FILE|-",
        help=f"write {what} as JSON; without FILE, or with -: to standard output, and what is "
        "for people to stderr",
    )


@contextmanager
def kept(output: JsonOutput | None, content: T) -> Iterator[T]:
    """Give ``content``, a list or dictionary to fill, and write it even if the work is broken off.

    Args:
        output: where to; None = nowhere.
        content: as far as it is filled when the block ends; an empty one only if that went well.
    """
    done = False
    try:
        yield content
        done = True
    finally:
        if output is not None and (done or content):
            output.write(content)
