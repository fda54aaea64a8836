"""Building files: resumable, the same bytes wherever it runs, and every way to be stopped."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest
from icpi_here import icpi
from pushing_task import PUSHING, PUSHING_GOALS, closed_form

from icpi_ros.cli import dataset as cli
from icpi_ros.cli.main import main
from icpi_ros.core.errors import DatasetError, IcpiError, UsageError
from icpi_ros.learn.building import build as build_module
from icpi_ros.learn.building import search as search_module
from icpi_ros.learn.building.build import build, build_file
from icpi_ros.learn.building.plan import DatasetPlan
from icpi_ros.learn.building.workers import Workers
from icpi_ros.learn.dataset import parquet
from icpi_ros.learn.dataset.dataset import load
from icpi_ros.learn.dataset.side_folder import DatasetParts
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.tasks.slide import SLIDE

TOY_PLAN = DatasetPlan(examples=30, draws=6, seed=3)
SLIDE_PLAN = DatasetPlan("hindsight", examples=12, draws=6, seed=4)
"""Few real rollouts: what processes and clusters are tried with."""


@pytest.fixture
def toy_world(monkeypatch):
    monkeypatch.setattr(search_module, "rollout", closed_form)


@pytest.fixture(scope="module")
def slide_bytes(tmp_path_factory):
    path = tmp_path_factory.mktemp("slide") / "local.parquet"
    build_file(SLIDE, UR5E, SLIDE_PLAN, path)
    return path.read_bytes()


@pytest.fixture
def out(tmp_path):
    return tmp_path / "set.parquet"


class Stop(Exception):
    """Raised in the middle of a build."""


def stopping_after(count, error):
    def on_draw(progress):
        if progress.done == count:
            raise error

    return on_draw


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.usefixtures("toy_world")
def test_a_broken_build_continues_and_gives_the_same_bytes(out, tmp_path):
    whole = tmp_path / "whole.parquet"
    build_file(PUSHING_GOALS, UR5E, TOY_PLAN, whole)
    with pytest.raises(Stop):
        build_file(PUSHING_GOALS, UR5E, TOY_PLAN, out, on_draw=stopping_after(3, Stop()))
    parts = tmp_path / "set.parquet.parts"
    assert names(parts) == [f"draw-{n:05d}.parquet" for n in range(3)] + ["lock", "plan.json"]
    (parts / "draw-00001.parquet").write_bytes(b"damaged")
    seen = []
    build_file(
        PUSHING_GOALS, UR5E, TOY_PLAN, out, on_draw=lambda progress: seen.append(progress.done)
    )
    assert seen == [2, 3, 4, 5, 6]
    assert out.read_bytes() == whole.read_bytes()
    assert names(tmp_path) == ["set.parquet", "whole.parquet"]


@pytest.mark.usefixtures("toy_world")
def test_parts_of_another_build_are_refused_with_the_difference(out):
    with pytest.raises(Stop):
        build_file(PUSHING, UR5E, TOY_PLAN, out, on_draw=stopping_after(1, Stop()))
    other = DatasetPlan(examples=30, draws=6, seed=4)
    with pytest.raises(DatasetError, match=r"another build \(seed: 3 in the file, 4 now\)"):
        build_file(PUSHING, UR5E, other, out)


@pytest.mark.usefixtures("toy_world")
def test_two_processes_do_not_build_the_same_file(out):
    with (
        DatasetParts(out, PUSHING, {"a": 1}),
        pytest.raises(DatasetError, match="another process is building"),
    ):
        DatasetParts(out, PUSHING, {"a": 1})


@pytest.mark.usefixtures("toy_world")
def test_a_full_disk_is_one_line_and_keeps_what_is_done(out, monkeypatch):
    write, written = parquet.write, []

    def fills_up(dataset, path, task):
        if len(written) == 2:
            raise DatasetError(f"cannot write data set {path}: {os.strerror(errno.ENOSPC)}")
        written.append(write(dataset, path, task))

    monkeypatch.setattr(parquet, "write", fills_up)
    with pytest.raises(DatasetError, match=r"No space left.*2 of 6 draws are kept.*again"):
        build_file(PUSHING, UR5E, TOY_PLAN, out)
    monkeypatch.undo()
    assert not out.exists()


def test_an_error_of_the_file_layer_is_one_clear_line(out, monkeypatch):
    import pyarrow.parquet as pq

    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(search_module, "rollout", closed_form)
    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(DatasetError, match="No space left on device; 0 of 6 draws are kept"):
        build_file(PUSHING, UR5E, TOY_PLAN, out)


def test_where_nothing_can_be_written():
    code = main(["dataset", "build", "--task", "slide", "--out", "/proc/set.parquet"])
    assert code == 2


@pytest.mark.usefixtures("toy_world")
def test_ctrl_c_keeps_the_parts_and_says_how_to_go_on(out, monkeypatch, capsys):
    def interrupted(*args, on_draw=None, **options):
        return build(*args, on_draw=stopping_after(2, KeyboardInterrupt()), **options)

    arguments = ["dataset", "build", "--task", "slide", "--workers", "1", "--out", str(out)]

    def label(task, arm, plan, draw, threads):
        return parts[draw]

    parts = [p for p in _slide_parts() for _ in range(3)]
    monkeypatch.setattr(build_module, "label_draw", label)
    monkeypatch.setattr(
        build_module, "build", lambda t, a, p, w, n, parts, _on: interrupted(t, a, p, w, n, parts)
    )
    assert main([*arguments, "--examples", "20", "--draws", "4"]) == 130
    assert "interrupted; 2 of 4 draws are kept in" in capsys.readouterr().err
    assert len(list(out.with_name("set.parquet.parts").glob("draw-*"))) == 2
    assert cli.INTERRUPTED == 130


def _slide_parts():
    from icpi_ros.learn.building.build import label_draw

    return [label_draw(SLIDE, UR5E, SLIDE_PLAN, draw) for draw in range(2)]


# --- real processes -----------------------------------------------------------------------------


def test_processes_and_threads_give_the_same_bytes(out, slide_bytes):
    build_file(SLIDE, UR5E, SLIDE_PLAN, out, Workers(processes=2), threads=2)
    assert out.read_bytes() == slide_bytes


@pytest.mark.slow
def test_a_killed_build_continues(out, slide_bytes, capsys):
    words = [
        *("dataset", "build", "--task", "slide", "--label", "hindsight", "--examples", "12"),
        *("--draws", "6", "--seed", "4", "--k", "1", "--workers", "1", "--out", str(out)),
    ]
    process = subprocess.Popen([sys.executable, "-m", "icpi_ros.cli.main", *words])
    parts = out.with_name("set.parquet.parts")
    deadline = time.monotonic() + 60
    while not list(parts.glob("draw-*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait(300)
    code, _, errors = icpi(capsys, *words)
    assert code == 0, errors
    assert "\r" not in errors  # no terminal: no progress bar
    assert out.read_bytes() == slide_bytes
    assert not parts.exists()


@pytest.mark.slow
def test_a_worker_process_that_dies_is_a_clear_error():
    def die(_item):
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(IcpiError, match="worker process died"):
        list(Workers(2).run(die, range(4)))


def test_ctrl_c_is_the_parents_from_the_first_moment_of_a_worker():
    def held(_item):
        return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())

    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert dict(Workers(2).run(held, range(3))) == {0: True, 1: True, 2: True}
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_results_of_other_versions_are_refused():
    with pytest.raises(IcpiError, match=r"other versions \(.*mujoco 3\.9, here"):
        build_module._check_versions({**build_module.versions("mujoco"), "mujoco": "3.9"})


# --- Dask ---------------------------------------------------------------------------------------


@pytest.fixture
def cluster():
    """One of its own for each test: a killed worker is not always started again."""
    import distributed

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50
    ) as running:
        yield running


def worker_pids(cluster):
    from distributed import Client

    with Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=600)
        return list(client.run(os.getpid).values())


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker_gives_the_same_bytes(cluster, out, slide_bytes):
    pids = worker_pids(cluster)

    def kill_one(progress):
        if progress.done == 2:
            os.kill(pids[0], signal.SIGKILL)

    address = cluster.scheduler_address
    made = build_file(SLIDE, UR5E, SLIDE_PLAN, out, Workers(dask=address), on_draw=kill_one)
    assert out.read_bytes() == slide_bytes
    assert made.provenance["counts"]["missing"] == 0


@pytest.mark.slow
def test_the_work_of_a_lost_worker_is_done_elsewhere(cluster):
    def slow(item):
        time.sleep(0.2)
        return os.getpid(), item

    pids = set(worker_pids(cluster))
    found, killed = {}, None
    for item, (pid, value) in Workers(dask=cluster.scheduler_address).run(slow, range(10)):
        found[item] = value
        if killed is None:
            killed = (pids - {pid}).pop()  # busy with another item right now
            os.kill(killed, signal.SIGKILL)
    assert found == {n: n for n in range(10)}


@pytest.mark.slow
def test_a_cluster_without_workers_is_a_clear_error(monkeypatch):
    import distributed

    monkeypatch.setattr("icpi_ros.learn.building.workers.CONNECT_TIMEOUT", 1.0)
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=":0") as idle,
        pytest.raises(UsageError, match="has no worker: start some"),
    ):
        list(Workers(dask=idle.scheduler_address).run(abs, [1]))


def test_a_cluster_reports_the_error_of_the_work():
    import distributed

    def fail(_item):
        raise DatasetError("no good")

    with (  # nobody is killed here: its workers are threads, reached over the network all the same
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, host="tcp://127.0.0.1",
            dashboard_address=":0", silence_logs=50,
        ) as threads,
        pytest.raises(DatasetError, match="no good"),
    ):  # fmt: skip
        list(Workers(dask=threads.scheduler_address).run(fail, range(3)))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://"])
def test_a_scheduler_that_is_not_there(address, monkeypatch):
    import distributed  # noqa: F401 (a missing install step must fail)

    monkeypatch.setattr("icpi_ros.learn.building.workers.CONNECT_TIMEOUT", 1.0)
    with pytest.raises(UsageError, match="cannot reach a Dask scheduler at"):
        list(Workers(dask=address).run(abs, [1]))


@pytest.mark.parametrize(("late", "words"), [(2, "nobody there"), (3, "this machine is busy")])
def test_a_busy_machine_may_start_dask_late(late, words, monkeypatch):
    import distributed

    def client(*_, **__):
        starts.append(1)
        assert len(starts) > late  # as its loop does
        raise OSError("nobody there")

    starts = []
    monkeypatch.setattr(distributed, "Client", client)
    with pytest.raises(UsageError, match=words):
        list(Workers(dask="tcp://127.0.0.1:9").run(abs, [1]))


def test_without_dask_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match="pip install 'icpi_ros\\[dask\\]'"):
        list(Workers(dask="tcp://127.0.0.1:9").run(abs, [1]))


@pytest.mark.slow
@pytest.mark.usefixtures("toy_world")
def test_the_provenance_says_everything_that_matters(out):
    build_file(PUSHING_GOALS, UR5E, TOY_PLAN, out)
    made = load(out, PUSHING_GOALS).provenance
    assert made["command"] == (
        "icpi dataset build --task toy-push-goals --label brute --examples 30 --draws 6 --seed 3 "
        "--goals-per-draw 5 --label-noise 0 --physics train"
    )
    assert set(made["versions"]) == {"icpi_ros", "numpy", "mujoco"}
    assert made["counts"]["dropped"] == 0
    assert made["definition_hash"] == PUSHING_GOALS.definition_hash()
