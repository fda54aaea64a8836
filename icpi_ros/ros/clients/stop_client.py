"""Client of the software stop, of `icpi stop` above all: it imports no more than that needs."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

from rclpy.task import Future
from std_srvs.srv import Trigger

from icpi_ros.core.errors import ExecutionFailed
from icpi_ros.ros.base.topics import RESET_STOP, STILL, STOP
from icpi_ros.ros.clients.client_node import ClientNode
from icpi_ros.ros.clients.type_support import load_for_calls

ANSWER = 5.0
"""Longest time for the executor to be found, and to answer [s]."""
ASK_AGAIN = 0.5
"""Time after which a stop that was not answered is asked for again [s]."""
STILL_STOPPING = 5.0
"""Steady time to wait until the arm is no longer being stopped [s]."""


class StillStopping(ExecutionFailed):
    """The executor does not release the software stop yet: the arm is still being stopped."""


class SoftwareStopClient(ClientNode):
    """The software stop and its release; a context manager, to be spun."""

    def __init__(self, namespace: str = "", name: str = "icpi_stop") -> None:
        """Open the services; nothing is waited for."""
        super().__init__(name, namespace)
        load_for_calls(Trigger)
        self._stop = self.node.create_client(Trigger, STOP)
        self._reset = self.node.create_client(Trigger, RESET_STOP)
        self._abandoned = threading.Event()

    @property
    def can_stop(self) -> bool:
        """True if there is an executor now that takes the software stop."""
        return bool(self._stop.service_is_ready())

    def stop(self) -> str:
        """Press the software stop; return the executor's reply.

        Raises:
            ExecutionFailed: the executor does not answer: use the emergency stop of the arm.
        """
        return self._trigger(self._stop, STOP, again=True)

    def reset_stop(self) -> str:
        """Release the software stop, once the arm stands; return the executor's reply.

        Raises:
            ExecutionFailed: the executor does not answer, or it refuses.
        """
        deadline = time.monotonic() + STILL_STOPPING
        while True:
            try:
                return self._trigger(self._reset, RESET_STOP, again=False)
            except StillStopping:
                if time.monotonic() > deadline:
                    raise
            with self.changed:
                self.changed.wait(0.1)

    def reset_stop_once(self) -> str:
        """Ask for the release now, and once: a later stop is not undone by it.

        Raises:
            ExecutionFailed: the executor is not there, does not answer, or refuses.
        """
        if not self._reset.service_is_ready():
            raise self._absent(RESET_STOP)
        return self._trigger(self._reset, RESET_STOP, again=False)

    def abandon(self) -> None:
        """End every wait that is under way, and that of every later call."""
        self._abandoned.set()
        self.notify()

    def close(self) -> bool:
        """End waits, thread and node; see ClientNode."""
        self.abandon()
        return super().close()

    def _trigger(self, client: Any, name: str, again: bool) -> str:
        self._until(client.service_is_ready, ANSWER, self._absent(name))
        reply = self._reply(lambda: client.call_async(Trigger.Request()), name, again)
        if not reply.success:
            text = str(reply.message)  # from outside, and std_srvs/Trigger has nothing else
            raise StillStopping(text) if text == STILL else ExecutionFailed(text)
        return str(reply.message)

    def _reply(self, call: Callable[[], Future], name: str, again: bool) -> Any:
        """Wait for the reply; a request whose reply may have got lost is sent ``again``."""
        futures, asked = [call()], time.monotonic()

        def answered() -> bool:
            nonlocal asked
            if again and time.monotonic() - asked > ASK_AGAIN:
                futures.append(call())
                asked = time.monotonic()
            return any(future.done() for future in futures)

        self._until(answered, ANSWER, self._absent(name))
        return next(future.result() for future in futures if future.done())

    def _until(self, done: Callable[[], bool], limit: float, failure: ExecutionFailed) -> None:
        deadline = time.monotonic() + limit
        while not done():
            if self._abandoned.is_set():
                raise ExecutionFailed("the client was closed before the executor answered")
            if time.monotonic() > deadline:
                raise failure
            with self.changed:
                self.changed.wait(0.01)

    def _absent(self, name: str) -> ExecutionFailed:
        return ExecutionFailed(
            f"no executor answers {self.node.get_namespace().rstrip('/')}/{name} within "
            f"{ANSWER:g} s: is the graph up in this namespace and ROS_DOMAIN_ID "
            f"(here {os.environ.get('ROS_DOMAIN_ID', '0')})?"
        )
