"""Where control_msgs comes from in tests: ROS 2's own, or the stand-in that the set-up built."""

import importlib.util
import os
from pathlib import Path

STAND_IN = Path(__file__).resolve().parents[2] / ".setup" / "control_msgs"


def with_control_msgs():
    """Return environment variables under which nodes can import control_msgs."""
    found = importlib.util.find_spec("control_msgs")
    if found is not None and found.origin is not None:  # a folder alone is no package
        return {}
    (package,) = STAND_IN.glob("lib/python3*/site-packages/control_msgs")
    found = {"PYTHONPATH": package.parent, "LD_LIBRARY_PATH": STAND_IN / "lib"}
    return {
        name: os.pathsep.join([str(path), *filter(None, [os.environ.get(name)])])
        for name, path in found.items()
    }
