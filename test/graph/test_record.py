"""A bag of a real graph: complete, true to what was shown, and whole after a kill."""

import json
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped

from icpi_ros.bags.reader import Bag
from icpi_ros.bags.samples import poses_of, stream_samples
from icpi_ros.bags.topics import PARAMETERS
from icpi_ros.bags.trials import read_trials
from icpi_ros.core.types import SECOND, TrialStatus
from icpi_ros.ros.bags.recorded import MOTIONS, RECORDED
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.clients.improve_client import Callbacks, ImproveClient, ImproveRequest
from icpi_ros.settings.poses import TRACKERS

from .conftest import HANG, NODES, SECRET, TRIALS, RunningGraph

ROOT = Path(__file__).resolve().parents[2]


def test_the_command_for_stock_ros_names_all_that_the_recorder_records():
    page = (ROOT / "docs" / "bags.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"ros2 bag record (?:.*\\\n)+.*", page)
    topics = command.split("--topics")[1].replace("\\\n", " ").split()
    shown = {topic.removeprefix("/lab/") for topic in topics}
    ours = {one.name for one in RECORDED if one.source not in TRACKERS} | {MOTIONS.name}
    assert shown - {"/tf", "/tf_static"} == ours - {"/tf", "/tf_static"}


def test_the_bag_has_every_trial_as_it_was_stored(recorded):
    folder, run_id, stored = recorded
    bag = Bag(folder)
    trials = read_trials(bag)
    assert bag.skipped == []
    assert [(t.run_id, t.number, t.state) for t in trials] == [
        (run_id, n, "closed") for n in range(TRIALS)
    ]
    for there, here in zip(stored, trials, strict=True):
        assert here.status is TrialStatus.DONE
        np.testing.assert_array_equal(here.theta, there.theta)
        assert here.trial.cost == there.cost
        assert here.trial.proposal.provenance == there.proposal.provenance
        np.testing.assert_array_equal(here.path.trajectory.positions, there.trajectory.positions)


def test_the_poses_are_those_of_the_trajectories(recorded):
    folder, _, _ = recorded
    bag = Bag(folder)
    trials = read_trials(bag)
    for trial, (stamps, positions) in zip(trials, poses_of(bag, trials), strict=True):
        seen = trial.path.trajectory
        times = (stamps - trial.start) / 1e9
        assert len(stamps) >= len(seen.times) - 1
        for axis in range(3):
            again = np.interp(seen.times, times, positions[:, axis])
            np.testing.assert_allclose(again, seen.positions[:, axis], atol=1e-4)


def test_everything_else_is_there(recorded):
    folder, _, _ = recorded
    topics = {channel.topic: channel for channel in Bag(folder).channels}
    wanted = {"object_pose", "joint_states", "object_state", "trial_window", "object_trajectory"}
    wanted |= {"trials", "proposals", "joint_trajectory_controller/joint_trajectory"}
    wanted |= {"joint_trajectory_controller/status", PARAMETERS}
    assert {f"/test/{name}" for name in wanted} <= set(topics)
    assert {"/clock", "/diagnostics", "/rosout"} <= set(topics)
    assert all(channel.definition and channel.qos for channel in topics.values())
    assert "transient_local" in topics["/test/trials"].qos
    assert "best_effort" in topics["/test/object_pose"].qos


def test_parameters_of_all_nodes_are_there_without_keys(recorded):
    folder, _, _ = recorded
    texts = [json.loads(m.content.data) for m in Bag(folder).messages([PARAMETERS])]
    by_node = {text["node"]: text["parameters"] for text in texts}
    assert {f"/test/{node}" for node in NODES} <= set(by_node)
    assert by_node["/test/executor"]["task"] == "slide"
    assert by_node["/test/policy_improver"]["model"] == "[TEST_API_KEY removed]"


def test_no_key_is_on_the_disk(recorded):
    folder, _, _ = recorded
    bag = Bag(folder)
    topics = [channel.topic for channel in bag.channels]
    assert not [m.channel.topic for m in bag.raw(topics) if SECRET.encode() in m.data]


LAB = {
    "object_pose_topic": "/vrpn/puck/pose",
    "joint_states_topic": "/bench/joints",
    "controller_name": "scaled_controller",
}
"""Names of a lab, which no node has by itself."""


def test_a_killed_recorder_leaves_all_but_the_last_second(tmp_path, observer):
    """In a lab whose topics have other names: in the bag they have ours, markers among them."""
    # At half of real time its last second is two of the machine's: one to flush, one to be late.
    how = {"real_time_factor": 0.5, "viewer": "true", **LAB}
    with RunningGraph(tmp_path, record=tmp_path / "bag", **how) as graph:
        poses = observer.record(PoseStamped, "/vrpn/puck/pose", qos.SENSOR_EVERY)
        with ImproveClient("test") as client:
            client.connect(HANG, graph.death)
            calls = Callbacks(lambda *run: None, lambda trial: None, graph.death)
            result = client.improve(ImproveRequest("slide", "random", budget=1, seed=3), calls)
            assert result.error_code == 0, result.error_msg
            os.kill(graph.pids()["recorder"], signal.SIGKILL)
            killed = convert.to_ns(poses[-1].header.stamp)
        assert graph.wait_until_ended() != 0  # one dead node ends the graph
    bag = Bag(tmp_path / "bag")
    recorded = [sample.ns for sample in stream_samples(bag, "tracked_pose")]
    assert recorded == list(range(recorded[0], recorded[-1] + 1, 10_000_000))
    assert recorded[-1] > killed - SECOND
    (trial,) = read_trials(bag)
    assert recorded[0] < trial.start < recorded[-1]
    assert any("no end" in line for line in bag.skipped)
    kept = {channel.topic for channel in bag.channels}
    ours = {"joint_states", "markers", "joint_trajectory_controller/joint_trajectory"}
    assert {f"/test/{name}" for name in ours} <= kept
    assert not [topic for topic in kept if topic.startswith(("/vrpn", "/bench", "/test/scaled"))]


def test_a_folder_that_exists_is_refused_before_anything_starts(tmp_path):
    from icpi_ros.core.errors import UsageError

    with pytest.raises(UsageError, match="exists: a recording needs a folder of its own"):
        RunningGraph(tmp_path, record=tmp_path)
