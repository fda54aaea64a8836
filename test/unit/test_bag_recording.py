"""Bags that we record: complete, rolled, readable by others, and safe against a killed process."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml
from bag_data import KINDS, SECOND, STORE, run_messages
from mcap.reader import make_reader
from rosbags.highlevel import AnyReader

from icpi_ros.bags.formats.definitions import definition
from icpi_ros.bags.formats.mcap_writer import McapWriter
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.recording import RecordedTopic, Recording, RecordingLimits
from icpi_ros.bags.samples import poses_of
from icpi_ros.bags.trials import read_trials
from icpi_ros.core.errors import UsageError

QOS = """- history: keep_last
  depth: 10
  reliability: reliable
  durability: volatile
  deadline: {sec: 9223372036, nsec: 854775807}
  lifespan: {sec: 9223372036, nsec: 854775807}
  liveliness: automatic
  liveliness_lease_duration: {sec: 9223372036, nsec: 854775807}
  avoid_ros_namespace_conventions: false
"""


def record(folder, messages, limits=None):
    said = []
    recording = Recording(folder, limits or RecordingLimits(keep_free=0), said.append)
    for topic, kind, ns, msg in messages:
        what = definition(KINDS[kind])
        recording.put(
            RecordedTopic(topic, what, QOS), ns, bytes(STORE.serialize_cdr(msg, KINDS[kind]))
        )
    assert recording.close()
    assert recording.lost == 0
    return recording, said


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recorded") / "run"
    recording, said = record(folder, run_messages())
    assert (said, recording.written) == ([], len(run_messages()))
    return folder


def test_our_reader_reads_it(recorded):
    bag = Bag(recorded)
    trials = read_trials(bag)
    assert ([t.number for t in trials], bag.skipped) == ([0, 1, 2], [])
    assert [len(stamps) for stamps, _ in poses_of(bag, trials)] == [51, 51, 51]


def test_the_mcap_library_reads_it(recorded):
    with (recorded / "run_0.mcap").open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        assert reader.get_header().profile == "ros2"
        summary = reader.get_summary()
        found = list(reader.iter_messages())
    assert summary.statistics.message_count == len(found) == len(run_messages())
    assert [m.log_time for _, _, m in found] == sorted(m[2] for m in run_messages())
    schemas = {schema.name: schema for schema, _, _ in found}
    assert set(schemas) == {KINDS[kind] for _, kind, _, _ in run_messages()}
    assert b"MSG: icpi_msgs/Proposal" in schemas["icpi_msgs/msg/Trial"].data
    assert all(schema.encoding == "ros2msg" for schema in schemas.values())
    assert {c.metadata["topic_type_hash"] for c in summary.channels.values()} == {
        STORE.hash_rihs01(kind) for kind in schemas
    }


def test_rosbags_reads_it(recorded):
    with AnyReader([recorded]) as reader:
        assert reader.message_count == len(run_messages())
        types = {c.topic: c for c in reader.connections}
        (profile,) = types["/trials"].ext.offered_qos_profiles
        assert profile.depth == 10
        for connection, ns, raw in reader.messages():
            msg = reader.deserialize(raw, connection.msgtype)
            assert ns
        assert msg.run_id == "run"


def test_the_metadata_is_that_of_jazzy(recorded):
    info = yaml.safe_load((recorded / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    messages = run_messages()
    assert (info["version"], info["storage_identifier"]) == (9, "mcap")
    assert info["relative_file_paths"] == ["run_0.mcap"]
    assert info["message_count"] == info["files"][0]["message_count"] == len(messages)
    assert info["starting_time"] == {"nanoseconds_since_epoch": messages[0][2]}
    assert info["duration"] == {"nanoseconds": messages[-1][2] - messages[0][2]}
    counts = {
        t["topic_metadata"]["name"]: t["message_count"] for t in info["topics_with_message_count"]
    }
    assert counts["/object_pose"] == 153
    assert all(
        t["topic_metadata"]["type_description_hash"].startswith("RIHS01_")
        for t in info["topics_with_message_count"]
    )


@pytest.mark.slow
def test_files_are_rolled_and_read_as_one(tmp_path):
    recording = Recording(tmp_path / "slow", RecordingLimits(2**20, 0.3, 0), print)
    never = threading.Event()
    for topic, kind, ns, msg in run_messages():
        what = definition(KINDS[kind])
        recording.put(
            RecordedTopic(topic, what, QOS), ns, bytes(STORE.serialize_cdr(msg, KINDS[kind]))
        )
        if kind == "Trial":
            never.wait(0.5)  # time goes by, nothing comes
    assert recording.close()
    info = yaml.safe_load((tmp_path / "slow" / "metadata.yaml").read_text())
    names = info["rosbag2_bagfile_information"]["relative_file_paths"]
    assert len(names) >= 3
    assert names == [f"slow_{n}.mcap" for n in range(len(names))]
    bag = Bag(tmp_path / "slow")
    assert ([t.number for t in read_trials(bag)], bag.skipped) == ([0, 1, 2], [])
    with AnyReader([tmp_path / "slow"]) as reader:
        assert len(list(reader.messages())) == len(run_messages())


@pytest.mark.slow
def test_a_killed_recorder_loses_at_most_the_last_second(tmp_path):
    folder = tmp_path / "run"
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("bag_writer.py")), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            said = []
            for line in process.stdout:
                number, ns = map(int, line.split())
                said.append(ns)
                if number == 700:
                    break
            killed = time.time_ns()
        finally:
            process.kill()
    bag = Bag(folder)
    found = [message.content.pose.position.x for message in bag.messages(["object_pose"])]
    assert found == list(range(len(found)))
    # A second until it is flushed, and one that a busy machine may be late with it.
    sure = sum(ns < killed - 2 * SECOND for ns in said)
    assert sure > 100
    assert len(found) >= sure
    assert any("no end" in line for line in bag.skipped)


def test_a_folder_that_exists_is_refused(tmp_path):
    with pytest.raises(UsageError, match="exists: a recording needs a folder of its own"):
        Recording(tmp_path, RecordingLimits(), print)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot make the folder"):
        Recording(tmp_path / "file" / "run", RecordingLimits(), print)


def test_a_nearly_full_disk_ends_the_recording_not_the_process(tmp_path):
    said, ended = [], threading.Event()

    def failed(line):
        said.append(line)
        ended.set()

    recording = Recording(tmp_path / "run", RecordingLimits(keep_free=2**62), failed)
    topic, kind, ns, msg = run_messages()[0]
    one = RecordedTopic(topic, definition(KINDS[kind]), QOS)
    recording.put(one, ns, bytes(STORE.serialize_cdr(msg, KINDS[kind])))
    assert ended.wait(300.0)
    recording.put(one, ns, b"")
    assert recording.close()
    (line,) = said
    assert "recording to" in line
    assert "nearly full" in line
    assert recording.trouble == line
    assert read_trials(Bag(tmp_path / "run"))[0].number == 0  # what came before is there


def test_a_full_disk_leaves_whole_records(tmp_path):
    writer = McapWriter(tmp_path / "a.mcap")
    channel = writer.add_channel("/object_pose", definition(KINDS["PoseStamped"]), "[]")
    poses = [m for m in run_messages() if m[1] == "PoseStamped"]
    data = [bytes(STORE.serialize_cdr(m[3], KINDS["PoseStamped"])) for m in poses]
    writer.write(channel, poses[0][2], data[0])
    writer.flush()
    writer._file.write(b"\x06half a chunk")  # what the disk took before it was full
    writer.abandon()
    bag = Bag(tmp_path / "a.mcap")
    assert [m.content.pose.position.z for m in bag.messages(["object_pose"])] == [0.01]


def test_what_does_not_fit_into_memory_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("icpi_ros.bags.recording.MAX_WAITING_BYTES", 10)
    recording = Recording(tmp_path / "run", RecordingLimits(keep_free=0), print)
    recording.put(RecordedTopic("/x", definition(KINDS["PoseStamped"]), "[]"), 1, bytes(100))
    assert recording.lost == 1
    assert recording.close()


def test_definitions_carry_comments_and_all_dependencies():
    text = definition("icpi_msgs/msg/Trial").text
    assert "# [m]; NaN = not observed" in text
    for name in ("std_msgs/Header", "builtin_interfaces/Time", "icpi_msgs/Proposal"):
        assert f"MSG: {name}\n" in text
    with pytest.raises(UsageError, match="is not known"):
        definition("some_msgs/msg/None")


def test_definitions_without_ros_are_made_of_known_types(monkeypatch):
    monkeypatch.setattr("icpi_ros.bags.formats.definitions._prefixes", list)
    definition.cache_clear()
    try:
        made = definition("icpi_msgs/msg/Trial")
    finally:
        definition.cache_clear()
    assert made.digest == definition("icpi_msgs/msg/Trial").digest
    for name in ("std_msgs/Header", "builtin_interfaces/Time", "icpi_msgs/Proposal"):
        assert f"MSG: {name}\n" in made.text
