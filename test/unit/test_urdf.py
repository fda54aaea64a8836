"""URDFs as other people's tools write them: what is read as it stands, and what is refused."""

import codecs
import functools

import numpy as np
import pytest
import yaml

from icpi_ros.core.errors import DescriptionError, Kind
from icpi_ros.core.resources import share_path
from icpi_ros.robots.description.reading import load_arm
from icpi_ros.robots.description.urdf import read_urdf

FR3 = yaml.safe_load(share_path("config", "arms", "fr3.yaml").read_text())
NUMBERS = ("origins", "axes", "flange", "lower", "upper", "velocity")
LIMIT = '<limit lower="-2.5" upper="2.5" velocity="2" effort="87"/>'


def joint(number, kind="revolute", axis="0 0 1", more=LIMIT):
    return (
        f'<joint name="j{number}" type="{kind}"><parent link="l{number - 1}"/>'
        f'<child link="l{number}"/><origin xyz="0 0.1 0.3" rpy="0.1 0 0"/><axis xyz="{axis}"/>'
        f"{more}</joint>\n"
    )


def robot(changes=None, around="", **attributes):
    """A chain l0 to l7 and a fixed tip; ``changes`` has the text of some joints by number."""
    texts = {n: joint(n) for n in range(1, 8)} | (changes or {})
    tip = '<joint name="t" type="fixed"><parent link="l7"/><child link="tip"/></joint>'
    names = "".join(f' {key.replace("_", ":")}="{value}"' for key, value in attributes.items())
    return f'<robot name="r"{names}>\n{around}{"".join(texts.values())}{tip}</robot>'


@pytest.fixture
def chain(tmp_path):
    def read(content):
        path = tmp_path / "arm.urdf"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_urdf(path, "l0", "tip")

    return read


@functools.cache
def expected(folder):
    (folder / "plain.urdf").write_text(robot())
    return read_urdf(folder / "plain.urdf", "l0", "tip")


DECLARED = '<?xml version="1.0" encoding="{}"?>\n'
TAGS = """
<material name="grey"><color rgba="0.5 0.5 0.5 1"/></material><material name="grey"/>
<link name="l1"><visual><material name="grey"/></visual><visual><material name="b"/></visual></link>
<transmission name="t1"><type>a</type><joint name="j1"><hardwareInterface/></joint></transmission>
<ros2_control name="hw" type="system"><joint name="j1" type="revolute"/></ros2_control>
<gazebo><joint name="x" type="revolute"><parent>a</parent><child link="l3"/></joint></gazebo>
<joint name="finger" type="prismatic"><parent link="tip"/><child link="finger"/>
<mimic joint="j1"/></joint>
"""
SAME = {
    "xacro in a comment": robot(around="<!-- made by xacro: do not edit, <xacro:macro> -->"),
    "xacro namespace, expanded": robot(xmlns_xacro="http://www.ros.org/wiki/xacro"),
    "comments before the root": f"<!-- a --><!-- b -->{robot()}<!-- c -->",
    "declaration after a blank line": "\n  " + DECLARED.format("utf-8") + robot(),
    "axis rounded to 0.99999": robot({3: joint(3, axis="0 0 0.99999")}),
    "axis of length 2": robot({3: joint(3, axis="0 0 2")}),
    "axis of six digits": robot({3: joint(3, axis="0.0000001 0 1.000001")}),
    "byte-order mark": codecs.BOM_UTF8 + robot().encode(),
    "mark and declaration": codecs.BOM_UTF8 + (DECLARED.format("utf-8") + robot()).encode(),
    "utf-16": robot().encode("utf-16"),
    "utf-16 declared": (DECLARED.format("utf-16") + robot()).encode("utf-16"),
    "latin-1": (DECLARED.format("ISO-8859-1") + robot(around="<!-- 90° -->")).encode("latin-1"),
    "windows-1252": (DECLARED.format("windows-1252") + robot(around="<!-- ‰ -->")).encode("cp1252"),
    "gb2312": (DECLARED.format("GB2312") + robot(around="<!-- 机器人 -->")).encode("gb2312"),
    "crlf": robot().replace("\n", "\r\n"),
    "default namespace": robot(xmlns="http://www.ros.org"),
    "other namespaces": robot(
        around='<sensor:joint type="revolute"/>', xmlns_sensor="http://playerstage/#sensor"
    ),
    "tags of others": robot(around=TAGS),
    "no effort": robot({2: joint(2, more=LIMIT.replace(' effort="87"', ""))}),
    "safety and dynamics": robot(
        {2: joint(2, more=LIMIT + '<dynamics friction="0"/><safety_controller k_velocity="1"/>')}
    ),
    "attributes that mean nothing": robot(
        {3: joint(3).replace("<axis ", '<axis rpy="0 0 0" ').replace("<joint ", '<joint id="3" ')}
    ),
    "a fixed joint's axis": robot().replace('link="tip"/>', 'link="tip"/><axis xyz="0 0 0"/>'),
    "numbers of all forms": robot(
        {3: joint(3).replace("0 0.1 0.3", "-0. +1.0e-1 .3").replace("0.1 0 0", " 0.1\t0\n0 ")}
    ),
}


