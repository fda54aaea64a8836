"""An outsider's task, improver and arm through every command: an installed package, then files."""

import json
import shlex
import sys
from contextlib import contextmanager
from functools import partial

import outsider
import pytest
from joblib.externals.loky import get_reusable_executor
from outsider_work import cost_of, error_of
from run_bag import run_bag, simulate

from icpi_ros.cli.main import main
from icpi_ros.core import plugins
from icpi_ros.core.errors import ExecutionFailed
from icpi_ros.learn.building.workers import Workers
from icpi_ros.ros.bringup.description import graph
from icpi_ros.ros.bringup.files import checked_graph
from icpi_ros.tasks import TASKS


@contextmanager
def package(folder):
    """The outsider's package, installed: no option is needed."""
    outsider.install(folder)
    with outsider.forgotten() as patch:
        patch.syspath_prepend(folder)
        yield []
    for name in [n for n in sys.modules if n.split(".")[0] == "stranger"]:
        del sys.modules[name]


@contextmanager
def files(folder):
    """The outsider's files, as plug-ins."""
    _, nearby = outsider.write_files(folder)
    arm = folder / "arm.py"
    path = outsider.long_arm(folder)
    arm.write_text(
        f"from icpi_ros.robots import ARMS\nARMS.register({path.stem!r}, {str(path)!r})\n"
    )
    with outsider.forgotten() as patch:
        patch.chdir(folder)
        yield ["--plugin", "push.py", "--plugin", str(nearby), "--plugin", "arm.py"]


@pytest.fixture(scope="module", params=[package, files], ids=lambda way: way.__name__)
def folder(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param.__name__)
    with request.param(folder) as options:
        yield folder, options


@pytest.fixture
def icpi(folder, capsys):
    def run(*words, code=0):
        found = main([*map(str, words), *folder[1]])
        out, err = capsys.readouterr()
        assert found == code, err
        return out

    return run


@pytest.fixture(scope="module")
def data(folder, tmp_path_factory):
    """A data set of the outsider's task, built by whoever comes first."""
    path = tmp_path_factory.getbasetemp() / "push.parquet"
    if path.exists():
        return path
    build = "dataset build --task push --examples 20 --draws 1 --workers 1 --out"
    assert main([*build.split(), str(path), *folder[1]]) == 0
    return path


def continue_with(text):
    """Return the arguments of the printed command, as a shell reads them."""
    return shlex.split(text.split("continue with: ", 1)[1].splitlines()[0])[1:]


def test_they_are_listed_and_described(icpi):
    assert "push a cart along a rail" in icpi("task", "list")
    assert "lab_ur10e" in icpi("arm", "list")
    assert "strike" in icpi("arm", "check", "lab_ur10e", "--task", "push", "--points", 3)
    assert "peak speed of the blade" in icpi("task", "describe", "push", "--quick")


def test_an_improver_is_listed_and_described(icpi):
    assert "nearby" in icpi("improver", "list")
    described = icpi("improver", "describe", "nearby")
    assert "nearby: " in described
    assert "\n\n\n" not in described


@pytest.mark.slow
def test_an_installed_package_keeps_the_contract(tmp_path, capsys):
    with package(tmp_path):
        assert main(["check-plugin"]) == 0
    lines = capsys.readouterr().out.splitlines()[:-1]
    parts = {line.split(":")[0].removeprefix("ok").strip() for line in lines}
    assert parts == {"task push", "improver nearby", "arm lab_ur10e"}


@pytest.mark.slow
def test_a_prompt(icpi, data):
    assert "this system:" in icpi("prompt", "--task", "push", "--dataset", data)


@pytest.mark.slow
def test_a_data_set(icpi, data):
    shown = icpi("dataset", "show", data)
    assert "20 examples of push" in shown


