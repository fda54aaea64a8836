import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from stored_runs import CONFIG, THETA, done
from toy_task import TOY

from icpi_ros.core import redact
from icpi_ros.core.errors import StoreError, UsageError
from icpi_ros.core.types import ObjectTrajectory, Proposal, Trial, TrialStatus
from icpi_ros.runs.store.store import RunConfig, RunInUse, TrialStore, default_path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture
def store(tmp_path):
    with TrialStore(tmp_path / "trials.sqlite", timeout=1.0) as found:
        yield found


def add(store, run_id, number, **more):
    store.begin_trial(run_id, number, THETA, Proposal(THETA, "ridge"), projected=False)
    store.finish_trial(run_id, done(number, **more))


def line(excinfo):
    text = str(excinfo.value)
    assert "\n" not in text
    return text


def python(*args, **more):
    paths = os.pathsep.join(map(str, (ROOT, HERE.parent, HERE)))
    env = os.environ | {"PYTHONPATH": paths}
    return subprocess.Popen([sys.executable, *map(str, args)], env=env, **more)


# --- what goes in comes out ---------------------------------------------------------------------


def same(a, b):
    np.testing.assert_array_equal(a.theta, b.theta)
    np.testing.assert_array_equal(a.proposal.theta, b.proposal.theta)
    np.testing.assert_array_equal(a.error, b.error)
    np.testing.assert_array_equal(a.trajectory.times, b.trajectory.times)
    np.testing.assert_array_equal(a.trajectory.positions, b.trajectory.positions)
    for name in ("number", "status", "cost", "best_cost", "seconds", "moving", "projected", "note"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert a.proposal.details == b.proposal.details
    for name in ("provenance", "fallback_reason", "latency", "predicted_cost", "predicted_std"):
        np.testing.assert_array_equal(getattr(a.proposal, name), getattr(b.proposal, name))


finite = st.floats(allow_nan=False, allow_infinity=False)
text = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@settings(max_examples=40, deadline=None)
@given(
    theta=arrays(np.float64, 3, elements=finite),
    positions=arrays(np.float64, (4, 3)),
    cost=finite,
    predicted=st.floats(allow_infinity=False),
    note=text,
    details=st.dictionaries(text, st.none() | st.booleans() | finite | text, max_size=3),
)
def test_trial_round_trip(tmp_path_factory, theta, positions, cost, predicted, note, details):
    proposal = Proposal(theta, "knn", note, 0.25, predicted, 0.5, details)
    trial = Trial(
        0, theta, proposal, True, TrialStatus.DONE, theta, cost, cost, 2.0, 1.5,
        ObjectTrajectory(np.arange(4.0), positions), note,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("s") / "deep" / "trials.sqlite"
    with TrialStore(path) as store:
        run_id = store.create_run(CONFIG)
        store.begin_trial(run_id, 0, theta, proposal, projected=True)
        store.finish_trial(run_id, trial)
    with TrialStore(path) as store:
        same(store.trials(run_id)[0], trial)


def test_default_path(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ICPI_STORE", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert default_path() == tmp_path / ".local/share/icpi/trials.sqlite"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert default_path() == tmp_path / ".local/share/icpi/trials.sqlite"
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_path() == Path("/data/icpi/trials.sqlite")
    monkeypatch.setenv("ICPI_STORE", "~/mine.sqlite")
    assert default_path() == tmp_path / "mine.sqlite"


# --- keys ---------------------------------------------------------------------------------------


def test_keys_never_reach_the_disk(store, monkeypatch):
    key = "sk-0123456789abcdef"
    monkeypatch.setenv("TEST_API_KEY", key)
    monkeypatch.setenv("OTHER_TOKEN", "EMPTY")
    run_id = store.create_run(CONFIG)
    details = {"headers": [f"Bearer {key}"], key: 1, "x": "EMPTY", "y": "EMPTY list"}
    proposal = Proposal(THETA, "ridge", f"llm: bad key {key}", details=details)
    store.begin_trial(run_id, 0, THETA, proposal, projected=False)
    store.finish_trial(run_id, done(0, note=f"said {key}"))
    trial = store.trials(run_id)[0]
    assert trial.proposal.details["headers"] == ["Bearer [TEST_API_KEY removed]"]
    assert trial.proposal.details["x"] == "EMPTY"
    assert trial.proposal.details["y"] == "EMPTY list"
    options = {"nested": [{"api_key": key}]}
    with pytest.raises(UsageError, match=r"TEST_API_KEY.*never stored"):
        store.create_run(RunConfig("toy-push", "llm", (0.0,), 3, options=options))
    store.close()
    files = list(store.path.parent.iterdir())
    assert all(key.encode() not in file.read_bytes() for file in files)


@pytest.mark.parametrize("ending", [" ", "\n"])
def test_a_key_with_blanks_around_it_is_still_a_key(store, monkeypatch, ending):
    monkeypatch.setenv("TEST_API_KEY", f" sk-0123456789{ending}")
    options = {"base_url": "http://h/v1?key=sk-0123456789"}
    with pytest.raises(UsageError, match="TEST_API_KEY"):
        store.create_run(RunConfig("toy-push", "llm", (0.0,), 3, options=options))


def test_the_variable_that_the_run_names_holds_a_key(store, monkeypatch):
    key = "plain-0123456789"
    monkeypatch.setenv("MYKEY", key)
    monkeypatch.setattr(redact, "_watched", set())
    options = {"key_variable": "MYKEY"}
    run_id = store.create_run(RunConfig("toy-push", "llm", (0.0,), 3, options=options))
    leaky = options | {"model": key}
    with pytest.raises(UsageError, match="MYKEY"):
        store.create_run(RunConfig("toy-push", "llm", (0.0,), 3, options=leaky))
    store.close()
    monkeypatch.setattr(redact, "_watched", set())  # as in a process that resumes the run
    with TrialStore(store.path) as again:
        again.mark_interrupted(run_id)
        proposal = Proposal(THETA, "ridge", f"llm: bad key {key}", details={"reply": key})
        again.begin_trial(run_id, 0, THETA, proposal, projected=False)
        found = again.trials(run_id)[0].proposal
    assert found.fallback_reason == "llm: bad key [MYKEY removed]"
    assert found.details["reply"] == "[MYKEY removed]"


def test_words_in_the_environment_are_no_keys(store, monkeypatch):
    monkeypatch.setenv("FOO_TOKEN", "user")
    monkeypatch.setenv("X_TOKEN", "ridge")
    monkeypatch.setenv("Y_TOKEN", "improver-9")
    run_id = store.create_run(CONFIG)
    details = {"messages": [{"role": "user", "content": "user"}]}
    for number, name in enumerate(("ridge", "improver-9")):
        proposal = Proposal(THETA, name, details=details)
        store.begin_trial(run_id, number, THETA, proposal, projected=False)
        store.finish_trial(run_id, replace(done(number), proposal=proposal))
    found = [trial.proposal for trial in store.trials(run_id)]
    assert [proposal.provenance for proposal in found] == ["ridge", "improver-9"]
    assert found[0].details == details


# --- death --------------------------------------------------------------------------------------


def kill_a_writer(path, progress, after):
    """Let a real process write trials, kill -9 it, and return its run and what it had done."""
    with python(HERE / "store_writer.py", path, progress) as process:
        deadline = time.monotonic() + 120.0
        while not (progress.exists() and f"{after}\n" in progress.read_text()):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
    lines = progress.read_text().splitlines()
    return lines[0].split()[1], [int(x.split()[1]) for x in lines if x.startswith("done")]


@pytest.mark.parametrize("after", ["begun 0", "begun 7", "done 12", "begun 20"])
def test_kill_9_loses_no_finished_trial(tmp_path, after):
    path = tmp_path / "trials.sqlite"
    run_id, finished = kill_a_writer(path, tmp_path / "progress", after)
    with TrialStore(path) as store:
        before = store.trials(run_id)
        stored = [t.number for t in before if t.status is TrialStatus.DONE]
        assert stored[: len(finished)] == finished
        assert len(stored) <= len(finished) + 1  # durable, killed before it could say so
        half = [t.number for t in before if t.status is TrialStatus.RUNNING]
        assert store.mark_interrupted(run_id) == half
        assert store.mark_interrupted(run_id) == []
        assert [t.status for t in store.trials(run_id)] == (
            [TrialStatus.DONE] * len(stored) + [TrialStatus.INTERRUPTED] * len(half)
        )
        number = len(stored)
        again = store.begin_trial(run_id, number, THETA, Proposal(THETA, "x"), projected=False)
        assert again == 1 + len(half)
        for trial in store.trials(run_id)[:number]:
            expected = TOY.space.sample(np.random.default_rng([0, trial.number]))
            np.testing.assert_array_equal(trial.theta, expected)


class Interrupted:
    """A connection at which Ctrl-C comes right after a transaction has begun."""

    def __init__(self, connection):
        self.connection = connection

    def execute(self, statement, *args):
        done = self.connection.execute(statement, *args)
        if statement == "BEGIN IMMEDIATE":
            raise KeyboardInterrupt
        return done


def test_ctrl_c_after_begin_leaves_no_transaction_open(store, monkeypatch):
    run_id = store.create_run(CONFIG)
    connection = store._database._connection
    with monkeypatch.context() as patch:
        patch.setattr(store._database, "_connection", Interrupted(connection))
        with pytest.raises(KeyboardInterrupt):
            add(store, run_id, 0)
    assert not connection.in_transaction
    add(store, run_id, 0)


# --- several processes --------------------------------------------------------------------------


def test_two_processes_write_different_runs_at_once(tmp_path):
    path, progress = tmp_path / "trials.sqlite", tmp_path / "progress"
    with python(HERE / "store_writer.py", path, progress) as process:
        try:
            with TrialStore(path) as store:
                run_id = store.create_run(CONFIG)
                for number in range(20):
                    add(store, run_id, number)
                deadline = time.monotonic() + 120.0
                while not (progress.exists() and "done 10\n" in progress.read_text()):
                    assert process.poll() is None
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
                other = progress.read_text().split()[1]
                assert len(store.trials(run_id)) == 20
                assert len(store.trials(other)) > 10
                with pytest.raises(RunInUse) as excinfo:
                    store.mark_interrupted(other)
                assert f"written by process {process.pid}" in line(excinfo)
        finally:
            process.kill()


def test_a_lease_goes_with_its_holder(tmp_path):
    path = tmp_path / "trials.sqlite"
    first, second = TrialStore(path), TrialStore(path)
    run_id = first.create_run(CONFIG)
    with pytest.raises(RunInUse):
        second.lease(run_id)
    first.release(run_id)
    second.lease(run_id)
    with pytest.raises(RunInUse):
        first.begin_trial(run_id, 0, THETA, Proposal(THETA, "x"), projected=False)
    second.close()
    first.lease(run_id)
    first.close()
    first.close()
    assert [p.name for p in tmp_path.iterdir()] == ["trials.sqlite"]


def test_threads_share_a_store(store):
    ids = [store.create_run(CONFIG) for _ in range(4)]
    failures = []

    def work(run_id):
        try:
            for number in range(10):
                add(store, run_id, number)
        except Exception as exc:
            failures.append(exc)

    threads = [threading.Thread(target=work, args=(run_id,)) for run_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300.0)
    assert failures == []
    assert [s.trials for s in store.runs()] == [10] * 4


def test_many_processes_open_a_new_file_at_once(tmp_path):
    code = "import sys; from icpi_ros.runs.store.store import TrialStore; TrialStore(sys.argv[1])"
    started = [python("-c", code, tmp_path / "t.sqlite") for _ in range(4)]
    assert [process.wait(300) for process in started] == [0] * 4


def test_many_threads_open_a_new_file_at_once(tmp_path):
    """Between two looks at a file another one may have filled it."""
    interval, failures = sys.getswitchinterval(), []
    together = threading.Barrier(6)

    def open_all():
        for number in range(15):
            together.wait()
            try:
                TrialStore(tmp_path / f"{number}.sqlite").close()
            except Exception as exc:
                failures.append(exc)

    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=open_all) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert failures == []


def test_locked_for_too_long(store):
    run_id = store.create_run(CONFIG)
    store._database._connection.execute("PRAGMA busy_timeout = 100")
    blocker = sqlite3.connect(store.path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError) as excinfo:
        add(store, run_id, 0)
    assert "another process has locked it for more than 1 s" in line(excinfo)
    blocker.execute("ROLLBACK")
    blocker.close()
    add(store, run_id, 0)


# --- bad files and disks ------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"not a data base at all\n" * 300, b"x"])
def test_not_a_store(tmp_path, content):
    path = tmp_path / "t.sqlite"
    path.write_bytes(content)
    with pytest.raises(StoreError) as excinfo:
        TrialStore(path)
    assert "not a trial store; choose another with --store" in line(excinfo)
    assert path.read_bytes() == content


def test_a_data_base_of_somebody_else(tmp_path):
    path = tmp_path / "t.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE a (b)")
    other.close()
    with pytest.raises(StoreError, match="is not an ICPI trial store"):
        TrialStore(path)


def test_a_versioned_data_base_of_somebody_else_stays_as_it_is(tmp_path):
    path = tmp_path / "t.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE a (b)")
        other.execute("PRAGMA user_version = 1")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreError) as excinfo:
        TrialStore(path)
    assert "is not an ICPI trial store: choose another with --store" in line(excinfo)
    assert path.read_bytes() == before


