"""Files of others, changed at random: each is read, or refused in one line, soon.

As a program, ``python test/fuzz_files.py KIND SECONDS [SEED]`` tries so long, with hypothesis, or
coverage-guided with ``--atheris`` where that is installed.  Nothing may be taken in another sense
than it was written in: axes are unit vectors, limits only tighter, numbers of Parquet exact.
"""

from __future__ import annotations

import inspect
import io
import signal
import sys
import tempfile
import time
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

sys.path += [str(Path(__file__).parent), str(Path(__file__).parent / "unit")]

from bag_data import STORE, pose
from test_calibration_file import some
from test_foreign_bags import IDL
from test_urdf import DECLARED, SAME, robot
from toy_task import TOY, toy_dataset

from icpi_ros.bags.formats.definitions import decoder, definition
from icpi_ros.bags.formats.raw import Channel
from icpi_ros.core.errors import DatasetError, IcpiError
from icpi_ros.core.resources import share_path
from icpi_ros.learn.dataset import parquet
from icpi_ros.learn.dataset.columns import columns
from icpi_ros.learn.dataset.dataset import save
from icpi_ros.motion.limits_file import load_limits
from icpi_ros.perception.calibration import file as calibration_file
from icpi_ros.robots.description.reading import load_arm
from icpi_ros.robots.description.urdf import read_urdf
from icpi_ros.robots.ur5e import UR5E

KINDS = ("urdf", "arm", "limits", "camera", "bag", "parquet")
HANG = 30
"""Longest time for one file [s]."""
_temporary = tempfile.TemporaryDirectory(prefix="icpi-fuzz-")
FOLDER = Path(_temporary.name)
counts = {"read": 0, "refused": 0}


def written(content, name):
    path = FOLDER / name
    path.write_bytes(content)
    return path


def urdf(content):
    chain = read_urdf(written(content, "arm.urdf"), "l0", "tip")
    assert np.allclose(np.linalg.norm(chain.axes, axis=1), 1.0)
    assert np.isfinite(chain.origins).all()
    assert np.isfinite(chain.flange).all()
    assert not np.isnan([chain.lower, chain.upper, chain.velocity]).any()


def arm(content):
    found = load_arm(written(content, "arm.yaml"))
    assert np.isfinite(found.links(found.home)).all()
    assert (found.limits.velocity <= 50.0).all()


def limits(content):
    found, _ = load_limits(written(content, "limits.yaml"), UR5E)
    own = UR5E.limits
    for name in ("velocity", "acceleration", "upper", "tool_speed", "tool_energy"):
        assert (np.asarray(getattr(found, name)) <= getattr(own, name)).all()
    assert (found.lower >= own.lower).all()


def camera(content):
    found = calibration_file.load(written(content, "camera.yaml"))
    assert np.isfinite(found.intrinsics.matrix).all()


KIND = "geometry_msgs/msg/PoseStamped"
DATA = bytes(STORE.serialize_cdr(pose(10**9, (0.6, 0.1, 0.2)), KIND))


def bag(content):
    text = content.decode("utf-8", "replace")
    idl = "module" in text
    channel = Channel("/p", "geometry_msgs/msg/Point" if idl else KIND, "cdr", text,
                      "ros2idl" if idl else "ros2msg")  # fmt: skip
    found = decoder(channel)
    assert len(found.remark) < 2000
    try:
        found.decode(DATA)
    except Exception:  # what it stumbles over is noted by the reader of bags
        counts["refused"] += 1


class Hang(BaseException):
    """A file took too long."""


def alarm(*_):
    raise Hang


def check_line(text):
    assert len(text.splitlines()) == 1, "more than one line"
    assert len(text) < 3000, "no end"


def tried(target, content):
    """Read one file; everything but a value or one line of refusal goes on upwards."""
    signal.alarm(HANG)
    try:
        target(content)
        counts["read"] += 1
    except IcpiError as exc:
        counts["refused"] += 1
        check_line(str(exc))
    finally:
        signal.alarm(0)


def corpus(kind):
    arms = sorted(share_path("config", "arms").glob("*.yaml"))
    texts = {
        "urdf": [t if isinstance(t, bytes) else t.encode() for t in SAME.values()],
        "arm": [path.read_bytes() for path in arms],
        "limits": [
            b"velocity: 1.5\nacceleration: [20, 20, 20, 30, 30, 30]\n",
            b"workspace_lower: [0.3, -0.5, 0.008]\ntool_speed: 1.2\nlower: -1.0\nupper: 2\n",
        ],
        "camera": camera_files(),
        "bag": [definition(KIND).text.encode(), IDL.encode()],
    }
    return texts[kind]


