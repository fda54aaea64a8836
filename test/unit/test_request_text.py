"""What a person reads before a motion is approved."""

from types import SimpleNamespace

import numpy as np

from icpi_ros.report.operator_request import request_text

PROPOSAL = SimpleNamespace(
    run_id="r",
    requested="llm",
    provenance="embedded",
    fallback_reason="llm: no reply",
    predicted_cost=0.0123,
    predicted_std=0.002,
    projected=False,
    proposed_theta=[1.9, -0.1],
    moved_reason="",
)


def motion(label, **more):
    fields = {
        "label": label,
        "duration": 3.14,
        "fastest_joint": "wrist_1_joint",
        "joint_speed": 0.24,
        "joint_speed_share": 0.08,
        "acceleration_share": 0.01,
        "tool_speed": 0.15,
        "tool_energy": 0.003,
        "tool_height": 0.11,
        "floor_distance": 0.102,
        "clearance": 0.05,
    }
    return SimpleNamespace(**fields | more)


def request(**more):
    fields = {
        "request_id": 17,
        "trial_id": "r/3",
        "task": "slide",
        "question": "may it be executed?",
        "remark": "",
        "theta_names": ["speed", "heading"],
        "theta": [1.25, -0.1],
        "dtheta": [0.25, -0.1],
        "lower": [0.6, -0.4],
        "upper": [1.6, 0.4],
        "proposal": PROPOSAL,
        "has_release": False,
        "duration": 0.5,
        "stroke_scale": 1.0,
        "speed_scale": 0.3,
        "rehearsal": True,
        "dry_run": False,
        "fastest_joint": "elbow_joint",
        "joint_speed": 2.0,
        "joint_speed_share": 0.637,
        "acceleration_share": 0.5,
        "tool_speed": 1.25,
        "tool_energy": 0.23,
        "tool_height": 0.01,
        "floor_distance": 0.0025,
        "clearance": 0.042,
        "motions": [motion("stroke")],
        "step_lower": [],
        "step_upper": [],
        "limits": [],
        "loosened": [],
    }
    return SimpleNamespace(**fields | more)


def test_everything_that_decides_is_there_with_its_unit():
    text = request_text(request(), ("m/s", "rad"))
    for words in (
        "speed            1.25 m/s, +0.25 from the last (allowed 0.6 to 1.6)",
        "embedded (instead of llm: llm: no reply)",
        "12.3 mm +- 2.00 mm",
        "elbow_joint, 2.00 rad/s (64% of its limit)",
        "1.25 m/s, 0.23 J",
        "slow rehearsal",
        "may it be executed?",
    ):
        assert words in text


def test_what_is_not_known_is_left_out():
    bare = SimpleNamespace(**vars(PROPOSAL) | {"predicted_cost": np.nan, "fallback_reason": ""})
    text = request_text(request(proposal=bare, dtheta=[], dry_run=True), ("m/s", ""))
    assert "  heading          -0.1 (allowed" in text  # of a plug-in that was not named
    assert "predicted" not in text
    assert "from the last" not in text
    assert "nothing will move" in text
    scene = request_text(request(theta=[], question="put it back", remark="not there"), ())
    assert scene == "trial r/3 of task slide, request 17\nput it back\n(not there)"


def test_a_theta_that_was_moved_back_says_so():
    moved = SimpleNamespace(**vars(PROPOSAL) | {"projected": True, "predicted_cost": float("nan")})
    text = request_text(request(proposal=moved), ("m/s", "rad"))
    assert "moved back       from speed=1.9 m/s heading=-0.1 rad: no reason was reported" in text
    assert "predicted" not in text
    moved.moved_reason = "theta speed = 1.9 m/s is out of bounds: allowed 0.6 to 1.6 m/s\n\x1b[2J"
    text = request_text(request(proposal=moved), ("m/s", "rad"))
    assert "rad: theta speed = 1.9 m/s is out of bounds: allowed 0.6 to 1.6 m/s" in text
    assert "\\n\\x1b[2J" in text
    assert "\x1b" not in text
    moved.proposed_theta = []
    text = request_text(request(proposal=moved), ("m/s", "rad"))
    assert "moved back       theta speed" in text
    assert "moved back" not in request_text(request(), ("m/s", "rad"))


def test_slow_motions_are_shown_in_their_order_with_peaks_and_lowest_points():
    motions = [motion("retreat"), motion("approach", duration=2.0), motion("stroke")]
    text = request_text(request(motions=motions), ("m/s", "rad"))
    lines = [line for line in text.splitlines() if line.startswith("    ")]
    assert [line.split()[0] for line in lines] == ["retreat", "approach"]
    for words in (
        "3.1 s, wrist_1_joint 0.24 rad/s (8%), tool 0.15 m/s, down to z = 0.110 m",
        "50.0 mm from itself, 102 mm above the lowest plane",
    ):
        assert words in lines[0]


def test_what_is_allowed_is_what_is_in_force():
    limits = ["arm ur5e: module x", "limits of ur5e: tightened by limits.yaml"]
    near = {"step_lower": [0.8, -0.3], "step_upper": [1.3, 0.1]}
    asked = request(limits=limits, loosened=["approval is off"], **near)
    text = request_text(asked, ("m/s", "rad"))
    assert "(allowed 0.8 to 1.3 in this step, 0.6 to 1.6 at all)" in text
    assert "(allowed -0.3 to 0.1 in this step, -0.4 to 0.4 at all)" in text
    assert "\n  in force         arm ur5e: module x\n" in text
    assert "\n                   limits of ur5e: tightened by limits.yaml\n" in text
    assert "\n  loosened         approval is off\n" in text


def test_a_release_is_shown_with_place_speed_and_direction():
    assert "lets go" not in request_text(request(), ("m/s", "rad"))
    release = {
        "has_release": True,
        "release": 0.42,
        "release_point": SimpleNamespace(x=0.66, y=0.88, z=0.5),
        "release_velocity": SimpleNamespace(x=0.9, y=0.6667, z=-0.65),
    }
    text = request_text(request(**release), ("m/s", "rad"))
    assert (
        "  lets go          at 0.420 s, tool at 1.29 m/s, 1.10 m from the base, 0.50 m high, "
        "going down 30 deg" in text.splitlines()
    )
