"""Start, spin and end of every node: signals, errors, exit codes, a clean stop of the arm.

rclpy's own signal handler shuts the context down at once, and then nothing can be published
any more, not even the stop for the arm.  So the signals are handled here: the node is closed
first, while its executor still spins, and ROS is shut down after that.

Exit codes: 0 stopped by SIGINT, SIGTERM or ROS; 1 failed; 2 wrong usage.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import ClassVar

import rclpy
from rclpy.exceptions import NameValidationException
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.impl.logging_severity import LoggingSeverity
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from icpi_ros.core.errors import IcpiError, UsageError
from icpi_ros.core.files import FileLock
from icpi_ros.core.text import printable
from icpi_ros.ros.base.process_end import (
    TEAR_DOWN_LIMIT,
    TEAR_DOWN_WORK,
    destroy,
    ends_within,
    within,
)
from icpi_ros.ros.bringup.instance import hold_name
from icpi_ros.ros.bringup.parent import Parent

POLL = 0.2
"""Time between two looks of the main thread at the parent and the context [s]."""
SIGNAL_MERGE_TIME = 2.0
"""A terminal and a launcher both pass one Ctrl-C on: signals within this time are one [s]."""
CLOSE_LIMIT = 5.0
"""Longest time that a node may take to close [s]; then the process ends anyway."""
MAX_SPIN_TIME = 3600.0
"""Time after which the events executor is asked again [s]: without any, that of ROS wheels never
sleeps (the end of time overflows there)."""


class NodeLogger(RcutilsLogger):
    """rclpy's logger with every message printable: no forged line, no escape sequence.

    rclpy's looks for the caller in the source of all modules: 30 ms of processor time at the first
    line, a quarter of one at each.  Its filters (once, throttled) are not offered.
    """

    def log(self, message: object, severity: LoggingSeverity) -> bool:
        """Log a message; called by the methods named like severities."""
        if not self.is_enabled_for(severity):
            return False
        caller = sys._getframe(2)
        rclpy_implementation.rclpy_logging_rcutils_log(
            severity,
            self.name,
            printable(str(message)),
            caller.f_code.co_name,
            caller.f_code.co_filename,
            caller.f_lineno,
        )
        return True


class IcpiNode(Node):
    """A node with a name of its own in the domain, an orderly end, and a way to fail.

    Attributes:
        awaits: a service's callback is a coroutine, which only rclpy's older executor runs.
    """

    awaits: ClassVar[bool] = False

    def __init__(self, name: str) -> None:
        """Create the node and take its name.

        Raises:
            UsageError: a node of this name runs in this domain and namespace.
        """
        super().__init__(name)
        self.failure: BaseException | None = None
        self.stopping = threading.Event()
        self.closed = threading.Event()
        """Set once callbacks may find their publishers gone."""
        self._held: list[FileLock] = [hold_name(self.get_fully_qualified_name())]

    def get_logger(self) -> NodeLogger:
        """Return the node's logger, which shows what is not printable as visible escapes."""
        return NodeLogger(super().get_logger().name)

    def hold(self, name: str, what: str) -> None:
        """Take a further name that only one process of the domain may have."""
        self._held.append(hold_name(name, what))

    def fail(self, error: BaseException) -> None:
        """End the process because of ``error``; callable from any thread."""
        if self.failure is None:
            self.failure = error
        self.stopping.set()

    def close(self) -> None:
        """Stop what moves and end threads; called once, while callbacks still run."""


def run(create: Callable[[], IcpiNode], argv: Sequence[str] | None = None) -> int:
    """Run one node until a signal, the end of its parent, or an error; return the exit code.

    Called once, from the main thread: it keeps the signals for the rest of the process.
    """
    stop = threading.Event()
    first = 0.0

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal first
        if not stop.is_set():
            first = time.monotonic()
            stop.set()
        elif time.monotonic() - first > SIGNAL_MERGE_TIME:  # asked again: no clean end
            os._exit(1)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    try:
        return _run(create, argv, stop)
    except IcpiError as exc:
        print(f"error: {printable(str(exc))}", file=sys.stderr, flush=True)
        return exc.exit_code
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):  # nothing is left that they could stop
            signal.signal(number, signal.SIG_IGN)


def _run(create: Callable[[], IcpiNode], argv: Sequence[str] | None, stop: threading.Event) -> int:
    parent = Parent()
    try:
        rclpy.init(
            args=list(argv) if argv is not None else None,
            signal_handler_options=SignalHandlerOptions.NO,
        )
    except Exception as exc:
        raise UsageError(f"ROS could not be started: {_one_line(exc)}") from exc
    try:
        node = create()
    except NameValidationException as exc:
        raise UsageError(_one_line(exc)) from exc
    code = _spin(node, stop, parent)

    # The middleware may hang: on a lock of a killed peer, or in Fast DDS, which can wait for itself
    # where other nodes end at the same moment.  rclpy then holds the interpreter's lock, and no
    # thread of Python, so not `within` either, could end it.  By now store and bag are written.
    with ends_within(TEAR_DOWN_LIMIT, TEAR_DOWN_WORK, code):
        destroy(node)
        rclpy.try_shutdown()
    return code


def make_executor(node: IcpiNode) -> Executor:
    """Return the executor that takes the least time per message.

    At 100 joint states and clocks per second the events executor takes a third of the processor
    time of the usual one, which builds a new wait set for each; rclpy before 7.1.4 has none.
    """
    if node.awaits:
        return SingleThreadedExecutor()
    try:
        from rclpy.experimental import EventsExecutor
    except ImportError:
        return SingleThreadedExecutor()
    return EventsExecutor()


def _spin(node: IcpiNode, stop: threading.Event, parent: Parent) -> int:
    executor = make_executor(node)
    executor.add_node(node)
    spinner = threading.Thread(target=_spin_forever, args=(node, executor), daemon=True)
    spinner.start()
    while not stop.wait(POLL):
        if node.stopping.is_set() or not node.context.ok() or parent.ended:
            break
    failure = node.failure
    if failure is not None:
        node.get_logger().fatal(f"stopping: {_one_line(failure)}")
    if not within(CLOSE_LIMIT, lambda: _close(node)):
        node.fail(IcpiError(f"{node.get_name()} did not close within {CLOSE_LIMIT:g} s"))
    node.closed.set()
    executor.shutdown(timeout_sec=1.0)
    spinner.join(1.0)
    failure = failure or node.failure
    if failure is None:
        return 0
    return failure.exit_code if isinstance(failure, IcpiError) else 1


def _spin_forever(node: IcpiNode, executor: Executor) -> None:
    """Spin until the node is closed, also after a callback failed: its close may need replies."""
    try:
        while node.context.ok() and not node.closed.is_set():
            _spin_until_failure(node, executor)
    except ExternalShutdownException:
        pass
    finally:
        node.stopping.set()


def _spin_until_failure(node: IcpiNode, executor: Executor) -> None:
    try:
        if isinstance(executor, SingleThreadedExecutor):
            executor.spin()
        else:
            executor.spin_until_future_complete(Future(), MAX_SPIN_TIME)
    except ExternalShutdownException:
        raise
    except Exception as exc:
        if not node.closed.is_set() and node.failure is None:
            node.get_logger().error(f"a callback failed: {_one_line(exc)}")
            node.fail(exc)


def _close(node: IcpiNode) -> None:
    try:
        node.close()
    except Exception as exc:
        node.fail(exc)
        node.get_logger().error(f"closing failed: {_one_line(exc)}")


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, IcpiError) else f"{type(error).__name__}: {text}"
