"""Bags that are cut off, damaged, hostile or something else: one line or a part, never a trace."""

import os
import sqlite3
import struct
import time
import zipfile
from contextlib import closing

import lz4.frame
import numpy as np
import pytest
import yaml
from bag_data import KINDS, SECOND, START, STORE, THETAS, point, pose, run_messages, write
from mcap.writer import CompressionType, IndexType, Writer
from rosbags.rosbag2 import CompressionMode

from icpi_ros.bags.formats.definitions import decoder
from icpi_ros.bags.formats.mcap_file import MAGIC, MAX_CHUNK
from icpi_ros.bags.formats.raw import Channel
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.samples import poses_of, stream_samples
from icpi_ros.bags.trials import read_trials
from icpi_ros.core.errors import UsageError

MUTATIONS = 400
LIMIT = 120.0


def small(thetas=THETAS[:2]):
    """A run with every fifth pose left in."""
    messages = run_messages(thetas=thetas)
    poses = [m for m in messages if m[1] == "PoseStamped"]
    return [m for m in messages if m[1] != "PoseStamped" or poses.index(m) % 5 == 0]


def everything(path):
    """Read all that a bag has; return trials, and what was skipped."""
    bag = Bag(path)
    trials = read_trials(bag)
    if "object_pose" in bag.topics:
        poses_of(bag, trials)
    return trials, bag.skipped


def outcome(path):
    """What a bag comes to: number of trials and lines, or one line; fails if it takes long."""
    begin = time.monotonic()
    try:
        trials, lines = everything(path)
        said = [*lines]
    except UsageError as exc:
        trials, said = [], [str(exc)]
    assert time.monotonic() - begin < LIMIT, path
    assert all("\n" not in line and len(line) < 1000 for line in said)
    return len(trials), said


