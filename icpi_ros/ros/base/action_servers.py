"""Servers of an action that only one node may serve.

A goal reaches every server of its name.  Two executors, for example in two containers, where no
lock file keeps them apart, would both drive the arm, each as if it were alone.
"""

from __future__ import annotations

from rclpy.node import Node

SEND_GOAL = "/_action/send_goal"
"""The service by which an action's server can be found."""


class ActionServers:
    """Servers of the action that ``node`` serves; used by any thread.

    Args:
        node: that looks, and serves the action itself.
        action: name of the action, relative.
    """

    def __init__(self, node: Node, action: str) -> None:
        """Look at nothing yet."""
        self._node = node
        self._service = node.resolve_service_name(f"{action}{SEND_GOAL}")  # as remapped
        self._known = ""

    @property
    def doubt(self) -> str:
        """Which servers there are if more than one; empty = the node's own alone.

        The graph is known already: to count takes some microseconds.
        """
        count = self._node.count_services(self._service)
        text = "" if count < 2 else self._text(count)
        if text and not self._known:
            self._node.get_logger().error(text)
        self._known = text
        return text

    def _text(self, count: int) -> str:
        names = ", ".join(self._others()) or "another one, whose name is not known yet"
        return (
            f"{self._service.removesuffix(SEND_GOAL)} has {count} servers, beside this node "
            f"{names}: nothing moves while there is more than one; stop all but one (one that was "
            "killed is listed for some 20 s more)"
        )

    def _others(self) -> list[str]:
        """Return the nodes beside this one that serve the action; it takes a look at every node.

        Nodes of the same name cannot be told apart: they are asked for once, and named as often as
        they are there.
        """
        own = (self._node.get_name(), self._node.get_namespace())
        nodes = self._node.get_node_names_and_namespaces()
        if own in nodes:
            nodes.remove(own)
        return sorted(f"{n[1].rstrip('/')}/{n[0]}" for n in nodes if self._serves(*n))

    def _serves(self, name: str, namespace: str) -> bool:
        try:
            found = self._node.get_service_names_and_types_by_node(name, namespace)
        except RuntimeError:  # it has just gone
            return False
        return any(service == self._service for service, _ in found)
