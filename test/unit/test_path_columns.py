"""Data sets with the object's paths: kept wherever examples go, read as they are or refused."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import toy_task
from pushing_task import PUSHING, PUSHING_GOALS, closed_form
from toy_task import TOY, toy_dataset

from icpi_ros.cli.main import main
from icpi_ros.core.errors import DatasetError, ObservationMissing
from icpi_ros.core.types import Trial
from icpi_ros.learn.building import retrace as retrace_module
from icpi_ros.learn.building import search as search_module
from icpi_ros.learn.building.build import build, build_file, with_label_noise
from icpi_ros.learn.building.hindsight import relabel
from icpi_ros.learn.building.plan import DatasetPlan
from icpi_ros.learn.building.retrace import retraced
from icpi_ros.learn.dataset import parquet
from icpi_ros.learn.dataset.dataset import (
    check_task,
    count_paths,
    fingerprint,
    load,
    paths_fingerprint,
    save,
    shipped,
)
from icpi_ros.learn.dataset.joining import choose, join, together
from icpi_ros.learn.dataset.side_folder import DatasetParts
from icpi_ros.learn.paths import known_paths, path_times, sample_path
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.runs.run import Run
from icpi_ros.tasks import TASKS

COUNT = 6
TIMES = path_times(TOY)
PLAN = DatasetPlan(examples=12, draws=2, seed=3)


def with_paths(size=COUNT, seed=0):
    """Return toy examples whose paths are known but for one, and a label's."""
    rng = np.random.default_rng(seed)
    paths = rng.random((2, size, len(TIMES), 3)).astype(np.float32).astype(np.float64)
    paths[0, 1], paths[1, 2] = np.nan, np.nan
    return replace(toy_dataset(size=size), path=paths[0], label_path=paths[1], path_times=TIMES)


def same_paths(one, other):
    np.testing.assert_array_equal(one.path, other.path)
    np.testing.assert_array_equal(one.label_path, other.label_path)
    np.testing.assert_array_equal(one.path_times, other.path_times)


def without_paths(dataset):
    return replace(dataset, path=None, label_path=None, path_times=None)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "toy.parquet"
    save(with_paths(), path, TOY)
    return path


@pytest.fixture
def toy_world(monkeypatch):
    monkeypatch.setattr(search_module, "rollout", closed_form)
    monkeypatch.setattr(retrace_module, "rollout", closed_form)


# --- files ----------------------------------------------------------------------------------------


def test_paths_come_back_from_a_file(file, tmp_path):
    found = load(file, TOY)
    same_paths(found, with_paths())
    assert count_paths(found) == {"examples": COUNT - 1, "labels": COUNT - 1}
    assert fingerprint(found) == fingerprint(toy_dataset(size=COUNT))
    assert paths_fingerprint(found) == paths_fingerprint(with_paths())
    assert paths_fingerprint(with_paths(seed=1)) != paths_fingerprint(found)
    save(found, tmp_path / "again.parquet", TOY)
    assert (tmp_path / "again.parquet").read_bytes() == file.read_bytes()


def test_other_programs_see_numbers_in_metres(file):
    table, paths = pq.read_table(file), with_paths().path
    names = [name for name in table.column_names if name.startswith("path_")]
    assert names[:4] == ["path_x_0", "path_y_0", "path_z_0", "path_x_1"]
    assert len(names) == 3 * len(TIMES)
    assert table.schema.field("path_x_0").metadata == {b"unit": b"m"}
    np.testing.assert_array_equal(table.column("path_y_7").to_numpy(), paths[:, 7, 1])
    found = parquet.metadata(file)
    assert found["schema_version"] == "2"
    assert found["path_times"] == TIMES.tolist()
    assert found["units"]["label_path_z_3"] == "m"


def edited(file, change=lambda table: table, **metadata):
    table = change(pq.read_table(file))
    new = {k.decode(): v.decode() for k, v in table.schema.metadata.items()}
    new |= {f"icpi.{key}": value for key, value in metadata.items()}
    kept = {key: value for key, value in new.items() if value is not None}
    pq.write_table(table.replace_schema_metadata(kept), file)