def camera_files():
    found = []
    for pose_too in (True, False):
        calibration_file.save(FOLDER / "camera.yaml", some(pose_too))
        found.append((FOLDER / "camera.yaml").read_bytes())
    return found


TOKENS = {
    "urdf": [b"<joint>", b"</joint>", b"<!--", b"-->", b"&amp;", b"&#0;", b"1e400", b"-1e308",
             b"0.5", b"-1", b"2.0", b"nan", b"inf", b"<mimic joint='j1'/>", b"continuous",
             b"prismatic", b"xacro:", b'xmlns="a"', DECLARED.format("utf-7").encode(),
             b"<![CDATA[", b"<!DOCTYPE a>",
             robot().encode(), b"\xff\xfe", b"${x}", b'"', b" "],
    "bag": [b"=" * 80, b"MSG: a/B\n", b"\r\n", b"uint8[99999999] a\n", b"string<=5 a\n", b"[<=3]",
            b"Header h\n", b"# ", b"int32 A=1\n", b"geometry_msgs/PoseStamped p\n", b"[]",
            b"module a { struct B { C c; }; };", b"sequence<", b"@", b"\0", b"wstring w\n"],
}  # fmt: skip
YAML_TOKENS = [b"&a", b"*a", b"<<: ", b"{", b"}", b"[", b"]", b": ", b"\n", b"- ", b"? ", b"!!int ",
               b"!!python/name:os.abort ", b"%TAG ! x\n", b"---\n", b"'", b'"', b"|\n ", b"1e400",
               b"0.5", b"-1", b"2", b".nan", b"-.inf", b"1:30", b"0x10", b"9" * 400, b"yes",
               b"~", b"\t", b"\0",
               b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"-0.0", b"[" * 200, b"velocity: "]  # fmt: skip


def edited(content, edits):
    for share, removed, token in edits:
        at = int(share * len(content))
        content = content[:at] + token + content[at + removed :]
    return content


def files(kind):
    tokens = TOKENS.get(kind, YAML_TOKENS)
    texts = corpus(kind)
    words = st.sampled_from(tokens) | st.binary(max_size=8) | parts(texts)
    edit = st.tuples(st.floats(0, 1), st.sampled_from([0, 0, 1, 2, 5, 40, 400]), words)
    return st.builds(edited, st.sampled_from(texts), st.lists(edit, min_size=1, max_size=4))


def parts(texts):
    cut = st.tuples(st.sampled_from(texts), st.floats(0, 1), st.integers(1, 200))
    return cut.map(lambda c: c[0][int(c[1] * len(c[0])) :][: c[2]])


# --- Parquet: columns of any type with any values ----------------------------------------------

ROWS = 4
TYPES = [
    *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32()),
    *(pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.bool_(), pa.string()),
    *(pa.large_string(), pa.binary(), pa.date32(), pa.date64(), pa.time32("s"), pa.time64("ns")),
    *(pa.timestamp("s"), pa.timestamp("ns"), pa.timestamp("us", "UTC"), pa.duration("ns")),
    *(pa.decimal128(20, 5), pa.decimal256(50, 10), pa.list_(pa.int64()), pa.null()),
    pa.struct([("a", pa.float64())]),
]
VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**64 - 1),
    st.integers(-3, 300),
    st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1, 1_700_000_000_000_000_001]),
    st.floats(),
    st.booleans(),
    st.text(max_size=5),
    st.sampled_from(["1", "1.5", "1_0", "0x1", "nan", "inf", "1e400", " 2 ", "٣", "1,5"]),
    st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-1000, max_value=1000),
)


@st.composite
def tables(draw):
    """A name, an array of one type, and whether it is stored as a dictionary."""
    kind = draw(st.sampled_from(TYPES))
    made = []
    for value in draw(st.lists(VALUES, min_size=ROWS, max_size=ROWS)):
        try:
            made.append(pa.scalar(value).cast(kind))
        except (pa.ArrowException, TypeError, ValueError, OverflowError, AttributeError):
            try:
                made.append(pa.scalar(value, kind))
            except (pa.ArrowException, TypeError, ValueError, OverflowError, AttributeError):
                made.append(None)
    try:
        cells = [None if cell is None else cell.as_py() for cell in made]
        array = pa.array(cells, kind)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):  # no Python object holds it
        array = pa.nulls(ROWS, kind)
    names = [column.name for column in columns(TOY)] + ["cost", "label_cost", "group"]
    if draw(st.booleans()) and not pa.types.is_nested(kind) and not pa.types.is_null(kind):
        array = array.dictionary_encode()
    return draw(st.sampled_from([*names, "group", "group"])), array, draw(st.integers(1, 5))