def mutated(content, rng):
    """Flip bytes, cut the end off, or put junk into the middle."""
    kind, data = rng.integers(3), bytearray(content)
    if kind == 0:
        for place in rng.integers(len(data), size=rng.integers(1, 30)):
            data[place] = rng.integers(256)
    elif kind == 1:
        del data[rng.integers(len(data)) :]
    else:
        place = rng.integers(len(data))
        data[place:place] = rng.bytes(int(rng.integers(1, 200)))
    return bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("storage", "compression", "count"),
    [
        ("mcap", CompressionMode.STORAGE, MUTATIONS // 2),
        ("mcap", CompressionMode.NONE, MUTATIONS // 4),
        ("sqlite3", CompressionMode.NONE, MUTATIONS // 4),
    ],
)
def test_mutations_end_in_a_part_or_in_one_line(tmp_path, storage, compression, count):
    folder = write(tmp_path / "bag", small(), storage, compression)
    (file,) = [path for path in folder.iterdir() if path.suffix != ".yaml"]
    content, rng = file.read_bytes(), np.random.default_rng(7)
    found = []
    for _ in range(count):
        file.write_bytes(mutated(content, rng))
        found.append(outcome(folder))
    parts = [trials for trials, _ in found if trials]
    assert parts, "no mutation could be read at all"
    assert any(said for trials, said in found if not trials)


def test_mutations_of_the_metadata(tmp_path):
    folder = write(tmp_path / "bag", small())
    file = folder / "metadata.yaml"
    content, rng = file.read_bytes(), np.random.default_rng(7)
    for _ in range(100):
        file.write_bytes(mutated(content, rng))
        outcome(folder)


def chunked(path, messages, end=True, chunk=20_000, compression=CompressionType.ZSTD, **options):
    """Write one file with an independent writer; without ``end`` as a killed writer leaves it."""
    with path.open("wb") as file:
        writer = Writer(file, chunk, compression, **options)
        writer.start("ros2")
        channels = {}
        for topic, kind, ns, msg in messages:
            name = KINDS[kind]
            if topic not in channels:
                text, _ = STORE.generate_msgdef(name, ros_version=2)
                schema = writer.register_schema(name, "ros2msg", text.encode())
                channels[topic] = writer.register_channel(topic, "cdr", schema)
            data = bytes(STORE.serialize_cdr(msg, name))
            writer.add_message(channels[topic], ns, data, ns)
        if end:
            writer.finish()
    return path


@pytest.mark.parametrize(
    "options",
    [
        {"compression": CompressionType.ZSTD},
        {"compression": CompressionType.LZ4},
        {"compression": CompressionType.NONE},
        {"use_chunking": False},
        {"index_types": IndexType.NONE, "repeat_channels": False, "repeat_schemas": False},
        {"use_statistics": False, "use_summary_offsets": False},
    ],
)
def test_every_way_to_write_an_mcap_file_reads_the_same(tmp_path, options):
    trials, skipped = everything(chunked(tmp_path / "a.mcap", run_messages(), **options))
    assert ([t.number for t in trials], skipped) == ([0, 1, 2], [])


def test_a_file_without_end_is_read_to_its_last_chunk(tmp_path):
    path = chunked(tmp_path / "a.mcap", run_messages(), end=False, chunk=2000)
    trials, skipped = everything(path)
    assert [t.number for t in trials] == [0, 1, 2]
    assert any("no end" in line for line in skipped)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_cut_file_gives_what_is_before_the_cut(tmp_path, share):
    path = chunked(tmp_path / "a.mcap", run_messages(), chunk=2000)
    whole = list(stream_samples(Bag(path), "tracked_pose"))
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    bag = Bag(path)
    part = list(stream_samples(bag, "tracked_pose"))
    assert [s.ns for s in part] == [s.ns for s in whole[: len(part)]]
    assert len(part) > 0.5 * share * len(whole)
    assert bag.skipped or len(part) == len(whole)  # cut behind the data: nothing is lost


@pytest.mark.parametrize("index", [IndexType.ALL, IndexType.NONE])
def test_a_damaged_length_loses_one_chunk_alone(tmp_path, index):
    path = chunked(tmp_path / "a.mcap", run_messages(), chunk=2000, index_types=index)
    whole, content = len(list(stream_samples(Bag(path), "tracked_pose"))), path.read_bytes()
    second = content.index(b"\x04\x00\x00\x00zstd", len(content) // 2) - 37
    path.write_bytes(content[: second + 1] + b"\xff" * 8 + content[second + 9 :])
    bag = Bag(path)
    found = len(list(stream_samples(bag, "tracked_pose")))
    assert whole - 30 < found < whole
    assert any("are damaged and skipped" in line for line in bag.skipped)


def test_a_damaged_chunk_is_skipped_and_named(tmp_path):
    path = chunked(
        tmp_path / "a.mcap", run_messages(), chunk=2000, compression=CompressionType.NONE
    )
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    bag = Bag(path)
    assert 100 < len(list(stream_samples(bag, "tracked_pose"))) < 153
    assert any("its checksum is wrong" in line for line in bag.skipped)


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_a_chunk_that_would_grow_beyond_bounds_is_skipped(tmp_path, compression):
    import zstandard

    blank = bytes(2**22)
    packed = (
        zstandard.compress(blank * 16) if compression == "zstd" else lz4.frame.compress(blank * 16)
    )
    path = tmp_path / "bomb.mcap"
    records = b""
    for size in (MAX_CHUNK + 1, 2**63, 100):
        name = compression.encode()
        body = struct.pack("<QQQI", 0, 0, size, 0) + struct.pack("<I", len(name)) + name
        body += struct.pack("<Q", len(packed)) + packed
        records += struct.pack("<BQ", 6, len(body)) + body
    head = struct.pack("<BQ", 1, 8) + struct.pack("<II", 0, 0)
    path.write_bytes(MAGIC + head + records + struct.pack("<BQI", 15, 4, 0))
    bag = Bag(path)
    assert list(bag.raw(["/x"])) == []
    assert sum("is skipped" in line for line in bag.skipped) == 3


@pytest.mark.parametrize("suffix", [".mcap", ".db3"])
def test_something_else_is_one_line(tmp_path, suffix):
    with zipfile.ZipFile(tmp_path / f"other{suffix}", "w") as file:
        file.writestr("bag.txt", "no bag")
    with pytest.raises(UsageError, match=r"cannot read bag .*other.*does not begin as"):
        Bag(tmp_path / f"other{suffix}")
    (tmp_path / f"empty{suffix}").touch()
    with pytest.raises(UsageError, match="it is empty"):
        Bag(tmp_path / f"empty{suffix}")


def test_what_is_not_there_is_one_line(tmp_path):
    with pytest.raises(UsageError, match="there is no bag"):
        Bag(tmp_path / "none")
    with pytest.raises(UsageError, match=r"no .mcap or .db3 file in it"):
        Bag(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UsageError, match=r"its name must end in .mcap or .db3"):
        Bag(tmp_path / "notes.txt")


def test_a_database_that_is_no_bag_is_one_line(tmp_path):
    with sqlite3.connect(tmp_path / "other.db3") as database:
        database.execute("CREATE TABLE topics(id INTEGER)")
    database.close()
    with pytest.raises(UsageError, match="it has no tables of topics"):
        Bag(tmp_path / "other.db3")


@pytest.mark.parametrize(
    "name", ["../secret.mcap", "/etc/passwd", "a/b/c.mcap", "..\\x.mcap", "C:\\x.mcap", "x/../y"]
)
def test_metadata_may_not_name_files_outside(tmp_path, name):
    folder = write(tmp_path / "bag", small())
    metadata = yaml.safe_load((folder / "metadata.yaml").read_text())
    metadata["rosbag2_bagfile_information"]["relative_file_paths"] = [name]
    (folder / "metadata.yaml").write_text(yaml.safe_dump(metadata))
    with pytest.raises(UsageError, match="outside of the bag"):
        Bag(folder)


LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]\n" for n in range(1, 10)
)
MERGES = "a0: &a0 {k: v, l: w}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 8)}]}}\n" for n in range(1, 10)
)
INFO = "rosbag2_bagfile_information:\n  version: 9\n  relative_file_paths: "