def put(name, values, kind=None):
    """Change one column; the array is not made now, which imports pandas in every worker."""

    def change(table):
        return table.set_column(table.column_names.index(name), name, pa.array(values, kind))

    return change


def test_columns_without_their_times_are_not_read(file):
    edited(file, schema_version="1", path_times=None)
    found = load(file, TOY)
    assert (found.path, found.label_path, found.path_times) == (None, None, None)
    assert paths_fingerprint(found) == ""


@pytest.mark.parametrize("kind", [pa.float64(), pa.string()])
def test_columns_of_other_writers_are_read(file, kind):
    cells = [None if np.isnan(x) else x for x in with_paths().path[:, 4, 0].tolist()]
    edited(file, put("path_x_4", pa.array(cells).cast(kind).to_pylist(), kind))
    same_paths(load(file, TOY), with_paths())


def labels_of(table):
    return [name for name in table.column_names if name.startswith("label_path")]


def test_the_labels_paths_may_be_left_out(file):
    edited(file, lambda table: table.drop_columns(labels_of(table)))
    assert count_paths(load(file, TOY)) == {"examples": COUNT - 1, "labels": 0}


ZEROS, TEXTS = [0.0] * COUNT, ["a"] * COUNT
INFINITE = [np.inf, *ZEROS[1:]]
DAMAGE = {
    "a column is missing": (lambda t: t.drop_columns(["path_y_3"]), {}, "no column 'path_y_3'"),
    "a label's is": (
        lambda t: t.drop_columns(["label_path_z_0"]), {}, "no column 'label_path_z_0'"
    ),
    "texts": (put("path_x_2", TEXTS), {}, "'path_x_2' does not hold numbers"),
    "lists": (put("path_x_2", [[0.0]] * COUNT), {}, "'path_x_2' has the type list<"),
    "known in part": (put("path_x_2", ZEROS), {}, "path in row 1 is not finite"),
    "infinite": (put("label_path_x_9", INFINITE), {}, "label_path in row 0 is not"),
    "times are no JSON": (lambda t: t, {"path_times": "[0,"}, "path_times is damaged"),
    "times are texts": (lambda t: t, {"path_times": '["a", 1]'}, "path_times is damaged"),
    "times go back": (lambda t: t, {"path_times": "[1, 0]"}, "must be finite and increase"),
    "times after the start": (lambda t: t, {"path_times": f"{(TIMES + 0.1).tolist()}"}, "from 0"),
    "one time": (lambda t: t, {"path_times": "[0]"}, "2 to 500 seconds"),
    "more times": (lambda t: t, {"path_times": f"{list(range(99))}"}, "no column 'path_x_25'"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "metadata", "why"), DAMAGE.values(), ids=DAMAGE.keys())
def test_damaged_paths_are_refused_in_one_line(file, change, metadata, why):
    edited(file, change, **metadata)
    with pytest.raises(DatasetError) as caught:
        load(file, TOY)
    assert why in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_arrays_that_do_not_fit_are_refused():
    whole = with_paths()
    with pytest.raises(DatasetError, match="has paths, but no label_path: give all three"):
        check_task(replace(whole, label_path=None), TOY)
    with pytest.raises(DatasetError, match="path of the data set has shape"):
        check_task(replace(whole, path=whole.path[1:]), TOY)
    with pytest.raises(DatasetError, match="path_times of the data set are not finite"):
        check_task(replace(whole, path_times=TIMES[::-1]), TOY)
    one = {n: getattr(whole, n)[:, :1] for n in ("path", "label_path")}
    with pytest.raises(DatasetError, match="two at least"):
        check_task(replace(whole, **one, path_times=TIMES[:1]), TOY)


# --- examples on their way ------------------------------------------------------------------------


