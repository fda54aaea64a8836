"""A node of a command line: spins in a thread of its own while the caller waits for news."""

from __future__ import annotations

import atexit
import os
import threading
from typing import Self

import rclpy
from rclpy.context import Context
from rclpy.exceptions import InvalidHandle
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions

from icpi_ros.ros.base.process_end import TEAR_DOWN_LIMIT, destroy, within
from icpi_ros.ros.bringup.environment import environment
from icpi_ros.ros.clients.type_support import load_without_generator


class ClientNode:
    """A context manager around one node with a context of its own; its name gets the process id.

    Attributes:
        node: for subscriptions and clients; make them before :meth:`spin` or in its callbacks.
        changed: for callbacks to notify and the caller to wait on.
    """

    def __init__(self, name: str, namespace: str = "") -> None:
        """Make the node; it does not spin yet."""
        os.environ.update(environment())  # a client must speak as the nodes do
        load_without_generator()
        self._context = Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self.node: Node = rclpy.create_node(
            f"{name}_{os.getpid()}",
            namespace="/" + namespace.strip("/"),
            context=self._context,
            use_global_arguments=False,
            start_parameter_services=False,
            parameter_overrides=[Parameter("start_type_description_service", value=False)],
        )
        self.changed = threading.Condition()
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._closing = False
        self._spinner = threading.Thread(target=self._run, daemon=True)
        # Ctrl-C may come before anything else would close it, and a middleware that still spins
        # when the interpreter goes brings the process down.
        atexit.register(self.close)

    def spin(self) -> None:
        """Begin to take messages."""
        self._spinner.start()

    def notify(self) -> None:
        """Wake whoever waits for news."""
        with self.changed:
            self.changed.notify_all()

    def close(self) -> bool:
        """End thread and node; False: the middleware hangs and is left behind.

        A hang under the interpreter's lock is not ended, as a node's is: this process is a command
        or a notebook, which has results to write.
        """
        if self._closing:
            return True
        self._closing = True
        atexit.unregister(self.close)
        return within(TEAR_DOWN_LIMIT, self._tear_down)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            pass
        except InvalidHandle:  # a callback under way finds its executor gone
            if not self._closing:
                raise

    def _tear_down(self) -> None:
        self._executor.shutdown(timeout_sec=1.0)
        if self._spinner.ident is not None:
            self._spinner.join()  # as long as `within` allows: nothing is destroyed under it
        destroy(self.node)
        self._context.try_shutdown()
