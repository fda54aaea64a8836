"""How a run was executed: stored, kept by older stores as unknown, and not mixed unasked."""

import shlex
import sqlite3
from dataclasses import replace

import numpy as np
import pytest
from old_stores import SCHEMA_2
from toy_task import TOY, rollout

from icpi_ros.cli.main import main
from icpi_ros.core.errors import ExecutionFailed, MotionRefused, StoreError, UsageError
from icpi_ros.core.resources import share_path
from icpi_ros.core.types import Proposal, Tracking, Trial, TrialStatus
from icpi_ros.evaluate.dataset_from_runs import import_runs
from icpi_ros.evaluate.physics.recorded_trials import from_store
from icpi_ros.learn.dataset.execution import Backend, Execution, arm_hash
from icpi_ros.robots import ARMS, find_arm
from icpi_ros.robots.arm_text import limits_digest
from icpi_ros.runs.run import Run
from icpi_ros.runs.store.store import RunConfig, TrialStore
from icpi_ros.tasks import TASKS

UR5E = ARMS.get("ur5e")
REAL = Execution(
    Backend.REAL,
    arm="ur5e",
    arm_hash=arm_hash(UR5E),
    limits="/lab/limits.yaml",
    limits_hash=limits_digest(UR5E.limits),
    source="camera",
    controller="scaled_joint_trajectory_controller",
    domain="7",
    namespace="/cell",
    dry_run="false",
)
SIMULATED = replace(REAL, backend=Backend.SIMULATED, controller="simulated", namespace="/")
NOTHING_KNOWN = Execution()


@pytest.fixture(autouse=True)
def registered():
    """Register the toy for one test only."""
    with TASKS.temporarily(TOY.name, TOY):
        yield


@pytest.fixture
def store(tmp_path):
    with TrialStore(tmp_path / "trials.sqlite", timeout=1.0) as found:
        yield found


def new(store, execution=NOTHING_KNOWN, budget=3):
    return Run(TOY, improver="random", trials=budget, seed=1, storage=store, execution=execution)


def resume(store, run, execution=NOTHING_KNOWN):
    return Run.resume(store, run.run_id, execution=execution)


def begun(store, execution):
    """Return a run of which one trial is done; its process has let go of it."""
    run = new(store, execution)
    run.tell(rollout(run.ask().theta))
    run.close()
    return run


# --- storage ------------------------------------------------------------------------------------


def test_a_run_and_every_attempt_keep_how_they_were_executed(store):
    run = begun(store, REAL)
    dry = replace(REAL, dry_run="true", limits="")
    again = resume(store, run, dry)
    again.ask()
    again.cancel("dry run")
    assert store.run(run.run_id).execution == REAL
    assert store.executions(run.run_id) == [REAL, dry]
    assert store.runs()[0].execution == REAL
    assert store.run(run.run_id).mixed == ""


def test_what_nobody_said_is_unknown(store):
    run_id = store.create_run(RunConfig("toy-push", "random", (0.6, 0.42), 3))
    assert set(vars(store.run(run_id).execution).values()) == {"unknown"}


def rows(path, table):
    with sqlite3.connect(path) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute(f"SELECT * FROM {table}")]


def old_store(tmp_path):
    """Return a store of schema 2 with a done and a half-run trial, and the id of their run."""
    with TrialStore(tmp_path / "new.sqlite") as made:
        run = new(made)
        theta = run.ask().theta
        run.followed(Tracking("stroke", 0.01, "elbow_joint", 0.3))
        run.tell(rollout(theta), moving=1.5)
        run.ask()
    old = tmp_path / "old.sqlite"
    with sqlite3.connect(old) as db:
        db.executescript(SCHEMA_2)
        for table in ("runs", "trials"):
            names = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            marks = ", ".join(f":{name}" for name in names)
            for row in rows(tmp_path / "new.sqlite", table):
                db.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", row)
    return old, run.run_id


def test_a_store_of_the_schema_before_loses_nothing(tmp_path):
    path, run_id = old_store(tmp_path)
    before = {table: rows(path, table) for table in ("runs", "trials")}
    with TrialStore(path) as store:
        assert store.run(run_id).execution == NOTHING_KNOWN
        assert store.executions(run_id) == [NOTHING_KNOWN] * 2
        assert [t.status.value for t in store.trials(run_id)] == ["done", "running"]
    for table, old in before.items():
        for row, was in zip(rows(path, table), old, strict=True):
            assert was.items() <= row.items()


