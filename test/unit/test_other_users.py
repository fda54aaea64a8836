"""Other people on the machine: nothing of theirs is written through, nothing of ours is theirs."""

import errno
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from stored_runs import CONFIG, THETA, done

from icpi_ros.cli.arguments import checked_output
from icpi_ros.cli.json_output import JsonOutput
from icpi_ros.core.errors import IcpiError, StoreError
from icpi_ros.core.files import (
    FileLock,
    Planted,
    check_folder_writable,
    make_private_folder,
    open_private,
    own_folder,
    replacing,
    require_place,
)
from icpi_ros.core.types import Proposal
from icpi_ros.learn.dataset.side_folder import side_folder
from icpi_ros.learn.outcome.fitting import kept_fits as fit
from icpi_ros.llm.cassettes.cassette import Cassette
from icpi_ros.llm.cassettes.file import CassetteFile
from icpi_ros.report.run.export import write_csv, write_parquet
from icpi_ros.ros.bringup.instance import hold_name, runtime_dir
from icpi_ros.runs.store.store import TrialStore

OTHER = 54321
"""A user id that has nothing here."""
is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of other users")


@pytest.fixture
def shared(tmp_path):
    """A folder as /tmp is."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


@pytest.fixture
def victim(tmp_path):
    """A file of ours that nobody else may change."""
    path = tmp_path / "victim"
    path.write_text("{}")
    return path


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o027, 0o007])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def link(path, victim):
    path.symlink_to(victim)


def dangling(path, victim):
    path.symlink_to(victim.with_name("new"))


def file(path, victim):
    path.write_text("{}")
    path.chmod(0o666)


def pipe(path, _victim):
    os.mkfifo(path)


PLANTED = {"link": link, "dangling link": dangling, "file": file, "pipe": pipe}


def plant(kind, path, victim):
    """Put something at ``path`` that another user could have put there."""
    PLANTED[kind](path, victim)
    os.lchown(path, OTHER, OTHER)


def save(path):
    with replacing(path) as temporary:
        temporary.write_text("{}")


def open_store(path):
    TrialStore(path).close()


def open_beside(ending):
    def write(path):
        open_store(path.with_name(path.name.removesuffix(ending)))

    return write


def compute(path):
    fit.stored(path.stem, 1, lambda: np.zeros(1))


WRITERS = {
    "replacing": save,
    "lock": lambda path: FileLock(path).release(),
    "json": lambda path: JsonOutput(str(path)).write([]),
    "checked output": checked_output,
    "store": open_store,
    "cassette": Cassette,
    "cassette line": lambda path: CassetteFile(path).append({"key": "x"}),
    "csv": lambda path: write_csv(path, [{"a": 1}]),
    "parquet": lambda path: write_parquet(path, [{"a": 1}]),
    "log": lambda path: open_private(path, "ab").close(),
    "folder": check_folder_writable,
}


@is_root
@pytest.mark.parametrize("planted", PLANTED)
@pytest.mark.parametrize("writer", WRITERS)
def test_nothing_is_written_through_what_another_user_has_put_there(
    shared, victim, writer, planted
):
    plant(planted, shared / "out", victim)
    before = (shared / "out").lstat()
    why = (
        "it is a pipe" if (writer, planted) == ("cassette", "pipe") else f"belongs to user {OTHER}"
    )
    with pytest.raises((IcpiError, OSError), match=why):
        WRITERS[writer](shared / "out")
    assert victim.read_text() == "{}"
    assert not victim.with_name("new").exists()
    after = (shared / "out").lstat()
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)


@is_root
@pytest.mark.parametrize("ending", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("planted", PLANTED)
def test_nothing_beside_a_store_is_another_users(shared, victim, ending, planted):
    plant(planted, shared / f"runs.sqlite{ending}", victim)
    with pytest.raises(StoreError, match=f"{ending} belongs to user {OTHER}.*--store"):
        open_store(shared / "runs.sqlite")
    assert victim.read_text() == "{}"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_who_may_read_a_store_sees_who_writes_it(tmp_path, mode):
    path = tmp_path / "runs.sqlite"
    open_store(path)
    path.chmod(mode)
    with TrialStore(path) as store:
        store.create_run(CONFIG)
        assert {mode_of(one) for one in tmp_path.iterdir()} == {mode}


@is_root
def test_a_store_of_another_user_is_read_where_all_may_write(shared):
    path = shared / "runs.sqlite"
    open_store(path)
    path.chmod(0o666)  # a laboratory's way to share
    os.chown(path, OTHER, OTHER)
    with TrialStore(path, reading=True) as store:
        assert store.runs() == []
        with pytest.raises(StoreError, match="it was opened to be read"):
            store.create_run(CONFIG)
    os.mkfifo(f"{path}-wal")  # nobody waits for it
    os.chown(f"{path}-wal", OTHER, OTHER)
    with pytest.raises(StoreError, match="it is a pipe, not a file"):
        TrialStore(path, reading=True)


@is_root
@pytest.mark.parametrize("planted", PLANTED)
def test_a_cached_fit_of_another_user_is_not_believed(shared, victim, monkeypatch, planted):
    monkeypatch.setattr(fit, "folder", lambda: shared)
    plant(planted, shared / "key.npy", victim)
    assert fit.stored("key", 1, lambda: np.array([7.0])).tolist() == [7.0]
    assert victim.read_text() == "{}"


@is_root
@pytest.mark.parametrize("writer", ["json", "store", "cassette", "replacing", "lock", "folder"])
def test_nothing_is_written_into_a_folder_that_another_user_has_put_there(shared, writer):
    folder = shared / "icpi"
    folder.mkdir()
    os.chown(folder, OTHER, OTHER)
    with pytest.raises((IcpiError, OSError), match=f"icpi belongs to user {OTHER}"):
        WRITERS[writer](folder / "out")
    assert list(folder.iterdir()) == []


@is_root
def test_work_is_not_taken_up_in_another_users_folder(shared):
    from icpi_benchmarks.contest.cell_log import CellLog

    folder = side_folder(shared / "out.json")
    folder.mkdir()
    os.chown(folder, OTHER, OTHER)
    with pytest.raises(IcpiError, match=f"belongs to user {OTHER}"):
        CellLog(shared / "out.json", {})


@pytest.mark.parametrize("sort", ["mine", "a link of mine", "a new one"])
def test_what_is_ones_own_is_used_wherever_it_is(shared, victim, sort):
    path = shared / "out"
    if sort == "mine":
        path.write_text("[1]")
    elif sort == "a link of mine":
        path.symlink_to(victim)
    require_place(path)
    if sort == "a link of mine":
        with pytest.raises(OSError, match="a link where all may write: name the file itself"):
            open_private(path, "ab")
    save(path)
    assert path.read_text() == "{}"
    assert not path.is_symlink()


@pytest.mark.parametrize("name", ["json", "csv", "parquet", "replacing"])
def test_a_pipe_gets_the_content_and_stays_a_pipe(tmp_path, name):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    WRITERS[name](path)  # a device likewise: root would replace /dev/null
    assert os.read(reader, 100)
    os.close(reader)
    assert path.is_fifo()
    assert list(tmp_path.iterdir()) == [path]


def test_an_open_file_under_proc_is_written_to(tmp_path):
    with (
        (tmp_path / "out").open("w+b") as file,
        replacing(Path(f"/proc/self/fd/{file.fileno()}")) as temporary,
    ):
        temporary.write_text("1")
    assert (tmp_path / "out").read_text() == "1"


@is_root
def test_where_not_all_may_write_the_owner_of_a_file_does_not_matter(tmp_path, victim):
    """A folder of a group is that group's business."""
    tmp_path.chmod(0o775)
    for writer in ("json", "lock", "log"):
        plant("file", tmp_path / writer, victim)
        WRITERS[writer](tmp_path / writer)


