"""A task's YAML file: each thing that is wrong in it gives one line with file, key and remedy."""

import described
import numpy as np
import outsider
import pytest
from other_arms import long_arm

from icpi_ros.core.errors import DescriptionError
from icpi_ros.tasks.described.reading import load_task

RING = {"name": "ring", "camera": described.CAMERA}

BAD = [
    # (key, value, what else the file has, end of the message)
    ("speed", 1, {}, ": unknown key 'speed': allowed are task, arm, motion"),
    ("max_duration", ..., {}, ": max_duration is missing: needed are task, arm"),
    (
        "task",
        "My Task",
        {},
        ": task is 'My Task': must be small letters, digits, _ and -, a letter",
    ),
    ("arm", "ur5", {}, ": arm: unknown arm 'ur5': choose one of"),
    ("arm", "there.yaml", {}, ": arm: cannot read"),
    ("motion", {}, {}, ": motion: parameters is missing"),
    ("motion.strike", ..., {}, ": motion has none of strike, swing, demonstration: name one"),
    ("motion.swing", {}, {}, ": motion has strike and swing of"),
    ("motion.strike.start", [0.6, -0.186], {}, ": start is [0.6, -0.186]: must be a list of 3 num"),
    (
        "motion.strike.start",
        [600, 0, 10],
        {},
        ": start[0] is 600: must be at most 10 m (lengths ar",
    ),
    ("motion.strike.pivot", [2.6, -0.15, 0.01], {}, "the middle of the parameters is no motion of"),
    (
        "motion.parameters",
        {},
        {},
        "parameters is {}: must be 1 to 8 names with their [lower, upper]",
    ),
    ("motion.parameters.speed", [1.6, 0.6], {}, ": speed is [1.6, 0.6]: must be [lower, upper] ["),
    (
        "motion.parameters.speed",
        [600, 1600],
        {},
        "is 600: must be at most 50 m/s (speeds are in m/s",
    ),
    ("motion.parameters.speed", 1.0, {}, ": speed is 1.0: must be a list of 2 numbers"),
    (
        "motion.parameters.speed",
        ...,
        {},
        ": motion: parameters: speed is missing: needed are speed,",
    ),
    (
        "motion.parameters.heading",
        [-20, 20],
        {},
        "is -20: must be at most 3.142 rad (angles are in",
    ),
    (
        "motion.parameters.headin",
        [0, 1],
        {},
        "unknown key 'headin': allowed are speed, [heading] (d",
    ),
    (
        "motion.parameters.release",
        [-50, 50],
        {},
        "release[0] is -50: must be at most 10 s (times ar",
    ),
    (
        "motion.parameters",
        {"speed": [0.6, 1.6], "release": [-0.1, 0.1]},
        {"motion": described.STRIKE | {"release": 0.0}},
        ": motion: release is 0.0: must be left out: it is one of the parameters",
    ),
    ("motion.ready", {"back": 0.1}, {}, ": motion: ready: height is missing"),
    (
        "observe.at",
        "end",
        {},
        ": observe: at is 'end': must be one of rest, closest, crossing, highe",
    ),
    (
        "observe.coordinates",
        ["y", "x"],
        {},
        "is ['y', 'x']: must be a list of some of x, y and z, in",
    ),
    ("observe.coordinates", [], {}, ": coordinates is []: must be a list of some of x, y and z"),
    (
        "observe.plane",
        {"z": 0},
        {},
        ": plane is {'z': 0}: must be left out: it is of crossing, not",
    ),
    ("observe", {"at": "crossing", "coordinates": ["x"]}, {}, ": plane is None: must be the coord"),
    (
        "observe",
        {"at": "crossing", "coordinates": ["x", "y"], "plane": {"y": 0.2}},
        {},
        ": coordinates is ['x', 'y']: must be without y: on the plane it is always 0.2 m",
    ),
    (
        "observe",
        {"at": "crossing", "coordinates": ["x", "y"], "plane": {"z": 0, "y": 0}},
        {},
        "must be the one coordinate that is constant, such as {z: 0.05} [m]",
    ),
    (
        "observe",
        {"at": "time", "coordinates": ["x", "y"]},
        {},
        ": time is None: must be the time af",
    ),
    (
        "observe",
        {"at": "time", "coordinates": ["x", "y"], "time": 7.0},
        {},
        ": observe: time is 7 s: must be at most max_duration",
    ),
    ("goal.z", {"lower": 0, "upper": 1}, {}, ": goal: unknown key 'z': allowed are x, y, [varies]"),
    ("goal.y", ..., {}, ": goal: y is missing: needed are x, y, [varies]"),
    ("goal.x", 0.6, {}, ": goal: x is 0.6: must be a mapping of lower, upper, [default]"),
    ("goal.x.upper", 0.4, {}, ": goal: x: upper is 0.4: must be above lower, 0.5 m"),
    ("goal.x.default", 0.9, {}, ": x: default is 0.9: must be inside the region, 0.5 to 0.7 m"),
    ("goal.x.upper", 700, {}, ": upper is 700: must be at most 10 m (lengths are in m, not in mm)"),
    ("goal.varies", "yes please", {}, ": varies is 'yes please': must be true or false"),
    ("cost", {"x": 1}, {}, ": cost: y is missing"),
    ("cost", {"x": 0, "y": 0}, {}, "must be weights of at least 0, one of them above 0"),
    ("object", "puck", {}, ": object is 'puck': must be a mapping of name, [camera]"),
    ("object.camera.radius", 30, {"object": RING}, "radius is 30: must be at most 1 m (lengths ar"),
    (
        "object.camera.hues",
        [[20, 0]],
        {"object": RING},
        ": camera: hues ((20.0, 0.0),) deg of ring",
    ),
    (
        "object.camera.shape",
        "disc",
        {"object": RING},
        ": height is None: must be the height [m] of",
    ),
    (
        "object.camera.plane",
        {},
        {"object": RING},
        ": plane is {}: must be coordinates by their nam",
    ),
    ("rest.speed", -1, {}, ": rest: speed is -1: must be a speed [m/s] below which"),
    (
        "rest.speed",
        0,
        {},
        ": rest: speed is 0: must be above 0, where the object is observed at re",
    ),
    ("rest.window", ..., {}, ": rest: window is None: must be the time [s] over which"),
    (
        "max_duration",
        6000,
        {},
        ": max_duration is 6000: must be at most 120 s (times are in s, not",
    ),
    ("max_duration", 0.05, {}, ": max_duration is 0.05: must be at least ten periods"),
    ("max_duration", "6 s", {}, ": max_duration is '6 s': must be a number [s]"),
    ("reset", {"tolerance": 0.01}, {}, ": reset: tolerance is 0.01: must be left out, or beside"),
    ("reset", {"place": [0.6, 0]}, {}, ": reset: place is [0.6, 0]: must be a mapping of [x], [y]"),
    ("scene", "no.xml", {}, ": scene is 'no.xml': there is no file"),
    ("physics", described.SCENE["physics"], {}, ": physics is {"),
    (
        "physics.mass.unit",
        "g",
        described.SCENE,
        ": unit is 'g': must be kg, in which the model has",
    ),
    ("physics.mass.range", [-1, 1], described.SCENE, "must be at least 0: mass cannot be negative"),
    (
        "physics.mass.shifted",
        [0.2, 0.3],
        described.SCENE,
        "must be wider than the range [0.1, 0.5]",
    ),
    ("physics.mass.sets", {"weight": "puck"}, described.SCENE, "unknown key 'weight': allowed are"),
    ("physics.mass.sets", {"tilt": "z"}, described.SCENE, ": tilt is 'z': must be x or y, the dir"),
    ("dataset", "none.parquet", {}, ": dataset is 'none.parquet': there is no file"),
]


