"""Bags as other recorders write them: embedded definitions, compressed chunks, topics, metadata."""

import re
import struct
import threading

import lz4.frame
import pytest
import zstandard
from bag_data import STORE, pose, window
from mcap.writer import CompressionType, Writer

from icpi_ros.bags.formats import frames, mcap_file
from icpi_ros.bags.formats.definitions import decoder, definition, digest
from icpi_ros.bags.formats.embedded import embedded_types
from icpi_ros.bags.formats.frames import lz4_frames, zstd_frames
from icpi_ros.bags.formats.raw import Channel
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.trials import read_trials
from icpi_ros.core.errors import UsageError

KIND = "geometry_msgs/msg/PoseStamped"
WHOLE = definition(KIND).text
LINE = "=" * 80
DATA = bytes(STORE.serialize_cdr(pose(10**9, (0.6, 0.1, 0.2)), KIND))
OWN, *PARTS = re.split(rf"(?={LINE})", WHOLE)


def channel(text, kind=KIND, language="ros2msg"):
    return Channel("/object_pose", kind, "cdr", text, language)


def drop(*names):
    kept = [part for part in PARTS if not any(f"MSG: {name}\n" in part for name in names)]
    return "".join([OWN, *kept])


SAME = {
    "as it is": WHOLE,
    "crlf": WHOLE.replace("\n", "\r\n"),
    "cr": WHOLE.replace("\n", "\r"),
    "byte-order mark": "\ufeff" + WHOLE,
    "trailing blanks": WHOLE.replace("\n", " \t\n"),
    "tabs": re.sub(r"^(\w\S+) (\w+)", r"\1\t\t\2", WHOLE, flags=re.M),
    "indented": WHOLE.replace("\n", "\n  "),
    "no newline at the end": WHOLE.rstrip("\n"),
    "joined separators": WHOLE.replace(f"\n{LINE}", LINE),
    "joined behind, too": WHOLE.replace(f"\n{LINE}\n", LINE),
    "joined and crlf": WHOLE.replace(f"\n{LINE}", LINE).replace("\n", "\r\n"),
    "longer separators": WHOLE.replace(LINE, LINE + "===="),
    "a separator in a comment": f"# {LINE}\n# a box\n# {LINE}\n{WHOLE}",
    "the type named as well": f"{LINE}\nMSG: geometry_msgs/PoseStamped\n{WHOLE}",
    "full names": re.sub(r"^MSG: (\w+)/(\w+)$", r"MSG: \1/msg/\2", WHOLE, flags=re.M),
    "full names of fields": re.sub(r"^(\w+)/(\w+) ", r"\1/msg/\2 ", WHOLE, flags=re.M),
    "constants and defaults": (
        f"uint8 a_b=1\nstring NAME = it's # x\nint32 MAX=0X7f # y\n@key\n{WHOLE}"
    ).replace("float64 x\n", "float64 x 0.5 # [m]\n"),
    "a part twice": WHOLE + "".join(PARTS),
    "a part too many": f"{WHOLE}\n{LINE}\nMSG: some_msgs/Other\n?!",
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME.keys())
def test_a_definition_is_read_however_it_is_written(text):
    found = decoder(channel(text))
    assert found.remark == ""
    decoded = found.decode(DATA)
    assert (decoded.pose.position.x, decoded.pose.orientation.w) == (0.6, 1.0)
    assert (decoded.header.frame_id, decoded.header.stamp.sec) == ("base", 1)
    assert digest(channel(text)) == definition(KIND).digest


INSTEAD = {
    "its own text alone": (OWN, "geometry_msgs/msg/Pose, std_msgs/msg/Header is: ours"),
    "no header": (drop("std_msgs/Header"), "std_msgs/msg/Header is: ours"),
    "no stamp": (drop("builtin_interfaces/Time"), "builtin_interfaces/msg/Time is: ours"),
    "two parts": (drop("geometry_msgs/Point", "geometry_msgs/Quaternion"), "Point, .*Quaternion"),
    "a part that is none": (
        WHOLE.replace("MSG: std_msgs/Header\n", "MSG: std_msgs/Header\n<html> 404 </html>\n"),
        "std_msgs/msg/Header is: ours",
    ),
    "only others": ("\n" + "".join(PARTS), "geometry_msgs/msg/PoseStamped is: ours"),
}


@pytest.mark.parametrize(("text", "remark"), INSTEAD.values(), ids=INSTEAD.keys())
def test_what_a_definition_lacks_is_taken_from_ours_and_said(tmp_path, text, remark):
    found = decoder(channel(text))
    assert re.search(f"PoseStamped.*does not say what .*{remark}", found.remark)
    assert found.decode(DATA).pose.position.z == 0.2
    bag = Bag(write(tmp_path / "a.mcap", [("/object_pose", KIND, text, DATA)]))
    (message,) = bag.messages(["object_pose"])
    assert message.content.header.frame_id == "base"
    assert bag.skipped == [found.remark]


