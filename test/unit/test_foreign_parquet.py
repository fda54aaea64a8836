"""Data sets that other programs wrote: read as they are, or refused by column and type."""

import os
from datetime import date
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toy_task import TOY, toy_dataset

from icpi_ros.core.errors import DatasetError
from icpi_ros.learn.dataset import parquet
from icpi_ros.learn.dataset.dataset import load, save
from icpi_ros.learn.dataset.joining import together
from icpi_ros.learn.executions import draws

VECTORS = ("theta", "error", "dtheta", "goal")
SCALARS = ("cost", "label_cost")
NS = 1_700_000_000_000_000_000
COUNT = 8


@pytest.fixture
def file(tmp_path):
    save(toy_dataset(size=COUNT), tmp_path / "toy.parquet", TOY)
    return tmp_path / "toy.parquet"


def put(file, name, values, **options):
    """Write the file again with another column, and with another writer's options."""
    table = pq.read_table(file)
    if name:
        table = table.set_column(table.column_names.index(name), name, [values])
    pq.write_table(table, file, **options)


def of_kind(kind):
    return lambda values: pa.array(values).cast(kind)


GROUPS = {
    "int8": (of_kind(pa.int8()), range(COUNT)),
    "uint32": (of_kind(pa.uint32()), range(COUNT)),
    "negative": (pa.array, range(-COUNT, 0)),
    "stamps in ns": (pa.array, [NS + n for n in range(COUNT)]),
    "uint64 stamps": (of_kind(pa.uint64()), [NS + n for n in range(COUNT)]),
    "dictionary of stamps": (
        lambda values: pa.array(values).dictionary_encode(),
        [NS + n // 2 for n in range(COUNT)],
    ),
}


@pytest.mark.parametrize(("make", "values"), GROUPS.values(), ids=GROUPS.keys())
def test_integer_groups_are_kept_as_they_are(file, make, values):
    put(file, "group", make(list(values)))
    found = load(file, TOY).group
    assert found.dtype == np.int64
    assert found.tolist() == list(values)


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), "string")]
)
def test_groups_that_are_texts_are_told_apart(file, kind):
    names = ["run-b", "run-a", "3", "03", "run-b", "3", "Run-a", ""]
    put(file, "group", pa.array(names).cast(kind))
    assert load(file, TOY).group.tolist() == [0, 1, 2, 3, 0, 2, 4, 5]


