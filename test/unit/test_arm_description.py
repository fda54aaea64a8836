"""The YAML and URDF of an arm: what is read, and how everything else is refused."""

import copy
import hashlib
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from icpi_ros.core.errors import DescriptionError, IcpiError
from icpi_ros.core.resources import share_path
from icpi_ros.robots import ARMS
from icpi_ros.robots.arm_text import limits_digest, limits_text, origin_text
from icpi_ros.robots.base import prefixed
from icpi_ros.robots.described_arm import DescribedArm
from icpi_ros.robots.description.reading import load_arm

SHIPPED = {name: share_path("config", "arms", f"{name}.yaml") for name in ("fr3", "ur5e")}
FR3 = yaml.safe_load(SHIPPED["fr3"].read_text()) | {"name": "fr3_lab"}
UR5E = yaml.safe_load(SHIPPED["ur5e"].read_text()) | {"name": "ur5e_lab"}
MANY = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LIMITS = {key: FR3["limits"][key] for key in ("lower", "upper", "velocity")}


@pytest.fixture
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("arms")


def load(folder, content):
    file = folder / "arm.yaml"
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return load_arm(file)


def changed(path, value, base=FR3):
    """A copy of a description with the value at ``path`` replaced, or removed for ``...``."""
    content = copy.deepcopy(base)
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return content


BAD = {
    "key missing": (("home",), ..., "home is missing"),
    "key unknown": (("hom",), 1, "unknown key 'hom'"),
    "inner key unknown": (("limits", "jerk"), 1, "limits: unknown key 'jerk'"),
    "no mapping": (("limits",), 3, "limits is 3: must be a mapping of"),
    "name": (("name",), "FR 3", "name is 'FR 3': must be small letters"),
    "source": (("source",), [], r"source is \[\]: must be a list"),
    "too few joints": (("joints",), FR3["joints"][:5], "must be a list of 6 to 12 items"),
    "joint twice": (("joints", 1, "name"), "fr3_joint1", "joints have the same name"),
    "axis": (("joints", 0, "axis"), [0, 0.6, 0.6], "axis is .*: must be a vector of length 1"),
    "wrong length": (("home",), [0.0] * 6, "home is .*: must be a list of 7 numbers"),
    "nan": (("home", 2), math.nan, r"home\[2\] is nan: must be a finite number"),
    "infinite": (("limits", "velocity", 0), math.inf, "must be a finite number"),
    "degrees": (("home", 1), -45.0, r"home\[1\] is -45.0: .* not in degrees"),
    "degrees per second": (("limits", "velocity", 0), 150, "not in degrees per second"),
    "millimetres": (("tool", "xyz", 2), 150, "not in mm"),
    "grams": (("tool", "mass"), 3000, "not in g"),
    "yes": (("tool", "mass"), True, "mass is True: must be a number"),
    "text": (("tool", "mass"), "1e-3", "mass is '1e-3': must be a number .* 1.0e-3"),
    "no speed": (("limits", "velocity", 3), 0.0, r"velocity\[3\] is 0.0: must be above 0"),
    "reversed": (("limits", "lower", 0), 2.9, "lower joint limits must be below"),
    "box": (("limits", "workspace", "lower"), [1.0, 1.0, 1.0], "box of three positive sides"),
    "home outside": (("home", 3), 0.5, r"home\[3\] is 0.5: must be inside the joint's limits"),
    "link": (("body", 0, "link"), 8, "link is 8: must be a number from 0"),
    "radius": (("body", 0, "radius"), 0, "radius is 0: must be above 0"),
    "tool bare": (("body",), FR3["body"][:3], "no piece on the last link"),
    "both": (("urdf",), {"file": "a", "base": "b", "tip": "c"}, "either joints or urdf"),
}


@pytest.mark.parametrize(("path", "value", "reason"), BAD.values(), ids=BAD.keys())
def test_what_is_wrong_is_named_in_one_line(folder, path, value, reason):
    with pytest.raises(DescriptionError, match=reason) as caught:
        load(folder, changed(path, value))
    assert "arm.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [1", "not valid YAML at line"),
        ("name: a\nname: b\n", "key 'name' is given twice"),
        ("!!python/object/apply:os.getcwd []", "not valid YAML"),
        ("- 1", "must be a mapping"),
        ("", "must be a mapping"),
        ("? [1]\n: 2", "unknown key|not valid YAML"),
        ("x" * 1_100_000, "more than 1000000 bytes"),
    ],
)
def test_files_that_are_no_description(folder, text, reason):
    with pytest.raises(DescriptionError, match=reason):
        load(folder, text)