def test_newer_schema(store):
    store._database._connection.execute("PRAGMA user_version = 9")
    store.close()
    with pytest.raises(StoreError, match=r"newer icpi_ros \(schema 9, .* up to 3\): upgrade"):
        TrialStore(store.path)


def test_damaged_file(store):
    run_id = store.create_run(CONFIG)
    for number in range(20):
        add(store, run_id, number)
    store.close()
    data = bytearray(store.path.read_bytes())
    data[8192:] = b"\xa5" * (len(data) - 8192)
    store.path.write_bytes(data)
    with TrialStore(store.path) as again, pytest.raises(StoreError, match="damaged"):
        again.trials(run_id)


def test_damaged_row(store):
    run_id = store.create_run(CONFIG)
    add(store, run_id, 0)
    store._database._connection.execute("UPDATE trials SET positions = x'00'")
    with pytest.raises(StoreError, match=rf"a trial of run {run_id} .* is damaged"):
        store.trials(run_id)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-9],
        lambda text: "[]",
        lambda text: "{}",
        lambda text: "null",
        lambda text: json.dumps(json.loads(text) | {"colour": "red"}),
        lambda text: json.dumps(json.loads(text) | {"goal": [None]}),
    ],
)
def test_damaged_configuration(store, change):
    run_id = store.create_run(CONFIG)
    connection = store._database._connection
    text = connection.execute("SELECT config FROM runs").fetchone()[0]
    connection.execute("UPDATE runs SET config = ?", (change(text),))
    with pytest.raises(StoreError) as excinfo:
        store.run(run_id)
    assert f"the configuration of run {run_id}" in line(excinfo)


