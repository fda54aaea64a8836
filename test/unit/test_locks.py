"""Locks between processes: one holder at a time, known by its pid, gone with it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from icpi_ros.core.files import FileLock, LockTaken
from icpi_ros.learn.dataset.side_folder import LOCK

PACKAGE = Path(__file__).parents[2] / "icpi_ros"
HOLDER = """
import sys
from pathlib import Path
from icpi_ros.core.files import FileLock
lock = FileLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_the_holder_is_named_and_a_released_lock_is_free(tmp_path):
    path = tmp_path / LOCK
    lock = FileLock(path)
    with pytest.raises(LockTaken) as caught:
        FileLock(path)
    assert caught.value.holder == os.getpid()
    assert path.read_text() == f"{os.getpid()}\n", "who loses leaves the file as it is"
    lock.release()
    lock.release()
    assert path.exists()
    FileLock(path).release(remove=True)
    assert not path.exists()


def test_what_the_file_says_is_no_pid(tmp_path):
    path = tmp_path / LOCK
    lock = FileLock(path)
    path.write_text("somebody\n")
    with pytest.raises(LockTaken) as caught:
        FileLock(path)
    assert caught.value.holder is None
    lock.release()


def test_a_lock_is_of_the_file_that_is_there(tmp_path, monkeypatch):
    """Its last holder removes the file after another process has opened it."""
    path = tmp_path / LOCK
    first, opening = FileLock(path), os.open

    def open_and_lose(*args):
        monkeypatch.setattr(os, "open", opening)
        descriptor = opening(*args)
        first.release(remove=True)
        return descriptor

    monkeypatch.setattr(os, "open", open_and_lose)
    second = FileLock(path)
    with pytest.raises(LockTaken):
        FileLock(path)
    second.release(remove=True)


def test_a_killed_holder_leaves_no_lock(tmp_path):
    path = tmp_path / LOCK
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "held\n"
            with pytest.raises(LockTaken) as caught:
                FileLock(path)
            assert caught.value.holder == process.pid
        finally:
            process.kill()
    FileLock(path).release()


def test_a_folder_that_is_not_there_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        FileLock(tmp_path / "none" / LOCK)


def test_no_other_module_locks():
    locking = [path.name for path in PACKAGE.rglob("*.py") if "import fcntl" in path.read_text()]
    assert locking == ["files.py"]
