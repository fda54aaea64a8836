"""Joint states of one arm out of a bag of any kind; no ROS."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from icpi_ros.bags.formats.raw import RawMessage
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.samples import in_windows, stamp_of
from icpi_ros.bags.topics import JOINTS, TYPES
from icpi_ros.bags.trials import RecordedTrial
from icpi_ros.core.errors import UsageError
from icpi_ros.core.types import SECOND, Array, Indices
from icpi_ros.motion.demonstration.recording import JointRecording, arm_prefix, recording_of
from icpi_ros.robots.base import Arm

MAX_OVERTAKING = SECOND
"""Time by which the stamp of a state may lie before that of an earlier one [ns]."""


@dataclass(frozen=True)
class JointPath:
    """Joint positions that were seen.

    Attributes:
        times: ``(T,)`` since the begin of a window [s], increasing, at least one.
        positions: ``(T, n)`` [rad], finite.
    """

    times: Array
    positions: Array

    def at(self, moment: float) -> Array:
        """Return the positions ``(n,)`` [rad] at a moment; beyond the ends those of the end."""
        return np.array([np.interp(moment, self.times, column) for column in self.positions.T])


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
    seen = set[str]()
    found = list(_rows(bag, bag.raw((topic,)), arm, seen))
    if not found:
        there = ", ".join(sorted(seen)) or "none"
        raise UsageError(
            f"bag {path}: no joint states of arm {arm.name} on {topic}: its joints are {there}"
            f"{bag.because}"
        )
    stamps = np.array([ns for ns, _ in found], dtype=np.int64)
    rows = np.array([row for _, row in found])
    source = f"bag {path}, {topic}"
    told, q, remarks = _in_order(stamps, rows, source)
    recording = recording_of(arm.joints, (told - told[0]) / SECOND, q, arm, source)
    return replace(recording, remarks=(*recording.remarks, *remarks))


def _in_order(stamps: Indices, rows: Array, source: str) -> tuple[Indices, Array, tuple[str, ...]]:
    """Return states by their stamps [ns], and a line where a transport changed their order.

    A stamp that goes back further is that of a clock that began anew, which stays as it is.
    """
    back = np.maximum.accumulate(stamps) - stamps
    if not 0 < back.max() < MAX_OVERTAKING:
        return stamps, rows, ()
    order = np.argsort(stamps, kind="stable")
    remark = f"{source}: {np.count_nonzero(back)} states came late: sorted by stamp"
    return stamps[order], rows[order], (remark,)


def joints_of(bag: Bag, trials: Sequence[RecordedTrial], arm: Arm) -> dict[int, JointPath]:
    """Return where the arm was seen to be in the windows of trials, by their number.

    A trial without a window or a joint state in it is left out, as all are in a bag without joint
    states of this arm.
    """
    if JOINTS not in bag.topics:
        return {}
    wanted = in_windows(trials)
    inside = (m for m in bag.raw((bag.topics[JOINTS],)) if wanted(stamp_of(m) or m.ns))
    rows = (row for row in _rows(bag, inside, arm, set()) if np.isfinite(row[1]).all())
    found = sorted(rows, key=lambda row: row[0])
    stamps = np.array([ns for ns, _ in found], dtype=np.int64)
    paths = {}
    for trial in trials:
        first, last = np.searchsorted(stamps, [trial.start, trial.stop + 1])
        if last > first:
            times = (stamps[first:last] - trial.start) / SECOND
            paths[trial.number] = JointPath(times, np.array([q for _, q in found[first:last]]))
    return paths


def _rows(
    bag: Bag, messages: Iterable[RawMessage], arm: Arm, names_seen: set[str]
) -> Iterator[tuple[int, list[float]]]:
    """Yield stamps [ns] and joint positions ``(n,)`` [rad] of one arm; note all names of joints."""
    for message in messages:
        msg = bag.decode(message)
        if msg is None:
            continue
        names = tuple(map(str, msg.name))
        names_seen |= set(names)
        prefix = arm_prefix(names, arm)
        if prefix is None or len(msg.position) != len(names):
            continue
        row = [float(msg.position[names.index(f"{prefix}{j}")]) for j in arm.joints]
        yield stamp_of(message) or message.ns, row


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
