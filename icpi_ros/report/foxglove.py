"""Layout for Foxglove of a graph in any namespace, or of a bag; no ROS.

The keys of its panels are those of Foxglove's own layouts (compared with the layouts of
``foxglove-sdk`` 0.30).
"""

from __future__ import annotations

import json
from typing import Any

from icpi_ros.core.resources import share_path

LAYOUT = "config/foxglove.json"
NAMED = ("serviceName", "topicPath", "topicToRender")
"""Keys of a panel that hold a name of ROS."""
SHARED = ("/diagnostics",)
"""Names that no namespace moves."""
SERVICE = "CallService!"
"""Panels that call a service, of which a bag has none, begin so."""


def layout(namespace: str = "", recorded: bool = False) -> dict[str, Any]:
    """Return the shipped layout with the names of a graph.

    Args:
        namespace: of the graph, or of the topics of a bag; empty = the root.
        recorded: for a bag, which answers no service: without the panels that call one.
    """
    found: dict[str, Any] = json.loads(share_path(*LAYOUT.split("/")).read_text(encoding="utf-8"))
    panels: dict[str, dict[str, Any]] = found["configById"]
    if recorded:
        found["layout"] = _without_services(found["layout"])
        panels = {name: each for name, each in panels.items() if not name.startswith(SERVICE)}
    prefix = f"/{namespace.strip('/')}" if namespace.strip("/") else ""
    found["configById"] = {name: _named(panel, prefix) for name, panel in panels.items()}
    return found


def _named(panel: dict[str, Any], prefix: str) -> dict[str, Any]:
    moved: dict[str, Any] = {key: _moved(panel[key], prefix) for key in NAMED if key in panel}
    if "topics" in panel:
        moved["topics"] = {_moved(name, prefix): how for name, how in panel["topics"].items()}
    if "paths" in panel:
        moved["paths"] = [p | {"value": _moved(p["value"], prefix)} for p in panel["paths"]]
    return panel | moved


def _moved(name: str, prefix: str) -> str:
    return name if name in SHARED else prefix + name


def _without_services(tree: Any) -> Any:
    """Return what is left of a tree of panels; None = nothing."""
    if isinstance(tree, str):
        return None if tree.startswith(SERVICE) else tree
    first, second = _without_services(tree["first"]), _without_services(tree["second"])
    if first is None or second is None:
        return second if first is None else first
    return tree | {"first": first, "second": second}
