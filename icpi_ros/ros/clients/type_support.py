"""Type support of ROS's types without what a client never uses and takes longest to import."""

from __future__ import annotations

import contextlib
import sys
from importlib import import_module
from typing import Any

GENERATOR = "rosidl_generator_py"
"""Package that loads type support; it also imports a generator of code, a parser among it."""
GENERATING = f"{GENERATOR}.generate_py_impl"


def load_without_generator() -> None:
    """Import the loader of type support alone, as where the generator is not installed."""
    if GENERATOR in sys.modules:
        return
    sys.modules[GENERATING] = None  # type: ignore[assignment]  # an import of it fails
    try:
        with contextlib.suppress(ImportError):  # of another name: rclpy finds it
            import_module(GENERATOR)
    finally:
        del sys.modules[GENERATING]


def load_for_calls(service: Any) -> None:
    """Load the type support of a service but for its introspection events, which import numpy.

    They are loaded when they are used.  A service that is generated in another way is left to
    rclpy, which loads all of it.
    """
    event: Any = type(getattr(service, "Event", None))
    if getattr(event, "_TYPE_SUPPORT", True) is not None:
        return
    event._TYPE_SUPPORT = service  # taken as loaded
    try:
        type(service).__import_type_support__()
    finally:
        event._TYPE_SUPPORT = None