def test_files_that_cannot_be_read(folder):
    (folder / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    for name, reason in (("no.yaml", "No such file"), (".", "directory"), ("bytes.yaml", "UTF-8")):
        with pytest.raises(DescriptionError, match=reason):
            load_arm(folder / name)


def places(value, path=()):
    """All paths in a description."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*path, key)
        if isinstance(inner, (dict, list)):
            yield from places(inner, (*path, key))


junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.dates(),
    st.lists(st.floats(), max_size=8),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.just(...),
)


def outcome(folder, content):
    """The arm, or the refusal; any other error is the test's failure."""
    try:
        return load(folder, content)
    except IcpiError as refusal:
        return refusal


@pytest.mark.slow
@given(st.sampled_from([FR3, UR5E]), st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_corrupted_raises_the_projects_errors_only(folder, base, data):
    content = changed(data.draw(st.sampled_from(list(places(base)))), data.draw(junk), base)
    found = outcome(folder, content)
    assert isinstance(found, DescribedArm) or len(str(found).splitlines()) == 1
    if isinstance(found, DescribedArm):
        assert np.isfinite(found.tool_pose(found.home)[0]).all()


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=80), st.integers(0, 3000))
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_text_put_anywhere_raises_the_projects_errors_only(folder, text, place):
    whole = SHIPPED["fr3"].read_text().replace("name: fr3\n", "name: fr3_lab\n")
    found = outcome(folder, whole[:place] + text + whole[place:])
    assert isinstance(found, DescribedArm) or len(str(found).splitlines()) == 1


@pytest.mark.parametrize("name", ["ur5e", "ur5e_stick", "fr3", "ur5e_described"])
def test_no_other_file_has_the_name_of_an_arm_of_the_package(folder, name):
    fast = changed(("limits", "velocity"), [50.0] * 6, UR5E) | {"name": name}
    allowed = "must be another .* fr3, ur5e, ur5e_described, ur5e_stick, for example"
    with pytest.raises(DescriptionError, match=f"name is '{name}': {allowed}") as caught:
        load(folder, fast)
    assert str(caught.value).startswith(str(folder / "arm.yaml"))
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_of_the_package_keeps_its_name_wherever_it_lies(folder):
    for stem, name in (("fr3", "fr3"), ("ur5e", "ur5e_described")):
        assert load_arm(SHIPPED[stem]).name == name
        assert load(folder, SHIPPED[stem].read_text()).name == name
    with pytest.raises(DescriptionError, match="name is 'fr3'"):
        load(folder, SHIPPED["fr3"].read_text() + "# one byte more")


def test_an_arm_says_from_which_files_it_was_read(folder):
    content = {key: value for key, value in FR3.items() if key not in ("joints", "flange")}
    content["limits"] = {k: v for k, v in FR3["limits"].items() if k not in LIMITS}
    content["urdf"] = {"file": "arm.urdf", "base": "root", "tip": "tip"}
    (folder / "arm.urdf").write_text(urdf_of(FR3))
    arm = prefixed(load(folder, content), "left_")
    told = [folder / "arm.yaml", folder / "arm.urdf"]
    digests = [hashlib.sha256(file.read_bytes()).hexdigest()[:12] for file in told]
    assert origin_text(arm) == ", ".join(
        f"{file} (sha256 {digest})" for file, digest in zip(told, digests, strict=True)
    )


def test_an_arm_in_python_says_its_module_and_the_hash_of_its_limits():
    told = origin_text(ARMS.get("ur5e"))
    assert re.fullmatch(r"module icpi_ros.robots.ur5e \(sha256 of its limits [0-9a-f]{12}\)", told)
    limits = ARMS.get("ur5e").limits
    assert limits_digest(limits) in told
    faster = replace(limits, velocity=np.nextafter(limits.velocity, 9.0))
    assert limits_digest(faster) not in told
    assert limits_text(limits) == (
        "velocity 3.142 rad/s, acceleration 40 rad/s^2, tool speed 4 m/s, tool energy 2.4 J"
    )


def test_optional_keys_have_defaults(folder):
    arm = load(folder, changed(("servos",), ..., UR5E))
    assert arm.strike_deceleration == math.inf
    assert arm.description.servos.kp.shape == (6,)


def test_a_mount_moves_the_whole_arm(folder):
    plain = load(folder, changed(("mount",), {"xyz": [0.0] * 3, "rpy": [0.0] * 3}))
    moved = load(folder, changed(("mount",), {"xyz": [0.1, 0.2, 0.0], "rpy": [0.0, 0.0, 1.0]}))
    turn = np.array([[np.cos(1), -np.sin(1), 0], [np.sin(1), np.cos(1), 0], [0, 0, 1]])
    expected = turn @ plain.tool_pose(plain.home)[0] + [0.1, 0.2, 0.0]
    np.testing.assert_allclose(moved.tool_pose(moved.home)[0], expected, atol=1e-12)
    base = turn @ plain.collision_geometry[0].start + [0.1, 0.2, 0.0]
    np.testing.assert_allclose(moved.collision_geometry[0].start, base, atol=1e-12)