@pytest.mark.parametrize(
    "text",
    [
        f"{LAUGHS}{INFO}[bag.mcap]\n  compression_mode: *a9\n",
        f"{LAUGHS}{INFO}[*a9]\n",
        f"{MERGES}{INFO}[bag.mcap]\n",
        "[" * 100_000,
    ],
)
def test_metadata_that_would_grow_beyond_bounds_does_no_harm(tmp_path, text):
    bag = write(tmp_path / "bag", small())
    (bag / "metadata.yaml").write_text(text)
    begin = time.monotonic()
    assert len(read_trials(Bag(bag))) == 2
    assert time.monotonic() - begin < LIMIT


def test_numbers_beyond_reason_are_left_out_and_named(tmp_path):
    messages = small(THETAS)
    for _, kind, _, content in messages:
        if kind == "PoseStamped":
            content.pose.position.x = 1e200
        elif kind == "ObjectTrajectory" and content.trial_id.startswith("run/0"):
            content.positions[3].x = float("inf")
        elif kind == "Trial" and content.trial == 1:
            content.cost = float("inf")
        elif kind == "Trial":
            content.proposal.predicted_cost = 1e300
    trials, lines = everything(write(tmp_path / "bag", messages))
    assert [t.path is None for t in trials] == [True, False, False]
    assert [t.status is None for t in sorted(trials, key=lambda t: t.number)] == [0, 1, 0]
    assert np.isnan([t.trial.proposal.predicted_cost for t in trials if t.trial]).all()
    said = "\n".join(lines)
    for words in (
        "a position is more than 1000 m away",
        "cost of trial 1 is beyond",
        "a pose that",
    ):
        assert words in said


@pytest.mark.parametrize(
    "text",
    [
        "string[20000000] a\n",
        f"x_msgs/E[20000000] a\n{'=' * 80}\nMSG: x_msgs/E\nuint8 a\n",
        "".join(f"uint8 a{n}\n" for n in range(2001)),
    ],
)
def test_a_definition_of_endless_fields_is_refused(text):
    with pytest.raises(UsageError, match="more than 2000 fields"):
        decoder(Channel("/trials", "icpi_msgs/msg/Trial", definition=text))