@pytest.mark.parametrize("text", ["", " \r\n", "\n\n"])
def test_an_empty_definition_is_none(text):
    assert decoder(channel(text, language="")).decode(DATA).pose.position.x == 0.6


@pytest.mark.parametrize("text", ["", "\n", "# nothing\r\n"])
def test_a_message_without_fields_is_one(text):
    decoder(channel(text, "std_msgs/msg/Empty")).decode(b"\0\1\0\0\0")


def test_bounds_and_defaults_of_texts_are_passed_over():
    text = 'string<=22 name "Hello: # world!"\nint32[<=3] more [1, 2]\n'
    names = [name for name, _ in embedded_types(channel(text), {})[0][KIND][1]]
    assert names == ["name", "more"]


def test_a_definition_that_is_whole_goes_before_ours():
    """An older or newer version of a type has other fields."""
    text = "float64 only\n"
    data = struct.pack("<Id", 0x00000100, 0.5)
    assert decoder(channel(text)).decode(data).only == 0.5


BAD = {
    "its own text is none": (WHOLE.replace("Header header", "Header ?"), "'std_msgs/Header .'"),
    "nobody knows the part": (f"some_msgs/Thing a\n{WHOLE}", "not say what some_msgs/msg/Thing is"),
    "a field twice": (f"int32 header\n{WHOLE}", "a field twice"),
    "code": ("int32 a\nimport os; os.abort()\n", "'import os; os.abort..' is no field"),
    "a page": ("<html>404</html>", "is no field"),
    "endless": ("#" * 300_000, "longer than"),
    "a line without end": ("=" * 200_000, "is no field"),  # seconds, not the square of it
    "fields without end": ("".join(f"int8 a{n}\n" for n in range(20_000)), "more than 2000"),
    "a type in itself": (f"{KIND.replace('/msg', '')} a\n", "cannot be read|decoded"),
}


@pytest.mark.parametrize(("text", "reason"), BAD.values(), ids=BAD.keys())
def test_what_is_no_definition_is_one_line(tmp_path, text, reason):
    bag = Bag(write(tmp_path / "a.mcap", [("/object_pose", KIND, text, DATA)]))
    assert list(bag.messages(["object_pose"])) == []
    (line,) = bag.skipped
    assert re.search(reason, line)


IDL = "module geometry_msgs { module msg { struct Point { double x; double y; double z; }; }; };\n"


@pytest.mark.parametrize(
    "text",
    [
        IDL,
        f"{LINE}\nIDL: geometry_msgs/msg/Point\n{IDL}",
        f"{LINE}\r\nIDL: geometry_msgs/msg/Point\r\n{IDL}\r\n",
        f"{LINE}IDL: geometry_msgs/msg/Point\n{IDL}",
    ],
)
def test_definitions_in_idl_of_other_line_ends(text):
    kind = "geometry_msgs/msg/Point"
    data = struct.pack("<Iddd", 0x00000100, 1.0, 2.0, 3.0)
    assert decoder(channel(text, kind, "ros2idl")).decode(data).z == 3.0


# --- compressed chunks ------------------------------------------------------------------------

CONTENT = bytes(range(256)) * 40
HALF = len(CONTENT) // 2
SKIPPABLE = struct.pack("<II", 0x184D2A53, 8) + b"padding!"
ZSTD = zstandard.ZstdCompressor().compress
NO_SIZE = zstandard.ZstdCompressor(write_content_size=False).compress
LZ4 = lz4.frame.compress


def packed(compress):
    two = compress(CONTENT[:HALF]) + compress(CONTENT[HALF:])
    return {
        "one": compress(CONTENT),
        "two": two,
        "many": b"".join(compress(CONTENT[i : i + 99]) for i in range(0, len(CONTENT), 99)),
        "empty behind": compress(CONTENT) + compress(b""),
        "empty before": compress(b"") + two,
        "skippable behind": two + SKIPPABLE,
        "skippable before": SKIPPABLE + two,
        "padding": compress(CONTENT) + b"\0" * 7,
    }


@pytest.mark.parametrize(
    ("unpack", "compress"),
    [(zstd_frames, ZSTD), (zstd_frames, NO_SIZE), (lz4_frames, LZ4)],
    ids=["zstd", "zstd without sizes", "lz4"],
)
@pytest.mark.parametrize("form", packed(LZ4))
def test_content_in_several_frames(unpack, compress, form):
    data = packed(compress)[form]
    for content in (data, memoryview(data)):
        assert unpack(content, len(CONTENT)) == CONTENT
        assert len(unpack(content, len(CONTENT) - 1)) == len(CONTENT)  # it does not fit: one more
    if form != "padding":
        assert unpack(data + compress(b"more"), len(CONTENT)) != CONTENT


@pytest.mark.parametrize(("unpack", "compress"), [(zstd_frames, ZSTD), (lz4_frames, LZ4)])
def test_frames_without_end_are_bounded(monkeypatch, unpack, compress):
    monkeypatch.setattr(frames, "MAX_FRAMES", 20)
    zeros = compress(bytes(10**6)) * 50
    assert len(unpack(zeros, 1000)) == 1001
    assert unpack(compress(b"") * 500, 10) == b""