@pytest.mark.parametrize("content", SAME.values(), ids=SAME.keys())
def test_a_chain_is_the_same_however_it_is_written(tmp_path, chain, content):
    found, plain = chain(content), expected(tmp_path)
    assert found.joints == plain.joints == tuple(f"j{n}" for n in range(1, 8))
    for name in NUMBERS:
        np.testing.assert_allclose(getattr(found, name), getattr(plain, name), atol=2e-7)
    np.testing.assert_allclose(np.linalg.norm(found.axes, axis=1), 1.0, atol=1e-15)


@pytest.mark.parametrize(
    "limit",
    [
        LIMIT,
        '<limit velocity="2" effort="1"/>',
        '<limit lower="0" upper="0" velocity="2"/>',
        '<limit lower="-1e16" upper="1e16" velocity="2"/>',
        '<limit lower="-inf" upper="inf" velocity="2"/>',
        '<limit lower="" upper="none" velocity="2"/>',
        '<limit lower="3.1" upper="-3.1" velocity="2"/>',
    ],
)
def test_a_continuous_joint_has_no_ends_whatever_its_limits_say(chain, limit):
    found = chain(robot({4: joint(4, "continuous", more=limit)}))
    assert (found.lower[3], found.upper[3], found.velocity[3]) == (-2 * np.pi, 2 * np.pi, 2.0)


MIMIC = joint(3, more=LIMIT + '<mimic joint="j2" multiplier="-1"/>')
MACRO = '<xacro:arm name="a"/>'
REFUSED = {
    "macros": (robot(around=MACRO, xmlns_xacro="http://wiki.ros.org/xacro"), "not expanded"),
    "macros of another prefix": (
        robot(around="<x:arm/>", xmlns_x="http://www.ros.org/wiki/xacro"),
        "not expanded",
    ),
    "macros without a namespace": (robot(around=MACRO), "unbound prefix.*run it through xacro"),
    "a property": (robot({2: joint(2, axis="${x} 0 1")}), r"'j2': xyz\[0\] is '\$\{x\}'"),
    "no direction": (robot({2: joint(2, axis="0 0 1e-9")}), "'j2': xyz .* a direction"),
    "an axis that is none": (robot({2: joint(2, axis="0 nan 1")}), r"xyz\[1\] is 'nan'"),
    "two numbers": (robot({2: joint(2, axis="0 1")}), "a list of 3 numbers"),
    "an empty origin": (
        robot({2: joint(2).replace('xyz="0 0.1 0.3"', 'xyz=""')}),
        "'j2': xyz is .*: must be a list of 3 numbers",
    ),
    "grouped digits": (robot({2: joint(2, axis="0 0 1_0")}), r"xyz\[2\] is '1_0'"),
    "a decimal comma": (robot({2: joint(2, axis="0 0 1,0")}), r"xyz\[2\] is '1,0'"),
    "doctype": ('<!DOCTYPE robot [<!ENTITY a "b">]>' + robot(), "no DOCTYPE"),
    "doctype in utf-16": (("<!DOCTYPE r>" + robot()).encode("utf-16"), "no DOCTYPE"),
    "sdf": ('<sdf version="1.9"><model/></sdf>', "its root is <sdf>"),
    "a joint that follows": (robot({3: MIMIC}), "'j3' follows 'j2'"),
    "two parents": (robot(around=joint(4).replace("j4", "again")), "'l4' is the child of two"),
    "no name": (robot({3: joint(3).replace('name="j3"', "")}), "carries link 'l3' has no name"),
    "a loop": (robot({1: joint(1).replace('"l0"', '"l3"')}), "no chain from link 'l0'"),
    "two limits": (robot({3: joint(3, more=LIMIT + LIMIT)}), "'j3' has <limit> more than once"),
    "a rail": (robot({1: joint(1, "prismatic")}), "'j1' is 'prismatic'"),
    "no revolute limits": (robot({3: joint(3, more="")}), "'j3': limit lower is missing"),
    "unknown encoding": (DECLARED.format("klingon") + robot(), "not valid XML"),
    "wrong encoding": (robot(around="<!-- 90° -->").encode("latin-1"), "not valid XML"),
    "cut off": (robot()[:-20], "not valid XML"),
    "nothing": ("", "not valid XML"),
}


