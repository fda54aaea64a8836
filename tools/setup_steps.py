"""Parts of the set-up that know nothing of ROS: commands with logs, stamp, lock."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

LOCK_WAIT = 1800.0
"""Longest wait for another set-up in the same folder [s]."""
STEP_LIMIT = 3600.0
"""Longest time that one command may take [s]."""
TAIL = 25
"""Lines of a log that are shown when a command fails."""


class SetupError(Exception):
    """A step failed; the message is one line with the remedy."""


class Steps:
    """Runs the commands of a set-up: output goes to log files, progress is one line each."""

    def __init__(self, state: Path, env: Mapping[str, str]) -> None:
        """Keep logs below ``state``; run everything in ``env``."""
        self.logs = state / "log"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.env = dict(env)

    def say(self, line: str) -> None:
        """Show one line of progress."""
        print(f"setup: {line}", flush=True)

    def run(self, name: str, command: list[str], env: Mapping[str, str] | None = None) -> None:
        """Run ``command`` in the repository, output into ``log/<name>.log``.

        Raises:
            SetupError: it failed; the end of the log has been shown.
        """
        log = self.logs / f"{name}.log"
        with log.open("a", encoding="utf-8") as out:
            out.write(f"\n$ {' '.join(command)}\n")
            out.flush()
            try:
                code = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    env={**self.env, **(env or {})},
                    cwd=self.logs.parent.parent,
                    timeout=STEP_LIMIT,
                    check=False,
                ).returncode
            except OSError as error:
                raise SetupError(f"cannot run {command[0]}: {error.strerror}") from None
            except subprocess.TimeoutExpired:
                raise SetupError(
                    f"{command[0]} took longer than {STEP_LIMIT:.0f} s; see {log}"
                ) from None
        if code != 0:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            print("\n".join(f"  | {line}" for line in lines[-TAIL:]), file=sys.stderr)
            raise SetupError(f"step {name!r} failed with exit code {code}; all of it is in {log}")

    def output(self, command: list[str]) -> str:
        """Return what a short command prints, stripped.

        Raises:
            SetupError: it failed.
        """
        done = subprocess.run(
            command, env=self.env, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise SetupError(f"`{' '.join(command)}` failed: {reason}")
        return done.stdout.strip()


def digest(files: Iterable[Path], *texts: str) -> str:
    """Return a hash of names and contents of ``files`` and of ``texts``."""
    total = hashlib.sha256()
    for text in texts:
        total.update(f"{len(text)}:{text}".encode())
    for path in files:
        content = path.read_bytes()
        total.update(f"{path.name}:{len(content)}:".encode())
        total.update(content)
    return total.hexdigest()[:20]


def read_stamp(path: Path) -> dict[str, str]:
    """Return the keys of the last complete set-up; empty if there was none."""
    try:
        stamp = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(path: Path, keys: Mapping[str, str]) -> None:
    """Store the keys of a complete set-up in one atomic step."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(dict(keys), indent=1), encoding="utf-8")
    draft.replace(path)


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file ``path``; wait for another set-up, with a deadline.

    Raises:
        SetupError: the folder cannot be written, or the other set-up does not end.
    """
    try:
        path.parent.mkdir(exist_ok=True)
        handle = path.open("a", encoding="utf-8")
    except OSError as error:
        raise SetupError(f"cannot write {path}: {error.strerror}") from None
    with handle:
        deadline = time.monotonic() + LOCK_WAIT
        waiting = False
        while not _locked(handle.fileno()):
            if not waiting:
                print("setup: waiting for another set-up in this folder", flush=True)
                waiting = True
            if time.monotonic() > deadline:
                raise SetupError(f"another set-up holds {path} for {LOCK_WAIT:.0f} s")
            time.sleep(0.2)
        os.truncate(path, 0)
        os.write(handle.fileno(), f"{os.getpid()}\n".encode())
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