def test_a_pipe_is_no_bag(tmp_path):
    pipe, bag = tmp_path / "pipe.mcap", write(tmp_path / "bag", small())
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="it is not a file"):
        Bag(pipe)
    (bag / "metadata.yaml").unlink()
    os.mkfifo(bag / "metadata.yaml")
    os.mkfifo(bag / "more.mcap")
    assert len(read_trials(Bag(bag))) == 2


def test_a_view_without_end_is_no_table_of_messages(tmp_path):
    bag = write(tmp_path / "bag", small(), "sqlite3")
    with closing(sqlite3.connect(bag / "bag.db3")) as database:
        database.executescript(
            "DROP TABLE messages; CREATE VIEW messages AS WITH RECURSIVE c(x) AS (SELECT 1 UNION "
            "ALL SELECT x + 1 FROM c) SELECT 1 topic_id, x timestamp, zeroblob(9) data FROM c;"
        )
    with pytest.raises(UsageError, match="no tables of topics and messages"):
        Bag(bag)


def test_a_link_out_of_the_bag_is_refused(tmp_path):
    folder = write(tmp_path / "bag", small())
    (tmp_path / "secret.mcap").write_bytes((folder / "bag.mcap").read_bytes())
    (folder / "bag.mcap").unlink()
    (folder / "bag.mcap").symlink_to(tmp_path / "secret.mcap")
    with pytest.raises(UsageError, match="outside of the bag"):
        Bag(folder)


@pytest.mark.parametrize("version", [1, 2, 4, 6, 9, 10, "x"])
def test_versions_of_metadata_old_and_new(tmp_path, version):
    folder = write(tmp_path / "bag", run_messages())
    metadata = yaml.safe_load((folder / "metadata.yaml").read_text())
    info = metadata["rosbag2_bagfile_information"]
    info["version"] = version
    if version in (1, 2):  # with the name of the folder in front, and less of everything
        info["relative_file_paths"] = ["bag/bag.mcap"]
        for name in ("files", "custom_data", "ros_distro", "compression_mode"):
            info.pop(name)
    (folder / "metadata.yaml").write_text(yaml.safe_dump(metadata))
    trials, skipped = everything(folder)
    assert len(trials) == 3
    assert bool(skipped) == (version in (10, "x"))


