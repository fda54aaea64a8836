"""Quality of service as bags keep it: the YAML of rosbag2 since Jazzy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml
from rclpy.duration import Duration
from rclpy.qos import HistoryPolicy, QoSProfile

from icpi_ros.types import SECOND

INFINITE = {"sec": 9223372036, "nsec": 854775807}


def qos_text(offered: Sequence[QoSProfile], own: QoSProfile) -> str:
    """Return the profiles that publishers offer as YAML; ``own`` if none is known.

    Discovery does not tell history and depth: they are those of ``own``.
    """
    return yaml.safe_dump([_profile(profile, own) for profile in offered or [own]])


def _profile(profile: QoSProfile, own: QoSProfile) -> dict[str, Any]:
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
