"""One reader of YAML: what it takes, what it refuses, and where a message says that it stands."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from icpi_ros.bags.topics import read_mapping
from icpi_ros.core.errors import Kind, UsageError
from icpi_ros.core.yaml_files import MAX_DEPTH, FileKind, number, parse_yaml, read_yaml, write_yaml
from icpi_ros.evaluate.physics import physics_file
from icpi_ros.llm.client.profile import read_catalogue
from icpi_ros.motion.limits_file import load_limits
from icpi_ros.perception.calibration import file as calibration_file
from icpi_ros.robots import find_arm
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.ros.bringup.params_file import ParamsFile
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
    assert [number(value) for value in ("1e-3", "010", "0x10", "a", 3, None)] == [
        *(1e-3, 10.0, "0x10", "a", 3, None)
    ]


def test_a_list_in_itself_and_lists_that_share_others_are_read():
    itself = parsed("a: &a [*a]")
    assert itself["a"][0] is itself["a"]
    assert parsed("a: &a [1]\nb: *a") == {"a": [1], "b": [1]}


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