def theirs(folder):
    folder.mkdir(mode=0o777)
    os.chown(folder, OTHER, OTHER)


def their_link(folder):
    elsewhere = folder.with_name("elsewhere")
    elsewhere.mkdir(exist_ok=True)
    folder.symlink_to(elsewhere)
    os.lchown(folder, OTHER, OTHER)


def my_link(folder):
    elsewhere = folder.with_name("elsewhere")
    elsewhere.mkdir()
    folder.symlink_to(elsewhere)


def a_file(folder):
    folder.write_text("")


NO_FOLDERS = {"theirs": theirs, "their link": their_link, "my link": my_link, "a file": a_file}


@is_root
@pytest.mark.parametrize("place", ["temporary", "runtime"])
@pytest.mark.parametrize("planted", NO_FOLDERS)
def test_locks_are_in_a_folder_of_ones_own_or_nowhere(shared, monkeypatch, place, planted):
    if place == "temporary":
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        monkeypatch.setattr("tempfile.tempdir", str(shared))
        folder = shared / f"icpi-{os.getuid()}"
    else:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(shared))
        folder = shared / "icpi"
    NO_FOLDERS[planted](folder)
    with pytest.raises(StoreError, match=f"cannot make {folder} .*set XDG_RUNTIME_DIR to a") as no:
        hold_name("/executor")
    assert "\n" not in str(no.value)
    assert not list(shared.rglob("*.lock"))


def test_without_any_temporary_folder_locks_are_nowhere(monkeypatch):
    def none():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "gettempdir", none)
    with pytest.raises(StoreError, match=r"a folder for lock files \(No usable .*XDG_RUNTIME_DIR"):
        hold_name("/executor")


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770, 0o755, 0o500])
def test_a_folder_of_locks_that_others_may_enter_is_closed(shared, monkeypatch, mode):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(shared))
    (shared / "icpi").mkdir()
    (shared / "icpi").chmod(mode)
    assert mode_of(runtime_dir()) == 0o700
    lock = hold_name("/executor")
    assert mode_of(lock.path) == 0o600
    lock.release()


