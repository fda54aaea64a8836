import hashlib
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_task import TOY, ToyTask, toy_dataset

from icpi_ros.core.errors import DatasetError
from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.learn.dataset import parquet
from icpi_ros.learn.dataset.dataset import (
    check,
    empty,
    fingerprint,
    load,
    save,
    shipped,
    shipped_path,
)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "toy.parquet"
    save(toy_dataset(), path, TOY)
    return path


def rewrite(path, change=lambda table: table, **metadata):
    """Edit a data set by hand: the table, and metadata without the prefix."""
    table = change(pq.read_table(path))
    new = {k.decode(): v.decode() for k, v in table.schema.metadata.items()}
    new |= {f"icpi.{key}": value for key, value in metadata.items()}
    pq.write_table(table.replace_schema_metadata(new), path)


def set_cell(table, column, row, value):
    index = table.column_names.index(column)
    values = table.column(column).to_pylist()
    values[row] = value
    return table.set_column(index, column, pa.array(values))


def one_line(excinfo):
    text = str(excinfo.value)
    assert "\n" not in text
    return text


def test_round_trip(file):
    before, after = toy_dataset(), load(file, TOY)
    for name in ("theta", "error", "dtheta", "goal", "cost", "label_cost", "group"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    assert after.provenance == before.provenance
    assert fingerprint(after) == fingerprint(before)


def test_same_content_same_bytes_and_nothing_left_beside(file, tmp_path):
    first = file.read_bytes()
    save(toy_dataset(), file, TOY)
    assert file.read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == ["toy.parquet"]


def test_columns_and_units_are_readable_by_anyone(file):
    table = pq.read_table(file)
    assert table.column_names == [
        *("theta_push", "theta_turn", "error_x", "error_y", "dtheta_push", "dtheta_turn"),
        *("goal_x", "goal_y", "cost", "label_cost", "group"),
    ]
    assert table.schema.field("theta_push").metadata == {b"unit": b"m/s"}
    found = parquet.metadata(file)
    assert found["task"] == TOY.name
    assert found["schema_version"] == "1"
    assert found["units"]["error_x"] == "m"
    assert found["definition_hash"] == TOY.definition_hash()
    assert found["provenance"] == {"command": "toy", "seed": 0}


def test_missing_file_says_how_to_build_one(tmp_path):
    path = tmp_path / "none.parquet"
    with pytest.raises(DatasetError) as excinfo:
        load(path, TOY)
    assert f"icpi dataset build --task toy-push --out {path}" in one_line(excinfo)


def test_no_shipped_set_says_how_to_build_one():
    with pytest.raises(DatasetError, match="icpi dataset build --task toy-push"):
        shipped(TOY)


def test_shipped_files_are_those_whose_hashes_are_recorded():
    """The identity of a data set; building it again gives other bits on other processors."""
    folder = shipped_path("slide").parent
    recorded = [line.split() for line in (folder / "SHA256SUMS").read_text().splitlines()]
    files = sorted(folder.glob("*.parquet"))
    found = [[hashlib.sha256(path.read_bytes()).hexdigest(), path.name] for path in files]
    assert found == recorded


@pytest.mark.parametrize("keep", [0, 1, 100, -1, -400])
def test_truncated(file, keep):
    data = file.read_bytes()
    file.write_bytes(data[:keep] if keep >= 0 else data[: len(data) + keep])
    with pytest.raises(DatasetError) as excinfo:
        load(file, TOY)
    assert str(file) in one_line(excinfo)
    assert "truncated or damaged" in str(excinfo.value)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A file to be damaged again and again, and its bytes."""
    path, dataset = tmp_path_factory.mktemp("damage") / "toy.parquet", toy_dataset()
    paths = np.random.default_rng(0).random((2, len(dataset), 2, 3))
    paths[:, 3] = np.nan
    times = np.array([0.0, 0.1])
    dataset = replace(dataset, path=paths[0], label_path=paths[1], path_times=times)
    save(dataset, path, TOY)
    return path, path.read_bytes()


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(st.data())
def test_damaged_bytes_are_an_error_or_harmless(saved, data):
    """One run of damage: two that hit a page and the field of its checksum are past finding."""
    path, whole = saved
    raw = bytearray(whole)
    begin = data.draw(st.integers(0, len(raw) - 4))
    for index in range(begin, begin + data.draw(st.integers(1, 4))):
        raw[index] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    try:
        found = load(path, TOY)
    except DatasetError as exc:
        assert "\n" not in str(exc)  # noqa: PT017
    else:
        assert fingerprint(found) == fingerprint(toy_dataset())


def test_a_parquet_file_of_somebody_else(file):
    pq.write_table(pa.table({"a": [1.0]}), file)
    with pytest.raises(DatasetError, match="not a data set of icpi_ros"):
        load(file, TOY)


def test_other_task(file):
    class Other(ToyTask):
        name = "toy-other"

    with pytest.raises(DatasetError, match="is of task 'toy-push', not 'toy-other'"):
        load(file, Other())


def test_newer_schema(file):
    rewrite(file, schema_version="7")
    with pytest.raises(DatasetError, match=r"schema version 7.*reads up to 2.*upgrade"):
        load(file, TOY)


def test_other_definition_names_the_difference(file):
    class Wider(ToyTask):
        space = ParameterSpace((Parameter("push", "m/s", 0.5, 1.7), ToyTask.space.parameters[1]))

    with pytest.raises(DatasetError) as excinfo:
        load(file, Wider())
    assert "theta[push][3]: 1.5 in the file, 1.7 now" in one_line(excinfo)


def test_missing_column(file):
    rewrite(file, lambda table: table.drop_columns(["dtheta_turn"]))
    with pytest.raises(DatasetError, match="has no column 'dtheta_turn'"):
        load(file, TOY)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("theta_push", float("nan"), "theta push = nan in row 3 is not finite"),
        ("theta_push", None, "theta push = nan in row 3 is not finite"),
        ("error_y", float("inf"), r"error y \[m\] = inf in row 3 is not finite"),
        ("theta_push", 2.5, "theta push = 2.5 in row 3 is out of bounds, allowed 0.5 to 1.5 m/s"),
        ("cost", -1.0, "cost = -1 in row 3"),
        ("label_cost", float("inf"), "label_cost = inf in row 3"),
        ("group", None, "column group"),
    ],
)
def test_nonsense_by_hand(file, column, value, message):
    rewrite(file, lambda table: set_cell(table, column, 3, value))
    with pytest.raises(DatasetError, match=message):
        load(file, TOY)


def test_text_in_a_number_column(file):
    def to_text(table):
        index = table.column_names.index("cost")
        return table.set_column(index, "cost", pa.array(["much"] * table.num_rows))

    rewrite(file, to_text)
    with pytest.raises(DatasetError, match="column 'cost' does not hold numbers"):
        load(file, TOY)


@pytest.mark.parametrize("kind", [pa.int64(), pa.float32(), pa.decimal128(25, 2)])
def test_numbers_of_another_kind_in_several_pieces(file, kind):
    before = load(file, TOY)
    table = pq.read_table(file)
    index = table.column_names.index("cost")
    costs = pa.chunked_array(
        [pa.array([1] * 3).cast(kind), pa.array([2] * (len(before) - 3)).cast(kind)]
    )
    pq.write_table(table.set_column(index, "cost", costs), file, row_group_size=2)
    after = load(file, TOY)
    assert after.cost.dtype == np.float64
    assert after.cost.tolist() == [1.0] * 3 + [2.0] * (len(before) - 3)
    np.testing.assert_array_equal(after.theta, before.theta)


def test_metadata_that_is_not_text(file):
    table = pq.read_table(file)
    new = dict(table.schema.metadata) | {b"\xe9x": b"\xff", b"icpi.task": b"\xe9"}
    pq.write_table(table.replace_schema_metadata(new), file)
    with pytest.raises(DatasetError, match="is of task"):
        load(file, TOY)


def test_a_column_twice(file):
    rewrite(file, lambda table: table.append_column("cost", table.column("cost")))
    with pytest.raises(DatasetError, match="column 'cost' more than once"):
        load(file, TOY)


def test_damaged_metadata(file):
    rewrite(file, definition="{oops")
    with pytest.raises(DatasetError, match=r"metadata icpi\.definition is damaged"):
        load(file, TOY)


def test_save_refuses_nonsense_and_keeps_the_old_file(file):
    before = file.read_bytes()
    data = toy_dataset()
    data.theta[0, 0] = np.nan
    with pytest.raises(DatasetError, match="not finite"):
        save(data, file, TOY)
    with pytest.raises(DatasetError, match="holds no example"):
        check(empty(TOY), TOY, "it")
    assert file.read_bytes() == before


def test_save_where_nothing_can_be_written():
    with pytest.raises(DatasetError, match="cannot write data set /proc/none"):
        save(toy_dataset(), "/proc/none/toy.parquet", TOY)


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=30), st.integers(0, 2**64))
def test_provenance_survives(tmp_path_factory, text, seed):
    path = tmp_path_factory.mktemp("p") / "toy.parquet"
    data = toy_dataset(size=4, draws=2)
    made = {"note": text, "seed": seed, "nan": float("nan"), "array": np.arange(2)}
    save(type(data)(**(data.__dict__ | {"provenance": made})), path, TOY)
    expected = {"note": text, "seed": seed, "nan": None, "array": [0, 1]}
    assert load(path, TOY).provenance == expected
    assert json.loads(json.dumps(expected)) == expected