@pytest.mark.slow
def test_worker_processes_have_the_files(tmp_path):
    with files(tmp_path):
        plugins.load(["push.py"])
        assert dict(Workers(2).run(error_of, [1, 2])) == {1: 1.0, 2: 2.0}
        work = partial(cost_of, TASKS.get("push"))
        assert dict(Workers(2).run(work, [3, 4])) == {3: 3.0, 4: 4.0}
    get_reusable_executor().shutdown(wait=True)  # its processes know this file


def test_a_run_that_needs_examples_says_how_to_make_them(folder, capsys):
    given = ["run", "--task", "push", "--improver", "knn", "--in-process", *folder[1]]
    assert main([*given, "--store", str(folder[0] / "t.sqlite")]) == 2
    error = capsys.readouterr().err
    words = shlex.join(["icpi", "dataset", "build", *plugins.as_options(), "--task", "push"])
    assert f"build one with `{words} --out FILE`, and give it with" in error


@pytest.mark.slow
def test_a_run_its_report_and_going_on(folder, icpi, data):
    store, out = folder[0] / "trials.sqlite", folder[0] / "run.json"
    given = ("--in-process", "--trials", 3, "--store", store, "--json", out)
    icpi("run", "--task", "push", "--improver", "nearby", *given)
    run = json.loads(out.read_text())
    assert [t["provenance"] for t in run["trials"]] == ["first attempt", "nearby", "nearby"]
    icpi("run", "--task", "push", "--dataset", data, "--arm", "lab_ur10e", "--mix", *given)
    run = json.loads(out.read_text())
    assert run["trials"][1]["provenance"] == "embedded"
    stored, page = ("report", run["run_id"], "--store", store), folder[0] / "run.html"
    assert "embedded" in icpi(*stored)
    icpi(*stored, "--html", page)
    assert "lab_ur10e" in icpi("runs", "--store", store)
    icpi("run", "--resume", run["run_id"], "--dataset", data, "--in-process", "--store", store)


def test_the_command_that_goes_on_has_the_plugins(folder, icpi, monkeypatch):
    def lost(*_):
        raise ExecutionFailed("power cut")

    store = folder[0] / "interrupted.sqlite"
    given = ("--in-process", "--trials", 2, "--store", store)
    with monkeypatch.context() as patch:
        patch.setattr("icpi_ros.runs.in_process.rollout", lost)
        told = icpi("run", "--task", "push", "--improver", "nearby", *given, code=1)
    words = continue_with(told)
    assert [w for w in words if w.endswith(".py")] == list(plugins.loaded())
    assert main(words) == 0
    run_id = words[words.index("--resume") + 1]
    if folder[1]:
        with outsider.forgotten():
            assert main(["report", run_id, "--store", str(store)]) == 2


@pytest.mark.slow
def test_a_benchmark_and_its_report(folder, icpi, data):
    out = folder[0] / "bench.json"
    size = ["--instances", "2", "--trials", "3", "--workers", "1"]
    table = icpi(
        "bench", "--tasks", "push", "--improvers", "nearby,random,embedded", "--dataset", data,
        *size, "--json", out,
    )  # fmt: skip
    assert "nearby" in table
    assert "nearby" in icpi("report", out)


def test_a_recorded_run_is_replayed(folder, icpi):
    icpi("task", "list")
    run = simulate(folder[0], "push", "nearby", trials=3)
    bag = run_bag(folder[0] / "bag", run)
    shown = icpi("replay", bag, "--improver", "nearby,random", "--pairs", 0)
    assert "nearby" in shown


def test_a_graph_knows_them(folder, icpi):
    icpi("task", "list")
    given = {"task": "push", "improver": "nearby", "arm": "lab_ur10e"}
    specs = checked_graph("sim", given)
    told = {spec.executable: spec.parameters.get("plugins") for spec in specs}
    assert set(told.values()) == {plugins.as_text()}
    assert set(told) == {"mujoco_arm", "perception", "executor", "policy_improver"}
    assert graph("real", given | {"unattended": "true"})


def test_the_bench_is_of_the_built_in_tasks_unless_others_are_named(icpi):
    icpi("task", "list")
    assert "push" in TASKS
    assert "push" not in TASKS.built_in