def test_chunks_that_are_read_ahead_are_those_read_one_by_one(tmp_path, monkeypatch):
    path = tmp_path / "many.mcap"
    with path.open("wb") as file:
        writer = Writer(file, chunk_size=400, compression=CompressionType.ZSTD)
        writer.start("ros2")
        schema = writer.register_schema(KIND, "ros2msg", WHOLE.encode())
        for n in range(60):
            writer.add_message(writer.register_channel("/object_pose", "cdr", schema), n, DATA, n)
        writer.finish()
    content = bytearray(path.read_bytes())
    damaged = content.index(b"zstd", len(content) // 4) + 20
    content[damaged : damaged + 9] = b"\0" * 9
    path.write_bytes(content)

    def read():
        bag = Bag(path)
        return [(m.ns, m.data) for m in bag.raw(["/object_pose"])], bag.skipped

    ahead = read()
    stopped = Bag(path).raw(["/object_pose"])
    assert next(stopped).data == DATA
    stopped.close()
    assert "icpi-read-ahead" not in " ".join(thread.name for thread in threading.enumerate())
    monkeypatch.setattr(mcap_file, "FEW", 1000)
    assert ahead == read()
    assert 40 < len(ahead[0]) < 60
    assert len(ahead[1]) == 1


def write(path, messages, break_chunk=False):
    """One file of messages (topic, type, definition, data); its only chunk may be damaged."""
    with path.open("wb") as file:
        writer = Writer(file, compression=CompressionType.ZSTD, enable_crcs=not break_chunk)
        writer.start("ros2")
        for topic, kind, text, data in messages:
            schema = writer.register_schema(kind, "ros2msg", text.encode())
            writer.add_message(writer.register_channel(topic, "cdr", schema), 1, data, 1)
        writer.finish()
    if break_chunk:
        content = path.read_bytes()
        at = content.index(b"\x28\xb5\x2f\xfd")
        path.write_bytes(content[: at + 6] + b"\xff" * 20 + content[at + 26 :])
    return path


WINDOW = "icpi_msgs/msg/TrialWindow"


def trial_window(topic="/trial_window"):
    data = bytes(STORE.serialize_cdr(window(0, "a/0", 10**9), WINDOW))
    return topic, WINDOW, definition(WINDOW).text, data


@pytest.mark.parametrize("summary", [True, False])
def test_a_chunk_that_is_skipped_is_part_of_the_error(tmp_path, summary):
    path = write(tmp_path / "a.mcap", [trial_window()], break_chunk=True)
    if not summary:
        path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UsageError, match=r"a chunk of \d+ B at \d+ B is skipped") as told:
        read_trials(Bag(path))
    assert len(str(told.value).splitlines()) == 1


def test_a_missing_topic_names_the_one_of_another_type(tmp_path):
    text = ("/lab/trial_window", "std_msgs/msg/String", "string data\n", b"\0\1\0\0\1\0\0\0\0")
    bag = Bag(write(tmp_path / "a.mcap", [text]))
    said = "/lab/trial_window is std_msgs/msg/String, expected icpi_msgs/msg/TrialWindow"
    assert said in bag.skipped[0]
    with pytest.raises(UsageError, match=f"no topic trial_window.*{said}"):
        bag.require("trial_window")
    with pytest.raises(UsageError, match=said):
        read_trials(bag)


def test_a_topic_of_another_type_beside_the_right_one_is_no_matter(tmp_path):
    text = ("/other/trial_window", "std_msgs/msg/String", "string data\n", b"\0\1\0\0\1\0\0\0\0")
    bag = Bag(write(tmp_path / "a.mcap", [text, trial_window()]))
    assert (bag.topics, bag.skipped) == ({"trial_window": "/trial_window"}, [])


@pytest.mark.parametrize("kind", ["geometry_msgs/PoseStamped", KIND])
def test_a_type_without_msg_in_its_name_is_the_same(tmp_path, kind):
    bag = Bag(write(tmp_path / "a.mcap", [("/object_pose", kind, WHOLE, DATA)]))
    assert [m.content.pose.position.x for m in bag.messages(["object_pose"])] == [0.6]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("!!map {<<: {a: 1}}", "<< is not read"),
        ("a: 1\na: 2\n", "twice"),
        ("a: !!python/name:os.abort x", "the tag"),
        ("\xff\xfe", "not text in UTF-8"),
        (None, "a device"),
    ],
)
def test_metadata_that_cannot_be_read_is_noted_with_its_reason(tmp_path, text, reason):
    write(tmp_path / "a.mcap", [trial_window()])
    path = tmp_path / "metadata.yaml"
    if text is None:
        path.symlink_to("/dev/zero")
    else:
        path.write_bytes(text.encode("latin-1"))
    bag = Bag(tmp_path)
    assert list(bag.topics) == ["trial_window"]
    assert reason in bag.skipped[0]
    assert "its files are read as is" in bag.skipped[1]
