"""Start a graph as processes without ROS launch, stop it cleanly, end with its first dead node.

The processes are managed by honcho.  Four things are changed for a robot: Ctrl-C is a normal end
(exit code 0); a Ctrl-C while nodes are still being started is not lost; nodes watch this process
and end with it, even if it is killed; nodes are forked, not started by a shell.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar

from honcho import manager as honcho_manager
from honcho.manager import Manager
from honcho.printer import Message, Printer
from honcho.process import Process

from icpi_ros.core import plugins
from icpi_ros.core.errors import IcpiError, UsageError
from icpi_ros.core.files import open_private
from icpi_ros.core.text import printable
from icpi_ros.robots import ARMS
from icpi_ros.ros.bringup import parent
from icpi_ros.ros.bringup.description import NodeSpec, graph, page_command
from icpi_ros.ros.bringup.environment import environment
from icpi_ros.ros.bringup.files import checked_graph
from icpi_ros.ros.bringup.forked import ForkedNode, preload
from icpi_ros.tasks import TASKS

START_LIMIT = 20.0
"""Longest time for all processes of a graph to start [s]."""
KILL_WAIT = 12
"""Whole seconds after which a node that was asked to stop is killed: longer than it may take to
close and to let the middleware go."""
STOP_LIMIT = 20.0
"""Longest time for a graph to stop [s]; longer than that of its nodes."""


def run_graph(specs: Sequence[NodeSpec], page: Sequence[str] | None = None) -> int:
    """Run all nodes in the foreground until a signal or until one ends; return the exit code.

    0 after SIGINT or SIGTERM when all nodes ended cleanly; otherwise the code of the node that
    ended first (1 where that was 0 or a signal), named on stderr.  ``page``: command of the live
    page beside them, whose end changes nothing.
    """
    if not plugins.loaded():  # theirs may render by MuJoCo's own contexts
        # None of ours opens a window, and camera images have contexts of their own: MuJoCo would
        # load GLFW, which starts a process to do so.
        os.environ.setdefault("MUJOCO_GL", "disable")
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored by a starter, no end would be told
    env = {**environment(), parent.VARIABLE: str(os.getpid())}
    _end_with(parent.Parent())
    honcho_manager.KILL_WAIT = KILL_WAIT
    manager = _Manager(_Printer(sys.stdout))
    _load_parts(specs)
    for spec in specs:
        manager.add_process(spec.name, spec.command(), env=env)
    with _beside(page, env):
        manager.loop()
    return manager.verdict()


@contextlib.contextmanager
def _beside(command: Sequence[str] | None, env: Mapping[str, str]) -> Iterator[None]:
    """Run a client of the graph beside it: it ends with the graph, not the graph with it."""
    if command is None:
        yield
        return
    with subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL) as client:
        try:
            yield
        finally:
            client.send_signal(signal.SIGINT)
            try:
                client.wait(KILL_WAIT)
            except subprocess.TimeoutExpired:
                client.kill()


def _load_parts(specs: Sequence[NodeSpec]) -> None:
    """Load what comes with the package and several nodes use; other people's is left to them."""
    for spec in specs:
        task = spec.parameters.get("task", "")
        if task in TASKS.built_in:
            arm = spec.parameters.get("arm") or TASKS.get(task).arm
            if arm in ARMS.built_in:
                with contextlib.suppress(IcpiError):  # the nodes report why
                    ARMS.get(arm)
    TASKS.names()  # looks through the installed packages, which nodes then need not do


class _Printer(Printer):  # type: ignore[misc]  # honcho is untyped
    """Printer of lines; honcho also prints in its signal handler, which must not re-enter one."""

    def __init__(self, output: IO[str]) -> None:
        super().__init__(output)
        self._waiting: list[Message] = []
        self._printing = False

    def write(self, message: Message) -> None:
        self._waiting.append(message)
        if self._printing:
            return
        self._printing = True
        try:
            while self._waiting:
                super().write(self._waiting.pop(0))
        except OSError:  # whoever read the output is gone
            self._waiting.clear()
        finally:
            self._printing = False


class _Process(Process):  # type: ignore[misc]  # honcho is untyped
    """A node that is forked; honcho would start its command line with a shell."""

    def fork(self) -> None:
        """Fork the node; :meth:`run` then reads its output, and waits for its end."""
        child = ForkedNode(self.cmd, self.env, self.cwd)
        self._child_ctor = lambda *_, **__: child