@pytest.mark.parametrize(("key", "value", "more", "text"), BAD, ids=[f"{b[0]} {b[1]}" for b in BAD])
def test_what_is_wrong_gives_one_line_with_file_and_key(tmp_path, key, value, more, text):
    path = described.write(tmp_path, described.changed(key, value, more))
    with pytest.raises(DescriptionError) as caught:
        load_task(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert text in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("- 1\n- 2\n", "is [1, 2]: must be a mapping of task, arm"),
        ("task: a\ntask: b\n", "not valid YAML at line 2: key 'task' is given twice"),
        ("task: [a\n", "not valid YAML"),
        ("", "is None: must be a mapping"),
    ],
)
def test_a_file_that_is_no_description_gives_one_line(tmp_path, text, part):
    path = tmp_path / "throw.yaml"
    path.write_text(text)
    with pytest.raises(DescriptionError, match=r"throw\.yaml") as caught:
        load_task(path)
    assert part in str(caught.value)


def test_facts_are_those_of_the_file(tmp_path):
    more = {
        "summary": "throws",
        "cost": {"x": 2, "y": 1},
        "object": {"name": "puck", "camera": described.CAMERA},
        "reset": {"text": "put it back.", "place": {"x": 0.6, "y": -0.15}, "tolerance": 0.02},
    }
    task = load_task(described.write(tmp_path, described.THROW | more))
    assert (task.name, task.summary, task.arm, task.scene) == ("throw", "throws", "ur5e", None)
    assert task.space.names == ("speed", "heading")
    assert task.space.units == ("m/s", "rad")
    np.testing.assert_allclose(task.default_goal, [0.6, 0.415])
    assert task.error_names == ("x [m]", "y [m]")
    assert not task.goal_varies
    assert task.cost(np.array([0.3, 0.8])) == pytest.approx(1.0)
    assert task.how_to_reset == "put it back"
    assert task.misplaced(np.array([0.61, -0.15, 0.4])) == ""
    assert "30 mm from its place, at most 20 mm" in task.misplaced(np.array([0.63, -0.15, 0.0]))
    assert task.camera_target.target.name == "puck"
    np.testing.assert_allclose(task.goal_point(task.default_goal), [0.6, 0.415, 0.01])


