"""Environment of nodes and of their clients: how they discover each other; light to import."""

from __future__ import annotations

import contextlib
import os

from icpi_ros.core.errors import IcpiError, UsageError
from icpi_ros.core.resources import share_path

RANGE, PROFILES = "ROS_AUTOMATIC_DISCOVERY_RANGE", "FASTRTPS_DEFAULT_PROFILES_FILE"
PEERS, HERE_ONLY = "ROS_STATIC_PEERS", "ROS_LOCALHOST_ONLY"


def environment() -> dict[str, str]:
    """Return the environment of nodes: this one's, discovery on this machine unless set.

    Raises:
        UsageError: discovery is switched off; the nodes would never find each other.
    """
    env = dict(os.environ)
    scope = env.setdefault(RANGE, "LOCALHOST")
    if scope == "OFF":
        raise UsageError(
            f"{RANGE} = OFF keeps nodes from finding each other: set LOCALHOST or SUBNET, or unset "
            "it"
        )
    env["PYTHONUNBUFFERED"] = "1"
    # Without our profiles nodes only find each other later, 3 s at worst.
    with contextlib.suppress(IcpiError):
        _choose_profiles(env)
    return env


def _choose_profiles(env: dict[str, str]) -> None:
    """Set the profiles of Fast DDS unless the user has some; see config/fastdds_localhost.xml."""
    middleware = env.get("RMW_IMPLEMENTATION") or "rmw_fastrtps_cpp"
    if env.get(PROFILES) or not middleware.startswith("rmw_fastrtps"):
        return
    here_only = env.get(HERE_ONLY) == "1"  # the older word; it counts more than the range
    if here_only or (env[RANGE] == "LOCALHOST" and not env.get(PEERS)):
        env[PROFILES] = str(share_path("config", "fastdds_localhost.xml"))
        env[RANGE] = "SYSTEM_DEFAULT"  # as in the profile: the range itself adds shared memory
        if here_only:
            env[HERE_ONLY] = "0"  # so does this
    else:
        env[PROFILES] = str(share_path("config", "fastdds.xml"))
