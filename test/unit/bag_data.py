"""Small real bags for tests: a run of three trials with poses, written as Jazzy writes bags."""

from pathlib import Path

import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from icpi_ros.bags.formats.definitions import own_types

STORE = own_types()
SECOND = 10**9
START = 1_700_000_000 * SECOND
PERIOD = 10_000_000
TRIAL_LENGTH = SECOND // 2
THETAS = np.array([[1.0, 0.1], [1.1, 0.0], [1.2, -0.1]])


def make(kind, **fields):
    """A message of a type; fields that are not given are empty."""
    return STORE.types[kind](**{name: fields[name] for name in fields})


def time(ns):
    return make("builtin_interfaces/msg/Time", sec=ns // SECOND, nanosec=ns % SECOND)


def header(ns, frame="base"):
    return make("std_msgs/msg/Header", stamp=time(ns), frame_id=frame)


def point(x, y, z):
    return make("geometry_msgs/msg/Point", x=float(x), y=float(y), z=float(z))


def pose(ns, position, frame="base"):
    turn = make("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0)
    inner = make("geometry_msgs/msg/Pose", position=point(*position), orientation=turn)
    return make("geometry_msgs/msg/PoseStamped", header=header(ns, frame), pose=inner)


def window(state, trial_id, start, stop=0, task="slide"):
    return make(
        "icpi_msgs/msg/TrialWindow",
        state=state,
        trial_id=trial_id,
        task=task,
        start=time(start),
        stop=time(stop),
    )


def path(trial_id, start, times, positions):
    return make(
        "icpi_msgs/msg/ObjectTrajectory",
        header=header(start),
        trial_id=trial_id,
        times=np.asarray(times, dtype=np.float64),
        positions=[point(*p) for p in positions],
        coverage=1.0,
        longest_gap=0.0,
        residual=float("nan"),
        rate=100.0,
        good=True,
        reason="",
        at_rest=True,
    )


def proposal(run_id, number, theta):
    return make(
        "icpi_msgs/msg/Proposal",
        run_id=run_id,
        trial=number,
        requested="ridge",
        provenance="ridge",
        fallback_reason="",
        theta_names=["speed", "heading"],
        theta=np.array(theta),
        projected=False,
        proposed_theta=np.array(theta),
        moved_reason="",
        latency=0.01,
        predicted_cost=0.02,
        predicted_std=float("nan"),
    )


def trial(ns, run_id, number, theta, status="done"):
    done = status == "done"
    return make(
        "icpi_msgs/msg/Trial",
        header=header(ns),
        run_id=run_id,
        trial=number,
        task="slide",
        status=status,
        note="",
        theta_names=["speed", "heading"],
        theta=np.array(theta),
        goal=np.array([0.6, 0.42]),
        error=np.array([0.01 * number, 0.0]) if done else np.zeros(0),
        cost=0.1 / (number + 1) if done else float("nan"),
        best_cost=0.1 / (number + 1),
        seconds=1.0,
        moving=0.5,
        proposal=proposal(run_id, number, theta),
    )


def position(ns):
    return 0.6, 0.1 + 1e-10 * (ns - START), 0.01


def run_messages(run_id="run", begin=START, thetas=THETAS):
    """(topic, type, ns, message) of one run, in the order of time."""
    found = []
    for number, theta in enumerate(thetas):
        start = begin + number * SECOND
        stop = start + TRIAL_LENGTH
        trial_id = f"{run_id}/{number}-abc"
        times = np.arange(0, TRIAL_LENGTH + 1, PERIOD)
        found.append(("/trial_window", "TrialWindow", start, window(0, trial_id, start)))
        found += [
            ("/object_pose", "PoseStamped", start + t, pose(start + t, position(start + t)))
            for t in times.tolist()
        ]
        seen = [position(start + t) for t in times.tolist()]
        found.append(("/trial_window", "TrialWindow", stop + 1, window(1, trial_id, start, stop)))
        found.append(
            (
                "/object_trajectory",
                "ObjectTrajectory",
                stop + 2,
                path(trial_id, start, times / SECOND, seen),
            )
        )
        found.append(("/trials", "Trial", stop + 3, trial(stop + 3, run_id, number, theta)))
    return found


KINDS = {
    name.rpartition("/")[2]: name
    for name in STORE.fielddefs
    if name.startswith(("icpi_msgs", "geometry_msgs", "sensor_msgs", "rosgraph_msgs", "std_msgs"))
}


def write(folder: Path, messages, storage="mcap", compression=CompressionMode.STORAGE):
    """Write a bag with an independent writer; return its folder."""
    writer = Writer(folder, version=9, storage_plugin=StoragePlugin[storage.upper()])
    if storage == "mcap" or compression is not CompressionMode.STORAGE:
        writer.set_compression(compression, CompressionFormat.ZSTD)
    with writer:
        connections = {}
        for topic, kind, ns, msg in messages:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, KINDS[kind], typestore=STORE)
            writer.write(connections[topic], ns, STORE.serialize_cdr(msg, KINDS[kind]))
    return folder
