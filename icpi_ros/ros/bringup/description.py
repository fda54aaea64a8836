"""Description of a graph: its nodes and their parameters; imports neither ROS nor launch.

``launch/*_launch.py`` turn it into launch actions, :mod:`icpi_ros.ros.bringup.processes` into
processes, so the two cannot drift apart.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from icpi_ros.bags.formats.folder import check_folder
from icpi_ros.bags.topics import BELOW_RAW, IMAGE, INFO, JOINTS, POSE
from icpi_ros.core import plugins
from icpi_ros.core.errors import UsageError
from icpi_ros.perception.sources import SOURCES
from icpi_ros.ros.bringup.arguments import Argument, arguments, checked
from icpi_ros.ros.bringup.instance import check_name, check_topic
from icpi_ros.ros.bringup.params_file import ParamsFile
from icpi_ros.settings.table import CAMERA, POSES, find, of_node

PACKAGE = "icpi_ros"


@dataclass(frozen=True)
class NodeSpec:
    """One node: module ``icpi_ros.ros.nodes.<executable>``, installed as the same executable.

    Attributes:
        executable: name of the executable and of the node.
        namespace: absolute, "/" = the root.
        parameters: values by name.
        params_file: YAML file whose values win over ``parameters``; None = none.  :func:`graph`
            has checked that it contradicts no argument.
        log_level: debug, info, warn, error or fatal.
        remappings: pairs of topic names.
    """

    executable: str
    namespace: str
    parameters: Mapping[str, Any]
    params_file: str | None = None
    log_level: str = "info"
    remappings: tuple[tuple[str, str], ...] = field(default=())

    @property
    def name(self) -> str:
        """Name of the node."""
        return self.executable

    @property
    def full_name(self) -> str:
        """Absolute name of the node."""
        return f"{self.namespace.rstrip('/')}/{self.name}"

    def command(self) -> list[str]:
        """Return the command line that starts the node with this interpreter."""
        command = [sys.executable, "-m", f"{PACKAGE}.ros.nodes.{self.executable}", "--ros-args"]
        command += ["--log-level", self.log_level]
        if self.namespace != "/":
            command += ["-r", f"__ns:={self.namespace}"]
        for old, new in self.remappings:
            command += ["-r", f"{old}:={new}"]
        for name, value in self.parameters.items():
            # JSON is YAML: it keeps text text and numbers their type.
            command += ["-p", f"{name}:={json.dumps(value)}"]
        if self.params_file:  # last: the file wins
            command += ["--params-file", self.params_file]
        return command


PAGE_WAIT = 600
"""Longest time for the nodes to answer the page [s]."""
SENSORS = ("camera", "publish_pose")
"""Parameters that begin so are only passed on where they are not as usual."""

BACKENDS = {"sim": "simulated_graph", "real": "real_graph"}
"""Backend of a run in the store (:class:`icpi_ros.learn.dataset.execution.Backend`), by graph."""

KNOW_ALIKE = ("executor", "policy_improver")
"""Nodes that must agree on what both have: the one moves the arm, the other stores it."""

GRAPHS: Mapping[str, tuple[Argument, ...]] = {
    name: arguments(name) for name in ("sim", "real", "replay")
}
NODES = {
    "sim": ("mujoco_arm", "perception", "executor", "policy_improver"),
    "real": ("perception", "executor", "policy_improver"),
    "replay": ("perception", "replay"),
}
"""Nodes that a graph always has."""
LAB_TOPICS = {
    "image_topic": IMAGE,
    "joint_states_topic": JOINTS,
}
"""Arguments with topics that have other names in every lab, and our names."""
BELOW_CONTROLLER = ("joint_trajectory", "status")
"""Topics below the name of the controller."""
CLOCKS = ("mujoco_arm", "replay")
"""Nodes that publish /clock: they would only listen to themselves."""


def graph(name: str, given: Mapping[str, str]) -> list[NodeSpec]:
    """Return the nodes of a graph by name: ``sim`` has the arm and the sensors beside the rest.

    Args:
        name: of the graph.
        given: argument values by name, as the user gave them; what is left out has its default.

    Raises:
        UsageError: an unknown graph or argument, a value that is not allowed, a file of parameters
            that contradicts an argument, or no approval at a real arm without ``unattended``.
    """
    if name not in GRAPHS:
        raise UsageError(f"unknown graph {name!r}: choose one of {', '.join(GRAPHS)}")
    values = checked(GRAPHS[name], given)
    check_name(values["namespace"], "argument namespace =")
    _ = remappings(values)
    if name == "sim":
        _check_scene(values)
    specs = _specs(_parameters(name, values), values)
    file = ParamsFile(values["params_file"] or None)
    for spec in specs:
        file.check(spec.full_name, spec.parameters, given)
        _check_clock(spec, file)
    _check_both(specs, file, given)
    if name == "real" and values["unattended"] != "true":
        _require_approval(specs, file)
    return specs


def with_checklist(specs: Sequence[NodeSpec]) -> list[NodeSpec]:
    """Return the nodes and one that prints their checklist, where there is an executor."""
    first = next((spec for spec in specs if spec.executable == "executor"), None)
    if first is None:
        return list(specs)
    return [*specs, NodeSpec("checklist", first.namespace, {}, log_level=first.log_level)]


def page_command(name: str, given: Mapping[str, str]) -> list[str] | None:
    """Return the command of the live page beside a graph, a client of its own; None = no page.

    Args:
        name: of the graph.
        given: argument values that :func:`graph` has checked.
    """
    usual = {argument.name: argument.default for argument in GRAPHS[name]}
    values = usual | dict(given)
    if values["view"] == "false":
        return None
    words = [sys.executable, "-m", f"{PACKAGE}.cli.main", "view", "--wait", str(PAGE_WAIT)]
    words += ["--namespace", values["namespace"]] if values["namespace"] else []
    words += ["--operate"] if values["view"] == "operate" else []
    return [*words, *plugins.as_options()]


def _parameters(name: str, values: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the parameters of the nodes of a graph, by node."""
    beside = ("viewer",) if values["viewer"] == "true" else ()
    nodes = {node: _of(node, name == "sim", values) for node in (*NODES[name], *beside)}
    if name == "replay":
        nodes["replay"]["bag"] = _bag(values)
    else:
        nodes["policy_improver"]["backend"] = BACKENDS[name]
    if name == "sim" and beside:
        nodes["viewer"]["publish_frames"] = False  # the simulated arm tells where its tool is
    if values["record"]:
        nodes["recorder"] = {"folder": str(new_folder(values["record"]))}
        if "executor" in nodes:
            nodes["executor"]["recorded"] = True
    return nodes


