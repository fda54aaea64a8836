"""`icpi arm`: list and check."""

import hashlib
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from icpi_ros.cli.main import main
from icpi_ros.core.errors import InvalidValue, Kind, Refusal, UsageError
from icpi_ros.core.resources import share_path
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.robots import ARMS, find_arm
from icpi_ros.robots.arm_check import check_arm
from icpi_ros.tasks.reach import OUT_OF_REACH, reach, reason_of
from icpi_ros.tasks.slide import SLIDE, Slide

FR3_FILE = share_path("config", "arms", "fr3.yaml")


def edited(tmp_path, old, new):
    text = FR3_FILE.read_text()
    assert text.count(old) == 1
    file = tmp_path / "arm.yaml"
    file.write_text(text.replace(old, new).replace("name: fr3\n", "name: fr3_lab\n"))
    return file


def test_the_list_names_every_arm(capsys):
    assert main(["arm", "list"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in ARMS.names())
    assert "7 joints" in printed
    assert hashlib.sha256(FR3_FILE.read_bytes()).hexdigest()[:12] in printed


def test_a_check_says_which_file_it_was_about(tmp_path, capsys):
    file = edited(tmp_path, "tool_speed: 3.0", "tool_speed: 2.5")
    assert main(["arm", "check", str(file)]) == 0
    printed = capsys.readouterr().out
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    assert f"from: {file} (sha256 {digest})" in printed
    assert "acceleration 10 rad/s^2, tool speed 2.5 m/s" in printed


def test_a_check_counts_the_motions_and_says_why_the_others_are_refused(tmp_path, capsys):
    file = tmp_path / "fr3.json"
    assert (
        main(["arm", "check", "fr3", "--task", "slide", "--points", "5", "--json", str(file)]) == 0
    )
    found = json.loads(file.read_text())
    assert found["motions"] == 25
    assert 0 < found["possible"] < 25
    assert found["reasons"].count("") == found["possible"]
    assert sum(found["refused"].values()) == pytest.approx(1 - found["possible"] / 25)
    assert all(check["sound"] for check in found["checks"])
    printed = capsys.readouterr().out
    assert f"{found['possible']} of 25 possible" in printed
    assert all(reason in printed for reason in found["refused"])


def test_the_built_in_arm_can_do_its_task():
    found = reach(SLIDE, ARMS.get("ur5e"), 3)
    assert found.possible == 9
    assert found.shares == {}


@pytest.mark.parametrize(("task", "points"), [("slide", 21), ("toss-gc", 7), ("throw-gc", 2)])
def test_the_grid_has_fewer_points_along_more_parameters(task, points, monkeypatch):
    asked = []

    def tried(task, arm, points, advance):
        asked.append(points)
        raise UsageError("that is enough")

    monkeypatch.setattr("icpi_ros.cli.arm.reach", tried)
    assert main(["arm", "check", "ur5e", "--task", task]) == 2
    assert asked == [points]


def test_an_arm_that_can_do_nothing_ends_with_one(tmp_path, capsys):
    weak = "[0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]"
    file = edited(tmp_path, "[10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0]", weak)
    assert main(["arm", "check", str(file), "--task", "slide", "--points", "2"]) == 1
    assert "acceleration of fr3_joint" in capsys.readouterr().out


def test_a_motion_for_other_joints_and_one_out_of_reach_are_told_apart():
    class SevenJoints(Slide):
        def ready(self, theta, arm):
            return np.zeros(7)

    class FarAway(Slide):
        def ready(self, theta, arm):
            return arm.home * np.nan

    shares = [reach(task(), ARMS.get("ur5e"), 2).shares for task in (SevenJoints, FarAway)]
    assert shares == [{"motion of slide is made for another arm": 1.0}, {OUT_OF_REACH: 1.0}]


def test_a_bad_file_ends_with_two(tmp_path, capsys):
    assert main(["arm", "check", str(edited(tmp_path, "\nname: fr3\n", "\nname: 3\n"))]) == 2
    assert "name is 3: must be" in capsys.readouterr().err
    assert main(["arm", "check", str(tmp_path / "none.yaml")]) == 2
    assert main(["arm", "check", "none"]) == 2


def test_a_description_that_is_not_sound_ends_with_two(tmp_path, capsys):
    file = edited(tmp_path, "radius: 0.04, mass: 0.5}", "radius: 0.4, mass: 0.5}")
    assert main(["arm", "check", str(file), "--task", "slide", "--points", "2"]) == 2
    printed = capsys.readouterr()
    assert "BAD home without self-contact" in printed.out
    assert "motions of" not in printed.out
    assert "is not sound: mend home without self-contact" in printed.err


def home_contact(tmp_path, radius):
    """Return an FR3 with a hand of that radius, and what is found of it."""
    file = edited(tmp_path, "radius: 0.04, mass: 0.5}", f"radius: {radius}, mass: 0.5}}")
    arm = find_arm(str(file))
    (found,) = [f for f in check_arm(arm) if f.what == "home without self-contact"]
    return arm, found


def test_a_home_that_the_gate_refuses_is_not_sound(tmp_path):
    arm, found = home_contact(tmp_path, 0.35)
    with pytest.raises(InvalidValue) as caught:
        SafetyGate(arm)
    assert (found.sound, found.text) == (False, str(caught.value))


def test_pieces_that_the_gate_never_compares_are_named(tmp_path):
    arm, found = home_contact(tmp_path, 0.2)
    SafetyGate(arm)
    assert found.sound
    assert re.search(r"26 mm apart; never compared, .*: .*forearm and hand", found.text)
    assert "compared" not in home_contact(tmp_path, 0.05)[1].text


def test_an_arm_whose_joints_are_all_parallel_is_not_sound(tmp_path, capsys):
    text = share_path("config", "arms", "ur5e.yaml").read_text().replace("ur5e_described", "flat")
    file = tmp_path / "flat.yaml"
    file.write_text(re.sub(r"alpha: [-0-9.]+", "alpha: 0.0", text))
    assert main(["arm", "check", str(file)]) == 2
    bad = re.findall("BAD (.*?):", capsys.readouterr().out)
    assert {"rates", "home away from singularities"} <= set(bad)


def test_a_jacobian_that_is_no_derivative_is_found(monkeypatch):
    arm = ARMS.get("ur5e")
    wrong = SimpleNamespace(
        **{name: getattr(arm, name) for name in ("joints", "limits", "home", "links", "tool_pose")},
        collision_geometry=arm.collision_geometry, ik=arm.ik, differential_ik=arm.differential_ik,
        jacobian=lambda q: arm.jacobian(q) * np.array([1, 1, 1, 1, 1, -1.0]),
    )  # fmt: skip
    assert "jacobian" in [finding.what for finding in check_arm(wrong) if not finding.sound]


@pytest.mark.slow
@pytest.mark.parametrize(("ending", "begins"), [(".svg", b"<?xml"), (".png", b"\x89PNG")])
def test_the_picture(tmp_path, ending, begins, capsys):
    file = tmp_path / f"fr3{ending}"
    assert (
        main(["arm", "check", "fr3", "--task", "slide", "--points", "4", "--picture", str(file)])
        == 0
    )
    assert file.read_bytes().startswith(begins)
    assert str(file) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--picture", "a.svg"], "add --task"),
        (["--task", "slide", "--picture", "a.gif"], r"allowed endings are .svg and .png"),
        (["--task", "slide", "--picture", "/nowhere/a.svg"], "its folder does not exist"),
        (["--task", "rope-swing", "--points", "100"], "allowed are 20000"),
        (["--task", "juggle"], "unknown task 'juggle'"),
    ],
)
def test_wrong_usage_is_refused_before_any_work(arguments, reason, capsys):
    assert main(["arm", "check", "fr3", *arguments]) == 2
    assert re.search(reason, capsys.readouterr().err)


def test_reasons_are_refusals_without_their_numbers():
    strike = "strike with speed 1 m/s leaves the reach of fr3: move"
    assert reason_of(Refusal(strike, Kind.OUT_OF_REACH, "strike")) == OUT_OF_REACH
    speed = "velocity of elbow_joint reaches 3.2 rad/s"
    limit = Refusal(speed, Kind.JOINT_LIMIT, "velocity", "elbow_joint", 3.2)
    assert reason_of(limit) == "velocity of elbow_joint"
    assert reason_of(Refusal("tool z reaches 0.001 m", Kind.WORKSPACE, "tool z")) == "tool z"
    # Nothing is read out of the text, whatever it says.
    assert reason_of(replace(limit, text="leaves the reach of 7 arms")) == "velocity of elbow_joint"
    assert reason_of(None) == ""
    assert reason_of(Refusal("7 wrong")) == "7 wrong"
