"""Asks the graph's nodes for their parameters and hands them on as one text per node."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from rcl_interfaces.srv import GetParameters, ListParameters
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.parameter import parameter_value_to_python
from rclpy.serialization import serialize_message
from std_msgs.msg import String

from icpi_ros.bags.topics import PARAMETERS
from icpi_ros.core.redact import jsonable, redact, watch

PERIOD = 1.0
"""How often is looked for nodes that have not been asked [s]."""
MOST_NODES = 20

Put = Callable[[str, Any, bytes], None]


class ParameterSnapshot:
    """Every node of the namespace is asked once, as soon as it can be.

    Args:
        node: that asks.
        put: takes a topic's name, its type, and a serialised message: JSON with ``node`` and
            ``parameters``, keys of the environment removed.
    """

    def __init__(self, node: Node, put: Put) -> None:
        """Start to look for nodes."""
        self._node, self._put = node, put
        self._asked: set[str] = {node.get_name()}
        node.create_timer(PERIOD, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _look(self) -> None:
        here = self._node.get_namespace()
        for name, namespace in self._node.get_node_names_and_namespaces():
            if namespace != here or name in self._asked or len(self._asked) > MOST_NODES:
                continue
            full = f"{here.rstrip('/')}/{name}"
            client = self._node.create_client(ListParameters, f"{full}/list_parameters")
            if not client.service_is_ready():
                self._node.destroy_client(client)  # asked again at the next look
                continue
            self._asked.add(name)
            client.call_async(ListParameters.Request()).add_done_callback(
                lambda future, full=full, client=client: self._listed(full, client, future)
            )

    def _listed(self, full: str, client: Any, future: Any) -> None:
        self._node.destroy_client(client)
        names = list(future.result().result.names)
        values = self._node.create_client(GetParameters, f"{full}/get_parameters")
        values.call_async(GetParameters.Request(names=names)).add_done_callback(
            lambda future: self._got(full, names, values, future)
        )

    def _got(self, full: str, names: list[str], client: Any, future: Any) -> None:
        self._node.destroy_client(client)
        found = zip(names, future.result().values, strict=False)
        parameters = {name: parameter_value_to_python(value) for name, value in found}
        watch(parameters.get("key_variable"))  # named by a person: no suffix gives it away
        text = json.dumps(redact(jsonable({"node": full, "parameters": parameters})))
        self._put(PARAMETERS, String, serialize_message(String(data=text)))
