"""Trackers' poses in bags: `icpi replay` takes unit, frame and clock, or names what to give."""

import json
from dataclasses import replace

import numpy as np
import pytest
from bag_data import KINDS, SECOND, START, header, make, pose, write
from icpi_here import icpi
from run_bag import messages, simulate
from test_pose_places import TABLE, transform

from icpi_ros.bags import samples
from icpi_ros.bags.parameters import recorded_setup
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.trials import read_trials
from icpi_ros.evaluate.evaluation import evaluate
from icpi_ros.evaluate.request import EvaluationRequest
from icpi_ros.perception.poses.settings import PoseSettings

BACK = transform(TABLE).inverse
NUMBERS = ",".join(map(str, TABLE))
QUICK = {"improvers": ("random",), "pairs": 0}
KINDS["TFMessage"] = "tf2_msgs/msg/TFMessage"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("run"), task="slide", improver="random", trials=2)


def tracked(run, change, *more):
    """Messages of a run whose poses are ``change(ns, position)``; None = none is sent."""
    found = list(more)
    for topic, kind, ns, msg in messages(run):
        if topic == "/object_pose":
            place = msg.pose.position
            msg = change(ns, np.array([place.x, place.y, place.z]))
        if msg is not None:
            found.append((topic, kind, ns, msg))
    return sorted(found, key=lambda item: item[2])


def frames(topic, *transforms, ns=START - 1):
    """A message about frames: (parent, child, numbers)."""
    items = []
    for parent, child, (x, y, z, qx, qy, qz, qw) in transforms:
        moved = make("geometry_msgs/msg/Vector3", x=x, y=y, z=z)
        turned = make("geometry_msgs/msg/Quaternion", x=qx, y=qy, z=qz, w=qw)
        both = make("geometry_msgs/msg/Transform", translation=moved, rotation=turned)
        items.append(
            make(
                "geometry_msgs/msg/TransformStamped",
                header=header(START, parent),
                child_frame_id=child,
                transform=both,
            )
        )
    return topic, "TFMessage", ns, make(KINDS["TFMessage"], transforms=items)


def in_world(ns, position):
    return pose(ns, BACK.apply(position), "world")


def differences(path, **given):
    """What is seen now, by trial, and the lines about what was skipped."""
    found = evaluate(Bag(path), EvaluationRequest(**QUICK, **given))
    (one,) = found.runs
    return one.differences, found.skipped


LOST = {
    "zero": (lambda ns, p: pose(ns, p * 0.0), "position is exactly 0, 0, 0"),
    "NaN": (lambda ns, p: pose(ns, p * np.nan), "not finite"),
    "world": (in_world, "poses are in frame 'world', not 'base'"),
    "optical": (lambda ns, p: pose(ns, p, "camera_optical_frame"), "'camera_optical_frame'"),
    "no frame": (lambda ns, p: pose(ns, p, ""), "poses have no frame_id"),
    "millimetres": (lambda ns, p: pose(ns, 1e3 * p), "give pose_unit:=mm"),
    "uptime": (lambda ns, p: pose(ns - START + 7 * SECOND, p), "behind this computer's clock"),
    "one stamp": (lambda ns, p: pose(START, p), "behind this computer's clock"),
    "no stamp": (lambda ns, p: pose(0, p), "poses are not stamped"),
    "frozen": (lambda ns, p: pose(ns, [0.6, -0.15, 0.01]), "all poses of the window are the same"),
}


@pytest.mark.parametrize(("change", "words"), LOST.values(), ids=LOST)
def test_a_replay_says_why_nothing_was_seen(tmp_path, run, change, words):
    seen, skipped = differences(write(tmp_path / "bag", tracked(run, change)))
    assert words in seen[1].reason
    assert np.isnan(seen[1].cost)  # no outcome is invented
    assert len(skipped) < 4  # a line of a kind, not of a pose


FOUND = {
    "a given transform": (in_world, {"pose_transform": TABLE}),
    "millimetres": (lambda ns, p: pose(ns, 1e3 * p), {"pose_unit": "mm"}),
    "both": (
        lambda ns, p: pose(ns, 1e3 * BACK.apply(p), ""),
        {"pose_unit": "mm", "pose_transform": TABLE},
    ),
    "times of arrival": (
        lambda ns, p: pose(ns - START + 7 * SECOND, p),
        {"pose_stamps": "received"},
    ),
    "no stamps": (lambda ns, p: pose(0, p), {"pose_stamps": "received"}),
}


@pytest.mark.parametrize(("change", "given"), FOUND.values(), ids=FOUND)
def test_a_replay_takes_what_it_is_told(tmp_path, run, change, given):
    given = {k: list(v) if k == "pose_transform" else v for k, v in given.items()}
    told = tracked(run, change)
    seen, skipped = differences(write(tmp_path / "given", told), poses=given)
    assert max(d.most for d in seen.values()) < 1e-9
    assert (seen[1].reason, skipped) == ("", ())
    said = json.dumps({"node": "/lab/perception", "parameters": given})
    record = ("/recorded_parameters", "String", START - 2, make("std_msgs/msg/String", data=said))
    again, _ = differences(write(tmp_path / "recorded", [record, *told]))
    assert max(d.most for d in again.values()) < 1e-9  # as perception took them then