@pytest.mark.parametrize(
    ("key", "value", "more", "same"),
    [
        ("summary", "other words", {}, True),
        ("reset", {"text": "put it back"}, {}, True),
        ("object.camera", described.CAMERA, {}, True),
        ("motion.parameters.speed", [0.6, 1.5], {}, False),
        ("motion.strike.run_up", 0.21, {}, False),
        ("observe.at", "highest", {}, False),
        ("goal.x.default", 0.61, {}, False),
        ("cost", {"x": 1, "y": 2}, {}, False),
        ("rest.speed", 0.02, {}, False),
        ("scene", "slide.xml", {}, False),
        ("reset", {"place": {"x": 0.6}}, {}, False),
    ],
)
def test_the_definition_hash_covers_the_meaning_and_not_the_words(tmp_path, key, value, more, same):
    before = load_task(described.write(tmp_path)).definition_hash()
    path = described.write(tmp_path, described.changed(key, value, more))
    path.write_text("# a comment\n" + path.read_text())
    assert (load_task(path).definition_hash() == before) is same


def test_the_definition_hash_covers_the_content_of_a_scene(tmp_path):
    scene = tmp_path / "own.xml"
    scene.write_text("<mujoco/>")
    path = described.write(tmp_path, described.THROW | {"scene": "own.xml"})
    before = load_task(path).definition_hash()
    scene.write_text("<mujoco model='b'/>")
    assert load_task(path).definition_hash() != before


def test_an_arm_may_be_a_file_beside_the_task(tmp_path):
    arm = long_arm(tmp_path)
    content = described.changed("motion.strike.start", [0.7, -0.186, 0.2])
    content["motion"]["strike"]["pivot"] = [0.7, -0.15, 0.2]
    path = described.write(tmp_path, content | {"arm": arm.name})
    with outsider.forgotten():
        task = load_task(path)
        assert task.arm not in ("", "ur5e")
        again = described.write(tmp_path, content | {"arm": arm.name, "task": "b"}, "b.yaml")
        assert load_task(again).arm == task.arm
