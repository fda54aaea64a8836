"""What is made of a controller's parameters and of the list of controllers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icpi_ros.ros.arm_ports.controller_facts import (
    ControllerFinding,
    ListedController,
    UnknownValue,
    asked_for,
    judge_activity,
    judge_parameters,
    rejection_hint,
)

JOINTS = ("a", "b")
NAME = "joint_trajectory_controller"
RECOMMENDED = {
    "joints": ["b", "a"],
    "command_interfaces": ["position"],
    "state_interfaces": ["position", "velocity"],
    "interpolate_from_desired_state": True,
    "interpolation_method": "splines",
    "allow_nonzero_velocity_at_trajectory_end": False,
    "speed_scaling.initial_scaling_factor": 1.0,
    "update_rate": 500,
    "constraints.goal_time": 0.5,
    "constraints.a.trajectory": 0.1,
    "constraints.b.trajectory": 0.1,
}


def judge(**changes):
    told = RECOMMENDED | {key.replace("__", "."): value for key, value in changes.items()}
    return judge_parameters(told, NAME, JOINTS)


def test_the_recommended_parameters_need_no_word():
    assert judge() == []
    assert judge_parameters({}, NAME, JOINTS) == []  # what is not told is not judged
    assert judge_parameters({"open_loop_control": True}, NAME, JOINTS) == []
    assert "constraints.b.goal" in asked_for(JOINTS)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"joints": ["ur_a", "ur_b"]}, ["[ur_a, ur_b]", "lacks a, b", "joint_prefix"]),
        ({"joints": ["a"]}, ["lacks b", "has no others"]),
        ({"interpolation_method": "none"}, ["'none'", "set splines"]),
        ({"speed_scaling__initial_scaling_factor": 0.5}, ["is 0.5", "set 1.0"]),
        (
            {"state_interfaces": ["position"], "interpolate_from_desired_state": False},
            ["state_interfaces is [position]", "add velocity", "to true"],
        ),
    ],
)
def test_a_wrong_value_is_named_with_its_remedy(changes, words):
    (found,) = judge(**changes)
    assert found.wrong
    assert found.text.startswith(f"{NAME}: ")
    assert all(word in found.text for word in words), found.text
    assert "\n" not in found.text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"interpolate_from_desired_state": False}, "joined from the lagging measurement"),
        ({"constraints__goal_time": 0.0}, "goal_time is 0"),
        ({"constraints__a__trajectory": 0.0}, "is 0 for a:"),
        ({"command_interfaces": ["velocity"]}, "[velocity]"),
        ({"update_rate": 50}, "is 50 Hz"),
        ({"allow_nonzero_velocity_at_trajectory_end": True}, "false is recommended"),
    ],
)
def test_a_preference_is_no_reason_to_refuse(changes, words):
    (found,) = judge(**changes)
    assert not found.wrong
    assert words in found.text


WORDS = {
    **dict.fromkeys(("joints", "command_interfaces", "state_interfaces"), "a list of texts"),
    "interpolate_from_desired_state": "true or false",
    "open_loop_control": "true or false",
    "allow_nonzero_velocity_at_trajectory_end": "true or false",
    "interpolation_method": "a text",
    "update_rate": "an integer",
}
ANY_OF_ANOTHER_TYPE = {
    "a list of texts": [3, 0.5, True, "a", [1], [0.5], [True], [b"x"]],
    "true or false": [0, 1.0, "true", [True], ["true"], []],
    "a text": [0, 1.0, True, ["splines"], [], [b"x"]],
    "an integer": [500.0, True, "500", [500], []],
    "a number": [True, "0.1", [0.1], [1], []],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (name, value)
        for name in asked_for(JOINTS)
        for value in (*ANY_OF_ANOTHER_TYPE[WORDS.get(name, "a number")], UnknownValue(77))
    ],
)
def test_a_value_of_another_type_is_wrong(name, value):
    (found,) = judge_parameters(RECOMMENDED | {name: value}, NAME, JOINTS)
    assert found.wrong
    assert found.text.startswith(f"{NAME}: {name} is {value!r}; allowed is ")
    assert WORDS.get(name, "a number") in found.text


INTEGERS = st.integers(-(2**63), 2**63 - 1)
BYTES = st.binary(min_size=1, max_size=1)
ANY_VALUE = st.one_of(
    *(
        one | st.lists(one, max_size=4)
        for one in (st.booleans(), INTEGERS, st.floats(), st.text() | st.sampled_from(JOINTS))
    ),
    st.lists(BYTES, max_size=4),
    st.integers(0, 255).map(UnknownValue),
)


@given(st.dictionaries(st.sampled_from([*asked_for(JOINTS), "another"]), ANY_VALUE))
def test_whatever_a_node_tells_is_judged_on_printable_lines(told):
    for found in judge_parameters(told, NAME, JOINTS):
        assert found.text.startswith(f"{NAME}: ")
        assert found.text.isprintable()


def test_a_long_value_of_another_type_is_shown_in_part():
    (found,) = judge(update_rate="5" * 10**6)
    assert len(found.text) < 250


@given(st.text(), st.text(), st.text())
def test_what_the_manager_lists_is_shown_printable(name, state, kind):
    listed = [ListedController(name, state, kind), ListedController(name, "active", f"{kind}x")]
    for found in judge_activity([*listed, SCALED], NAME):
        assert found.text.isprintable()


def test_a_state_without_velocity_will_do_where_joins_do_not_need_it():
    assert judge(state_interfaces=["position"]) == []


def test_what_universal_robots_ship_is_not_refused():
    shipped = {
        "joints": ["a", "b"],
        "command_interfaces": ["position"],
        "state_interfaces": ["position", "velocity"],
        "interpolate_from_desired_state": False,
        "open_loop_control": False,
        "interpolation_method": "splines",
        "update_rate": 500,
        "constraints.goal_time": 0.0,
        "constraints.stopped_velocity_tolerance": 0.2,
        "constraints.a.trajectory": 0.2,
        "constraints.b.trajectory": 0.2,
    }
    findings = judge_parameters(shipped, NAME, JOINTS)
    assert len(findings) == 2
    assert not any(found.wrong for found in findings)


SCALED = ListedController(
    "scaled_joint_trajectory_controller", "active", "ur_controllers/ScaledJointTrajectoryController"
)
BROADCASTER = ListedController("joint_state_broadcaster", "active", "x/JointStateBroadcaster")


def plain(state):
    return ListedController(NAME, state, "joint_trajectory_controller/JointTrajectoryController")


def test_an_active_controller_needs_no_word():
    assert judge_activity([plain("active"), BROADCASTER], NAME) == []


def test_an_inactive_controller_is_named_with_the_one_that_is_active():
    (found,) = judge_activity([BROADCASTER, plain("inactive"), SCALED], NAME)
    assert found.wrong
    assert found.text.startswith(f"controller {NAME} is inactive and takes no motion; ")
    assert "active is scaled_joint_trajectory_controller: set controller_name to it" in found.text
    assert f"--deactivate scaled_joint_trajectory_controller --activate {NAME}" in found.text


@pytest.mark.parametrize(
    ("listed", "state"),
    [([plain("inactive")], "inactive"), ([BROADCASTER], "not loaded"), ([], "not loaded")],
)
def test_where_none_is_active_the_usual_ones_are_named(listed, state):
    (found,) = judge_activity(listed, NAME)
    assert isinstance(found, ControllerFinding)
    assert f"is {state} " in found.text
    assert "on a UR it is scaled_joint_trajectory_controller or the plain" in found.text


def test_a_rejection_without_a_reason_names_the_controller_and_the_usual_ones():
    assert NAME in rejection_hint(NAME)
    assert "scaled_joint_trajectory_controller" in rejection_hint(NAME)
