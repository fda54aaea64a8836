"""Lists of tasks and arms; what describes or checks one of them needs much more to be imported."""

from __future__ import annotations

import argparse

from icpi_ros.robots import ARMS
from icpi_ros.robots.arm_text import origin_text
from icpi_ros.tasks import TASKS


def list_tasks(args: argparse.Namespace) -> int:
    """Print every task with its one-line summary."""
    found = TASKS.usable()
    for name, task in found.items():
        print(f"{name:16s} {task.summary}")
    if args.json:
        args.json.write([{"name": name, "summary": t.summary} for name, t in found.items()])
    return 0


def list_arms(args: argparse.Namespace) -> int:
    """Print every built-in arm."""
    found = []
    for name, arm in ARMS.usable().items():
        mass, speed = arm.limits.tool_mass, arm.limits.tool_speed
        print(f"{name:12s} {len(arm.joints)} joints, tool {mass:g} kg up to {speed:g} m/s")
        print(f"{'':12s} {origin_text(arm)}")
        found.append(
            {
                "name": name,
                "joints": list(arm.joints),
                "tool_mass": mass,
                "tool_speed": speed,
                "origin": origin_text(arm),
            }
        )
    if args.json:
        args.json.write(found)
    return 0