def test_an_upgraded_store_has_the_columns_of_a_new_one(tmp_path):
    path, _ = old_store(tmp_path)
    TrialStore(path).close()
    for table in ("runs", "trials"):
        columns = []
        for file in (path, tmp_path / "new.sqlite"):
            with sqlite3.connect(file) as db:
                found = db.execute(f"PRAGMA table_info({table})").fetchall()
            columns.append({row[1:5] for row in found})
        assert columns[0] == columns[1]


def test_an_old_run_goes_on_anywhere_with_a_note(tmp_path):
    path, run_id = old_store(tmp_path)
    with TrialStore(path) as store:
        run = Run.resume(store, run_id, execution=REAL)
        assert f"does not know how run {run_id} was executed" in run.remark
        run.ask()
        run.close()
        with pytest.raises(UsageError, match="on the real graph in namespace /cell"):
            Run.resume(store, run_id, execution=SIMULATED)


@pytest.mark.parametrize("text", ["{", "[]", '{"backend": "dream"}', '{"planet": "mars"}'])
def test_a_damaged_way_of_execution_is_one_line(store, text):
    run = begun(store, REAL)
    store._database._connection.execute("UPDATE runs SET execution = ?", (text,))
    with pytest.raises(StoreError, match=rf"{run.run_id}.*damaged or of a newer icpi_ros"):
        store.run(run.run_id)


def test_the_hash_of_an_arm_is_that_of_its_description(tmp_path):
    text = share_path("config", "arms", "fr3.yaml").read_text().replace("name: fr3", "name: lab", 1)
    texts = [text, text + "\n# a remark\n", text.replace("tool_speed:", "tool_speed: 0.5  #", 1)]
    hashes = []
    for number, content in enumerate(texts):
        file = tmp_path / f"{number}.yaml"
        file.write_text(content)
        hashes.append(arm_hash(find_arm(str(file))))
    assert hashes[0] == hashes[1] != hashes[2]
    assert arm_hash(ARMS.get("ur5e")) != arm_hash(ARMS.get("ur5e_stick"))


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("ur5e", "d5c6ab73a713b013"),
        ("ur5e_stick", "e90539b37bbe0369"),
        ("fr3", "f0635885a3755edd"),
    ],
)
def test_stored_runs_know_an_arm_by_the_hash_that_it_had(store, name, stored):
    """A change of these arms changes these hashes, of nothing else: their runs do not go on."""
    assert arm_hash(ARMS.get(name)) == stored
    run = begun(store, replace(REAL, arm=name, arm_hash=stored))
    now = Execution.of(Backend.REAL, ARMS.get(name), ARMS.get(name).limits)
    assert resume(store, run, now).resumed_from == 1


# --- mixing -------------------------------------------------------------------------------------


def test_a_run_of_a_real_arm_does_not_go_on_in_a_simulation(store):
    run = begun(store, REAL)
    with pytest.raises(UsageError) as caught:
        resume(store, run, SIMULATED)
    assert str(caught.value) == (
        f"run {run.run_id} was executed on the real graph in namespace /cell with ur5e; this would "
        "continue it in a simulation, in a graph with ur5e: go on with --attach and the same arm, "
        "or give --mix if mixing is meant"
    )
    assert resume(store, run, replace(REAL, namespace="/other", limits="")).resumed_from == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"arm": "fr3", "arm_hash": "1"}, "with ur5e; this would .* with fr3"),
        ({"arm_hash": "other"}, rf"description {REAL.arm_hash}.*description other"),
        ({"backend": Backend.IN_PROCESS}, "continue it in process"),
    ],
)
def test_what_is_mixed_is_named(store, change, words):
    run = begun(store, REAL)
    with pytest.raises(UsageError, match=words):
        resume(store, run, replace(REAL, **change))


def test_mixing_on_purpose_is_recorded_and_only_once_allowed(store):
    run = begun(store, REAL)
    store.allow_mix(run.run_id, True)
    store.release(run.run_id)
    mixed = resume(store, run, SIMULATED)
    mixed.tell(rollout(mixed.ask().theta))
    mixed.close()
    assert store.executions(run.run_id) == [REAL, SIMULATED]
    note = store.run(run.run_id).mixed
    assert note.startswith("from trial 1 in a simulation")
    assert "before that on the real graph" in note
    for one_table in (
        lambda: import_runs(store, TOY, [run.run_id]),
        lambda: from_store(store, run.run_id),
    ):
        with pytest.raises(UsageError, match="trials of several arms or backends"):
            one_table()
    assert store.runs()[0].mixed == note
    with pytest.raises(UsageError, match="--mix"):
        resume(store, run, REAL)
    assert resume(store, run, SIMULATED).resumed_from == 2


