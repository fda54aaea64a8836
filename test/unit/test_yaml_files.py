"""One reader of YAML: what it takes, what it refuses, and where a message says that it stands."""

import os
import socket
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from icpi_benchmarks import results

from icpi_ros.bags.topics import read_mapping
from icpi_ros.cli.calibrate_inputs import read_points
from icpi_ros.core.errors import IcpiError, Kind, UsageError
from icpi_ros.core.files import read_file
from icpi_ros.core.yaml_files import MAX_DEPTH, FileKind, number, parse_yaml, read_yaml, write_yaml
from icpi_ros.evaluate.physics import physics_file
from icpi_ros.llm.cassettes.cassette import Cassette
from icpi_ros.llm.cassettes.file import CassetteFile
from icpi_ros.llm.client.profile import read_catalogue
from icpi_ros.llm.server.weights.gguf import Header
from icpi_ros.motion.demonstration.recording_file import read_csv
from icpi_ros.motion.limits_file import load_limits
from icpi_ros.perception.calibration import file as calibration_file
from icpi_ros.robots import find_arm
from icpi_ros.robots.description.urdf import read_urdf
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.ros.bringup.params_file import ParamsFile
from icpi_ros.tasks.described.reading import load_task
from icpi_ros.tasks.slide import SLIDE

KIND = FileKind(UsageError, max_bytes=1000)
READERS = {
    "arm": lambda path: find_arm(str(path)),
    "limits": partial(load_limits, arm=UR5E),
    "calibration": calibration_file.load,
    "physics": partial(physics_file.load, task=SLIDE),
    "models": read_catalogue,
    "mapping": read_mapping,
    "params": lambda path: ParamsFile(str(path)),
    "task": load_task,
}
PACKAGE = Path(__file__).parents[2] / "icpi_ros"


def parsed(text):
    return parse_yaml(text, Path("some.yaml"), KIND)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS.keys())
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", "at line 3: .*a.* twice"),
        ("a:\n  b: 1\n  b: 2\n", "at line 3: .*b.* twice"),
        ("a: {<<: {b: 1}}\n", "at line 1: << is not read: write the keys out"),
        ("a: 1\nb: !!python/name:os.system x\n", "at line 2: the tag .*os.system is not read"),
        ("a: 1\nb: [1, 2\n", "at line 3"),
        ("[" * 60_000, f"more than {MAX_DEPTH} lists or mappings inside each other"),
        ("a: " + "x" * 1_100_000, "too large: it has more than [0-9]+ bytes"),
    ],
    ids=["twice", "inner twice", "merged", "tag", "open", "deep", "large"],
)
def test_every_reader_refuses_the_same_in_one_line(tmp_path, reader, text, words):
    path = tmp_path / "some.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=words) as caught:
        reader(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_kind_of_a_refusal_is_in_its_fields(tmp_path):
    with pytest.raises(UsageError) as caught:
        parsed("a: 1\na: 2")
    assert (caught.value.refusal.kind, caught.value.refusal.field) == (Kind.DUPLICATE, "a")
    with pytest.raises(UsageError) as caught:
        read_yaml(tmp_path / "none.yaml", KIND)
    assert caught.value.refusal.kind == Kind.UNREADABLE


def test_numbers_are_decimal_and_dates_are_texts():
    found = parsed("[1, -2, 0, 1.5, .5, 2., -0.0, 1.0e-05, 010, 0x10, 1:30, 1e-3, 2026-01-02, yes]")
    assert found == [
        *(1, -2, 0, 1.5, 0.5, 2.0, -0.0, 1e-5),
        *("010", "0x10", "1:30", "1e-3", "2026-01-02", True),
    ]
    assert np.isnan(parsed(".nan"))
    assert parsed("9" * 400) == "9" * 400  # no float holds it
    assert [number(value) for value in ("1e-3", "010", "0x10", "1_0", "٣", "a", 3, None)] == [
        *(1e-3, 10.0, "0x10", "1_0", "٣", "a", 3, None)
    ]


def test_lists_that_share_others_are_read():
    assert parsed("a: &a [1]\nb: *a") == {"a": [1], "b": [1]}
    assert parsed("a: &a {b: &b [1]}\nc: [*b, *a]")["c"] == [[1], {"b": [1]}]


def bomb(one, many=9, levels=9):
    lines = ["a0: &a0 {k: 1}"] + [
        f"a{i}: &a{i} {one.format(', '.join([f'*a{i - 1}'] * many))}" for i in range(1, levels)
    ]
    return "\n".join(lines)


BOMBS = {
    "merge keys": (bomb("{{<<: [{}]}}"), "<< is not read"),
    "an explicit map": ("!!map {a: !!map {<<: {b: 1}}}", "<< is not read"),
    "a verbatim tag": ("!<tag:yaml.org,2002:map> {<<: {a: 1}}", "<< is not read"),
    "merge by its tag": ("{!!merge a: {b: 1}}", "the tag !!merge is not read"),
    "a quoted merge key by its tag": ('{!!merge "<<": {b: 1}}', "the tag !!merge is not read"),
    "aliases": (bomb("[{}]"), "more than 100000 keys and values"),
    "aliases in mappings": (bomb("{{b: [{}]}}"), "more than 100000 keys and values"),
    "keys": ("".join(f"k{i}: 1\n" for i in range(50_001)), "more than 100000 keys and values"),
    "values": ("-\n" * 100_001, "more than 100000 keys and values"),
    "directives": ("".join(f"%TAG !a{i}! x\n" for i in range(50_000)) + "--- a", "begin with %"),
    "a list in itself": ("a: &a [*a]", r"\*a stands for what it is in"),
    "a mapping in itself": ("&a {b: {c: *a}}", r"\*a stands for what it is in"),
    "a key that is itself": ("&a {? *a : 1}", r"\*a stands for what it is in"),
    "blocks": ("- " * 5000, f"more than {MAX_DEPTH} lists"),
}


@pytest.mark.parametrize(("text", "words"), BOMBS.values(), ids=BOMBS.keys())
def test_a_small_text_cannot_become_a_large_content(text, words):
    with pytest.raises(UsageError, match=words) as told:
        parsed(text)
    assert len(str(told.value)) < 300


@pytest.mark.parametrize(
    "text",
    [
        "!!bool x", '!!int ""', "!!int 0x10", "!!float 1:30", "!!null x", "!!timestamp x",
        "!!float 0x10", "!!float 1_0.5", "!!float nan", "!!int 010", "!!int 1.0", "!!bool 1",
        "!!binary a", "!!set {a}", "!!omap [a: 1]", "!!pairs [a: 1]", "!!map x", "!!seq {}",
        "!!str [a]", "!local 1", "!!python/object/apply:os.system [ls]",
    ],
)  # fmt: skip
def test_no_tag_brings_another_kind_of_value_in(text):
    with pytest.raises(UsageError, match=r"the tag ![^ ]+ is not read"):
        parsed(f"a: {text}")


def test_a_tag_that_says_what_a_value_is_anyway_is_read():
    assert parsed("!!map {a: !!seq [!!str 1]}") == {"a": ["1"]}
    assert parsed("[!!float 5, !!float '1.0', !!float 1e-3, !!int -7, !!bool true, !!null ~]") == [
        *(5.0, 1.0, 1e-3, -7, True, None)
    ]
    assert parsed("a: =") == {"a": "="}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("{1: a, 1.0: b}", "1.0"), ("{yes: a, true: b}", "true"), ("{~: a, null: b}", "null"),
        ("{.nan: 1, .NaN: 2}", ".NaN"), ("{0: a, -0.0: b}", "-0.0"),
    ],
)  # fmt: skip
def test_keys_that_are_equal_are_one_key_twice(text, key):
    with pytest.raises(UsageError, match=f"key '{key}' is given twice"):
        parsed(text)


