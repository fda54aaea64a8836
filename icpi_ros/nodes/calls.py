"""Action calls from a worker thread that cannot lose their reply.

rclpy's ActionClient sends a request first and notes its future afterwards, without a lock.
When the executor's thread takes a quick reply in between, it drops it ("Ignoring unexpected
goal response") and the future never completes.  Requests that are sent by the executor's own
thread cannot be overtaken.
"""

from __future__ import annotations

from collections.abc import Callable

from rclpy.executors import Executor
from rclpy.task import Future


def call(executor: Executor, send: Callable[[], Future]) -> Future:
    """Run ``send`` in the executor's thread; return a future of what its future will hold."""
    reply = Future()

    def done(future: Future) -> None:
        error = future.exception()
        if error is not None:
            reply.set_exception(error)
        else:
            reply.set_result(future.result())

    def task() -> None:
        try:
            send().add_done_callback(done)
        except Exception as exc:
            reply.set_exception(exc)

    executor.create_task(task)
    return reply
