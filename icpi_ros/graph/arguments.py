"""Launch arguments: one table for all graphs, with the defaults that differ between them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from icpi_ros.errors import UsageError
from icpi_ros.graph.protections import CAREFUL, as_text
from icpi_ros.improvers import DEFAULT_IMPROVER, IMPROVERS
from icpi_ros.plugins import load_all
from icpi_ros.registry import Registry
from icpi_ros.tasks import TASKS

TRUTH = ("true", "false")
SIM = "(simulation only)"
"""What the real graph accepts, so that one command line fits both, and does not use."""
REAL = "(real arm only)"
"""The same the other way round."""


@dataclass(frozen=True)
class Argument:
    """One launch argument; values are text, as on a command line."""

    name: str
    default: str
    description: str
    choices: Collection[str] = ()
    """Allowed values; a registry's are those that it has once plug-ins are loaded."""


SHARED = (
    Argument("task", "slide", "task to improve", TASKS),
    Argument("arm", "", "arm: a name or a description file (YAML); empty = the task's"),
    Argument(
        "joint_prefix",
        "",
        "what stands in front of the arm's joint names in joint_states and at its controller, for "
        "example ur_",
    ),
    Argument("improver", DEFAULT_IMPROVER, "improver of goals that name none", IMPROVERS),
    Argument("plugins", "", "modules or files that add tasks, improvers or arms; : between"),
    Argument("namespace", "", "ROS namespace of all nodes and topics; empty = the root"),
    Argument("use_sim_time", "true", "node clocks follow /clock", TRUTH),
    Argument(
        "params_file",
        "",
        "YAML file of parameters; it wins over defaults, and may not contradict an argument",
    ),
    Argument("log_level", "info", "log level", ("debug", "info", "warn", "error", "fatal")),
    Argument(
        "source",
        "tracked_pose",
        "where object positions come from; camera: in simulation, one and no true pose",
        ("tracked_pose", "camera"),
    ),
    Argument("calibration", "", "file of the calibrated camera; empty = the scene's camera"),
    Argument("approval", "false", "a person approves every motion, see icpi approve", TRUTH),
    Argument("unattended", "false", f"{REAL} allow approval:=false: nobody sees a motion", TRUTH),
    Argument("dry_run", "false", "everything but motion", TRUTH),
    Argument(
        "scene",
        "service",
        "who puts the scene back: the service reset_scene, or a person who confirms it",
        ("service", "operator"),
    ),
    Argument("speed_scale", "0.5", "share of the arm's limits for slow moves, 0.05 to 1"),
    Argument("ramp_trials", "0", "executions of a run until its full speed"),
    Argument("ramp_scale", "0.3", "share of the usual speed at a run's first execution"),
    Argument("rehearse", "false", "during the ramp go through each stroke slowly first", TRUTH),
    Argument("max_step", "1.0", "largest step of theta in a run, a share of its range"),
    Argument("limits", "", "YAML file of limits tighter than the arm's own"),
    Argument("viewer", "false", "publish markers of arm, object, goal and proposal", TRUTH),
    Argument("record", "", "folder of a bag that is recorded; must not exist; empty = none"),
    Argument("real_time_factor", "1.0", f"{SIM} simulated per real time; 0 = as fast as possible"),
    Argument("physics_seed", "0", f"{SIM} seed of the hidden physics"),
    Argument(
        "physics",
        "",
        f"{SIM} hidden physics, numbers with commas, or a YAML; empty = from physics_seed",
    ),
    Argument("publish_pose", "true", f"{SIM} tell the true object pose", TRUTH),
    Argument("camera", "false", f"{SIM} simulate a camera", TRUTH),
    Argument("camera_width", "320", f"{SIM} width of its images [px]"),
    Argument("camera_height", "240", f"{SIM} height of its images [px]"),
    Argument("camera_rate", "60.0", f"{SIM} its images per second [Hz]"),
    Argument("camera_distortion", "", f"{SIM} its plumb-bob k1,k2,p1,p2,k3; empty = an ideal lens"),
    Argument("camera_noise", "0.0", f"{SIM} noise of its pixels, standard deviation [grey levels]"),
    Argument("camera_exposure", "0.0", f"{SIM} how long its shutter is open [s]"),
    Argument("camera_latency", "0.0", f"{SIM} from exposure to delivery [s]"),
    Argument("camera_drop", "0.0", f"{SIM} share of its images that are lost, 0 to 1"),
    Argument("store", "", "file of the trial store; empty = the user's default"),
    Argument("dataset", "", "file of examples; empty = the shipped set"),
    Argument("mix", "false", "examples may be those of another arm; the store says so", TRUTH),
    Argument("model", "", "model of the improver llm; empty = its default"),
    Argument("base_url", "", "OpenAI-compatible endpoint of the improver llm"),
    Argument("key_variable", "", "environment variable that holds the key of the improver llm"),
    Argument("options", "", 'more options of the improver, a JSON object such as {"digits": 3}'),
)

REPLAY = (
    Argument("bag", "", "folder or file of the bag; needed"),
    Argument("rate", "1.0", "times real time; 0 = as fast as perception follows"),
    Argument("mapping", "", "YAML file: our topic names to those of the bag; empty = our names"),
    Argument("player", "true", "play the bag; false: stock `ros2 bag play --clock` does", TRUTH),
    Argument("seed", "0", "seed of the improver, that of the recorded run"),
)
"""Only of the graph ``replay``."""

REPLAY_TAKES = (
    *(
        "task",
        "arm",
        "joint_prefix",
        "improver",
        "plugins",
        "namespace",
        "use_sim_time",
        "params_file",
        "log_level",
    ),
    *("source", "calibration", "max_step", "viewer", "record"),
    *("dataset", "mix", "model", "base_url", "key_variable", "options"),
)
"""Of the shared arguments: nothing of arms, safety and simulation, for nothing moves."""

REAL_DEFAULTS = {
    "use_sim_time": "false",
    "viewer": "true",
    **{name: as_text(value) for name, value in CAREFUL.items()},
}
"""Where people stand beside the arm."""


def with_defaults(changed: Mapping[str, str]) -> tuple[Argument, ...]:
    """Return the shared table with other defaults."""
    return tuple(replace(a, default=changed.get(a.name, a.default)) for a in SHARED)


def replay_arguments() -> tuple[Argument, ...]:
    """Return the table of the graph ``replay``."""
    return (*REPLAY, *(argument for argument in SHARED if argument.name in REPLAY_TAKES))


def checked(arguments: Sequence[Argument], given: Mapping[str, str]) -> dict[str, str]:
    """Return all values by name, defaults filled in; load the plug-ins that are asked for.

    Raises:
        UsageError: an unknown argument, a value that is not one of the choices, or a plug-in that
            cannot be loaded.
    """
    names = [argument.name for argument in arguments]
    for name in given:
        if name not in names:
            raise UsageError(f"unknown argument {name!r}: choose from {', '.join(names)}")
    load_all(given.get("plugins", ""))
    values = {argument.name: given.get(argument.name, argument.default) for argument in arguments}
    for argument in arguments:
        value = values[argument.name]
        if argument.choices and value not in argument.choices:
            more = ", or give plugins:=FILE or install its package"
            raise UsageError(
                f"argument {argument.name} = {value!r} is not allowed: one of "
                f"{', '.join(argument.choices)}"
                f"{more if isinstance(argument.choices, Registry) else ''}"
            )
    return values
