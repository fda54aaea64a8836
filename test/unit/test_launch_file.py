"""What launch is told of a graph, with stand-ins for launch: it is not in every environment."""

import importlib
import os
import sys
from types import ModuleType, SimpleNamespace

import outsider
import pytest

from icpi_ros.core.errors import UsageError
from icpi_ros.ros.bringup import parent
from icpi_ros.ros.bringup.description import graph

MODULES = {
    "launch": ("LaunchContext", "LaunchDescription", "LaunchDescriptionEntity"),
    "launch.actions": ("DeclareLaunchArgument", "EmitEvent", "ExecuteProcess", "OpaqueFunction"),
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
        return context.launch_configurations[self.args[0]]


@pytest.fixture
def launch_file(monkeypatch):
    for name, contents in MODULES.items():
        module = ModuleType(name)
        for content in contents:
            setattr(module, content, type(content, (Told,), {}))
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "icpi_ros.ros.bringup.launch_file", raising=False)
    module = importlib.import_module("icpi_ros.ros.bringup.launch_file")
    yield module
    sys.modules.pop("icpi_ros.ros.bringup.launch_file", None)


def launched(launch_file, name, **given):
    """Return the nodes that launch starts: first what is given is set, then what is declared."""
    (entities,) = launch_file.launch_description(name).args
    context = SimpleNamespace(launch_configurations=dict(given))
    first, *declared, last = entities
    first.function(context)
    for argument in declared:
        context.launch_configurations.setdefault(argument.args[0], argument.default_value)
    return last.function(context)


@pytest.mark.parametrize("name", ["sim", "real"])
def test_every_node_is_told_whose_end_is_its_own(launch_file, name):
    nodes = launched(launch_file, name)
    assert [node.executable for node in nodes] == [s.executable for s in graph(name, {})]
    assert all(node.additional_env == {parent.VARIABLE: str(os.getpid())} for node in nodes)


def test_a_page_is_launched_beside_the_nodes_and_its_end_ends_nothing(launch_file):
    page, *nodes = launched(launch_file, "real", view="operate", namespace="lab")
    assert page.cmd[2:4] == ["icpi_ros.cli.main", "view"]
    assert page.cmd[-3:] == ["--namespace", "lab", "--operate"]
    assert not hasattr(page, "on_exit")
    assert len(nodes) == len(graph("real", {}))


def test_a_file_may_change_what_launch_was_not_told_and_nothing_else(launch_file, tmp_path):
    file = tmp_path / "my.yaml"
    file.write_text("/**: {ros__parameters: {max_step: 0.2}}")
    nodes = launched(launch_file, "real", params_file=str(file))
    assert all(str(file) in node.parameters for node in nodes)
    with pytest.raises(UsageError, match=r"but max_step:=0\.4 was given"):
        launched(launch_file, "real", params_file=str(file), max_step="0.4")


def test_a_real_arm_is_not_launched_without_approval(launch_file):
    with pytest.raises(UsageError, match="unattended:=true"):
        launched(launch_file, "real", approval="false")
    assert launched(launch_file, "real", approval="false", unattended="true")


def test_names_of_a_plugin_are_allowed_once_launch_has_loaded_it(
    launch_file, tmp_path, monkeypatch
):
    push, nearby = outsider.write_files(tmp_path)
    given = {"task": "push", "improver": "nearby", "plugins": f"push.py{os.pathsep}{nearby}"}
    monkeypatch.chdir(tmp_path)
    with outsider.forgotten():
        (entities,) = launch_file.launch_description("sim").args
        choices = {a.args[0]: a.choices for a in entities if hasattr(a, "choices")}
        assert choices["task"] is choices["improver"] is None
        assert choices["dry_run"] == ("true", "false")
        nodes = launched(launch_file, "sim", **given)
        assert {node.parameters[0]["task"] for node in nodes} == {"push"}
        assert {node.parameters[0]["plugins"] for node in nodes} == {f"{push}{os.pathsep}{nearby}"}
    with outsider.forgotten(), pytest.raises(UsageError, match="task = 'push' is not allowed"):
        launched(launch_file, "sim", task="push")