@pytest.mark.parametrize(
    ("reader", "text", "words"),
    [
        (
            "models",
            "modells: {}\nmodels: {}",
            r".modells.: choose from models \(did you .*\) \(line 1\)",
        ),
        (
            "models",
            "models:\n  a:\n    prise: 1",
            r"'prise': .*\(did you mean 'price'\?\) \(line 3",
        ),
        ("arm", "name: a\nsauce: b", r"'sauce': .*\(did you mean 'source'\?\) \(line 2\)"),
    ],
)
def test_an_unknown_key_is_named_with_the_one_that_is_meant(tmp_path, reader, text, words):
    path = tmp_path / "some.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=f"unknown key {words}"):
        READERS[reader](path)


def test_what_is_written_is_read_again(tmp_path):
    content = {"a": [1, 0.1, 1e-5, 1e300], "b": {"c": "1.0e+3", "d": "yes", "e": "2026-01-02"}}
    write_yaml(tmp_path / "some.yaml", content)
    assert read_yaml(tmp_path / "some.yaml", KIND) == content


def test_no_other_module_reads_yaml():
    reading = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if any(f"yaml.{name}" in path.read_text() for name in ("load(", "safe_load(", "compose("))
    ]
    assert sorted(reading) == ["folder.py", "yaml_files.py"]


@pytest.fixture
def no_files(tmp_path):
    """Paths that are no regular file, each with a word of the reason."""
    os.mkfifo(tmp_path / "pipe.yaml")
    socket.socket(socket.AF_UNIX).bind(str(tmp_path / "socket.yaml"))
    (tmp_path / "to_zero.yaml").symlink_to("/dev/zero")
    return {
        "/dev/zero": "a device",
        tmp_path / "to_zero.yaml": "a device",
        tmp_path / "pipe.yaml": "a pipe",
        tmp_path / "socket.yaml": "a socket",
        tmp_path: "directory",
        "/proc/kmsg": "the kernel",
        "/proc/self/environ": "the kernel",
        tmp_path / "none.yaml": "No such file",
    }


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS.keys())
def test_every_reader_takes_files_only(no_files, reader):
    for path, reason in no_files.items():
        with pytest.raises(UsageError, match=reason) as told:
            reader(Path(path))
        assert "\n" not in str(told.value)


FOREIGN = {
    "recorded joints": (partial(read_csv, arm=UR5E), UsageError),
    "URDF": (lambda path: read_urdf(path, "a", "b"), UsageError),
    "results": (results.read, IcpiError),
    "weights": (Header.read, IcpiError),
    "points": (read_points, UsageError),
    "cassette": (lambda path: CassetteFile(path).refresh(), UsageError),
    "cassette to replay": (partial(Cassette, mode="replay"), UsageError),
    "cassette to record": (partial(Cassette, mode="auto"), UsageError),
}


@pytest.mark.parametrize(("reader", "error"), FOREIGN.values(), ids=FOREIGN.keys())
def test_no_other_reader_waits_for_a_pipe_or_a_device(no_files, reader, error):
    for path, reason in list(no_files.items())[:-1]:
        with pytest.raises(error, match=reason):
            reader(Path(path))


def test_a_file_of_any_size_is_read_to_its_bound_only(tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(2**40)  # a hole
    with pytest.raises(OSError, match="more than 10 bytes"):
        read_file(tmp_path / "large", 10)
    (tmp_path / "small").write_bytes(b"0123456789")
    assert read_file(tmp_path / "small", 10) == b"0123456789"
    with pytest.raises(OSError, match="more than 9 bytes"):
        read_file(tmp_path / "small", 9)
