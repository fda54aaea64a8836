"""What launch is told of a graph, with stand-ins for launch: it is not in every environment."""

import importlib
import os
import sys
from types import ModuleType, SimpleNamespace

import pytest

from icpi_ros.graph import parent
from icpi_ros.graph.description import GRAPHS, graph

MODULES = {
    "launch": ("LaunchContext", "LaunchDescription", "LaunchDescriptionEntity"),
    "launch.actions": ("DeclareLaunchArgument", "EmitEvent", "OpaqueFunction"),
    "launch.events": ("Shutdown",),
    "launch.substitutions": ("LaunchConfiguration",),
    "launch_ros": (),
    "launch_ros.actions": ("Node",),
}


class Told(SimpleNamespace):
    """Keeps what it is made with."""

    def __init__(self, *args, **given):
        super().__init__(args=args, **given)

    def perform(self, context):
        return context[self.args[0]]


@pytest.fixture
def launch_file(monkeypatch):
    for name, contents in MODULES.items():
        module = ModuleType(name)
        for content in contents:
            setattr(module, content, type(content, (Told,), {}))
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "icpi_ros.nodes.launch_file", raising=False)
    module = importlib.import_module("icpi_ros.nodes.launch_file")
    yield module
    sys.modules.pop("icpi_ros.nodes.launch_file", None)


@pytest.mark.parametrize("name", ["sim", "real"])
def test_every_node_is_told_whose_end_is_its_own(launch_file, name):
    (entities,) = launch_file.launch_description(name).args
    values = {argument.name: argument.default for argument in GRAPHS[name]}
    nodes = entities[-1].function(values)
    assert [node.executable for node in nodes] == [s.executable for s in graph(name, values)]
    assert all(node.additional_env == {parent.VARIABLE: str(os.getpid())} for node in nodes)
