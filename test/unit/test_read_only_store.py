"""A store that cannot be written where it is: what reads goes on, what writes says why not."""

import contextlib
import os
import pickle
import shutil
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import pytest
from old_stores import SCHEMA_1
from stored_runs import CONFIG, PROPOSAL, THETA, done

from icpi_ros.cli.main import main
from icpi_ros.core.errors import StoreError, StoreUnusable
from icpi_ros.runs.store import copy as store_copy
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.view.stored.listing import RunListing

NOBODY = 65534


def add(store, run_id, number):
    store.begin_trial(run_id, number, THETA, PROPOSAL, projected=False)
    store.finish_trial(run_id, done(number))


@pytest.fixture
def folder():
    """A folder that other users may look into."""
    with tempfile.TemporaryDirectory(prefix="icpi-test-") as name:
        os.chmod(name, 0o755)
        yield Path(name)
        os.chmod(name, 0o755)


def protect(folder):
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)


class Other:
    """A process of a user who may only read; ``ask`` returns what a function gives there."""

    def __init__(self, *functions):
        (self._asked, asks), (answers, self._answer) = os.pipe(), os.pipe()
        self._asks, self._answers = os.fdopen(asks, "wb", 0), os.fdopen(answers, "rb")
        self.pid = os.fork()
        if self.pid == 0:
            self._serve(functions)

    def _serve(self, functions):
        try:
            self._asks.close()
            if os.getuid() == 0:
                os.setuid(NOBODY)
            while number := os.read(self._asked, 1):
                try:
                    found = functions[number[0]]()
                except Exception as exc:
                    found = type(exc).__name__, str(exc)
                os.write(self._answer, pickle.dumps(found))
        finally:
            os._exit(0)

    def ask(self, number):
        self._asks.write(bytes([number]))
        return pickle.load(self._answers)

    def close(self):
        self._asks.close()
        os.close(self._asked)
        os.waitpid(self.pid, 0)
        self._answers.close()
        os.close(self._answer)


@contextlib.contextmanager
def other(*functions):
    process = Other(*functions)
    try:
        yield process
    finally:
        process.close()


def test_another_user_reads_a_store_and_follows_its_writer(folder):
    path = folder / "t.sqlite"
    reader = []

    def opened():
        reader.append(TrialStore(path, reading=True))
        return [(run.trials, run.state) for run in reader[0].runs()]

    def again():
        return [(run.trials, run.state) for run in reader[0].runs()]

    def numbers():
        (run,) = reader[0].runs()
        return [trial.number for trial in reader[0].trials(run.run_id)]

    def seen():
        return reader[0].writes_of_others()

    def written():
        reader[0].create_run(CONFIG)

    def left():
        reader[0].close()
        return [name for name in os.listdir(tempfile.gettempdir()) if name.startswith("icpi-store")]

    with TrialStore(path) as store, other(opened, again, numbers, written, left, seen) as process:
        run_id = store.create_run(CONFIG)
        add(store, run_id, 0)
        protect(folder)
        assert Path(f"{path}-wal").stat().st_size > 0  # the log holds it, not the file
        assert process.ask(0) == [(1, "open")]
        version = process.ask(5)
        assert process.ask(5) == version
        folder.chmod(0o755)
        add(store, run_id, 1)  # its files are open
        folder.chmod(0o555)
        assert process.ask(1) == [(2, "open")]
        assert process.ask(5) != version
        folder.chmod(0o755)
        store._database._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        add(store, run_id, 2)
        folder.chmod(0o555)
        assert process.ask(2) == [0, 1, 2]
        kind, said = process.ask(3)
        assert (kind, "is read-only for this user; `icpi runs`" in said) == ("StoreError", True)
        before = process.ask(4)
        folder.chmod(0o755)
        assert process.ask(4) == before


def attempt(path, **how):
    def opened():
        with TrialStore(path, **how) as store:
            return [run.trials for run in store.runs()]

    return opened


