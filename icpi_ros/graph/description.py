"""Which nodes make a graph, with which parameters; imports neither ROS nor launch.

``launch/*_launch.py`` turn it into launch actions, :mod:`icpi_ros.graph.processes` into
processes, so the two cannot drift apart.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from icpi_ros import plugins
from icpi_ros.data.bags.folder import check_folder
from icpi_ros.errors import InvalidValue, UsageError
from icpi_ros.graph.arguments import (
    REAL_DEFAULTS,
    Argument,
    checked,
    replay_arguments,
    with_defaults,
)
from icpi_ros.graph.params_file import ParamsFile

PACKAGE = "icpi_ros"


@dataclass(frozen=True)
class NodeSpec:
    """One node: module ``icpi_ros.nodes.<executable>``, installed as the same executable.

    Attributes:
        executable: name of the executable and of the node.
        namespace: absolute, "/" = the root.
        parameters: values by name.
        params_file: YAML file whose values win over ``parameters``; empty = none.  :func:`graph`
            has checked that it contradicts no argument.
        log_level: debug, info, warn, error or fatal.
        remappings: pairs of topic names.
    """

    executable: str
    namespace: str
    parameters: Mapping[str, Any]
    params_file: str = ""
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
        command = [sys.executable, "-m", f"{PACKAGE}.nodes.{self.executable}", "--ros-args"]
        command += ["--log-level", self.log_level]
        if self.namespace != "/":
            command += ["-r", f"__ns:={self.namespace}"]
        for old, new in self.remappings:
            command += ["-r", f"{old}:={new}"]
        for name, value in self.parameters.items():
            # JSON is YAML: it keeps text text and numbers their type.
            command += ["-p", f"{name}:={json.dumps(value)}"]
        if self.params_file:  # last: what the file says wins
            command += ["--params-file", self.params_file]
        return command


MODEL_ARGUMENTS = ("model", "base_url", "key_variable", "options")
"""Arguments about the improver llm and its variants."""

CAMERA_WHOLE = ("camera_width", "camera_height")
CAMERA_NUMBERS = ("camera_rate", "camera_noise", "camera_exposure", "camera_latency", "camera_drop")

SIM_PATIENCE = {
    "executor": {
        "start_timeout": 30.0,
        "joint_state_timeout": 2.0,
        "object_state_timeout": 2.0,
        "reply_timeout": 5.0,
        "controller_rate": 500.0,
    },
    "policy_improver": {"connect_timeout": 30.0},
}
"""Deadlines [s] of a simulated arm on a busy machine; the nodes' own suit a real arm.

All nodes start at once, and a simulated arm with a camera has come 7 s after the others.
``controller_rate`` is what the simulated controller has: an update per step [Hz].
"""

BACKENDS = {"sim": "simulated_graph", "real": "real_graph"}
"""What the store holds of a run (:class:`icpi_ros.data.execution.Backend`), by graph."""

KNOW_ALIKE, ALIKE = ("executor", "policy_improver"), ("arm", "limits", "dry_run", "max_step")
"""Nodes that must agree, and on which parameters: the one moves the arm, the other stores it."""

SAFETY_NUMBERS = ("speed_scale", "ramp_scale", "max_step")
SAFETY_TRUTHS = ("approval", "dry_run", "rehearse")
SAFETY_TEXTS = ("arm", "joint_prefix", "scene", "limits")

SIM_ARGUMENTS = with_defaults({})
REAL_ARGUMENTS = with_defaults(REAL_DEFAULTS)
GRAPHS: Mapping[str, tuple[Argument, ...]] = {
    "sim": SIM_ARGUMENTS,
    "real": REAL_ARGUMENTS,
    "replay": replay_arguments(),
}
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
    specs = _specs(_parameters(name, values), values)
    file = ParamsFile(values["params_file"])
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


def _parameters(name: str, values: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the parameters of the nodes of a graph, by node."""
    if name == "replay":
        return _replay(values)
    parameters = _shared(values)
    stored = {"backend": BACKENDS[name], "dry_run": values["dry_run"] == "true"}
    parameters["policy_improver"] |= stored | {"mix": values["mix"] == "true"}
    if name == "sim":
        for node, deadlines in SIM_PATIENCE.items():
            parameters[node] |= deadlines
        parameters["executor"]["simulated"] = True
        parameters = {"mujoco_arm": _simulation(values), **parameters}
    return parameters


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
    """Refuse a file that tells only one of two nodes what both must know alike.

    Raises:
        UsageError: executor and policy_improver would differ; one moves, the other stores.
    """
    both = [spec.full_name for spec in specs if spec.executable in KNOW_ALIKE]
    for name in (name for name in ALIKE if name not in given):
        found = {node: file.of(node, name) for node in both}
        if any(values != found[both[0]] for values in found.values()):
            told = ", ".join(f"{node}: {values or 'nothing'}" for node, values in found.items())
            raise UsageError(
                f"{file.path} sets {name} differently for nodes that must agree ({told}): set it "
                f"for all of them, or give {name}:=... as an argument"
            )


