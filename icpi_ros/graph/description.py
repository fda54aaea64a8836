"""Which nodes make a graph, with which parameters; imports neither ROS nor launch.

``launch/*_launch.py`` turn it into launch actions, :mod:`icpi_ros.graph.processes` into
processes, so the two cannot drift apart.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from icpi_ros.errors import InvalidValue, UsageError
from icpi_ros.improvers import DEFAULT_IMPROVER, IMPROVERS
from icpi_ros.tasks import TASKS

PACKAGE = "icpi_ros"


@dataclass(frozen=True)
class Argument:
    """One launch argument; values are text, as on a command line."""

    name: str
    default: str
    description: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class NodeSpec:
    """One node: module ``icpi_ros.nodes.<executable>``, installed as the same executable.

    Attributes:
        executable: name of the executable and of the node.
        namespace: absolute, "/" = the root.
        parameters: values by name.
        params_file: YAML file whose values win over ``parameters``; empty = none.
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


SIM_ARGUMENTS = (
    Argument("task", "slide", "task to improve", tuple(TASKS.names())),
    Argument(
        "improver",
        DEFAULT_IMPROVER,
        "improver of goals that name none",
        tuple(IMPROVERS.names()),
    ),
    Argument("namespace", "", "ROS namespace of all nodes and topics; empty = the root"),
    Argument("use_sim_time", "true", "node clocks follow /clock", ("true", "false")),
    Argument("params_file", "", "YAML file of parameters; its values win over these arguments"),
    Argument("log_level", "info", "log level", ("debug", "info", "warn", "error", "fatal")),
    Argument("real_time_factor", "1.0", "simulated per real time; 0 = as fast as possible"),
    Argument("physics_seed", "0", "seed of the hidden physics of the simulation"),
    Argument("physics", "", "hidden physics, numbers with commas; empty = draw from physics_seed"),
    Argument(
        "source",
        "tracked_pose",
        "where object positions come from; camera: simulate one, and no true pose",
        ("tracked_pose", "camera"),
    ),
    Argument("calibration", "", "file of the calibrated camera; empty = the scene's camera"),
    Argument("publish_pose", "true", "simulation tells the true object pose", ("true", "false")),
    Argument("camera", "false", "simulate a camera", ("true", "false")),
    Argument("camera_width", "320", "width of its images [px]"),
    Argument("camera_height", "240", "height of its images [px]"),
    Argument("camera_rate", "60.0", "its images per second [Hz]"),
    Argument("camera_distortion", "", "its plumb-bob k1,k2,p1,p2,k3; empty = an ideal lens"),
    Argument("camera_noise", "0.0", "noise of its pixels, standard deviation [grey levels]"),
    Argument("camera_exposure", "0.0", "how long its shutter is open [s]"),
    Argument("camera_latency", "0.0", "from exposure to delivery [s]"),
    Argument("camera_drop", "0.0", "share of its images that are lost, 0 to 1"),
    Argument("store", "", "file of the trial store; empty = the user's default"),
    Argument("dataset", "", "file of examples; empty = the shipped set"),
    Argument("model", "", "model of the improver llm; empty = its default"),
    Argument("base_url", "", "OpenAI-compatible endpoint of the improver llm"),
    Argument("key_variable", "", "environment variable that holds the key of the improver llm"),
    Argument("options", "", 'more options of the improver, a JSON object such as {"digits": 3}'),
)

MODEL_ARGUMENTS = ("model", "base_url", "key_variable", "options")
"""Arguments about the improver llm and its variants."""

CAMERA_WHOLE = ("camera_width", "camera_height")
CAMERA_NUMBERS = ("camera_rate", "camera_noise", "camera_exposure", "camera_latency", "camera_drop")

SIM_PATIENCE = {"joint_state_timeout": 2.0, "object_state_timeout": 2.0, "reply_timeout": 5.0}
"""Deadlines [s] of a simulated arm on a busy machine; the executor's own suit a real arm."""

GRAPHS: Mapping[str, tuple[Argument, ...]] = {"sim": SIM_ARGUMENTS}


def sim_graph(given: Mapping[str, str]) -> list[NodeSpec]:
    """Return the nodes of the simulated graph.

    Args:
        given: argument values by name; what is left out has its default.

    Raises:
        UsageError: an unknown argument or a value that is not allowed.
    """
    values = checked(SIM_ARGUMENTS, given)
    task = {"task": values["task"]}
    physics = _numbers("physics", values["physics"])
    parameters: dict[str, dict[str, Any]] = {
        "mujoco_arm": {
            **task,
            "real_time_factor": _number("real_time_factor", values["real_time_factor"]),
            "physics_seed": _whole("physics_seed", values["physics_seed"]),
            **({"physics": physics} if physics else {}),
            **_sensors(values),
        },
        "perception": {
            **task,
            "source": values["source"],
            "calibration": values["calibration"],
        },
        "executor": {**task, **SIM_PATIENCE},
        "policy_improver": {
            **task,
            **{name: values[name] for name in ("improver", "store", "dataset", *MODEL_ARGUMENTS)},
        },
    }
    use_sim_time = {"use_sim_time": values["use_sim_time"] == "true"}
    # The source of /clock would only listen to itself.
    clocks = {name: {} if name == "mujoco_arm" else use_sim_time for name in parameters}
    return [
        NodeSpec(
            executable=name,
            namespace="/" + values["namespace"].strip("/"),
            parameters={**own, **clocks[name]},
            params_file=values["params_file"],
            log_level=values["log_level"],
        )
        for name, own in parameters.items()
    ]


def graph(name: str, given: Mapping[str, str]) -> list[NodeSpec]:
    """Return the nodes of a graph by name.

    Raises:
        UsageError: an unknown graph or argument, or a value that is not allowed.
    """
    if name not in GRAPHS:
        raise UsageError(f"unknown graph {name!r}: choose one of {', '.join(GRAPHS)}")
    return sim_graph(given)


def checked(arguments: Sequence[Argument], given: Mapping[str, str]) -> dict[str, str]:
    """Return all values by name, defaults filled in.

    Raises:
        UsageError: an unknown argument, or a value that is not one of the choices.
    """
    names = [argument.name for argument in arguments]
    for name in given:
        if name not in names:
            raise UsageError(f"unknown argument {name!r}: choose from {', '.join(names)}")
    values = {argument.name: given.get(argument.name, argument.default) for argument in arguments}
    for argument in arguments:
        value = values[argument.name]
        if argument.choices and value not in argument.choices:
            raise UsageError(
                f"argument {argument.name} = {value!r} is not allowed: "
                f"one of {', '.join(argument.choices)}"
            )
    return values


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