@pytest.mark.parametrize(("content", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_chain_is_refused_in_one_line(chain, content, reason):
    with pytest.raises(DescriptionError, match=reason) as caught:
        chain(content)
    assert len(str(caught.value).splitlines()) == 1


@pytest.fixture
def arm(tmp_path):
    def load(changes, **limits):
        (tmp_path / "arm.urdf").write_text(robot(changes))
        content = {key: value for key, value in FR3.items() if key not in ("joints", "flange")}
        of_joints = ("lower", "upper", "velocity")
        own = {key: value for key, value in FR3["limits"].items() if key not in of_joints}
        content |= {"limits": own | limits, "name": "a", "home": [0.1] * 7}
        content["urdf"] = {"file": "arm.urdf", "base": "l0", "tip": "tip"}
        (tmp_path / "arm.yaml").write_text(yaml.safe_dump(content))
        return load_arm(tmp_path / "arm.yaml")

    return load


PLACEHOLDER = {
    "velocity": {3: joint(3, more=LIMIT.replace('velocity="2"', 'velocity="100"'))},
    "velocity 0": {3: joint(3, more=LIMIT.replace('velocity="2"', 'velocity="0"'))},
    "velocity missing": {3: joint(3, more=LIMIT.replace('velocity="2"', ""))},
    "velocity of a joint without limits": {3: joint(3, "continuous", more="")},
    "lower": {3: joint(3, more=LIMIT.replace('"-2.5"', '"-1e16"'))},
    "upper": {3: joint(3, more=LIMIT.replace('"2.5"', '"360"'))},
}
GIVEN = {"velocity": [1.5] * 7, "lower": [-2.0] * 7, "upper": [2.0] * 7}


@pytest.mark.parametrize("case", PLACEHOLDER)
def test_a_placeholder_in_a_urdf_is_tightened_by_the_description(arm, case):
    key = case.partition(" ")[0]
    with pytest.raises(DescriptionError, match=rf"'j3': limit {key} .* give {key} of all") as told:
        arm(PLACEHOLDER[case])
    assert told.value.refusal.kind is Kind.OUT_OF_BOUNDS
    assert key != "velocity" or "degrees" not in str(told.value)
    limits = arm(PLACEHOLDER[case], **{key: GIVEN[key]}).limits
    assert getattr(limits, key).tolist() == GIVEN[key]


@pytest.mark.parametrize(("key", "value"), [("velocity", 3.0), ("lower", -2.6), ("upper", 2.6)])
def test_a_description_cannot_loosen_a_urdf(arm, key, value):
    with pytest.raises(DescriptionError, match=rf"{key}\[1\] is .*: looser than .*'j2'") as told:
        arm({}, **{key: [GIVEN[key][0], value, *GIVEN[key][2:]]})
    assert told.value.refusal.kind is Kind.LOOSER
