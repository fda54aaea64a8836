"""A client of a graph leaves nothing behind in its process, which may be a notebook's."""

import contextlib
import gc
import os

import pytest

from icpi_ros.ros.clients.client_node import ClientNode
from icpi_ros.ros.clients.improve_client import ImproveClient
from icpi_ros.ros.clients.operator_client import OperatorClient


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
