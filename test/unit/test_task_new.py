"""`icpi task new`: a task's files out of a CSV or a bag, and one line for what does not fit."""

import json
import re

import numpy as np
import outsider
import pytest
import yaml
from bag_data import START, STORE, make
from bag_data import header as header_at
from icpi_here import icpi
from rosbags.rosbag2 import StoragePlugin, Writer

from icpi_ros.bags.joint_states import recorded_joints
from icpi_ros.core.errors import InvalidValue, MotionRefused, UsageError
from icpi_ros.motion.demonstration import DemonstratedMotion, read_csv, write_csv
from icpi_ros.motion.demonstration.demonstration import demonstration_of
from icpi_ros.motion.demonstration.parameters import on_offer
from icpi_ros.motion.demonstration.recording import JointRecording
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.robots import find_arm
from icpi_ros.testing.demonstrations import pushed, thrown

ARM = find_arm("ur5e")
SHOWN = pushed(ARM, 1)


@pytest.fixture
def push(tmp_path):
    path = tmp_path / "push.csv"
    write_csv(path, SHOWN)
    return path


def joint_state(ns, names, positions):
    return make(
        "sensor_msgs/msg/JointState",
        header=header_at(ns, ""),
        name=list(names),
        position=np.array(positions, dtype=np.float64),
        velocity=np.empty(0),
        effort=np.empty(0),
    )


def bag_of(path, topics):
    """Write a bag; ``topics``: a list of (ns, names, positions) by topic."""
    kind = "sensor_msgs/msg/JointState"
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        for topic, samples in topics.items():
            connection = writer.add_connection(topic, kind, typestore=STORE)
            for ns, names, positions in samples:
                data = STORE.serialize_cdr(joint_state(ns, names, positions), kind)
                writer.write(connection, ns, data)
    return path


def samples_of(recording, joints=ARM.joints):
    return [
        (START + round(1e9 * time), joints, q)
        for time, q in zip(recording.times, recording.positions, strict=True)
    ]


def made(capsys, tmp_path, *words):
    code, out, err = icpi(capsys, "task", "new", "shove", "--out", tmp_path / "new", *words)
    assert code == 0, err
    return out, yaml.safe_load((tmp_path / "new" / "shove.yaml").read_text())


