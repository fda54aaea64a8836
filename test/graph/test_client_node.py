"""A client of a graph leaves nothing behind in its process, which may be a notebook's."""

import contextlib
import gc
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from std_srvs.srv import Trigger

from icpi_ros.ros.clients.client_node import ClientNode
from icpi_ros.ros.clients.improve_client import ImproveClient
from icpi_ros.ros.clients.operator_client import OperatorClient
from icpi_ros.ros.clients.stop_client import SoftwareStopClient
from icpi_ros.ros.clients.type_support import load_for_calls


def sockets():
    count = 0
    for file in os.scandir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the folder itself was open
            count += os.readlink(file.path).startswith("socket:")
    return count


@pytest.fixture
def no_collection():
    """Cycles of references are not found by chance."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("kind", [ImproveClient, OperatorClient])
def test_a_closed_client_has_left_the_graph(domain, no_collection, kind):
    # Its participant announces itself to the first 32 of the domain: more than that, and nodes do
    # not find each other.
    assert kind("test").close()  # the first one opens some for good
    before = sockets()
    client: ClientNode = kind("test")
    assert sockets() > before
    assert client.close()
    del client
    assert sockets() == before


IMPORTED = f"""
import sys
from {SoftwareStopClient.__module__} import SoftwareStopClient
with SoftwareStopClient("nowhere") as client:
    client.spin()
print(*sys.modules)
"""
DEAR = {"numpy", "lark", "em", "icpi_msgs", "rclpy.action", "icpi_ros.tasks", "honcho"}
"""What takes longest to import of all that a graph is made of."""


def test_the_client_of_the_stop_imports_nothing_that_takes_long(domain):
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], capture_output=True, text=True, timeout=600, check=True
    )
    imported = set(done.stdout.split())
    assert {"rclpy.node", "std_srvs.srv"} <= imported
    assert not DEAR & imported


class Made(type):
    """Of a service as it is generated: the types that it loads type support for."""

    _TYPE_SUPPORT = None

    @classmethod
    def __import_type_support__(cls):
        cls._TYPE_SUPPORT = "of the service"
        if Heard._TYPE_SUPPORT is None:
            raise AssertionError("the events are loaded, too")


class Heard(type):
    """Of its events."""

    _TYPE_SUPPORT = None


def test_events_of_a_service_are_loaded_when_they_are_used():
    service = Made("Service", (), {"Event": Heard("Event", (), {})})
    load_for_calls(service)
    assert (Made._TYPE_SUPPORT, Heard._TYPE_SUPPORT) == ("of the service", None)
    load_for_calls(SimpleNamespace())  # of another generation: rclpy's to load
    load_for_calls(Trigger)
    assert type(Trigger)._TYPE_SUPPORT is not None