def test_a_folder_without_metadata_is_read_file_by_file(tmp_path):
    messages = run_messages()
    folder = tmp_path / "bag"
    folder.mkdir()
    chunked(folder / "bag_0.mcap", messages[: len(messages) // 2], chunk=2000)
    chunked(folder / "bag_1.mcap", messages[len(messages) // 2 :], end=False, chunk=2000)
    trials, skipped = everything(folder)
    assert [t.number for t in trials] == [0, 1, 2]
    assert any("there is no metadata.yaml" in line for line in skipped)


def test_one_file_of_several_that_is_no_bag_is_noted(tmp_path):
    folder = write(tmp_path / "bag", run_messages())
    (folder / "bag_9.mcap").write_bytes(b"junk")
    trials, skipped = everything(folder)
    assert len(trials) == 3
    assert any("bag_9.mcap: it does not begin" in line for line in skipped)


def with_definition(path, text, language="ros2msg", kind="geometry_msgs/msg/PoseStamped"):
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start("ros2")
        schema = writer.register_schema(kind, language, text.encode())
        channel = writer.register_channel("/object_pose", "cdr", schema)
        data = bytes(STORE.serialize_cdr(pose(START, (0.6, 0.1, 0.0)), KINDS["PoseStamped"]))
        writer.add_message(channel, START, data, START)
        writer.finish()
    return path


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("no definition at all !", "ros2msg"),
        ("int32 a\nint32 a", "ros2msg"),
        ("some_msgs/Missing a", "ros2msg"),
        ("int32 x=1; import os", "ros2msg"),
        ("module x {", "ros2idl"),
        ("#" * 300_000, "ros2msg"),
    ],
)
def test_a_definition_that_makes_no_sense_is_noted(tmp_path, text, language):
    bag = Bag(with_definition(tmp_path / "a.mcap", text, language))
    assert list(bag.messages(["object_pose"])) == []
    assert len(bag.skipped) == 1


def test_definitions_in_idl_are_read(tmp_path):
    inner = "struct Point {\n double x;\n double y;\n double z;\n };"
    text = f"module geometry_msgs {{\n module msg {{\n {inner}\n }};\n}};\n"
    line = "=" * 80
    for definition in (text, f"{line}\nIDL: geometry_msgs/msg/Point\n{text}"):
        decode = decoder(
            Channel("/p", "geometry_msgs/msg/Point", "cdr", definition, "ros2idl")
        ).decode
        data = bytes(STORE.serialize_cdr(point(1, 2, 3), "geometry_msgs/msg/Point"))
        assert (decode(data).x, decode(data).z) == (1.0, 3.0)


def test_without_a_definition_our_own_counts(tmp_path):
    bag = Bag(with_definition(tmp_path / "a.mcap", "", ""))
    (message,) = bag.messages(["object_pose"])
    assert message.content.pose.position.x == 0.6
    unknown = with_definition(tmp_path / "b.mcap", "", "", "some_msgs/msg/Unknown")
    raw = Bag(unknown)
    assert [raw.decode(message) for message in raw.raw(["/object_pose"])] == [None]
    assert "expected geometry_msgs/msg/PoseStamped: it is not read" in raw.skipped[0]
    assert "neither described in the bag nor known" in raw.skipped[1]


def test_old_databases_without_definitions_are_read(tmp_path):
    path = tmp_path / "old.db3"
    database = sqlite3.connect(path)
    database.executescript(
        "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT, type TEXT, "
        "serialization_format TEXT);"
        "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, "
        "data BLOB);"
    )
    ids = {}
    for topic, kind, ns, msg in run_messages():
        if topic not in ids:
            ids[topic] = len(ids) + 1
            row = (ids[topic], topic, KINDS[kind], "cdr")
            database.execute("INSERT INTO topics VALUES (?, ?, ?, ?)", row)
        data = bytes(STORE.serialize_cdr(msg, KINDS[kind]))
        database.execute(
            "INSERT INTO messages(topic_id, timestamp, data) VALUES (?, ?, ?)",
            (ids[topic], ns, data),
        )
    database.commit()
    database.close()
    trials, skipped = everything(path)
    assert (len(trials), skipped) == (3, [])


def test_time_that_is_out_of_order_by_much_is_noted(tmp_path):
    messages = run_messages()
    late = [(*m[:2], m[2] + 20 * SECOND, m[3]) for m in messages[:5]]
    bag = Bag(chunked(tmp_path / "a.mcap", late + messages))
    assert len(list(bag.messages(["object_pose"]))) > 150
    assert any("order of time is broken" in line for line in bag.skipped)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("mode", [CompressionMode.MESSAGE, CompressionMode.FILE])
def test_bags_that_rosbag2_compressed_are_read(tmp_path, storage, mode):
    folder = write(tmp_path / "bag", run_messages(), storage, mode)
    trials, skipped = everything(folder)
    assert ([t.number for t in trials], skipped) == ([0, 1, 2], [])
    content, rng = {p: p.read_bytes() for p in folder.iterdir()}, np.random.default_rng(7)
    (file,) = [path for path in folder.iterdir() if path.suffix != ".yaml"]
    for _ in range(20):
        file.write_bytes(mutated(content[file], rng))
        outcome(folder)


def test_a_file_for_which_there_is_no_room_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("icpi_ros.bags.formats.files.KEEP_FREE", 2**62)
    folder = write(tmp_path / "bag", small(), "sqlite3", CompressionMode.FILE)
    with pytest.raises(UsageError, match="no room in"):
        Bag(folder)


def test_names_that_are_no_names_stay_on_one_line(tmp_path):
    with (tmp_path / "a.mcap").open("wb") as file:
        writer = Writer(file)
        writer.start("ros2")
        for number in range(40):
            schema = writer.register_schema("a\nb", "ros2msg", b"int32 a")
            channel = writer.register_channel(f"/x{number}\n\x1b[31m", "cdr", schema)
            writer.add_message(channel, START, b"\x00\x01\x00\x00", START)
        writer.finish()
    with pytest.raises(UsageError) as caught:
        read_trials(Bag(tmp_path / "a.mcap"))
    assert str(caught.value).isprintable()
    assert "and 10 more" in str(caught.value)
