"""Joint states of one arm out of a bag of any kind; no ROS."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from icpi_ros.bags.reader import Bag
from icpi_ros.bags.samples import stamp_of
from icpi_ros.bags.topics import JOINTS, TYPES
from icpi_ros.core.errors import UsageError
from icpi_ros.core.types import SECOND
from icpi_ros.motion.demonstration.recording import JointRecording, arm_prefix, recording_of
from icpi_ros.robots.base import Arm


def recorded_joints(path: Path, arm: Arm, topic: str = "") -> JointRecording:
    """Return the joints of an arm as a bag has them; times are those of the messages' stamps.

    Args:
        path: folder of the bag, or its .mcap or .db3 file.
        arm: whose joints are looked for; messages of other devices on the topic are left out.
        topic: of the joint states; empty = the only one there is.

    Raises:
        UsageError: no such bag or topic, or a bag without this arm.
        InvalidValue: see :func:`recording_of`.
    """
    bag = Bag(path, assigned=False)
    topic = _topic(bag, topic)
    stamps, rows, seen = [], [], set[str]()
    for message in bag.raw((topic,)):
        msg = bag.decode(message)
        if msg is None:
            continue
        names = tuple(map(str, msg.name))
        seen |= set(names)
        prefix = arm_prefix(names, arm)
        if prefix is None or len(msg.position) != len(names):
            continue
        stamps.append(stamp_of(message) or message.ns)
        rows.append([float(msg.position[names.index(f"{prefix}{j}")]) for j in arm.joints])
    if not rows:
        there = ", ".join(sorted(seen)) or "none"
        raise UsageError(
            f"bag {path}: no joint states of arm {arm.name} on {topic}: its joints are {there}"
            f"{bag.because}"
        )
    times = (np.array(stamps, dtype=np.int64) - stamps[0]) / SECOND
    return recording_of(arm.joints, times, np.array(rows), arm, f"bag {path}, {topic}")


def _topic(bag: Bag, asked: str) -> str:
    found = sorted({channel.topic for channel in bag.channels if channel.kind == TYPES[JOINTS]})
    if asked in found:
        return asked
    if not asked and len(found) == 1:
        return found[0]
    wanted = f"no joint states on topic {asked!r}" if asked else "which joint states"
    raise UsageError(
        f"bag {bag.path}: {wanted}: topics of joint states are {_listed(found)}; give one of them "
        f"with --topic{bag.because}"
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
