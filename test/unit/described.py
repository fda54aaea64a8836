"""A task's YAML file as a mapping, for tests that change a key of it."""

import copy

import yaml

STRIKE = {
    "strike": {
        "start": [0.6, -0.186, 0.01],
        "pivot": [0.6, -0.15, 0.01],
        "run_up": 0.22,
        "deceleration": 8.0,
    },
    "parameters": {"speed": [0.6, 1.6], "heading": [-0.35, 0.35]},
}
THROW = {
    "task": "throw",
    "arm": "ur5e",
    "motion": STRIKE,
    "observe": {"at": "rest", "coordinates": ["x", "y"]},
    "goal": {"x": {"lower": 0.5, "upper": 0.7}, "y": {"lower": 0.38, "upper": 0.45}},
    "object": {"name": "puck"},
    "rest": {"speed": 0.01, "window": 0.1},
    "max_duration": 6.0,
}
"""A task without a scene."""
SCENE = {
    "scene": "slide.xml",
    "physics": {"mass": {"sets": {"mass": "puck"}, "range": [0.1, 0.5]}},
}
CAMERA = {"hues": [[0, 20]], "radius": 0.03, "plane": {"z": 0.01}}


def changed(key, value, more=None):
    """Return :data:`THROW` with ``a.b.c`` set to a value, or taken away where that is ``...``."""
    content = copy.deepcopy(THROW | (more or {}))
    *above, last = key.split(".") if key else [""]
    block = content
    for part in above:
        block = block[part]
    if value is ...:
        del block[last]
    elif key:
        block[last] = value
    return content


def write(folder, content=THROW, name="throw.yaml"):
    """Write a task's file; return its path."""
    path = folder / name
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path
