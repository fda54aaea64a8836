"""Node ``bare_cancel``: an action that does nothing but be cancelled.

The time of a cancel between two processes of this machine is stated beside the latency of a stop:
no stop through ROS can be quicker.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.task import Future

from icpi_msgs.action import ExecuteMotion
from icpi_ros.ros.base.serving import RESULT_KEPT
from icpi_ros.ros.base.spin import IcpiNode, run

BARE_CANCEL = "bare_cancel"
"""Name of the action."""


class BareCancel(IcpiNode):
    """Node with an action that ends when it is cancelled."""

    def __init__(self) -> None:
        super().__init__(BARE_CANCEL)
        self._ends: dict[bytes, Future] = {}
        self._server = ActionServer(
            self,
            ExecuteMotion,
            BARE_CANCEL,
            self._execute,
            cancel_callback=self._on_cancel,
            result_timeout=RESULT_KEPT,
        )

    async def _execute(self, handle: ServerGoalHandle) -> Any:
        end = self._ends[bytes(handle.goal_id.uuid)] = Future()
        await end
        handle.canceled()
        return ExecuteMotion.Result()

    def _on_cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        end = self._ends.pop(bytes(handle.goal_id.uuid), None)
        if end is not None:
            end.set_result(None)
        return CancelResponse.ACCEPT


def main(argv: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run(BareCancel, argv)


if __name__ == "__main__":
    sys.exit(main())