def refused(capsys, *words):
    code, _, err = icpi(capsys, "task", "new", *words)
    assert code == 2, err
    assert err.startswith("icpi: error: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.slow
def test_a_csv_becomes_a_task_whose_motions_pass(capsys, tmp_path, push):
    out, task = made(
        capsys, tmp_path, "--from", push, "--parameters", "speed=0.3:2.2,heading=-0.2:0.2"
    )
    motion = task["motion"]
    assert task["task"] == "shove"
    assert task["arm"] == "ur5e"
    assert motion["demonstration"] == "shove.csv"
    assert motion["parameters"]["heading"] == [-0.2, 0.2]
    assert 1.2 < motion["parameters"]["speed"][1] < 2.2
    assert "cut: speed: upper bound" in out
    family = DemonstratedMotion.of(
        [read_csv(tmp_path / "new" / "shove.csv", ARM)], ARM, motion["parameters"]
    )
    gate = SafetyGate(ARM)
    for theta in (family.space.lower, family.space.upper, family.demonstrated):
        trajectory = family.trajectories(theta[np.newaxis], ARM)[0]
        gate.check(trajectory, trajectory.positions[0])
    whole = DemonstratedMotion.of([SHOWN], ARM, motion["parameters"])
    assert family.shown.length == pytest.approx(whole.shown.length, abs=1e-3)
    assert family.shown.peak == pytest.approx(whole.shown.peak, abs=1e-2)


@pytest.mark.slow
def test_a_speed_without_bounds_reaches_what_the_arm_can_do(capsys, tmp_path, push):
    out, task = made(capsys, tmp_path, "--from", push, "--parameters", "speed")
    low, high = task["motion"]["parameters"]["speed"]
    shown = DemonstratedMotion.of([SHOWN], ARM, {"speed": None})
    speed = shown.shown.speed
    assert low == pytest.approx(0.5 * speed, rel=0.02)
    assert 3.0 * speed < high < 5.0 * speed
    assert "the upper bound of speed is what the arm can do" in out
    faster = DemonstratedMotion.of([SHOWN], ARM, {"speed": (low, 1.1 * high)})
    trajectory = faster.trajectories(np.array([[1.1 * high]]), ARM)[0]
    with pytest.raises(MotionRefused):
        SafetyGate(ARM).check(trajectory, trajectory.positions[0])


def test_bounds_of_speed_that_are_given_are_kept(capsys, tmp_path, push):
    out, task = made(capsys, tmp_path, "--from", push, "--parameters", "speed=0.3:0.9")
    assert task["motion"]["parameters"]["speed"] == [0.3, 0.9]
    assert "what the arm can do" not in out


@pytest.mark.slow
def test_a_draft_says_so_until_its_line_is_taken_away(capsys, tmp_path, push):
    made(capsys, tmp_path, "--from", push, "--parameters", "speed")
    file = tmp_path / "new" / "shove.yaml"
    trying = ("task", "try", file, "--samples", "4")
    run = ("run", "--in-process", "--task", file, "--world", "slide", "--improver", "random",
           "--trials", "1", "--store", tmp_path / "store.sqlite")  # fmt: skip
    said = "shove is a draft: goal, object, rest"
    with outsider.forgotten():
        assert said in icpi(capsys, *trying)[1]
    with outsider.forgotten():
        assert said in icpi(capsys, *run)[2]
    file.write_text("".join(line for line in file.open() if not line.startswith("draft:")))
    with outsider.forgotten():
        assert said not in icpi(capsys, *trying)[1]


def test_the_recording_is_cut_to_its_motion(capsys, tmp_path):
    long = np.concatenate([np.repeat(SHOWN.positions[:1], 500, axis=0), SHOWN.positions])
    source = tmp_path / "long.csv"
    write_csv(source, JointRecording(ARM.joints, np.arange(len(long)) / 125.0, long))
    made(capsys, tmp_path, "--from", source, "--parameters", "speed")
    cut = read_csv(tmp_path / "new" / "shove.csv", ARM)
    assert cut.times[-1] < SHOWN.times[-1]


@pytest.mark.slow
def test_several_demonstrations_have_a_file_each_and_components(capsys, tmp_path):
    words = []
    for seed in (0, 1):
        write_csv(tmp_path / f"{seed}.csv", thrown(ARM, seed))
        words += ["--from", tmp_path / f"{seed}.csv"]
    _, task = made(capsys, tmp_path, *words, "--parameters", "speed,component_1")
    files = task["motion"]["demonstration"]
    assert files == ["shove_1.csv", "shove_2.csv"]
    recordings = [read_csv(tmp_path / "new" / file, ARM) for file in files]
    DemonstratedMotion.of(recordings, ARM, task["motion"]["parameters"])


def test_other_parameters_are_on_offer_as_comments(capsys, tmp_path, push):
    made(capsys, tmp_path, "--from", push)
    text = (tmp_path / "new" / "shove.yaml").read_text()
    for name in ("elevation", "reach", "lateral", "offset_z", "wrist_3_joint", "release"):
        assert re.search(rf"^    # {name}: \[", text, re.MULTILINE)
    assert re.search(r"^    speed: \[", text, re.MULTILINE)


def test_the_moment_of_release_goes_into_the_file_as_it_is(capsys, tmp_path, push):
    _, task = made(capsys, tmp_path, "--from", push, "--parameters", "speed,release=-0.02:0.05")
    assert task["motion"]["parameters"]["release"] == [-0.02, 0.05]


def test_json_has_the_bounds_and_what_cut_them(capsys, tmp_path, push):
    code, out, _ = icpi(
        capsys, "task", "new", "shove", "--out", tmp_path, "--from", push, "--json", "-",
        "--parameters", "speed=0.3:2.5",
    )  # fmt: skip
    content = json.loads(out)
    assert code == 0
    assert content["bounds"]["speed"][0] == 0.3
    assert content["demonstrated"]["speed"] == pytest.approx(content["speed"])
    assert "velocity of" in content["notes"][0]


def test_the_python_of_the_page_runs(push, monkeypatch):
    push.rename(push.with_name("shove.csv"))
    monkeypatch.chdir(push.parent)
    names = {}
    exec(outsider.block("own_motion.md", "python"), names)
    assert names["motion"].space.names == ("speed", "heading")
    assert len(names["trajectories"]) == 1


def test_the_page_has_the_parameters_and_bounds_that_are_proposed():
    page = (outsider.DOCS / "own_motion.md").read_text()
    for p in on_offer(demonstration_of([SHOWN], ARM)).values():
        if p.name not in (*ARM.joints, "speed"):
            row = next(line for line in page.splitlines() if f"`{p.name}`" in line)
            assert f"| {p.unit} | {p.lower:g} to {p.upper:g} |" in row


def test_a_bag_gives_the_joints_that_were_recorded(tmp_path):
    path = bag_of(
        tmp_path / "bag",
        {
            "/joint_states": [
                *samples_of(SHOWN, [f"left_{joint}" for joint in ARM.joints]),
                (START, ("gripper_joint",), (0.5,)),
            ]
        },
    )
    recording = recorded_joints(path, ARM)
    np.testing.assert_allclose(recording.times, SHOWN.times, atol=1e-8)
    np.testing.assert_array_equal(recording.positions, SHOWN.positions)


def test_a_bag_becomes_a_task(capsys, tmp_path):
    path = bag_of(tmp_path / "bag", {"/joint_states": samples_of(SHOWN)})
    _, task = made(capsys, tmp_path, "--from", path, "--parameters", "speed")
    assert task["motion"]["demonstration"] == "shove.csv"


def test_the_topic_of_a_bag_is_chosen_where_there_are_several(tmp_path):
    path = bag_of(tmp_path / "bag", {"/a": samples_of(SHOWN), "/b": samples_of(thrown(ARM, 0))})
    with pytest.raises(UsageError, match=r"which joint states: topics .* are /a, /b"):
        recorded_joints(path, ARM)
    with pytest.raises(UsageError, match=r"no joint states on topic '/c'"):
        recorded_joints(path, ARM, "/c")
    assert len(recorded_joints(path, ARM, "/a").times) == len(SHOWN.times)


def test_a_bag_of_another_arm_names_its_joints(tmp_path):
    path = bag_of(tmp_path / "bag", {"/joint_states": [(START, ("a", "b"), (0.0, 0.0))]})
    with pytest.raises(UsageError, match=r"no joint states of arm ur5e .* its joints are a, b"):
        recorded_joints(path, ARM)


def test_a_bag_with_two_publishers_is_refused(tmp_path):
    samples = samples_of(SHOWN)
    path = bag_of(tmp_path / "bag", {"/joint_states": [s for s in samples for _ in range(2)]})
    with pytest.raises(InvalidValue, match=r"bag .*: sample 1: time .* repeats"):
        recorded_joints(path, ARM)


BAD_WORDS = {
    "name": (["Shove it"], "name 'Shove it' is not allowed"),
    "taken": (["slide"], "there is a task 'slide' already"),
    "arm": (["shove", "--arm", "ur6"], "unknown arm 'ur6'"),
    "other joints": (["shove", "--arm", "fr3"], "joints of arm fr3 are missing"),
    "parameter": (["shove", "--parameters", "sped"], "unknown parameter 'sped'"),
    "parameter twice": (["shove", "--parameters", "speed,speed"], "speed is there twice"),
    "bounds": (["shove", "--parameters", "speed=fast"], "'speed=fast' is not allowed"),
    "turn": (["shove", "--parameters", "heading=-9:9"], "at least -3.14 and at most 3.14 rad"),
    "reversed": (["shove", "--parameters", "speed=2:1"], "bounds of speed = 2 to 1"),
    "release alone": (["shove", "--parameters", "release"], "a motion has 1 to 8 parameters"),
    "release reversed": (["shove", "--parameters", "speed,release=1:0"], "bounds of release"),
    "one time": (["shove", "--between", "1"], "--between needs two times"),
    "no such part": (["shove", "--between", "90,99"], "leaves 0 samples"),
    "in motion": (["shove", "--between", "1.5,4"], "begins in motion"),
    "too fast": (["shove", "--parameters", "speed=2.9:3"], "cannot be executed: velocity of"),
}


@pytest.mark.parametrize("fault", BAD_WORDS)
def test_bad_words_are_one_line_and_leave_no_file(capsys, tmp_path, push, fault):
    words, expected = BAD_WORDS[fault]
    out = tmp_path / "new"
    assert expected in refused(capsys, *words, "--from", push, "--out", out)
    assert not out.exists() or not list(out.iterdir())


def test_a_file_that_is_there_is_not_overwritten(capsys, tmp_path, push):
    (tmp_path / "shove.csv").write_text("mine")
    assert "is there already" in refused(capsys, "shove", "--from", push, "--out", tmp_path)
    assert (tmp_path / "shove.csv").read_text() == "mine"


def test_a_source_that_is_not_there_is_named(capsys, tmp_path):
    for name in ("none.csv", "none"):
        assert "none" in refused(capsys, "shove", "--from", tmp_path / name, "--out", tmp_path)