def plain_file():
    save(toy_dataset(size=ROWS), FOLDER / "plain.parquet", TOY)
    return pq.read_table(FOLDER / "plain.parquet")


def table_kept(plain):
    fields = {column.name: column for column in columns(TOY)}

    def check(made):
        name, array, rows = made
        table = plain.set_column(plain.column_names.index(name), name, [array])
        path = FOLDER / "a.parquet"
        pq.write_table(table, path, row_group_size=rows)
        found = parquet.read(path, TOY)
        cells = array.to_pylist()
        if name == "group":
            assert None not in cells
            exact = [found.group[i] == found.group[j] for i in range(ROWS) for j in range(ROWS)]
            assert exact == [cells[i] == cells[j] for i in range(ROWS) for j in range(ROWS)]
            if all(type(cell) is int for cell in cells):
                assert found.group.tolist() == cells
            assert not any(isinstance(cell, (bool, float, Decimal)) for cell in cells)
            return
        field = fields.get(name)
        values = (
            getattr(found, name) if field is None else getattr(found, field.field)[:, field.index]
        )
        for cell, value in zip(cells, values.tolist(), strict=True):
            assert not isinstance(cell, (bool, bytes, list, dict)), f"{cell!r} became {value}"
            assert same(cell, value), f"{cell!r} became {value}"

    return check


def same(cell, value):
    if cell is None or cell != cell:
        return value != value
    if isinstance(cell, str):
        return str(float(cell)) == str(value) and "_" not in cell
    if abs(value) == float("inf"):
        return cell == value
    return Fraction(float(cell) if isinstance(cell, np.floating) else cell) == Fraction(value)


def damaged(plain):
    """Whole files with bytes changed."""
    out = io.BytesIO()
    pq.write_table(plain, out, compression="none")
    good = out.getvalue()

    def check(edits):
        path = written(edited(good, edits), "b.parquet")
        for read in (lambda: parquet.read(path, TOY), lambda: parquet.metadata(path)):
            try:
                read()
            except DatasetError as exc:
                check_line(str(exc))
        parquet.read(path, TOY)

    return check


def jobs_of(kind):
    """What is tried with which files."""
    if kind != "parquet":
        return [(globals()[kind], files(kind))]
    plain = plain_file()
    edit = st.tuples(st.floats(0, 1), st.sampled_from([0, 1, 1, 2, 30]), st.binary(max_size=4))
    edits = st.lists(edit, min_size=1, max_size=4)
    return [(table_kept(plain), tables()), (damaged(plain), edits)]


def hypothesised(kind, seconds, number):
    """Try until the time is over; every round has other random numbers."""
    jobs = jobs_of(kind)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for target, strategy in jobs:
            number += 1
            one_round(target, strategy, number)


def one_round(target, strategy, number, examples=200):
    @seed(number)
    @settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(strategy)
    def one(content):
        tried(target, content)

    one()


def guided(kind, seconds, number):
    """Try by coverage."""
    import atheris

    target = globals()[kind]
    start = FOLDER / "corpus"
    start.mkdir()
    for index, content in enumerate(corpus(kind)):
        (start / str(index)).write_bytes(content)
    options = [f"-max_total_time={seconds}", f"-seed={number}", "-max_len=20000", "-rss_limit_mb=0"]
    ours = ("core.yaml", "robots.desc", "motion.limits", "perception.calibration", "bags.formats")
    readers = ("rosbags.typesys", *(f"icpi_ros.{name}" for name in ours))
    for name in [name for name in sys.modules if name.startswith(readers)]:
        for value in list(vars(sys.modules[name]).values()):
            for function in (value, *(vars(value).values() if isinstance(value, type) else ())):
                if inspect.isfunction(function) and function.__module__ == name:
                    atheris.instrument_func(function)
    atheris.Setup([sys.argv[0], *options, str(start)], lambda content: tried(target, content))
    atheris.Fuzz()


if __name__ == "__main__":
    chosen = [word for word in sys.argv[1:] if not word.startswith("--")]
    signal.signal(signal.SIGALRM, alarm)
    run = guided if "--atheris" in sys.argv else hypothesised
    try:
        run(chosen[0], float(chosen[1]), int(chosen[2]) if len(chosen) > 2 else 0)
    finally:
        print(chosen[0], counts, f"seed {chosen[2:]}")
