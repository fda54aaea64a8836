"""Arms of a user's own, as YAML files: a longer one with a blade, and one with a stick."""

import math

import yaml

from icpi_ros.core.resources import share_path

UR10E = {"a": (0.0, -0.6127, -0.57155), "d": (0.1807, 0.0, 0.0, 0.17415, 0.11985, 0.11655)}
"""Universal Robots, DH Parameters for calculations of kinematics and dynamics, UR10e [m]."""


def long_arm(folder, name="lab_ur10e"):
    """Write an arm with the links of a UR10e and everything else of a UR5e; return its path."""
    content = _ur5e(name)
    for joint, d in zip(content["joints"], UR10E["d"], strict=True):
        joint["d"] = d
    for joint, a in zip(content["joints"], UR10E["a"], strict=False):
        joint["a"] = a
    content["limits"]["workspace"] = {"lower": [-1.4, -1.4, 0.008], "upper": [1.4, 1.4, 2.6]}
    ends = {"upper arm": UR10E["a"][1], "forearm": UR10E["a"][2]}
    for piece in content["body"]:
        if piece["name"] in ends:
            piece["end"][0] = ends[piece["name"]]
    return _written(folder, content)


def stick_arm(folder, name="lab_stick", lift=-70.0):
    """Write the UR5e with a stick of the rope tasks, which begins at ``lift`` [deg]."""
    content = _ur5e(name)
    content["tool"] = {"xyz": [0.0, 0.0, 0.4], "rpy": [0.0, 0.0, 0.0], "mass": 0.3}
    content["home"] = [math.radians(a) for a in (180.0, lift, 150.0, -170.0, -90.0, 0.0)]
    content["limits"] |= {
        "workspace": {"lower": [-1.36, -0.1, -0.4], "upper": [0.95, 0.36, 1.5]},
        "tool_speed": 7.0,
        "tool_energy": 7.4,
    }
    ours = [piece for piece in content["body"] if piece["name"] not in ("tool", "blade")]
    stick = {"start": [0.0, 0.0, -0.4], "end": [0.0, 0.0, 0.0], "radius": 0.01, "mass": 0.15}
    content["body"] = [*ours, {"name": "stick", "link": "tool", **stick}]
    content["servos"]["kp"][3], content["servos"]["kv"][3] = 4000.0, 250.0
    return _written(folder, content)


def _ur5e(name):
    text = share_path("config", "arms", "ur5e.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text) | {"name": name}


def _written(folder, content):
    path = folder / f"{content['name']}.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path