# --- the same theta again -----------------------------------------------------------------------


def failed(store, theta):
    """Return a run whose trial 1 failed before anything moved, with a theta of its own."""
    run = begun(store, REAL)
    store.begin_trial(run.run_id, 1, theta, Proposal(theta, "llm"), projected=False)
    store.finish_trial(
        run.run_id, Trial(1, theta, Proposal(theta, "llm"), status=TrialStatus.FAILED)
    )
    store.set_state(run.run_id, "failed", "reset_scene did not answer")
    store.release(run.run_id)
    return run


def test_a_trial_that_failed_before_it_moved_is_repeated_as_it_was(store):
    theta = np.array([0.77, 0.123])
    again = resume(store, failed(store, theta), REAL).ask()
    np.testing.assert_array_equal(again.theta, theta)
    assert (again.number, again.proposal.provenance) == (1, "llm")


def test_what_the_arm_is_known_not_to_do_is_not_repeated(store):
    theta = np.array([0.77, 0.123])
    run = resume(store, failed(store, theta), REAL)
    run.why_not = lambda asked: "too far" if np.array_equal(asked, theta) else ""
    assert not np.array_equal(run.ask().theta, theta)


# --- the command that is printed ----------------------------------------------------------------


def continue_with(text):
    """Return the arguments of the command that a run prints, as a shell reads them."""
    command = text.split("continue with: ", 1)[1].splitlines()[0]
    program, *arguments = shlex.split(command)
    assert program == "icpi"
    return arguments


@pytest.fixture
def broken(tmp_path, monkeypatch, capsys):
    """Arguments that were printed after the second of three trials failed, and the store."""
    from icpi_ros.runs import in_process as simulation

    true, calls, store = simulation.rollout, [], tmp_path / "my trials.sqlite"

    def once(*args):
        calls.append(args)
        if len(calls) == 2:
            raise MotionRefused("not today")
        return true(*args)

    monkeypatch.setattr("icpi_ros.runs.in_process.rollout", once)
    given = "run --task slide --improver ridge --trials 3 --in-process --noise 0.001 --store"
    assert main([*given.split(), str(store)]) == 1
    return continue_with(capsys.readouterr().out), store


def test_the_printed_command_finishes_a_run_in_process(broken, capsys):
    arguments, store = broken
    assert main(arguments) == 0, capsys.readouterr().err
    assert arguments[-3:] == ["--in-process", "--noise", "0.001"]
    with TrialStore(store) as opened:
        run = opened.runs()[0]
        ways = opened.executions(run.run_id)
        assert (run.state, run.execution.backend) == ("finished", Backend.IN_PROCESS)
        assert ways == [run.execution] * 4
        assert (run.execution.arm, run.execution.source) == ("ur5e", "rollout")
        first, second = opened.trials(run.run_id, all_attempts=True)[1:3]
        np.testing.assert_array_equal(first.theta, second.theta)


def test_without_the_way_it_is_refused_before_any_graph_starts(broken, capsys):
    arguments, store = broken
    run_id = arguments[2]
    assert main(["run", "--resume", run_id, "--store", str(store)]) == 2
    told = capsys.readouterr().err
    assert f"run {run_id} was executed in process" in told
    assert "continue it in a simulation, in a graph" in told
    assert "go on with --in-process" in told


def test_mix_is_an_option_of_resumed_runs(tmp_path, capsys):
    assert main(["run", "--task", "slide", "--mix", "--in-process"]) == 2
    assert "--resume" in capsys.readouterr().err
    path = tmp_path / "t.sqlite"
    with TrialStore(path) as store:
        run = Run(
            TASKS.get("slide"),
            improver="random",
            trials=1,
            seed=1,
            storage=store,
            execution=replace(REAL, arm="fr3"),
        )
        run.ask()
        run.fail(str(ExecutionFailed("no driver")))
    given = ["run", "--in-process", "--store", str(path), "--resume", run.run_id]
    assert main(given) == 2
    assert "with fr3" in capsys.readouterr().err
    assert main([*given, "--mix", "--json", str(tmp_path / "no" / "run.json")]) == 2
    with TrialStore(path) as store:
        assert not store.run(run.run_id).may_mix  # it was for a command that did nothing
    assert main([*given, "--mix"]) == 0
    with TrialStore(path) as store:
        assert "in process" in store.run(run.run_id).mixed
