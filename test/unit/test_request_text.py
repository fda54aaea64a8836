"""What a person reads before a motion is approved."""

from types import SimpleNamespace

import numpy as np

from icpi_ros.report.request_text import request_text

PROPOSAL = SimpleNamespace(
    run_id="r",
    requested="llm",
    provenance="embedded",
    fallback_reason="llm: no reply",
    predicted_cost=0.0123,
    predicted_std=0.002,
    projected=False,
)


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
    }
    return SimpleNamespace(**fields | more)


def test_everything_that_decides_is_there_with_its_unit():
    text = request_text(request(), ("m/s", "rad"))
    for words in (
        "speed            1.25 m/s, +0.25 from the last (allowed 0.6 to 1.6)",
        "embedded (instead of llm: llm: no reply)",
        "12.3 +- 2.0 mm",
        "elbow_joint, 2.00 rad/s (64% of its limit)",
        "1.25 m/s, 0.23 J",
        "slow rehearsal",
        "may it be executed?",
    ):
        assert words in text


def test_what_is_not_known_is_left_out():
    bare = SimpleNamespace(**vars(PROPOSAL) | {"predicted_cost": np.nan, "fallback_reason": ""})
    text = request_text(request(proposal=bare, dtheta=[], dry_run=True), ("m/s", "rad"))
    assert "predicted" not in text
    assert "from the last" not in text
    assert "nothing will move" in text
    scene = request_text(request(theta=[], question="put it back", remark="not there"), ())
    assert scene == "trial r/3 of task slide, request 17\nput it back\n(not there)"


def test_a_theta_that_was_moved_back_says_so():
    moved = SimpleNamespace(**vars(PROPOSAL) | {"projected": True, "predicted_cost": float("nan")})
    text = request_text(request(proposal=moved), ("m/s", "rad"))
    assert "moved back       into bounds, step limit and what the arm can do" in text
    assert "predicted" not in text
    assert "moved back" not in request_text(request(), ("m/s", "rad"))
