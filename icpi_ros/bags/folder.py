"""The folder of a new bag; imports nothing heavy."""

from __future__ import annotations

from pathlib import Path

from icpi_ros.core.errors import UsageError
from icpi_ros.core.files import check_folder_writable


def make_folder(folder: Path) -> None:
    """Make the folder of a new bag.

    Raises:
        UsageError: it is there already, or cannot be made.
    """
    check_folder(folder)
    try:
        folder.mkdir(parents=True)
    except OSError as exc:
        raise UsageError(f"cannot make the folder {folder} of the bag: {exc.strerror}") from exc


def check_folder(folder: Path) -> None:
    """Check that a folder can become a bag.

    Raises:
        UsageError: it is there already, or cannot be made.
    """
    if folder.exists():
        raise UsageError(f"{folder} exists: a recording needs a folder of its own, name another")
    try:
        check_folder_writable(folder)
    except OSError as exc:
        raise UsageError(f"cannot make the folder {folder} of the bag: {exc.strerror}") from exc