@pytest.mark.parametrize(
    "about",
    [
        [frames("/tf_static", ("base", "world", TABLE))],
        [frames("/lab/tf_static", ("/base", "/world", TABLE))],
        [frames("/tf_static", ("base", "table", TABLE), ("table", "world", (0, 0, 0, 0, 0, 0, 1)))],
    ],
    ids=["direct", "of a namespace", "over a table"],
)
def test_a_replay_moves_poses_along_the_frames_of_the_bag(tmp_path, run, about):
    seen, _ = differences(write(tmp_path / "bag", tracked(run, in_world, *about)))
    assert max(d.most for d in seen.values()) < 1e-9


def test_frames_that_never_move_are_those_of_their_time_and_the_first_ones_before(tmp_path, run):
    ends = [m for m in messages(run) if m[0] == "/trials"]
    first = frames("/tf_static", ("base", "world", TABLE), ns=START + SECOND // 10)  # heard late
    moved = (0.0, 0.0, 0.5, *TABLE[3:])
    later = frames("/tf_static", ("base", "world", moved), ns=ends[0][2])
    seen, _ = differences(write(tmp_path / "bag", tracked(run, in_world, first, later)))
    assert seen[0].most < 1e-9
    assert not seen[1].most < 0.1


def test_moving_frames_of_a_bag_are_those_of_their_time(tmp_path, run):
    here = frames("/tf", ("base", "world", TABLE))
    told = tracked(run, in_world, here)
    seen, _ = differences(write(tmp_path / "bag", told))
    assert "not seen for" in seen[0].reason or "seen in" in seen[0].reason
    assert "/tf has no transform from it to 'base' at their time" in seen[1].reason


def test_a_simulation_has_a_clock_of_its_own(tmp_path, run):
    late = 400 * SECOND  # recorded long after it was simulated
    clock = ("/clock", "Clock", START, make("rosgraph_msgs/msg/Clock", clock=header(START).stamp))
    told = [clock, *tracked(run, lambda ns, p: pose(ns, p))]
    shifted = [(topic, kind, ns + late, msg) for topic, kind, ns, msg in told]
    seen, _ = differences(write(tmp_path / "bag", shifted))
    assert max(d.most for d in seen.values()) < 1e-9


def test_a_path_without_samples_is_read_with_its_reason(tmp_path, run, capsys):
    why = "the object was not seen: position and orientation are all zero: the tracker lost it"
    found = []
    for topic, kind, ns, msg in messages(run):
        last = getattr(msg, "trial_id", "").startswith(f"{run.run_id}/1-")
        if topic == "/object_trajectory" and last:
            nothing = {"times": np.empty(0), "positions": [], "coverage": 0.0, "reason": why}
            msg = replace(msg, good=False, longest_gap=np.nan, rate=np.nan, **nothing)
        if topic == "/trials" and msg.trial == 1:
            msg = replace(msg, status="unobserved", note=why, error=np.empty(0), cost=np.nan)
        found.append((topic, kind, ns, msg))
    bag = write(tmp_path / "bag", found)
    (path,) = [t.path for t in read_trials(Bag(bag)) if t.number == 1]
    assert (path.good, path.reason, len(path.trajectory.times)) == (False, why, 0)
    page = tmp_path / "page.html"
    code, _, error = icpi(capsys, "report", bag, "--html", page)
    assert (code, error) == (0, "")
    assert page.exists()


def test_the_options_of_the_command_line(tmp_path, run, capsys):
    bag = write(tmp_path / "bag", tracked(run, lambda ns, p: pose(ns, 1e3 * BACK.apply(p), "vrpn")))
    out = tmp_path / "found.json"
    words = ["replay", bag, "--improver", "random", "--pairs", "0", "--json", out]
    code, _, error = icpi(capsys, *words, "--pose-unit", "mm", f"--pose-transform={NUMBERS}")
    assert (code, error) == (0, "")
    (one,) = json.loads(out.read_text())["runs"]
    assert [trial["perception"]["reason"] for trial in one["trials"]] == ["", ""]
    code, _, error = icpi(capsys, *words, "--pose-transform=1,2,3")
    assert (code, error.count("\n")) == (2, 1)
    assert "pose_transform = 1,2,3 is not allowed" in error
    code, _, error = icpi(capsys, *words, "--pose-unit", "feet")
    assert code == 2


@pytest.mark.parametrize("value", ["feet", 3, None, ["mm"]])
def test_parameters_of_a_stranger_are_noted(tmp_path, run, value):
    said = json.dumps({"node": "/perception", "parameters": {"pose_unit": value}})
    told = [("/recorded_parameters", "String", START, make("std_msgs/msg/String", data=said))]
    bag = Bag(write(tmp_path / "bag", [*told, *messages(run)]))
    assert recorded_setup(bag).poses == PoseSettings()
    assert "not a snapshot of parameters" in bag.skipped[0]


def test_of_frames_told_between_two_samples_the_newest_are_kept(tmp_path, monkeypatch):
    """Hours of /tf between two windows are not."""
    monkeypatch.setattr("icpi_ros.perception.poses.frames.MAX_TOLD", 3)
    fixed, moving = (frames(topic, ("base", "world", TABLE)) for topic in ("/tf_static", "/tf"))
    told = [(*moving[:2], START + n, moving[3]) for n in range(9)]
    seen = [("/object_pose", "PoseStamped", START + 9, in_world(START + 9, np.zeros(3)))]
    bag = Bag(write(tmp_path / "bag", [fixed, *told, *seen]))
    (sample,) = samples.stream_samples(bag, "tracked_pose")
    assert [kind for _, kind in sample.frames] == [True, False, False, False]
