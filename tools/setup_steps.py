"""Parts of the set-up that know nothing of ROS: commands with logs, stamp, lock."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pty
import selectors
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from setup_failures import failure_of

LOCK_WAIT = 1800.0
"""Longest wait for another set-up in the same folder [s]."""
STEP_LIMIT = 3600.0
"""Longest time that one command may take [s]."""
TAIL = 25
"""Lines of a log that are shown when a command fails."""


class SetupError(Exception):
    """A step failed; the message is one line with reason and remedy.

    Attributes:
        remote: True if the network is the reason, so that another program would fail as well.
    """

    def __init__(self, message: str, *, remote: bool = False) -> None:
        """Keep the reason beside the message."""
        super().__init__(message)
        self.remote = remote


class Steps:
    """Runs the commands of a set-up: output goes to log files, progress is one line each."""

    def __init__(self, state: Path, env: Mapping[str, str], cwd: Path | None = None) -> None:
        """Keep logs below ``state``; run everything in ``env`` and ``cwd``."""
        self.state = state
        self.logs = state / "log"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.env = dict(env)
        self.cwd = cwd or state.parent
        self.seconds: dict[str, float] = {}

    def say(self, line: str) -> None:
        """Show one line of progress."""
        print(f"setup: {line}", flush=True)

    @contextlib.contextmanager
    def step(self, name: str, what: str) -> Iterator[list[str]]:
        """Show what a step does, then its size and time.

        Yields:
            To which the step may add what it found, for its last line.
        """
        self.say(f"{name}: {what} ...")
        started = time.monotonic()
        found: list[str] = []
        yield found
        self.seconds[name] = time.monotonic() - started
        self.say(f"{name}: {', '.join([*found, f'{self.seconds[name]:.1f} s'])}")

    def run(
        self,
        name: str,
        command: list[str],
        env: Mapping[str, str] | None = None,
        *,
        show: bool = False,
    ) -> None:
        """Run ``command``, output into ``log/<name>.log``.

        Args:
            name: of the log.
            command: program and arguments.
            env: variables besides those of all steps.
            show: let a person at a terminal see the program's own progress.

        Raises:
            SetupError: it failed; the end of its output has been shown.
        """
        log = self.logs / f"{name}.log"
        terminal = show and sys.stderr.isatty()
        with log.open("ab") as out:
            out.write(f"\n$ {' '.join(command)}\n".encode())
            out.flush()
            begin = out.tell()
            try:
                code = self._execute(command, {**self.env, **(env or {})}, out.fileno(), terminal)
            except OSError as error:
                raise SetupError(f"cannot run {command[0]}: {error.strerror}") from None
            except subprocess.TimeoutExpired:
                raise SetupError(
                    f"{command[0]} took longer than {STEP_LIMIT:.0f} s; see {log}"
                ) from None
        if code != 0:
            written = log.read_bytes()[begin:].decode("utf-8", "replace")
            raise self._failed(name, code, written, shown=terminal)

    def _execute(self, command: list[str], env: dict[str, str], out: int, terminal: bool) -> int:
        """Run a program; return its exit code. At a ``terminal`` it writes to a terminal too."""
        if not terminal:
            return subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=self.cwd,
                timeout=STEP_LIMIT,
                check=False,
            ).returncode
        ours, theirs = pty.openpty()
        try:
            with subprocess.Popen(
                command, stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=self.cwd
            ) as process:
                os.close(theirs)
                _copy(ours, (out, sys.stderr.fileno()), process)
                return process.wait(STEP_LIMIT)
        finally:
            os.close(ours)

    def _failed(self, name: str, code: int, output: str, *, shown: bool) -> SetupError:
        """Show the end of a failed program's output; return what it means."""
        lines = output.splitlines()[-TAIL:]
        if not shown:
            print("\n".join(f"  | {line}" for line in lines), file=sys.stderr)
        known = failure_of("\n".join(lines))
        log = self.logs / f"{name}.log"
        if known is None:
            return SetupError(f"step {name!r} failed with exit code {code}; all of it is in {log}")
        return SetupError(
            f"step {name!r} failed: {known.reason}; {known.remedy}; all of it is in {log}",
            remote=known.remote,
        )

    def output(self, command: list[str]) -> str:
        """Return what a short command prints, stripped.

        Raises:
            SetupError: it failed.
        """
        try:
            done = subprocess.run(
                command, env=self.env, capture_output=True, text=True, timeout=120, check=False
            )
        except OSError as error:
            raise SetupError(f"cannot run {command[0]}: {error.strerror}") from None
        except subprocess.TimeoutExpired:
            raise SetupError(f"`{' '.join(command)}` took longer than 120 s") from None
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise SetupError(f"`{' '.join(command)}` failed: {reason}")
        return done.stdout.strip()


def _copy(source: int, targets: tuple[int, ...], process: subprocess.Popen[bytes]) -> None:
    """Copy what a program writes into its terminal, until it has ended."""
    deadline = time.monotonic() + STEP_LIMIT
    with selectors.DefaultSelector() as selector:
        selector.register(source, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            if not selector.select(0.2):
                if process.poll() is not None:
                    return
                continue
            try:
                data = os.read(source, 65536)
            except OSError:  # the last one who had it open has closed it
                return
            for target in targets:
                os.write(target, data)
    process.kill()


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
    """Return the keys of the steps that were completed; empty if there was none."""
    try:
        stamp = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(path: Path, keys: Mapping[str, str]) -> None:
    """Store the keys of completed steps in one atomic step."""
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
