"""Show whether a graph is ready for a run, line by line, with what to do about each open line."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from icpi_ros.cli.commands import need_ros
from icpi_ros.ros.bringup.instance import domain_id

if TYPE_CHECKING:
    from icpi_ros.ros.bringup.checklist import Checklist


def run(args: argparse.Namespace) -> int:
    """Print the checklist; 0 = a run can begin."""
    need_ros()
    domain_id()
    from icpi_ros.ros.clients.checklist_client import ChecklistClient  # needs ROS

    with ChecklistClient(args.namespace) as client:
        checklist = client.checklist(args.timeout, args.wait)
    return show(checklist, args)


def show(checklist: Checklist, args: argparse.Namespace) -> int:
    """Print or write a checklist as it was asked for; return the exit code."""
    print(checklist.text)
    if args.json:
        args.json.write(checklist.as_json())
    return 0 if checklist.ready else 1
