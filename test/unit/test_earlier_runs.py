"""Earlier runs of a store become examples of the next one: which, how many, and that they stay."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from pushing_task import PUSHING
from toy_task import TOY, rollout, toy_dataset

from icpi_ros.cli.main import main
from icpi_ros.core.errors import DatasetError, InvalidValue, UsageError
from icpi_ros.learn.dataset.dataset import fingerprint, save
from icpi_ros.learn.dataset.execution import Backend, Execution
from icpi_ros.report.run.text import differences, run_summary
from icpi_ros.runs import earlier
from icpi_ros.runs.run import Run
from icpi_ros.runs.setup import examples_of
from icpi_ros.runs.store.storage import MemoryStorage
from icpi_ros.runs.store.store import RunConfig, TrialStore, UnknownRun
from icpi_ros.tasks import TASKS


class Varied(type(PUSHING)):
    goal_varies = True


class Fixed(type(PUSHING)):
    name = "toy-push-fixed"


VARIED, FIXED = Varied(), Fixed()
HERE = Execution(Backend.IN_PROCESS, "ur5e", "aaaa")
WITH_SET = {"improver": "ridge", "dataset": toy_dataset(), "trials": 9, "execution": HERE}


@pytest.fixture(autouse=True)
def tasks(monkeypatch):
    for task in (VARIED, FIXED):
        monkeypatch.setitem(TASKS._loaded, task.name, task)


@pytest.fixture
def store(tmp_path):
    with TrialStore(tmp_path / "trials.sqlite") as opened:
        yield opened


@pytest.mark.parametrize("improver", ["embedded", "ridge"])
def test_the_data_set_that_a_task_names_is_its_own_and_earlier_runs_stay_out(
    store, tmp_path, monkeypatch, improver
):
    path = tmp_path / "own.parquet"
    save(toy_dataset(), path, TOY)
    add_run(store, task=TOY)
    monkeypatch.setattr(type(TOY), "dataset", path)
    run = Run(TOY, improver=improver, trials=2, storage=store, execution=HERE)
    assert run.config.learned_from == {}
    assert run.config.dataset_hash == fingerprint(toy_dataset())


def go_on(run, trials, grip=0.6):
    """Execute some trials of a run under one grip."""
    for _ in range(trials):
        run.tell(rollout(run.ask().theta, grip))
    return run


def add_run(store, trials=20, task=VARIED, grip=0.6, seed=0, execution=HERE, **more):
    """Store a run of random trials; return its id."""
    own = {"improver": "random", "trials": 40, "storage": store} | more
    run = Run(task, seed=seed, execution=execution, **own)
    go_on(run, trials, grip).close()
    return run.run_id


def begin(store, task=VARIED, **more):
    values = {"improver": "ridge", "trials": 9, "storage": store, "execution": HERE, "seed": 3}
    return Run(task, **values | more)


def test_where_there_is_no_data_set_a_run_learns_from_the_store(store):
    with pytest.raises(DatasetError, match="no data set of task 'toy-push' comes with"):
        begin(store)
    goal = np.array([0.55, 0.4])
    counts = {add_run(store, 12, grip=0.5): 12, add_run(store, 9, grip=0.7, goal=goal): 9}
    run = begin(store)
    assert run.config.learned_from == counts
    assert store.run(run.run_id).config.learned_from == run.config.learned_from
    assert (run.config.dataset_hash, run.remark) == ("", "")
    data = examples_of(store, run.run_id, VARIED, "ridge", None)
    for group, run_id in enumerate(sorted(counts)):
        rows = data.group == group
        trials = store.trials(run_id)
        best = min(trials, key=lambda trial: trial.cost)
        assert rows.sum() == counts[run_id]
        np.testing.assert_array_equal(data.theta[rows], [trial.theta for trial in trials])
        np.testing.assert_array_equal(data.error[rows], [trial.error for trial in trials])
        np.testing.assert_array_equal(data.cost[rows], [trial.cost for trial in trials])
        assert (data.goal[rows] == store.run(run_id).config.goal).all()
        solved = (data.theta + data.dtheta)[rows]
        np.testing.assert_allclose(solved, np.tile(best.theta, (len(trials), 1)), atol=1e-15)
        assert set(data.label_cost[rows]) == {best.cost}
    assert not go_on(run, 3).finished


def test_embedded_learns_from_the_store_where_there_is_no_data_set(store):
    alone = go_on(begin(store, improver="embedded"), 3)
    with_one = begin(store, improver="embedded")
    assert with_one.config.learned_from == {alone.run_id: 3}
    go_on(with_one, 3)
    first, second = ([trial.theta for trial in run.trials] for run in (alone, with_one))
    np.testing.assert_array_equal(first[0], second[0])
    assert not np.array_equal(first[1], second[1])
    assert with_one.trials[1].proposal.provenance == "embedded"


@pytest.mark.parametrize("learn_from", ["auto", "none", ["none"], " none "])
def test_a_data_set_is_enough(store, learn_from):
    add_run(store)
    run = begin(store, dataset=toy_dataset(), learn_from=learn_from)
    assert not run.config.learned_from
    assert examples_of(store, run.run_id, VARIED, "ridge", toy_dataset()) is not None


def test_earlier_runs_stand_behind_a_data_set_that_is_asked_for(store):
    ids = [add_run(store, 2), add_run(store, 2, seed=1)]
    known = toy_dataset()
    run = begin(store, dataset=known, learn_from="store")
    data = examples_of(store, run.run_id, VARIED, "ridge", known)
    np.testing.assert_array_equal(data.theta[: len(known)], known.theta)
    assert sorted(set(data.group[len(known) :] - known.group.max())) == [1, 2]
    assert data.provenance["runs"] == dict.fromkeys(ids, 2)
    named = begin(store, dataset=known, learn_from=[ids[1]])
    assert list(named.config.learned_from) == [ids[1]]
    assert list(begin(store, dataset=known, learn_from=f"{ids[1]}, {ids[0]}").config.learned_from)


def test_runs_of_another_arm_backend_or_definition_are_left_out(store):
    fits = add_run(store)
    others = [
        add_run(store, execution=Execution(Backend.REAL, "ur5e", "aaaa")),
        add_run(store, execution=Execution(Backend.IN_PROCESS, "lab", "bbbb")),
        add_run(store, execution=Execution(Backend.IN_PROCESS, "ur5e", "cccc")),
        add_run(store, execution=Execution()),
    ]
    mixed = add_run(store)
    store.note_mix(mixed, "from trial 2 on the real graph")
    store.release(mixed)
    changed = changed_run(store)
    empty = add_run(store, 0)
    run = begin(store, learn_from="store", dataset=toy_dataset())
    assert list(run.config.learned_from) == [fits]
    assert run.remark == (
        "does not learn from 6 earlier runs of the task: 5 of another arm or backend, "
        "1 of another definition of the task"
    )
    for run_id in (*others, mixed):
        with pytest.raises(UsageError, match=f"run {run_id} is of another arm or backend"):
            begin(store, learn_from=run_id)
    with pytest.raises(UsageError, match="of another definition"):
        begin(store, learn_from=changed)
    with pytest.raises(UsageError, match="has no trial with an outcome"):
        begin(store, learn_from=empty)
    with pytest.raises(UnknownRun):
        begin(store, learn_from=f"{fits},nothing")


def changed_run(store):
    """Store a run of an earlier definition of the task, with one trial."""
    config = RunConfig(PUSHING.name, "random", (0.6, 0.42), 3, definition_hash="0123456789abcdef")
    run_id = store.create_run(config, HERE)
    theta = PUSHING.space.lower
    known = Run(VARIED, improver="random", trials=1, execution=HERE)
    trial = go_on(known, 1).trials[0]
    store.begin_trial(run_id, 0, theta, trial.proposal, False, HERE)
    store.finish_trial(run_id, trial)
    store.release(run_id)
    return run_id


def test_a_damaged_run_is_left_out(store):
    fits = add_run(store)
    with store._database.transaction("damage") as db:
        columns = "run_id, created, task, improver, budget, config, execution"
        known = "'x', created, task, improver, budget, '{', execution"
        db.execute(f"INSERT INTO runs ({columns}) SELECT {known} FROM runs")
        db.execute("CREATE TEMP TABLE t AS SELECT * FROM trials")
        db.execute("UPDATE t SET run_id = 'x'")
        db.execute("INSERT INTO trials SELECT * FROM t")
    run = begin(store)
    assert list(run.config.learned_from) == [fits]
    assert "1 damaged, or of a newer icpi_ros" in run.remark


@pytest.mark.parametrize("value", ["", "store,none", "a,a", [], ["store", "x"]])
def test_a_value_that_is_no_choice_is_refused(store, value):
    with pytest.raises(UsageError, match=r"learn_from = .* is not allowed: auto, store, none, or"):
        begin(store, learn_from=value)


@pytest.mark.parametrize("value", [3, None, ["a", 3], {"a": 1}])
def test_a_value_of_another_kind_is_refused(store, value):
    with pytest.raises(InvalidValue, match="learn_from"):
        begin(store, learn_from=value)


def test_a_resumed_run_learns_from_exactly_the_same_trials(store):
    first = add_run(store)
    whole = go_on(begin(store), 4)
    alone = [trial.theta for trial in whole.trials]
    whole.close()
    run = begin(store, learn_from=first)
    go_on(run, 2).close()
    add_run(store, grip=0.45, seed=7)
    go_on(Run.resume(store, first, execution=HERE), 3, grip=0.45).close()
    again = go_on(Run.resume(store, run.run_id, execution=HERE), 2)
    assert again.config.learned_from == {first: 20}
    np.testing.assert_array_equal([trial.theta for trial in again.trials], alone)


def test_a_run_is_not_resumed_without_a_run_that_it_learns_from(store):
    first, second = add_run(store), add_run(store, seed=1)
    run = begin(store)
    run.close()
    store.delete_run(first)
    with pytest.raises(
        UsageError, match=f"run {run.run_id}: it learns from 20 trials of run {first}"
    ):
        Run.resume(store, run.run_id, execution=HERE)
    assert list(begin(store).config.learned_from) == [second]


def test_the_latest_trials_are_learnt_from(store, monkeypatch):
    monkeypatch.setattr(earlier, "MAX_TRIALS", 27)
    oldest, middle, latest = (add_run(store, 15, seed=seed) for seed in range(3))
    run = begin(store)
    assert run.config.learned_from == {middle: 12, latest: 15}
    assert "1 beyond the latest" in run.remark
    assert oldest not in run.config.learned_from


def test_a_task_with_one_goal_takes_its_trials_to_that_goal(store):
    other = np.array([0.55, 0.4])
    ids = [add_run(store, 5, task=FIXED), add_run(store, 5, task=FIXED, seed=1, goal=other)]
    known = replace(toy_dataset(), task=FIXED.name)
    run = begin(store, task=FIXED, learn_from="store", dataset=known)
    data = examples_of(store, run.run_id, FIXED, "ridge", known)
    assert len(data) == len(known) + 10
    assert (data.goal == FIXED.default_goal).all()
    for place, run_id in enumerate(sorted(ids)):
        rows = slice(len(known) + 5 * place, len(known) + 5 * place + 5)
        trials = store.trials(run_id)
        errors = [FIXED.error(trial.trajectory, FIXED.default_goal) for trial in trials]
        costs = [FIXED.cost(error) for error in errors]
        best = trials[int(np.argmin(costs))].theta
        np.testing.assert_array_equal(data.theta[rows], [trial.theta for trial in trials])
        np.testing.assert_array_equal(data.error[rows], errors)
        solved = (data.theta + data.dtheta)[rows]
        np.testing.assert_allclose(solved, np.tile(best, (5, 1)), atol=1e-15)
        assert set(data.label_cost[rows]) == {min(costs)}


def test_errors_without_a_trajectory_are_learnt_from(store):
    run = Run(VARIED, improver="random", trials=3, storage=store, execution=HERE)
    while not run.finished:
        run.tell(PUSHING.error(rollout(run.ask().theta), run.goal))
    run = begin(store, learn_from="store", dataset=toy_dataset())
    assert len(examples_of(store, run.run_id, VARIED, "ridge", toy_dataset())) == 60 + 3


def test_without_a_store_there_is_nothing_to_learn_from():
    run = Run(VARIED, learn_from="store", seed=3, **WITH_SET)
    assert not run.config.learned_from
    with pytest.raises(DatasetError, match="no data set of task"):
        Run(VARIED, improver="ridge", learn_from="store")


def test_a_run_with_proposals_of_its_own_learns_from_no_other():
    memory = MemoryStorage()
    add_run(memory)
    proposals = begin(memory)._proposals
    run = begin(memory, proposals=proposals, learn_from="store")
    assert not run.config.learned_from


def test_an_improver_that_learns_from_no_examples_learns_from_no_run(store):
    add_run(store)
    assert not begin(store, improver="random", learn_from="store").config.learned_from


def test_it_is_shown(store):
    ids = [add_run(store, 14), add_run(store, 7, seed=1)]
    run = begin(store)
    plain = store.run(begin(store, learn_from="none", dataset=toy_dataset()).run_id)
    record = store.run(run.run_id)
    told = ", ".join(f"{run_id} ({14 if run_id == ids[0] else 7})" for run_id in sorted(ids))
    text = run_summary(record, [], PUSHING.space)
    assert f"learns from 2 earlier runs of this store (21 trials): {told}" in text
    assert differences(record, plain)["learned_from"] == (told, "")
    assert "learn" not in run_summary(plain, [], PUSHING.space)


def icpi_run(capsys, store, *more):
    wanted = ["run", "--task", "slide", "--improver", "knn", "--in-process", "--trials", "2"]
    code = main([*wanted, "--store", str(store), *more])
    done = capsys.readouterr()
    return code, done.out, done.err


def test_the_command_says_what_it_learns_from(tmp_path, capsys):
    run = partial(icpi_run, capsys, tmp_path / "trials.sqlite")
    for seed in ("1", "2"):
        code, out, _ = run("--seed", seed)
        assert code == 0
        assert "learns from" not in out
    code, out, _ = run("--learn-from", "store")
    assert code == 0
    assert "learns from 2 earlier runs of this store (4 trials): --learn-from none leaves" in out
    with TrialStore(tmp_path / "trials.sqlite") as store:
        config = store.run(store.runs()[-1].run_id).config
        assert list(config.learned_from.values()) == [2, 2]
        store.allow_mix(store.runs()[0].run_id, True)
        store.note_mix(store.runs()[0].run_id, "in another way")
    code, out, _ = run("--learn-from", "store")
    assert code == 0
    assert "note: does not learn from 1 earlier run of the task: 1 of another arm or ba" in out


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--attach", "--learn-from", "store"], "start it with learn_from:=store"),
        (["--in-process", "--learn-from", "nothing"], "no run 'nothing' in"),
        (["--in-process", "--learn-from", ","], "learn_from = ',' is not allowed"),
    ],
)
def test_the_command_refuses(tmp_path, capsys, more, told):
    store = ["--store", str(tmp_path / "trials.sqlite")]
    assert main(["run", "--task", "slide", "--improver", "knn", *more, *store]) == 2
    assert told in capsys.readouterr().err


def test_a_resumed_run_keeps_what_it_learns_from(store, capsys):
    first = add_run(store)
    store.close()
    more = ["--in-process", "--learn-from", "none", "--store", str(store.path)]
    assert main(["run", "--resume", first, *more]) == 2
    assert "a resumed run keeps what it learns from" in capsys.readouterr().err