def test_a_directory_in_the_way(tmp_path):
    with pytest.raises(StoreError, match="is a directory or may not be opened"):
        TrialStore(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"cannot make the directory .*--store"):
        TrialStore(tmp_path / "file" / "t.sqlite")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 512 kB; skipped where mounting is not allowed."""
    where = tmp_path / "disk"
    where.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "icpi-test", str(where)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield where
    subprocess.run(["umount", "-l", str(where)], check=True)


def test_read_only_disk(small_disk):
    path = small_disk / "t.sqlite"
    with TrialStore(path) as store:
        run_id = store.create_run(CONFIG)
        remount = ["mount", "-o", "remount,ro", str(small_disk)]
    subprocess.run(remount, check=True)
    for target in (path, small_disk / "new.sqlite"):
        with pytest.raises(StoreError) as excinfo:
            TrialStore(target)
        assert "read-only" in line(excinfo) or "may not be opened" in line(excinfo)
        assert "--store" in line(excinfo)
    assert run_id


def fill(store, run_id):
    """Write trials until one does not fit; return how many did, and the error."""
    for number in range(1000):
        try:
            add(store, run_id, number)
        except StoreError as exc:
            return number, exc
    raise AssertionError("the disk never got full")


def test_full_disk_keeps_finished_trials_and_goes_on_after_space_is_made(small_disk):
    path, ballast = small_disk / "t.sqlite", small_disk / "ballast"
    ballast.write_bytes(b"\0" * 200_000)
    with TrialStore(path) as store:
        run_id = store.create_run(CONFIG)
        count, error = fill(store, run_id)
        assert "disk" in str(error)
        assert "full" in str(error)
        assert "\n" not in str(error)
        assert count > 5
        assert [t.status for t in store.trials(run_id)][:count] == [TrialStatus.DONE] * count
        ballast.unlink()
        running = [t for t in store.trials(run_id) if t.status is TrialStatus.RUNNING]
        if running:  # its start fitted, its end did not
            store.finish_trial(run_id, done(count))
        else:
            add(store, run_id, count)
        assert len(store.trials(run_id)) == count + 1


def test_full_data_base_without_root(store):
    run_id = store.create_run(CONFIG)
    add(store, run_id, 0)
    connection = store._database._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 4}")
    count, error = fill_from(store, run_id)
    assert "the disk is full; free some space, finished trials are safe" in str(error)
    assert all(t.status is TrialStatus.DONE for t in store.trials(run_id)[:count])


def fill_from(store, run_id):
    for number in range(1, 1000):
        try:
            add(store, run_id, number)
        except StoreError as exc:
            return number, exc
    raise AssertionError("the data base never got full")


def test_file_taken_away_under_a_run(store):
    run_id = store.create_run(CONFIG)
    add(store, run_id, 0)
    moved = store.path.rename(store.path.with_name("moved.sqlite"))
    with pytest.raises(StoreError, match="was moved or deleted while in use; put it back"):
        add(store, run_id, 1)
    moved.rename(store.path)
    add(store, run_id, 1)