class _Manager(Manager):  # type: ignore[misc]  # honcho is untyped
    """honcho's manager with the changes that the module names."""

    def __init__(self, printer: Printer) -> None:
        super().__init__(printer)
        self.events: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._process_ctor = _Process
        self._asked = False
        self._first: tuple[str, int] | None = None
        self._started = False

    def verdict(self) -> int:
        """Return the exit code of the graph; print which node failed."""
        codes = {name: process.get("returncode", 1) for name, process in self._processes.items()}
        signalled = self.returncode in (130, 143)
        # A node that was asked to stop while Python still started ends by the signal itself.
        bad = {name: code for name, code in codes.items() if code not in (0, -signal.SIGTERM)}
        if signalled and not bad:
            return 0
        name, code = next(iter(bad.items())) if signalled else self._first_ended(codes)
        how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        print(f"error: node {name} ended {how}: the graph is stopped", file=sys.stderr, flush=True)
        return code if code > 0 else 1

    def _first_ended(self, codes: Mapping[str, int]) -> tuple[str, int]:
        return self._first or next(iter(codes.items()))

    def _start(self) -> None:
        nodes = [process["obj"].cmd[2] for process in self._processes.values()]
        preload([*nodes, "numpy.random"])
        # honcho has a process for each that reads what it prints: as much to fork as the node.
        readers = [process["obj"] for process in self._processes.values()]
        for reader in readers:  # before the threads that read
            reader.fork()
        for reader in readers:
            threading.Thread(target=reader.run, args=(self.events,), daemon=True).start()
        deadline = time.monotonic() + START_LIMIT
        while not self._all_started() and time.monotonic() < deadline:
            message = self.events.get(timeout=START_LIMIT)
            if message.type == "start":
                self._processes[message.name]["pid"] = message.data["pid"]
                self._system_print(f"{message.name} started (pid={message.data['pid']})\n")
            elif message.type == "line":
                self._printer.write(message)
            else:
                self.events.put(message)  # a stop: honcho's loop deals with it
        self._started = True
        if self._asked:  # the signal came before there was anything to stop
            self.terminate()

    def terminate(self) -> None:
        """Stop all nodes, once all of them run."""
        self._asked = True
        if not self._started:
            return
        if self._first is None and self.returncode is not None:
            self._first = next(
                ((n, p["returncode"]) for n, p in self._processes.items() if "returncode" in p),
                None,
            )
        super().terminate()


def _end_with(starter: parent.Parent) -> None:
    """Stop this graph when its parent has ended."""

    def watch() -> None:
        if starter.wait():
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


class BackgroundGraph:
    """A graph in a process of its own, for `icpi run`, the demo and tests; a context manager.

    Args:
        name: which graph, for example ``sim``.
        arguments: launch arguments by name.
        log: file that takes all output of the nodes.
        env: further environment variables, for example ROS_DOMAIN_ID.

    Attributes:
        start: what starts the process.
    """

    start: ClassVar[Callable[..., subprocess.Popen[bytes]]] = subprocess.Popen

    def __init__(
        self,
        name: str,
        arguments: Mapping[str, Any],
        log: Path,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Check the arguments; nothing is started yet."""
        texts = {key: str(value) for key, value in arguments.items()}
        checked_graph(name, texts)
        texts |= {"plugins": plugins.as_text()} if plugins.loaded() else {}
        self.log = log
        self._command = [sys.executable, "-m", "icpi_ros.ros.bringup.processes", name]
        self._command += [f"{key}:={value}" for key, value in texts.items()]
        self._env = {**environment(), **(env or {}), parent.VARIABLE: str(os.getpid())}
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> BackgroundGraph:
        with open_private(self.log, "ab") as out:
            self.process = self.start(
                self._command,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C goes to us; we stop the graph in order
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        """True while the graph runs."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> int:
        """Stop the graph and return its exit code; nothing is left running."""
        if self.process is None:
            return 0
        if self.alive:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()  # the nodes notice and end
            return self.process.wait(STOP_LIMIT)

    def reason(self) -> str:
        """Return the last line of the log that reports an error, or the last line.

        The log is from outside: its lines are other processes' output.
        """
        lines: list[str] = []
        with contextlib.suppress(OSError):
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        errors = [
            line for line in lines if "error: " in line and "the graph is stopped" not in line
        ]
        line = (errors or lines or ["the log is empty"])[-1]
        return line.split("error: ", 1)[-1]


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``GRAPH name:=value ...`` in the foreground."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if not words:
            raise UsageError("which graph? usage: GRAPH [argument:=value ...]")
        given = dict(_pair(word) for word in words[1:])
        return run_graph(graph(words[0], given), page_command(words[0], given))
    except IcpiError as exc:
        print(f"error: {printable(str(exc))}", file=sys.stderr, flush=True)
        return exc.exit_code


def _pair(word: str) -> tuple[str, str]:
    name, separator, value = word.partition(":=")
    if not separator:
        raise UsageError(f"{word!r} is not an argument: write name:=value")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