def test_the_reason_is_that_of_the_folder_or_the_file(folder):
    path, old = folder / "t.sqlite", folder / "old.sqlite"
    with TrialStore(path) as store:
        add(store, store.create_run(CONFIG), 0)
    with sqlite3.connect(old) as connection:
        connection.executescript(SCHEMA_1)
    connection.close()
    (folder / "empty.sqlite").touch()
    (folder / "text.sqlite").write_text("text")
    protect(folder)
    (folder / "t.sqlite").chmod(0o644)
    functions = [
        attempt(path),
        attempt(path, reading=True),
        attempt(old, reading=True),
        attempt(folder / "empty.sqlite", reading=True),
        attempt(folder / "text.sqlite", reading=True),
    ]
    with other(*functions) as process:
        kind, said = process.ask(0)
        assert kind == StoreUnusable.__name__
        assert f"directory {folder} is read-only for this user; `icpi runs`, `report`" in said
        assert [process.ask(n) for n in (1, 2, 3)] == [[1], [], []]
        assert "is not a trial store" in process.ask(4)[1]
        folder.chmod(0o777)
        path.chmod(0o444)
        assert "the file is read-only for this user" in process.ask(0)[1]
        assert process.ask(1) == [1]
        path.chmod(0)
        for number in (0, 1):
            kind, said = process.ask(number)
            assert kind == StoreUnusable.__name__
            assert (
                "may not be opened by this user (it belongs to user 0, with permissions 0)" in said
            )
            assert "can read it" not in said
        folder.chmod(0)
        for number in (0, 1):
            kind, said = process.ask(number)
            assert kind == StoreUnusable.__name__
            assert "Permission denied; choose another" in said
        folder.chmod(0o755)


def test_a_store_that_can_be_written_is_not_copied(folder, monkeypatch):
    monkeypatch.delattr(store_copy.shutil, "copyfile")
    with TrialStore(folder / "t.sqlite", reading=True) as store:
        assert store.runs() == []


def test_a_store_that_is_written_all_the_time_is_said_to_be(folder, monkeypatch):
    path = folder / "t.sqlite"
    with TrialStore(path):
        pass
    copyfile = shutil.copyfile

    def disturbed(source, target):
        copyfile(source, target)
        os.utime(path, ns=(0, next(moments)))

    moments = iter(range(1000))
    monkeypatch.setattr(store_copy.shutil, "copyfile", disturbed)
    with pytest.raises(OSError, match="writes it all the time"):
        store_copy.StoreCopy(path)


def test_a_copy_has_room_and_takes_files_only(folder, monkeypatch):
    path = folder / "t.sqlite"
    with pytest.raises(FileNotFoundError):
        store_copy.StoreCopy(path)
    path.write_bytes(b"0123456789")
    monkeypatch.setattr(
        store_copy.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 0, 9)
    )
    with pytest.raises(OSError, match="No space left"):
        store_copy.StoreCopy(path)
    monkeypatch.undo()
    os.mkfifo(f"{path}-wal")
    with pytest.raises(OSError, match="a pipe"):
        store_copy.StoreCopy(path)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
@pytest.mark.parametrize("reading", [True, False])
def test_a_store_is_a_file(tmp_path, make, reading):
    make(tmp_path / "t.sqlite")
    with pytest.raises(StoreError, match=r"it is a (pipe|device), not a file; choose another"):
        TrialStore(tmp_path / "t.sqlite", reading=reading)


@pytest.fixture
def read_only_disk(tmp_path):
    """A function that makes a file system read-only; skipped where mounting is not allowed."""
    where = tmp_path / "disk"
    where.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "icpi-test", str(where)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    remount = ["mount", "-o", "remount,ro", str(where)]
    yield where, lambda: subprocess.run(remount, check=True)
    subprocess.run(["umount", "-l", str(where)], check=True)


def test_a_store_on_a_read_only_disk_is_listed_and_reported(read_only_disk, tmp_path, capsys):
    disk, remount = read_only_disk
    path = disk / "t.sqlite"
    with TrialStore(tmp_path / "t.sqlite") as store:
        run_id = store.create_run(CONFIG)
        add(store, run_id, 0)
        for end in ("", "-wal"):  # as after a power cut: what was stored is in the log
            shutil.copyfile(f"{store.path}{end}", f"{path}{end}")
    remount()
    assert main(["runs", "--store", str(path)]) == 0
    assert f"{run_id}  toy-push" in capsys.readouterr().out
    with TrialStore(path, reading=True) as store:
        assert [trial.number for trial in store.trials(run_id)] == [0]
    with contextlib.closing(RunListing(path)) as listing:  # of `icpi runs --view`
        found = listing.news(0)
        assert (found["trouble"], [row["id"] for row in found["runs"]]) == ("", [run_id])
    with pytest.raises(StoreError, match="its file system is read-only; choose another"):
        TrialStore(disk / "new.sqlite")
    assert main(["runs", "delete", run_id, "--yes", "--store", str(path)]) == 2
    said = capsys.readouterr().err
    assert "its file system is read-only; `icpi runs`, `report` and `view` can read it" in said