def urdf_of(description, axis="0 0 1", roll=0.0):
    """A URDF of the FR3's chain; ``roll`` turns the last joint's frame about x."""
    rows, parent = [], "root"
    for i, joint in enumerate(description["joints"]):
        limits = {key: description["limits"][key][i] for key in LIMITS}
        rpy = [joint["rpy"][0] + (roll if i == 6 else 0.0), *joint["rpy"][1:]]
        rows.append(
            f'<joint name="{joint["name"]}" type="revolute"><parent link="{parent}"/>'
            f'<child link="l{i}"/><origin xyz="{" ".join(map(str, joint["xyz"]))}" '
            f'rpy="{" ".join(map(str, rpy))}"/><axis xyz="{axis if i == 6 else "0 0 1"}"/>'
            f'<limit lower="{limits["lower"]}" upper="{limits["upper"]}" '
            f'velocity="{limits["velocity"]}" effort="87"/></joint>'
        )
        parent = f"l{i}"
    rows.append(
        f'<joint name="f" type="fixed"><parent link="{parent}"/><child link="tip"/>'
        f'<origin xyz="0 {0.107 * math.sin(roll)} {0.107 * math.cos(roll)}" rpy="{-roll} 0 0"/>'
        "</joint>"
    )
    return f'<robot name="r">{"".join(rows)}</robot>'


def with_urdf(folder, urdf, tip="tip"):
    (folder / "arm.urdf").write_text(urdf)
    content = {key: value for key, value in FR3.items() if key not in ("joints", "flange")}
    content["limits"] = {k: v for k, v in FR3["limits"].items() if k not in LIMITS}
    content["urdf"] = {"file": "arm.urdf", "base": "root", "tip": tip}
    return load(folder, content)


def test_a_urdf_gives_chain_and_limits(folder):
    ours, plain = with_urdf(folder, urdf_of(FR3)), load(folder, FR3)
    assert ours.joints == plain.joints
    np.testing.assert_array_equal(ours.limits.lower, plain.limits.lower)
    np.testing.assert_array_equal(ours.limits.velocity, plain.limits.velocity)
    q = plain.home + np.linspace(-0.3, 0.3, 7)
    np.testing.assert_allclose(ours.links(q), plain.links(q), atol=1e-12)
    np.testing.assert_allclose(ours.tool_pose(q)[0], plain.tool_pose(q)[0], atol=1e-12)


def test_a_joint_may_turn_about_any_axis_of_its_frame(folder):
    """The last joint's frame is rolled by 90 deg: its axis is y there, and z in our links."""
    roll = math.pi / 2
    ours, plain = with_urdf(folder, urdf_of(FR3, axis="0 1 0", roll=roll)), load(folder, FR3)
    q = plain.home + np.linspace(-0.3, 0.3, 7)
    for found, expected in zip(ours.tool_pose(q), plain.tool_pose(q), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-12)
    axis, origin = plain.links(q)[7, :3, 2], plain.links(q)[7, :3, 3]
    np.testing.assert_allclose(ours.links(q)[7, :3, 2], axis, atol=1e-12)
    np.testing.assert_allclose(ours.links(q)[7, :3, 3], origin, atol=1e-12)
    hand, content = (next(p for p in ours.collision_geometry if p.name == "hand"), FR3["body"][8])
    rolled = plain.links(q)[7, :3, :3] @ [[1, 0, 0], [0, 0, -1], [0, 1, 0]]
    wanted = rolled @ np.array(content["end"]) + origin
    np.testing.assert_allclose((ours.links(q)[7] @ [*hand.end, 1.0])[:3], wanted, atol=1e-12)


@pytest.mark.parametrize(
    ("urdf", "tip", "reason"),
    [
        ("<robot", "tip", "not valid XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><robot/>', "tip", "no DOCTYPE"),
        ('<robot xmlns:xacro="x"><xacro:a/></robot>', "tip", "run it through xacro"),
        (urdf_of(FR3), "hand", "no chain from link 'root' to 'hand'"),
        (urdf_of(FR3).replace("revolute", "prismatic", 1), "tip", "is 'prismatic'"),
        (urdf_of(FR3).replace('velocity="', 'speed="', 1), "tip", "limit velocity is missing"),
        (urdf_of(FR3).replace('xyz="0.0 ', 'xyz="zero ', 1), "tip", r"xyz\[0\] is 'zero'"),
        (urdf_of(FR3).replace('axis xyz="0 0 1"', 'axis xyz="0 0 0"', 1), "tip", "a direction"),
    ],
)
def test_a_bad_urdf_says_what_is_wrong(folder, urdf, tip, reason):
    with pytest.raises(DescriptionError, match=reason) as caught:
        with_urdf(folder, urdf, tip)
    assert len(str(caught.value).splitlines()) == 1
