"""Names of the nodes and of the graphs that they make up."""

from __future__ import annotations

ARM, PERCEPTION, EXECUTOR, IMPROVER = "mujoco_arm", "perception", "executor", "policy_improver"
PLAYER, VIEWER, RECORDER = "replay", "viewer", "recorder"
"""Names of the nodes."""
ALL, LIVE, REPLAY = ("sim", "real", "replay"), ("sim", "real"), ("replay",)