def test_chosen_examples_keep_their_paths():
    whole = with_paths()
    for some in (whole.take(slice(2, 4)), whole.take(np.arange(COUNT) // 2 == 1)):
        same_paths(some, replace(whole, path=whole.path[2:4], label_path=whole.label_path[2:4]))
        np.testing.assert_array_equal(some.theta, whole.theta[2:4])
    assert count_paths(choose(whole, 3, seed=0))["examples"] >= 2
    assert without_paths(whole).take(slice(2)).path is None


def test_joined_sets_keep_their_paths():
    whole, none = with_paths(), toy_dataset(size=COUNT)
    other = replace(whole, path_times=TIMES + 0.01 * (TIMES > 0.0))
    found = join(TOY, [none, whole, other])
    same_paths(found.take(slice(COUNT, 2 * COUNT)), whole)
    assert not known_paths(found.path[:COUNT]).any()
    assert not known_paths(found.path[2 * COUNT :]).any()
    assert join(TOY, [none, none]).path is None
    same_paths(together(none, whole, TOY).take(slice(COUNT, 2 * COUNT)), whole)


def test_noisy_labels_have_no_path():
    noisy = with_label_noise(with_paths(), TOY, 0.1, seed=0)
    np.testing.assert_array_equal(noisy.path, with_paths().path)
    assert count_paths(noisy)["labels"] == 0


# --- made -----------------------------------------------------------------------------------------


def test_hindsight_labels_have_the_path_of_the_other_trial():
    thetas = PUSHING.space.sample(np.random.default_rng(0), 3)
    trajectories = [toy_task.rollout(theta, 0.6) for theta in thetas]
    made = relabel(PUSHING, thetas, trajectories, np.array([[0, 1], [2, 0]]), 0)
    expected = [sample_path(trajectory, TIMES) for trajectory in trajectories]
    np.testing.assert_array_equal(made.path, [expected[0], expected[2]])
    np.testing.assert_array_equal(made.label_path, [expected[1], expected[0]])
    assert known_paths(made.path).all()


@pytest.mark.usefixtures("toy_world")
@pytest.mark.parametrize("label", ["brute", "hindsight"])
def test_a_build_has_the_paths_of_executions_and_labels(label):
    made = build(PUSHING_GOALS, UR5E, replace(PLAN, label=label))
    assert count_paths(made) == {"examples": 12, "labels": 12}
    ends = (made.path[:, -1, :2], made.label_path[:, -1, :2])
    costs = [np.linalg.norm(end - made.goal, axis=1) for end in ends]
    np.testing.assert_allclose(costs[0], made.cost, atol=1e-6)
    np.testing.assert_allclose(costs[1], made.label_cost, atol=1e-6)


@pytest.mark.usefixtures("toy_world")
def test_a_build_goes_on_behind_parts_that_have_paths_only(tmp_path):
    whole = tmp_path / "whole.parquet"
    build_file(PUSHING_GOALS, UR5E, PLAN, whole)
    made = load(whole, PUSHING_GOALS)
    with DatasetParts(tmp_path / "new.parquet", PUSHING_GOALS, {}) as parts:
        parts.add(0, made.take(made.group == 0))
        parts.add(1, without_paths(made.take(made.group == 1)))
        assert list(parts.done()) == [0]


def test_a_trial_that_is_taken_with_its_error_keeps_its_path():
    path = toy_task.rollout(np.array([0.9, 0.1]), 0.6)
    run = Run(TOY, improver="random", trials=2)
    trial = Trial.executed(0, np.array([0.9, 0.1]), path)
    run.take(trial, TOY.error(path, TOY.default_goal))
    assert [outcome.path for outcome in run.history] == [path]


# --- added ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("toy_world")
@pytest.mark.parametrize("label", ["brute", "hindsight"])
def test_a_set_that_is_executed_again_has_the_paths_of_its_build(label):
    made = build(PUSHING_GOALS, UR5E, replace(PLAN, label=label))
    again = retraced(PUSHING_GOALS, UR5E, without_paths(made))
    np.testing.assert_array_equal(again.path, made.path)
    np.testing.assert_allclose(again.label_path, made.label_path, atol=1e-6)
    assert fingerprint(again) == fingerprint(made)
    assert again.arms == made.arms
    assert set(again.provenance) - set(made.provenance) == {"paths"}


@pytest.mark.usefixtures("toy_world")
def test_what_would_be_the_path_of_another_outcome_is_refused():
    made = without_paths(build(PUSHING_GOALS, UR5E, PLAN))
    wrong = made.error.copy()
    wrong[5, 0] += 1e-3
    with pytest.raises(DatasetError, match=r"error of row 5 is off by 0\.001 when it is executed"):
        retraced(PUSHING_GOALS, UR5E, replace(made, error=wrong))
    with pytest.raises(DatasetError, match="label_cost of row 0 is off"):
        retraced(PUSHING_GOALS, UR5E, replace(made, label_cost=made.label_cost + 0.1))
    with pytest.raises(DatasetError, match="has no plan that `icpi dataset build` made it by"):
        retraced(PUSHING_GOALS, UR5E, replace(made, provenance={"label": "hindsight"}))
    with pytest.raises(DatasetError, match="has no plan that `icpi dataset build` made it by"):
        retraced(PUSHING_GOALS, UR5E, replace(made, group=made.group - 1))


@pytest.mark.usefixtures("toy_world")
def test_a_label_of_unknown_cost_gets_no_path():
    made = build(PUSHING_GOALS, UR5E, PLAN)
    dtheta, cost = made.dtheta.copy(), made.label_cost.copy()
    dtheta[3] += 0.05
    cost[3] = np.nan
    again = retraced(
        PUSHING_GOALS, UR5E, without_paths(replace(made, dtheta=dtheta, label_cost=cost))
    )
    assert np.flatnonzero(np.isnan(again.label_path).any(axis=(1, 2))).tolist() == [3]


@pytest.mark.usefixtures("toy_world")
def test_a_label_that_is_not_observed_again_is_named(monkeypatch):
    made = without_paths(build(PUSHING_GOALS, UR5E, PLAN))
    observed, calls = type(PUSHING_GOALS).error, iter(range(len(made)))

    def error(task, trajectory, goal):
        if next(calls) == np.count_nonzero(made.group == 0):
            raise ObservationMissing("the puck was not seen")
        return observed(task, trajectory, goal)

    monkeypatch.setattr(type(PUSHING_GOALS), "error", error)
    with pytest.raises(DatasetError, match="label of row 0 cannot be executed again: the puck"):
        retraced(PUSHING_GOALS, UR5E, made)


def test_noise_on_labels_is_not_executed(toy_world):
    noisy = build(PUSHING_GOALS, UR5E, replace(PLAN, label_noise=0.1))
    again = retraced(PUSHING_GOALS, UR5E, without_paths(noisy))
    same_paths(again, noisy)
    assert count_paths(again) == {"examples": 12, "labels": 0}


@pytest.mark.parametrize("name", ["slide", "roll-gc"])
def test_shipped_paths_end_where_the_errors_say(name):
    dataset = shipped(TASKS.get(name))
    assert count_paths(dataset) == {"examples": 300, "labels": 300}
    off = dataset.path[:, -1, :2] - dataset.goal - dataset.error
    # A sensor's samples are averaged, and a ball may roll on for a moment.
    assert np.median(np.linalg.norm(off, axis=1)) < 1e-4
    assert np.linalg.norm(dataset.path[:, 0, :2] - [0.6, -0.15], axis=1).max() < 1e-3


def test_the_command_shows_and_adds_paths(tmp_path, capsys):
    old, new = tmp_path / "old.parquet", tmp_path / "new.parquet"
    slide = TASKS.get("slide")
    known = shipped(slide)
    few = known.take(slice(1))
    save(without_paths(few), old, slide)
    assert main(["dataset", "show", str(old)]) == 0
    assert "paths: none" in capsys.readouterr().out
    assert main(["dataset", "add-paths", str(old), "--out", str(new)]) == 0
    assert (
        "paths: 1 of 1 examples, 1 of their labels; 25 places up to 3.4 s"
        in capsys.readouterr().out
    )
    np.testing.assert_allclose(load(new, slide).path, few.path, atol=1e-5)
