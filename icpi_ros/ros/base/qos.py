"""Quality of service of every topic, each with its reason, and as bags keep it (YAML)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml
from rclpy.duration import Duration
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    LivelinessPolicy,
    QoSProfile,
    ReliabilityPolicy,
)

from icpi_ros.core.types import SECOND


def _profile(reliable: bool, depth: int, latched: bool = False) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )


SENSOR = _profile(reliable=False, depth=10)
"""Streams out of a sensor: best effort (REP-2003), so that no subscriber can hold up the source."""

SENSOR_EVERY = _profile(reliable=False, depth=1000)
"""Subscription that wants every sample: a free-running simulation is ahead by up to 10 s."""

SENSOR_LATEST = _profile(reliable=False, depth=1)
"""Subscription for supervision: only the newest state matters, an old one misleads."""

IMAGE = _profile(reliable=True, depth=5)
"""Images and their calibration.  An image is several UDP datagrams, and best effort loses it with
any one of them: reliable sends that one again.  Best-effort subscribers are served as well.  Few
images: with "keep last" a subscriber that stands still costs itself images, never the camera time.
"""

IMAGE_EVERY = _profile(reliable=True, depth=60)
"""The same for images that are learnt from, on both sides: with five, a process that had to wait
for a busy core for 0.1 s lost images of the path.  A second's worth is 14 MB (320x240).
"""

CLOCK = _profile(reliable=False, depth=1)
"""/clock as rclpy and rclcpp subscribe to it (ClockQoS)."""

COMMAND = _profile(reliable=True, depth=10)
"""Commands to the arm: a stop must arrive, and no late joiner may receive an old motion."""

EVENT = _profile(reliable=True, depth=50)
"""Trial windows, object trajectories, arm status: one message each, none may be lost."""

RECORD = _profile(reliable=True, depth=100, latched=True)
"""Trials and proposals: reliable, and a late subscriber still receives the run so far."""

ROSOUT = _profile(reliable=True, depth=1000, latched=True)
"""/rosout as rcl publishes it: what nodes logged before the recorder came counts as well."""

LATCHED = _profile(reliable=True, depth=1, latched=True)
"""A present state, such as a stop: a late subscriber needs it, and only the newest counts."""

ALIVE_LEASE = Duration(seconds=2.0)
"""Silence after which a publisher of :data:`LATCHED_ALIVE` counts as gone.  Discovery takes longer:
Fast DDS lists a participant that was killed for 20 s, its lease."""

LATCHED_ALIVE = _profile(reliable=True, depth=1, latched=True)
LATCHED_ALIVE.liveliness = LivelinessPolicy.AUTOMATIC
LATCHED_ALIVE.liveliness_lease_duration = ALIVE_LEASE
"""The same from a node whose end must be seen at once: the middleware gives its signs of life."""

LATCHED_EVERY = _profile(reliable=True, depth=10, latched=True)
"""Subscription to such a state that wants every change of it: the outcome of a decision."""


INFINITE = {"sec": 9223372036, "nsec": 854775807}


def qos_text(offered: Sequence[QoSProfile], own: QoSProfile) -> str:
    """Return the profiles that publishers offer as YAML; ``own`` if none is known.

    Discovery does not report history and depth: they are those of ``own``.
    """
    return yaml.safe_dump([_kept(profile, own) for profile in offered or [own]])


def _kept(profile: QoSProfile, own: QoSProfile) -> dict[str, Any]:
    known = profile.history in (HistoryPolicy.KEEP_LAST, HistoryPolicy.KEEP_ALL)
    kept = profile if known and profile.depth else own
    return {
        "history": kept.history.name.lower(),
        "depth": int(kept.depth),
        "reliability": profile.reliability.name.lower(),
        "durability": profile.durability.name.lower(),
        "deadline": _span(profile.deadline),
        "lifespan": _span(profile.lifespan),
        "liveliness": profile.liveliness.name.lower(),
        "liveliness_lease_duration": _span(profile.liveliness_lease_duration),
        "avoid_ros_namespace_conventions": bool(profile.avoid_ros_namespace_conventions),
    }


def _span(duration: Duration) -> dict[str, int]:
    ns = duration.nanoseconds
    # 0 and the largest value both mean "no limit".
    return dict(INFINITE) if ns == 0 else {"sec": ns // SECOND, "nsec": ns % SECOND}