def _of(node: str, simulated: bool, values: Mapping[str, str]) -> dict[str, Any]:
    """Return what the arguments make of the parameters of a node.

    In a simulation its other parameters have their relaxed values: all nodes start at
    once, and a simulated arm with a camera has come 7 s after the others.
    """
    given = {s.name: s for s in of_node(node) if s.name in values}
    parsed = {
        name: _physics(values) if name == "physics" else setting.parse(values[name])
        for name, setting in given.items()
    }
    if node == "mujoco_arm":
        parsed = _as_asked(parsed, values)
    others = (s for s in of_node(node) if simulated and s.name not in values)
    return parsed | {s.name: s.relaxed for s in others if s.relaxed is not None}


def _as_asked(parameters: dict[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters of the simulated arm without sensors and physics that are as usual.

    Its sensor is the camera alone where positions come from images, unless others are asked for.
    """
    images = {"camera": True, "publish_pose": False} if values["source"] == "camera" else {}
    usual = {
        name
        for name, value in parameters.items()
        if name.startswith((*SENSORS, "physics", "world")) and value == find(name).usual
    }
    usual.discard("physics_seed")
    return images | {name: value for name, value in parameters.items() if name not in usual}


def _check_clock(spec: NodeSpec, file: ParamsFile) -> None:
    """Refuse a file that gives one node another clock than the graph, or calls its arm simulated.

    Raises:
        UsageError: it does; beside a simulated arm the executor warns of nothing.
    """
    if file.of(spec.full_name, "simulated"):
        raise UsageError(
            f"{file.path} sets simulated of {spec.full_name}: the graph knows whether its arm is "
            "simulated; remove it there"
        )
    own = spec.parameters.get("use_sim_time")  # without it: the node that publishes the clock
    if own is not None and any(value != own for value in file.of(spec.full_name, "use_sim_time")):
        raise UsageError(
            f"{file.path} sets use_sim_time of {spec.full_name}, but all nodes of a graph have one "
            "clock: remove it there, and give use_sim_time:=... as an argument if it is meant"
        )


def _check_both(specs: Sequence[NodeSpec], file: ParamsFile, given: Mapping[str, str]) -> None:
    """Refuse a file that sets only for one of two nodes what both must know alike.

    Raises:
        UsageError: executor and policy_improver would differ; one moves, the other stores.
    """
    both = [spec.full_name for spec in specs if spec.executable in KNOW_ALIKE]
    first, second = (set(of_node(node)) for node in KNOW_ALIKE)
    for name in sorted(setting.name for setting in first & second if setting.name not in given):
        found = {node: file.of(node, name) for node in both}
        if any(values != found[both[0]] for values in found.values()):
            pairs = ", ".join(f"{node}: {values or 'nothing'}" for node, values in found.items())
            raise UsageError(
                f"{file.path} sets {name} differently for nodes that must agree ({pairs}): set it "
                f"for all of them, or give {name}:=... as an argument"
            )


def _require_approval(specs: Sequence[NodeSpec], file: ParamsFile) -> None:
    """Refuse a graph whose executor asks no person.

    Raises:
        UsageError: argument or file switch approval off.
    """
    for spec in specs:
        if spec.executable != "executor":
            continue
        by_file = file.of(spec.full_name, "approval")
        dry = file.of(spec.full_name, "dry_run") or [spec.parameters["dry_run"]]
        asked = by_file or [spec.parameters["approval"]]
        if all(value is True for value in asked) or all(value is True for value in dry):
            continue
        whence = f"in {file.path} for {spec.full_name}" if by_file else "by approval:=false"
        raise UsageError(
            f"approval is switched off {whence}: a real arm would move without a person who "
            "approves it; remove that, or give unattended:=true beside it"
        )


def _bag(values: Mapping[str, str]) -> str:
    """Return the parameter for a replay's bag, its absolute path; "" = it is played otherwise."""
    if values["player"] == "true" and not values["bag"]:
        raise UsageError("which bag? give bag:=FOLDER, or player:=false for `ros2 bag play`")
    return str(Path(values["bag"]).expanduser().absolute()) if values["bag"] else ""


def new_folder(text: str) -> Path:
    """Return the folder of a bag to be recorded.

    Raises:
        UsageError: it is there already.
    """
    folder = Path(text).expanduser().absolute()
    check_folder(folder)
    return folder


def _check_scene(values: Mapping[str, str]) -> None:
    """Refuse a simulation without a scene.

    Raises:
        UsageError: neither the world nor the task has one.
    """
    from icpi_ros.tasks import TASKS

    if (name := values["world"] or values["task"]) not in TASKS.built_in:
        _ = TASKS.get(name).required_scene


def _physics(values: Mapping[str, str]) -> list[float]:
    """Return the physics that are asked for: numbers, or those of a calibrated YAML."""
    from icpi_ros.tasks import TASKS

    text, task = values["physics"], TASKS.get(values["world"] or values["task"])
    if text.endswith((".yaml", ".yml")):
        from icpi_ros.evaluate.physics.physics_file import load

        return list(load(Path(text).expanduser(), task).mean)
    numbers = list(find("physics").parse(text))
    return task.physics_space.as_vector(numbers).tolist() if numbers else []


def remappings(values: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return our names of topics and those of this lab, where they differ.

    Raises:
        UsageError: a name that ROS does not take.
    """
    arguments = (*LAB_TOPICS, "object_pose_topic", "camera_info_topic", "controller_name")
    named = {name: values[name] for name in arguments if name in values}
    named = {name: value for name, value in named.items() if value}
    for name, value in named.items():
        check_topic(value, f"argument {name} =")
    found = {ours: named.get(name, ours) for name, ours in LAB_TOPICS.items()}
    found[_topic_of(values)] = named.get("object_pose_topic", _topic_of(values))
    images = found[IMAGE].removesuffix(BELOW_RAW)
    beside = "/".join([*images.split("/")[:-1], "camera_info"])
    found[INFO] = named.get("camera_info_topic", beside)
    ours = find("controller_name").default
    for below in BELOW_CONTROLLER:
        found[f"{ours}/{below}"] = f"{named.get('controller_name', ours)}/{below}"
    return tuple((ours, theirs) for ours, theirs in found.items() if ours != theirs)


def _topic_of(values: Mapping[str, str]) -> str:
    """Return our topic of the tracker that the source listens to."""
    name = values.get("source", POSES)
    return POSE if name in (POSES, CAMERA) else SOURCES.get(name).topic


def _specs(parameters: Mapping[str, dict[str, Any]], values: Mapping[str, str]) -> list[NodeSpec]:
    use_sim_time = {"use_sim_time": values["use_sim_time"] == "true"}
    own = () if values.get("player") == "false" else CLOCKS
    clocks = {name: {} if name in own else use_sim_time for name in parameters}
    known = {"plugins": plugins.as_text()} if plugins.loaded() else {}
    remapped = remappings(values)
    return [
        NodeSpec(
            executable=name,
            namespace="/" + values["namespace"].strip("/"),
            parameters={**own, **(known if "plugins" in own else {}), **clocks[name]},
            params_file=values["params_file"] or None,
            log_level=values["log_level"],
            remappings=remapped,
        )
        for name, own in parameters.items()
    ]