def _require_approval(specs: Sequence[NodeSpec], file: ParamsFile) -> None:
    """Refuse a graph in which an executor asks nobody.

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


def _shared(values: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the parameters of the nodes that all graphs have, by node."""
    task, max_step = {"task": values["task"]}, {"max_step": _number("max_step", values["max_step"])}
    names = ("improver", "arm", "limits", "source", "store", "dataset", *MODEL_ARGUMENTS)
    return {
        "perception": _perception(values),
        "executor": {**task, **_safety(values)},
        "policy_improver": {**task, **{name: values[name] for name in names}, **max_step},
        **_beside(values),
    }


def _replay(values: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the parameters of the nodes of a replay: nothing that could move an arm."""
    player = values["player"] == "true"
    if player and not values["bag"]:
        raise UsageError("which bag? give bag:=FOLDER, or player:=false for `ros2 bag play`")
    texts = ("task", "improver", "mapping", "dataset", *MODEL_ARGUMENTS)
    replay = {
        **{name: values[name] for name in texts},
        "bag": str(Path(values["bag"]).expanduser().absolute()) if values["bag"] else "",
        "rate": _number("rate", values["rate"]),
        "player": player,
        "mix": values["mix"] == "true",
        "seed": _whole("seed", values["seed"]),
        "max_step": _number("max_step", values["max_step"]),
    }
    return {"perception": _perception(values), "replay": replay, **_beside(values)}


def _perception(values: Mapping[str, str]) -> dict[str, Any]:
    return {name: values[name] for name in ("task", "source", "calibration")}


def _beside(values: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the parameters of the nodes that look on."""
    nodes: dict[str, dict[str, Any]] = {}
    if values["viewer"] == "true":
        nodes["viewer"] = {name: values[name] for name in ("task", "arm", "joint_prefix")}
    if values["record"]:
        nodes["recorder"] = {"folder": str(new_folder(values["record"]))}
    return nodes


def new_folder(text: str) -> Path:
    """Return the folder of a bag to be recorded.

    Raises:
        UsageError: it is there already.
    """
    folder = Path(text).expanduser().absolute()
    check_folder(folder)
    return folder


def _safety(values: Mapping[str, str]) -> dict[str, Any]:
    return {
        **{name: values[name] for name in SAFETY_TEXTS},
        **{name: values[name] == "true" for name in SAFETY_TRUTHS},
        **{name: _number(name, values[name]) for name in SAFETY_NUMBERS},
        "ramp_trials": _whole("ramp_trials", values["ramp_trials"]),
    }


def _simulation(values: Mapping[str, str]) -> dict[str, Any]:
    physics = _physics(values)
    return {
        "task": values["task"],
        "arm": values["arm"],
        "joint_prefix": values["joint_prefix"],
        "real_time_factor": _number("real_time_factor", values["real_time_factor"]),
        "physics_seed": _whole("physics_seed", values["physics_seed"]),
        **({"physics": physics} if physics else {}),
        **_sensors(values),
    }


def _physics(values: Mapping[str, str]) -> list[float]:
    """Return the physics that are asked for: numbers, or those of a calibrated YAML."""
    text = values["physics"]
    if not text.endswith((".yaml", ".yml")):
        return _numbers("physics", text)
    from icpi_ros.identify.physics_file import load
    from icpi_ros.tasks import TASKS

    return list(load(Path(text).expanduser(), TASKS.get(values["task"])).mean)


def _specs(parameters: Mapping[str, dict[str, Any]], values: Mapping[str, str]) -> list[NodeSpec]:
    use_sim_time = {"use_sim_time": values["use_sim_time"] == "true"}
    own = () if values.get("player") == "false" else CLOCKS
    clocks = {name: {} if name in own else use_sim_time for name in parameters}
    known = {"plugins": plugins.as_text()} if plugins.loaded() else {}
    return [
        NodeSpec(
            executable=name,
            namespace="/" + values["namespace"].strip("/"),
            parameters={**(known if "task" in own else {}), **own, **clocks[name]},
            params_file=values["params_file"],
            log_level=values["log_level"],
        )
        for name, own in parameters.items()
    ]


def _sensors(values: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters of the simulated sensors that are not at the node's defaults."""
    given: dict[str, Any] = {name: values[name] == "true" for name in ("publish_pose", "camera")}
    given |= {name: _whole(name, values[name]) for name in CAMERA_WHOLE}
    given |= {name: _number(name, values[name]) for name in CAMERA_NUMBERS}
    given["camera_distortion"] = _numbers("camera_distortion", values["camera_distortion"])
    default = {a.name: a.default for a in SIM_ARGUMENTS}
    asked = {name: value for name, value in given.items() if values[name] != default[name]}
    return {"camera": True, "publish_pose": False} | asked if from_images(values) else asked


def from_images(values: Mapping[str, str]) -> bool:
    """Tell whether the simulated sensor is the camera alone."""
    return values["source"] == "camera"


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidValue(f"argument {name} = {text!r} is not allowed: a number") from None


def _whole(name: str, text: str) -> int:
    if not text.strip().isdigit():
        raise InvalidValue(f"argument {name} = {text!r} is not allowed: a whole number from 0")
    return int(text)


def _numbers(name: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")] if text.strip() else []
    except ValueError:
        raise InvalidValue(
            f"argument {name} = {text!r} is not allowed: numbers with commas between"
        ) from None
