"""Names in ROS, and one node of a name per domain and namespace; imports no ROS.

DDS does not refuse a second node of the same name; two executors would both drive the arm, and
fight over it.  A file lock does refuse, and the kernel drops it whatever way its holder ends.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from icpi_ros.core.errors import StoreError, UsageError
from icpi_ros.core.files import FileLock, LockTaken, own_folder

DOMAINS = range(1, 102)
"""Domain ids that do not meet the ephemeral ports of Linux; 0 is left to other people's nodes."""
_NAME = re.compile(r"/?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*", re.ASCII)
MAX_NAME = 200
"""Longest name [characters]: topics of nodes come behind it, and DDS takes 255 in all."""
NAME_FORM = "letters, digits and _, none begun with a digit, with single / between, as lab/arm_1"


def check_name(name: str, what: str) -> str:
    """Return a namespace that ROS takes; empty and ``/`` are the root.

    Raises:
        UsageError: it does not; ``what`` names it.
    """
    if name in ("", "/"):
        return name
    return _checked(name, what, name.removesuffix("/"))


def check_topic(name: str, what: str) -> str:
    """Return a topic's or an action's name that ROS takes: no root, and nothing open at its end.

    Raises:
        UsageError: it does not; ``what`` names it.
    """
    return _checked(name, what, name)


def _checked(name: str, what: str, core: str) -> str:
    if len(name) > MAX_NAME or not _NAME.fullmatch(core):
        shown = repr(name) if len(name) <= MAX_NAME else f"a name of {len(name)} characters"
        raise UsageError(f"{what} {shown} is not a ROS name: {NAME_FORM}")
    return name


def runtime_dir() -> Path:
    """Return this user's own folder for lock files, made if it is not there.

    Raises:
        StoreError: it cannot be made, or another user has put something in its place.
    """
    base = os.environ.get("XDG_RUNTIME_DIR", "")
    folder: Path | None = None
    try:
        folder = Path(base) / "icpi" if Path(base).is_absolute() else _shared_tmp()
        return own_folder(folder)
    except OSError as exc:
        raise StoreError(
            f"cannot make {folder or 'a folder'} for lock files ({exc.strerror}): "
            "set XDG_RUNTIME_DIR to a folder that you alone can write"
        ) from exc


def _shared_tmp() -> Path:
    return Path(tempfile.gettempdir()) / f"icpi-{os.getuid()}"


def try_hold(name: str) -> FileLock | int:
    """Take the lock ``name``; return it, or the pid of its holder (0 = not known)."""
    path = runtime_dir() / name
    try:
        return FileLock(path)
    except LockTaken as taken:
        return taken.holder or 0
    except OSError as exc:
        raise StoreError(f"cannot open lock file {path}: {exc.strerror}") from exc


def domain_id() -> int:
    """Return the ROS domain of this process.

    Raises:
        UsageError: ROS_DOMAIN_ID is not a number from 0 to 232.
    """
    text = os.environ.get("ROS_DOMAIN_ID", "").strip() or "0"
    if not text.isdigit() or int(text) > 232:
        raise UsageError(f"ROS_DOMAIN_ID = {text!r} is not allowed: a number from 0 to 232")
    return int(text)


def hold_name(full_name: str, what: str = "node") -> FileLock:
    """Take ``full_name`` ("/ns/executor") in this domain.

    Raises:
        UsageError: another process has it; names it and what to change.
    """
    domain = domain_id()
    held = try_hold(f"domain-{domain}{full_name.replace('/', '.')}.lock")
    if isinstance(held, FileLock):
        return held
    raise UsageError(
        f"{what} {full_name} already runs in ROS domain {domain} (process {held or 'unknown'}): "
        "stop it, or set another ROS_DOMAIN_ID, or choose another namespace"
    )


def ensure_free(full_names: Sequence[str]) -> None:
    """Check that no process has one of these names now.

    Raises:
        UsageError: another process has one; names it and what to change.
    """
    for name in full_names:
        hold_name(name).release()


def reserve_domain() -> tuple[int, FileLock]:
    """Return a ROS domain that no other graph of this user on this machine reserved.

    Raises:
        UsageError: all of them are taken.
    """
    for domain in DOMAINS:
        held = try_hold(f"domain-{domain}.reserved")
        if isinstance(held, FileLock):
            return domain, held
    raise UsageError(
        "all ROS domains from 1 to 101 are reserved: stop a graph that you do not need"
    )
