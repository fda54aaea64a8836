"""Where control_msgs and tf2_msgs come from in tests: ROS 2's own, or stand-ins of the set-up."""

import importlib.util
import os
from pathlib import Path

BUILT = Path(__file__).resolve().parents[2] / ".setup"


def with_control_msgs():
    """Return environment variables under which nodes can import control_msgs."""
    return with_package("control_msgs")


def with_package(name):
    """Return environment variables under which nodes can import a package of messages."""
    found = importlib.util.find_spec(name)
    if found is not None and found.origin is not None:  # a folder alone is no package
        return {}
    (package,) = (BUILT / name).glob(f"lib/python3*/site-packages/{name}")
    found = {"PYTHONPATH": package.parent, "LD_LIBRARY_PATH": BUILT / name / "lib"}
    return {
        name: os.pathsep.join([str(path), *filter(None, [os.environ.get(name)])])
        for name, path in found.items()
    }