def test_stamps_stay_apart_in_all_that_learns_from_them(file, tmp_path):
    put(file, "group", pa.array([NS + n // 2 for n in range(COUNT)]))
    found = load(file, TOY)
    assert len(np.unique(draws(found, TOY.default_goal))) == COUNT // 2
    joined = found
    for _ in range(6):  # the sum of so many stamps is beyond 64 bits
        joined = together(joined, found, TOY)
    assert len(np.unique(joined.group)) == 7 * COUNT // 2
    save(joined, tmp_path / "joined.parquet", TOY)
    assert load(tmp_path / "joined.parquet", TOY).group.tolist() == joined.group.tolist()


# Made when they are needed: the first array of pyarrow imports pandas, in every worker.
BAD_GROUPS = {
    "float": (lambda: pa.array(np.arange(COUNT) / 2.0), "type double"),
    "bool": (lambda: pa.array([n > 3 for n in range(COUNT)]), "type bool"),
    "timestamp": (
        lambda: pa.array([NS + n for n in range(COUNT)]).cast(pa.timestamp("ns")),
        "timestamp",
    ),
    "duration": (lambda: pa.array(range(COUNT)).cast(pa.duration("s")), "type duration"),
    "date": (lambda: pa.array([date(2026, 1, 1 + n) for n in range(COUNT)]), "type date32"),
    "decimal": (lambda: pa.array([Decimal(n) for n in range(COUNT)]), "type decimal"),
    "list": (lambda: pa.array([[n] for n in range(COUNT)]), "type list"),
    "struct": (lambda: pa.array([{"n": n} for n in range(COUNT)]), "type struct"),
    "binary": (lambda: pa.array([b"a"] * COUNT), "type binary"),
    "dictionary of floats": (lambda: pa.array([0.5] * COUNT).dictionary_encode(), "type double"),
    "null": (lambda: pa.array([0, 1, 2, None, 4, 5, 6, 7]), "is empty in row 3"),
    "no value at all": (lambda: pa.nulls(COUNT), "type null"),
    "beyond int64": (
        lambda: pa.array([2**63 + 1] * COUNT, pa.uint64()),
        "is 9223372036854775809 in row 0",
    ),
}


@pytest.mark.parametrize(("values", "reason"), BAD_GROUPS.values(), ids=BAD_GROUPS.keys())
def test_other_groups_are_refused_by_column_and_type(file, values, reason):
    put(file, "group", values())
    with pytest.raises(DatasetError, match=f"column group .*{reason}") as told:
        load(file, TOY)
    assert len(str(told.value).splitlines()) == 1


NUMBERS = {
    "float32": (lambda: pa.array([0.5] * COUNT).cast(pa.float32()), 0.5),
    "float16": (lambda: pa.array(np.full(COUNT, 0.5, np.float16)), 0.5),
    "integer": (lambda: pa.array([1] * COUNT), 1.0),
    "uint8": (lambda: pa.array([1] * COUNT).cast(pa.uint8()), 1.0),
    "2^53": (lambda: pa.array([2**53] * COUNT), 2.0**53),
    "decimal": (lambda: pa.array([Decimal("0.25")] * COUNT), 0.25),
    "dictionary": (lambda: pa.array([0.125] * COUNT).dictionary_encode(), 0.125),
    "text": (lambda: pa.array([" 1.5e-1 "] * COUNT), 0.15),
}


@pytest.mark.parametrize(("values", "expected"), NUMBERS.values(), ids=NUMBERS.keys())
def test_numbers_of_another_kind_are_exact(file, values, expected):
    put(file, "cost", values())
    assert load(file, TOY).cost.tolist() == [expected] * COUNT


BAD_NUMBERS = {
    "bool": (lambda: pa.array([True] * COUNT), "type bool"),
    "timestamp": (lambda: pa.array(range(COUNT)).cast(pa.timestamp("ns")), "timestamp"),
    "timestamp with zone": (
        lambda: pa.array(range(COUNT)).cast(pa.timestamp("us", "UTC")),
        "timestamp",
    ),
    "duration": (lambda: pa.array(range(COUNT)).cast(pa.duration("ms")), "type duration"),
    "time": (lambda: pa.array(range(COUNT), pa.time64("ns")), "type time64"),
    "dictionary of durations": (
        lambda: pa.array(range(COUNT)).cast(pa.duration("ns")).dictionary_encode(),
        "type duration",
    ),
    "list": (lambda: pa.array([[[0.5]]] * COUNT), "type list"),
    "map": (lambda: pa.array([[("a", 0.5)]] * COUNT, pa.map_("string", "double")), "type map"),
    "dictionary of bools": (lambda: pa.array([True] * COUNT).dictionary_encode(), "type bool"),
    "beyond 2^53": (lambda: pa.array([1] * 3 + [2**53 + 1] * 5), "is 9007199254740993 in row 3"),
    "below -2^53": (lambda: pa.array([-(2**53) - 1] * COUNT), "is -9007199254740993 in row 0"),
    "uint64": (
        lambda: pa.array([2**64 - 1] * COUNT, pa.uint64()),
        "is 18446744073709551615 in row 0",
    ),
    "inexact decimal": (lambda: pa.array([Decimal("0.1")] * COUNT), r"decimal 0.1, .* \(row 0\)"),
    "decimal comma": (lambda: pa.array(["0,1"] * COUNT), r"'0,1' .*\(row 0\)"),
    "grouped digits": (lambda: pa.array(["1_0"] * COUNT), r"'1_0' .*\(row 0\)"),
    "text beyond 2^53": (
        lambda: pa.array(["9007199254740993"] * COUNT),
        r"does not hold.*\(row 0\)",
    ),
    "text beyond all": (lambda: pa.array(["1e999"] * COUNT), r"'1e999'.*\(row 0\)"),
}


@pytest.mark.parametrize(("values", "reason"), BAD_NUMBERS.values(), ids=BAD_NUMBERS.keys())
def test_what_is_no_number_is_refused_by_column_and_type(file, values, reason):
    put(file, "cost", values())
    with pytest.raises(DatasetError, match=f"column 'cost' .*{reason}") as told:
        load(file, TOY)
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("kind", "cell"), [(pa.null(), None), (pa.int64(), None), (pa.string(), "nan")]
)
def test_an_empty_cell_is_a_label_that_is_not_known(file, kind, cell):
    put(file, "label_cost", pa.array([cell] * COUNT, kind))
    assert np.isnan(load(file, TOY).label_cost).all()


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "zstd"},
        {"compression": "brotli"},
        {"row_group_size": 3},
        {"version": "1.0", "data_page_version": "1.0"},
        {"data_page_version": "2.0", "use_dictionary": False},
        {"use_byte_stream_split": True, "use_dictionary": False},
        {"write_page_index": True, "write_statistics": False},
    ],
)
def test_other_settings_of_a_writer_change_nothing(file, options):
    before = load(file, TOY)
    put(file, None, None, **options)
    after = load(file, TOY)
    for name in (*VECTORS, *SCALARS, "group"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def test_metadata_that_stands_outside_of_the_schema_of_arrow(file):
    """As polars writes it."""
    table = pq.read_table(file)
    plain = table.replace_schema_metadata(None)
    with pq.ParquetWriter(file, plain.schema) as writer:
        writer.write_table(plain)
        writer.add_key_value_metadata(dict(table.schema.metadata))
    assert len(load(file, TOY)) == COUNT
    assert parquet.metadata(file)["task"] == TOY.name
    parquet.check_header(file, TOY)


def test_columns_of_others_are_not_looked_at(file):
    table = pq.read_table(file)
    for name, values in (("when\n", pa.array([0] * COUNT).cast(pa.timestamp("ns"))), ("a", [1])):
        table = table.append_column(name, values if name != "a" else pa.array([[1]] * COUNT))
    pq.write_table(table.select(sorted(table.column_names)), file)
    assert len(load(file, TOY)) == COUNT
    pq.write_table(table.drop_columns(["cost"]), file)
    with pytest.raises(DatasetError, match=r"no column 'cost': it has .*when") as told:
        load(file, TOY)
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize("column", ["cost", "group"])
def test_a_long_text_of_all_rows_is_kept_once(file, column):
    table = pq.read_table(file)
    many = pa.concat_tables([table] * 200)
    text = pa.DictionaryArray.from_arrays([0] * len(many), ["1" + "0" * 10**5 + "x"])
    index = table.column_names.index(column)
    pq.write_table(many.set_column(index, column, text), file)
    if column == "group":
        assert not load(file, TOY).group.any()
    else:
        with pytest.raises(DatasetError, match=r"column 'cost' does not hold .* \(row 0\)"):
            load(file, TOY)


def test_a_set_beyond_the_bounds_is_not_read(file, monkeypatch):
    monkeypatch.setattr(parquet, "MAX_EXAMPLES", COUNT - 1)
    with pytest.raises(DatasetError, match=f"too large: {COUNT} examples"):
        load(file, TOY)
    monkeypatch.undo()
    monkeypatch.setattr(parquet, "MAX_UNPACKED", 100)
    with pytest.raises(DatasetError, match="too large"):
        load(file, TOY)


@pytest.mark.parametrize("read", [lambda path: load(path, TOY), parquet.metadata])
def test_a_data_set_is_a_file(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    for path, reason in (
        ("/dev/zero", "a device"),
        (tmp_path / "pipe", "a pipe"),
        (tmp_path, "directory"),
        (tmp_path / "none", "no data set at"),
        ("/proc/kmsg", "the kernel"),
    ):
        with pytest.raises(DatasetError, match=reason):
            read(parquet.Path(path))
