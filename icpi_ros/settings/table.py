"""The table of all settings that nodes, graphs, runs and commands share.

A setting is added here and nowhere else: parameters of nodes with their ranges, launch
arguments, the options of commands and the checks of a run are made from it.  The names of tasks,
improvers and sources are no choices here, for the table is below them: see
:func:`icpi_ros.ros.bringup.arguments.with_names`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from icpi_ros.core.errors import UnknownName
from icpi_ros.settings.lab_names import LAB_NAMES
from icpi_ros.settings.nodes import (
    ALL,
    ARM,
    EXECUTOR,
    IMPROVER,
    LIVE,
    PERCEPTION,
    PLAYER,
    RECORDER,
    REPLAY,
    VIEWER,
)
from icpi_ros.settings.poses import POSE_ARGUMENTS
from icpi_ros.settings.setting import Setting
from icpi_ros.settings.simulated_arm import SIMULATED_ARM_SETTINGS

IN_SIM = "(simulation only)"
"""Mark of arguments that the real graph takes, for one command line to fit both, and ignores."""

POSES, CAMERA = "tracked_pose", "camera"
"""Names of the sensor sources that come with the package."""


ARGUMENTS = (
    Setting("bag", "", "folder or file of the bag; needed", nodes=(PLAYER,), graphs=REPLAY),
    Setting(
        "rate", 1.0, "times real time; 0 = as fast as perception follows", lower=0.0, upper=1000.0,
        nodes=(PLAYER,), graphs=REPLAY,
    ),
    Setting(
        "mapping", "", "YAML file: our topic names to those of the bag; empty = our names",
        nodes=(PLAYER,), graphs=REPLAY,
    ),
    Setting(
        "player", True, "play the bag; false: stock `ros2 bag play --clock` does",
        nodes=(PLAYER,), graphs=REPLAY,
    ),
    Setting(
        "seed", 0, "seed of a run, in a replay of the recorded one",
        lower=0, upper=2**64 - 1, nodes=(PLAYER,), graphs=REPLAY, run="seed",
    ),
    Setting(
        "task", "slide", "task to improve: a name or a YAML file",
        nodes=(ARM, PERCEPTION, EXECUTOR, IMPROVER, PLAYER, VIEWER), graphs=ALL,
    ),
    Setting(
        "world", "", f"{IN_SIM} task in whose scene the motions are carried out, its hidden "
        "physics included; empty = the task itself",
        nodes=(ARM, PERCEPTION, IMPROVER), graphs=LIVE,
    ),
    Setting(
        "arm", "", "arm: a name or a description file (YAML); empty = the task's",
        nodes=(ARM, EXECUTOR, IMPROVER, VIEWER), graphs=ALL,
    ),
    Setting(
        "joint_prefix", "", "what stands in front of the arm's joint names in joint_states and at "
        "its controller, for example ur_",
        nodes=(ARM, EXECUTOR, VIEWER), graphs=ALL,
    ),
    Setting(
        "improver", "embedded", "improver of goals that name none",
        nodes=(IMPROVER, PLAYER), graphs=ALL,
    ),
    Setting(
        "plugins", "", "modules or files that add tasks, improvers, arms or sources; : between",
        nodes=(ARM, PERCEPTION, EXECUTOR, IMPROVER, PLAYER, VIEWER, RECORDER), graphs=ALL,
    ),
    Setting("namespace", "", "ROS namespace of all nodes and topics; empty = the root", graphs=ALL),
    Setting("use_sim_time", False, "node clocks follow /clock", graphs=ALL, relaxed=True),
    Setting(
        "params_file", "", "YAML file of parameters; it wins over defaults, and may not contradict "
        "an argument",
        graphs=ALL,
    ),
    Setting(
        "log_level", "info", "log level", choices=("debug", "info", "warn", "error", "fatal"),
        graphs=ALL,
    ),
    Setting(
        "source", POSES, f"where object positions come from: {POSES}, {CAMERA} or a plug-in's; "
        f"{CAMERA}: in simulation, one and no true pose",
        nodes=(PERCEPTION,), graphs=ALL,
    ),
    Setting(
        "calibration", "", "file of the calibrated camera; empty = the scene's camera",
        nodes=(PERCEPTION,), graphs=ALL,
    ),
    *LAB_NAMES,
    *POSE_ARGUMENTS,
    Setting(
        "approval", True, "a person approves every motion, see icpi approve",
        nodes=(EXECUTOR,), graphs=LIVE, relaxed=False, loosened_by="other",
    ),
    Setting(
        "unattended", False, "(real arm only) allow approval:=false: nobody sees a motion",
        graphs=LIVE,
    ),
    Setting("dry_run", False, "everything but motion", nodes=(EXECUTOR, IMPROVER), graphs=LIVE),
    Setting(
        "view", "false", "open a live page of the graph, which shows and stops; operate: it also "
        "approves, see icpi view",
        choices=("false", "true", "operate"), graphs=ALL,
    ),
    Setting(
        "scene", "operator", "who puts the scene back: the service reset_scene, or a person who "
        "confirms it",
        choices=("service", "operator"), nodes=(EXECUTOR,), graphs=LIVE,
        relaxed="service", loosened_by="other",
    ),
    Setting(
        "speed_scale", 0.25, "share of the arm's limits for slow moves", lower=0.05, upper=1.0,
        nodes=(EXECUTOR,), graphs=LIVE, relaxed=0.5, loosened_by="larger",
    ),
    Setting(
        "ramp_trials", 3, "executions of a run until its full speed", lower=0, upper=100,
        nodes=(EXECUTOR,), graphs=LIVE, relaxed=0, loosened_by="smaller",
    ),
    Setting(
        "ramp_scale", 0.3, "share of the usual speed at a run's first execution",
        lower=0.05, upper=1.0, nodes=(EXECUTOR,), graphs=LIVE, loosened_by="larger",
    ),
    Setting(
        "rehearse", True, "during the ramp go through each stroke slowly first",
        nodes=(EXECUTOR,), graphs=LIVE, relaxed=False, loosened_by="other",
    ),
    Setting(
        "max_step", 0.5, "largest step of theta in a run, a share of its range; 1 = no limit",
        lower=1e-6, upper=1.0, nodes=(EXECUTOR, IMPROVER, PLAYER), graphs=ALL,
        relaxed=1.0, loosened_by="larger", run="max_step",
    ),
    Setting(
        "limits", "", "YAML file of limits tighter than the arm's own",
        nodes=(EXECUTOR, IMPROVER), graphs=LIVE,
    ),
    Setting(
        "gripper", "none", "what opens the gripper of a task that lets go: none, action:NAME, "
        "trigger:OPEN[,CLOSE], topic:NAME, or simulated (simulation only)",
        nodes=(EXECUTOR,), graphs=LIVE, relaxed="simulated",
    ),
    Setting(
        "gripper_latency", 0.0, "measured time from the command to the object free; the command "
        "goes out so much before the release", "s", 0.0, 1.0,
        nodes=(EXECUTOR, IMPROVER), graphs=LIVE,
    ),
    Setting(
        "gripper_open", 0.04, "(action only) position of the open gripper [m], or [rad] where its "
        "joint turns", "", -10.0, 10.0, nodes=(EXECUTOR,), graphs=LIVE,
    ),
    Setting(
        "gripper_closed", 0.0, "(action only) position of the closed gripper, likewise",
        "", -10.0, 10.0, nodes=(EXECUTOR,), graphs=LIVE,
    ),
    Setting(
        "gripper_effort", 0.0, "(action only) largest effort of the gripper; 0 = its own",
        "N", 0.0, 1000.0, nodes=(EXECUTOR,), graphs=LIVE,
    ),
    Setting(
        "viewer", True, "publish markers of arm, object, goal and proposal",
        graphs=ALL, relaxed=False,
    ),
    Setting(
        "publish_frames", True, "tell on /tf where camera and tool are in base, in simulation the "
        "links, too; false where others have frames of these names",
        nodes=(ARM, PERCEPTION, VIEWER), graphs=ALL,
    ),
    Setting(
        "record", "", "folder of a bag that is recorded; must not exist; empty = none", graphs=ALL
    ),
    Setting(
        "real_time_factor", 1.0, f"{IN_SIM} simulated per real time, at least 0.05; 0 = as fast as "
        "possible, with a camera as fast as it can render",
        lower=0.0, upper=100.0, nodes=(ARM,), graphs=LIVE,
    ),
    Setting(
        "physics_seed", 0, f"{IN_SIM} seed of the hidden physics", lower=0, upper=2**62,
        nodes=(ARM,), graphs=LIVE,
    ),
    Setting(
        "physics", [], f"{IN_SIM} hidden physics, numbers with commas, or a YAML; empty = from "
        "physics_seed",
        nodes=(ARM,), graphs=LIVE,
    ),
    Setting(
        "publish_pose", True, f"{IN_SIM} tell the true object pose", nodes=(ARM,), graphs=LIVE
    ),
    Setting("camera", False, f"{IN_SIM} simulate a camera", nodes=(ARM,), graphs=LIVE),
    Setting(
        "camera_width", 320, f"{IN_SIM} width of its images", "px", 16, 1920,
        nodes=(ARM,), graphs=LIVE,
    ),
    Setting(
        "camera_height", 240, f"{IN_SIM} height of its images", "px", 16, 1440,
        nodes=(ARM,), graphs=LIVE,
    ),
    Setting(
        "camera_rate", 60.0, f"{IN_SIM} its images per second of simulated time", "Hz", 1.0, 240.0,
        nodes=(ARM,), graphs=LIVE,
    ),
    Setting(
        "camera_distortion", [], f"{IN_SIM} its plumb-bob k1,k2,p1,p2,k3; empty = an ideal lens",
        nodes=(ARM,), graphs=LIVE,
    ),
    Setting(
        "camera_noise", 0.0, f"{IN_SIM} noise of its pixels, standard deviation", "grey levels",
        0.0, 64.0, nodes=(ARM,), graphs=LIVE,
    ),
    Setting(
        "camera_exposure", 0.0, f"{IN_SIM} how long its shutter is open, at most 1 / camera_rate",
        "s", 0.0, 0.1, nodes=(ARM,), graphs=LIVE,
    ),
    Setting(
        "camera_latency", 0.0, f"{IN_SIM} from exposure to delivery; the stamp stays true", "s",
        0.0, 1.0, nodes=(ARM,), graphs=LIVE,
    ),
    Setting(
        "camera_drop", 0.0, f"{IN_SIM} share of its images that are lost", lower=0.0, upper=1.0,
        nodes=(ARM,), graphs=LIVE,
    ),
    Setting(
        "store", "", "file of the trial store; empty = the user's default",
        nodes=(IMPROVER,), graphs=LIVE,
    ),
    Setting(
        "dataset", "", "file of examples; empty = the shipped set",
        nodes=(IMPROVER, PLAYER), graphs=ALL,
    ),
    Setting(
        "mix", False, "examples may be those of another arm; the store says so",
        nodes=(IMPROVER, PLAYER), graphs=ALL,
    ),
    Setting(
        "learn_from", "auto", "earlier runs of the same task, arm and backend whose trials stand "
        "behind the data set: store = all, none, or ids with commas between; auto: all if there is "
        "no data set",
        nodes=(IMPROVER,), graphs=LIVE,
    ),
    Setting(
        "model", "", "model of the improver llm; empty = its default",
        nodes=(IMPROVER, PLAYER), graphs=ALL,
    ),
    Setting(
        "base_url", "", "OpenAI-compatible endpoint of the improver llm; empty = its default",
        nodes=(IMPROVER, PLAYER), graphs=ALL,
    ),
    Setting(
        "key_variable", "", "environment variable that holds the key of the improver llm; never "
        "the key itself",
        nodes=(IMPROVER, PLAYER), graphs=ALL,
    ),
    Setting(
        "fallback", "refuse", "what becomes of a run whose model cannot be asked: refuse it before "
        "its first trial, or allow that another improver stands in",
        choices=("refuse", "allow"), nodes=(IMPROVER,), graphs=LIVE,
    ),
    Setting(
        "first", "demonstration", "first trial of a run: the demonstration, where the task has "
        "one, or random",
        choices=("demonstration", "random"), nodes=(IMPROVER,), graphs=LIVE, run="first",
    ),
    Setting(
        "stop", "after-trials", "end of a run: after its trials, or as soon as the expected gain "
        "of a further one is below the noise of a trial",
        choices=("after-trials", "when-converged"), nodes=(IMPROVER,), graphs=LIVE, run="stop",
    ),
    Setting(
        "options", "", 'more options of the improver, a JSON object such as {"digits": 3}',
        nodes=(IMPROVER, PLAYER), graphs=ALL,
    ),
)  # fmt: skip
"""Launch arguments, in the order in which they are listed."""

RUN_SETTINGS = (
    Setting(
        "trials", 8, "number of trials in all, the first attempt included", "trials", 1, 1000,
        run="budget",
    ),
    Setting(
        "target_cost", 0.0, "stop when a trial costs at most this; 0 = use the whole budget", "m",
        0.0, run="target_cost",
    ),
    Setting("noise", 0.0, "sensor noise, standard deviation", "m", 0.0, 0.1),
    Setting("latency", 0.0, "sensor latency", "s", 0.0, 1.0),
)  # fmt: skip
"""Settings of runs alone."""

EXECUTOR_SETTINGS = (
    Setting("simulated", False, "the arm is a simulated one: what is off or loosened is no warning",
            relaxed=True),
    Setting("goal_tolerance", 0.01, "joint distance at the end", "rad", 0.001, 0.1),
    Setting("tracking_tolerance", 0.1, "joint distance underway", "rad", 0.01, 0.5,
            loosened_by="larger"),
    Setting("start_timeout", 10.0, "steady time until arm, controller and perception are there",
            "s", 0.1, 120.0, relaxed=30.0),
    Setting("joint_state_timeout", 0.5, "steady time without joint states", "s", 0.05, 10.0,
            relaxed=2.0, loosened_by="larger"),
    Setting("object_state_timeout", 1.0, "steady time without perception", "s", 0.05, 60.0,
            relaxed=2.0, loosened_by="larger"),
    Setting("reply_timeout", 2.0, "steady time for arm and scene to answer", "s", 0.1, 60.0,
            relaxed=5.0),
    Setting("controller", "auto", "how motions reach the arm; auto: its action where control_msgs "
            "is installed and the controller serves it, else its trajectory topic",
            choices=("auto", "action", "topic")),
    Setting("controller_rate", 250.0, "updates of the controller per second at least: a stop "
            "begins two of them ahead", "Hz", 50.0, 2000.0, relaxed=500.0),
    Setting("goal_time", 0.5, "time after a motion's end to be within its goal tolerance, sent "
            "with every goal", "s", 0.05, 10.0),
    Setting("controller_check", "refuse", "what to do about a controller that is inactive or set "
            "up so that an arm would jump, leave its path or never end: refuse motions, or warn",
            choices=("refuse", "warn"), loosened_by="other"),
    Setting("approval_timeout", 600.0, "steady time for a person to decide", "s", 1.0, 86400.0),
    Setting("recorded", False, "the first motion waits until the graph's recorder takes it"),
)  # fmt: skip
IMPROVER_SETTINGS = (
    Setting("deadline", 0.0, "deadline of one proposal; 0 = the improver's default", "s", 0.0,
            3600.0),
    Setting("backend", "unknown", "what executes trials, for the store"),
    Setting("source", "unknown", "where object positions come from, for the store"),
    Setting("controller", "unknown", "what moves the joints, for the store"),
    Setting("connect_timeout", 10.0, "time for the executor to appear", "s", 0.1, 600.0,
            relaxed=30.0),
    Setting("heartbeat_timeout", 5.0, "time without a sign of life of the executor", "s", 1.0,
            600.0),
    Setting("observation_timeout", 5.0, "time for perception's trajectory", "s", 0.1, 600.0),
)  # fmt: skip
PERCEPTION_SETTINGS = (
    Setting("history", 60.0, "how much of the past is kept for windows", "s", 1.0, 600.0),
    Setting("silent_after", 1.0, "time without a measurement that counts as blind", "s", 0.05,
            60.0),
    Setting("diagnostics_period", 1.0, "time between two reports of health", "s", 0.05, 60.0),
)  # fmt: skip
RECORDER_SETTINGS = (
    Setting("folder", "", "folder of the bag; must not exist"),
    Setting("max_size", 1024.0, "size of a file at which a new one is begun", "MiB", 1.0, 1e6),
    Setting("max_duration", 600.0, "time after which a new file is begun", "s", 1.0, 1e6),
    Setting("keep_free", 512.0, "of the disk: recording ends before it is full", "MiB", 0.0, 1e6),
)  # fmt: skip
OWN: Mapping[str, tuple[Setting, ...]] = {
    ARM: SIMULATED_ARM_SETTINGS,
    PERCEPTION: PERCEPTION_SETTINGS,
    EXECUTOR: EXECUTOR_SETTINGS,
    IMPROVER: IMPROVER_SETTINGS,
    PLAYER: (),
    VIEWER: (),
    RECORDER: RECORDER_SETTINGS,
}
"""Parameters that are no launch arguments, by node."""
SETTINGS = tuple(
    dict.fromkeys((*ARGUMENTS, *RUN_SETTINGS, *(s for own in OWN.values() for s in own)))
)

RUN_FIELDS = tuple(setting.run for setting in SETTINGS if setting.run)
"""Fields of RunConfig that :func:`check_run` refuses."""


def find(name: str) -> Setting:
    """Return a setting by name.

    Raises:
        UnknownName: there is none.
    """
    found = next((setting for setting in SETTINGS if setting.name == name), None)
    if found is None:
        raise UnknownName("setting", name, sorted({setting.name for setting in SETTINGS}))
    return found


def of_node(node: str) -> tuple[Setting, ...]:
    """Return the parameters of a node."""
    return (*(s for s in ARGUMENTS if node in s.nodes), *OWN[node])


def of_graph(graph: str) -> tuple[Setting, ...]:
    """Return the launch arguments of a graph."""
    return tuple(setting for setting in ARGUMENTS if graph in setting.graphs)


def check_run(config: Any) -> None:
    """Check the numbers of a RunConfig.

    Raises:
        InvalidValue: one is not allowed; names it, its value and the range.
    """
    for setting in SETTINGS:
        if setting.run:
            setting.check(getattr(config, setting.run), setting.run.replace("_", " "))
