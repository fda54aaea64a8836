"""Nodes as forks of one process that has imported what all of them need.

ROS, its messages, numpy and MuJoCo take 0.6 s of processor time to import.  Four nodes that do it
side by side take four times that from a small computer, and four times the memory.  Forked before
any of them has a ROS context or a thread of its own, they share it.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

STOPPING = (signal.SIGINT, signal.SIGTERM)
FIRST_FREE_FILE = 3


def preload(modules: Sequence[str]) -> None:
    """Import modules; one that cannot be imported is left to its node, which reports why."""
    for module in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(module)
    _load_type_supports()
    gc.collect()
    gc.freeze()  # a collection in a node would write to, and so copy, what is shared


def _load_type_supports() -> None:
    """Load the libraries of all imported messages, which rclpy loads when one is first used.

    They and the middleware are most of the time that a node takes to be created.
    """
    for name, module in list(sys.modules.items()):
        if name.endswith((".msg", ".srv", ".action")):
            for kind in list(vars(module).values()):
                load = getattr(type(kind), "__import_type_support__", None)
                if load is not None and getattr(type(kind), "_TYPE_SUPPORT", None) is None:
                    with contextlib.suppress(Exception):
                        load()


class ForkedNode:
    """A node in a process of its own; what honcho needs of a ``subprocess.Popen``.

    Args:
        command: command line that does the same, ``python -m MODULE ARGUMENTS``.
        env: environment variables.
        cwd: for honcho; a node stays where its graph was started.
    """

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], cwd: str | None = None
    ) -> None:
        self.returncode: int | None = None
        output, its_output = os.pipe()
        leading, its_leading = os.pipe()
        # Until it has handlers of its own, a signal must not run those of this process in it.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        self.pid = os.fork()
        if self.pid == 0:
            _become(command, env, its_output)
        for file in (its_output, its_leading):
            os.close(file)
        os.read(leading, 1)  # ends when the node leads its group, to which honcho sends its signals
        os.close(leading)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        self.stdout = os.fdopen(output, "rb")

    def wait(self) -> int:
        """Wait for its end; return its exit code, negative after a signal."""
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode


def _become(command: Sequence[str], env: Mapping[str, str], output: int) -> NoReturn:
    """Be the process that ``command`` would have started; never return."""
    code = 1
    try:
        _prepare(command[2:], env, output)
        code = importlib.import_module(command[2]).main() or 0
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
        if isinstance(exc.code, str):
            print(exc.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        end(code)


def end(code: int) -> NoReturn:
    """End this process as Python ends; where nothing needs it, without taking its memory apart.

    Objects are shared with the other nodes until they are taken apart, which is half of the
    processor time of an idle node.  It is needed where ROS was not shut down: the middleware would
    not unregister, and others would take this node for alive.
    """
    try:
        rclpy = sys.modules.get("rclpy")
        if rclpy is not None and rclpy.ok():
            ctypes.pythonapi.Py_Exit(ctypes.c_int(code))
        with contextlib.suppress(KeyboardInterrupt):
            threading._shutdown()  # type: ignore[attr-defined]  # waits for threads
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        ctypes.PyDLL(None).exit(ctypes.c_int(code))  # no thread of Python goes on
    finally:
        os._exit(code)  # whatever was raised: this process is not to go on as its starter


def _prepare(words: Sequence[str], env: Mapping[str, str], output: int) -> None:
    """Take output, environment, arguments and name of the new process; let signals in."""
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(FIRST_FREE_FILE, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(env)
    sys.argv = list(words)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  # as long as the process
    sys.stdout, sys.stderr = (
        os.fdopen(number, "w", 1, "utf-8", "backslashreplace", closefd=False) for number in (1, 2)
    )
    with contextlib.suppress(OSError):  # what `ps -e` and `top` show; a kernel may have no /proc
        Path("/proc/self/comm").write_text(words[0].rsplit(".", 1)[-1], encoding="utf-8")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # from a terminal, it was meant for all of us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    signal.signal(signal.SIGINT, signal.default_int_handler)