def test_a_lock_is_no_link(tmp_path, victim):
    (tmp_path / "lock").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        FileLock(tmp_path / "lock")
    assert victim.read_text() == "{}"


def mode_of(path):
    return stat.S_IMODE(Path(path).stat().st_mode)


def test_a_store_and_what_is_beside_it_are_ones_own_whatever_the_umask(tmp_path, umask):
    path = tmp_path / "a" / "b" / "trials.sqlite"
    with TrialStore(path) as store:
        run_id = store.create_run(CONFIG)
        store.begin_trial(run_id, 0, THETA, Proposal(THETA, "ridge"), projected=False)
        store.finish_trial(run_id, done(0))
        found = {one.name: mode_of(one) for one in path.parent.iterdir()}
    assert set(found.values()) == {0o600}
    assert {"trials.sqlite-wal", "trials.sqlite-shm"} < set(found)
    assert len(found) == 4  # and the lease
    assert mode_of(path.parent) == mode_of(path.parent.parent) == 0o700


def test_cassettes_exports_and_caches_are_ones_own_whatever_the_umask(tmp_path, umask, monkeypatch):
    for name in ("json", "cassette", "cassette line", "csv", "parquet", "log", "lock"):
        path = tmp_path / name.replace(" ", "_")
        WRITERS[name](path)
        assert mode_of(path) == 0o600, name
    monkeypatch.setattr(fit, "folder", lambda: tmp_path / "cache" / "fits")
    compute(tmp_path / "key")
    assert mode_of(tmp_path / "cache") == mode_of(tmp_path / "cache" / "fits") == 0o700


def test_pages_and_pictures_follow_the_umask(tmp_path, umask):
    save(tmp_path / "page.html")
    assert mode_of(tmp_path / "page.html") == 0o666 & ~umask


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o660, 0o400])
def test_a_file_keeps_the_permissions_that_it_was_given(tmp_path, mode):
    for name in ("replacing", "csv", "json"):
        path = tmp_path / name
        path.write_text("[]")
        path.chmod(mode)
        if mode & 0o200 or os.geteuid() == 0:
            WRITERS[name](path)
        assert mode_of(path) == mode


def test_a_temporary_file_is_never_one_that_is_there(tmp_path, monkeypatch, victim):
    monkeypatch.setattr("secrets.token_hex", lambda _: "00")
    (tmp_path / ".page.html.00.tmp").symlink_to(victim)
    with pytest.raises(FileExistsError):
        save(tmp_path / "page.html")
    assert victim.read_text() == "{}"


def test_folders_above_are_left_as_they_are(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o755)
    make_private_folder(tmp_path / "data" / "icpi" / "x")
    modes = [mode_of(tmp_path / name) for name in ("data", "data/icpi", "data/icpi/x")]
    assert modes == [0o755, 0o700, 0o700]


ATTACK = """
cd "$1" && ln -s "$2" store.sqlite && ln -s "$2" out.json && ln -s "$2" tape.jsonl
mkdir -m 777 icpi-0 && ln -s "$2" icpi-0/domain-0.executor.lock
"""
WORK = """
import sys, tempfile
from pathlib import Path
from icpi_ros.cli.json_output import JsonOutput
from icpi_ros.llm.cassettes.cassette import Cassette
from icpi_ros.ros.bringup.instance import hold_name
from icpi_ros.runs.store.store import TrialStore
place = Path(sys.argv[1])
for work in (
    lambda: TrialStore(place / "store.sqlite"),
    lambda: JsonOutput(str(place / "out.json")).write([]),
    lambda: Cassette(place / "tape.jsonl"),
    lambda: hold_name("/executor"),
):
    try:
        work()
        print("done")
    except Exception as exc:
        print(type(exc).__name__, exc)
"""


@is_root
def test_an_attack_by_a_real_user(victim):
    """Two processes of two users, one of whom is root, in a folder that both can enter."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        shared = Path(name)
        shared.chmod(0o1777)
        attacker = {"user": OTHER, "group": OTHER, "extra_groups": []}
        subprocess.run(["/bin/sh", "-ec", ATTACK, "sh", shared, victim], check=True, **attacker)
        env = {**os.environ, "TMPDIR": name, "XDG_RUNTIME_DIR": "", "ROS_DOMAIN_ID": "0"}
        work = [sys.executable, "-c", WORK, name]
        told = subprocess.run(work, env=env, check=True, capture_output=True, text=True).stdout
    assert len(told.splitlines()) == 4
    assert told.count(f"belongs to user {OTHER}") == 4
    assert victim.read_text() == "{}"


def test_the_error_names_who_and_where(shared):
    error = Planted(shared / "x", OTHER, "")
    assert str(error.strerror) == f"{shared / 'x'} belongs to user {OTHER}"
    assert own_folder(shared / "mine") == shared / "mine"
