"""The command line as a user meets it."""

import functools
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from icpi_ros.cli import task as task_command
from icpi_ros.cli.demo import verdict
from icpi_ros.cli.main import main
from icpi_ros.core.types import Trial
from icpi_ros.learn.building import search
from icpi_ros.tasks import TASKS


def icpi(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "icpi_ros.cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, **environment},
        check=False,
    )


@pytest.fixture
def here(capsys):
    """The same in this process, where what is printed is all that counts."""

    def run(*arguments):
        code = main([*map(str, arguments)])
        out, err = capsys.readouterr()
        assert code == 0, err
        return out, err

    return run


@pytest.fixture
def store(tmp_path):
    return tmp_path / "trials.sqlite"


@pytest.mark.slow
def test_a_run_in_process_reaches_the_goal_and_writes_what_was_asked_for(store, tmp_path, here):
    json_file, picture = tmp_path / "run.json", tmp_path / "run.png"
    out, _ = here(
        "run", "--task", "slide", "--in-process", "--seed", 7, "--store", store,
        "--json", json_file, "--picture", picture,
    )  # fmt: skip
    run = json.loads(json_file.read_text())
    assert set(run) >= {"run_id", "task", "improver", "config", "trials"}
    wanted = {"trial", "theta", "goal", "error", "cost", "best_cost", "provenance", "seconds"}
    assert all(set(trial) >= wanted for trial in run["trials"])
    assert [trial["trial"] for trial in run["trials"]] == list(range(8))
    assert min(trial["cost"] for trial in run["trials"]) < 0.020
    assert run["run_id"] in out
    assert picture.read_bytes().startswith(b"\x89PNG")
    listed, _ = here("runs", "--store", store)
    assert run["run_id"] in listed


def test_the_same_seed_gives_the_same_run_and_a_finished_run_stays_finished(store, tmp_path, here):
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    for run, file in zip((icpi, here), files, strict=True):
        run("run", "--task", "slide", "--improver", "ridge", "--in-process", "--trials", 3,
            "--seed", 5, "--store", store, "--json", file)  # fmt: skip
    first, second = (json.loads(file.read_text()) for file in files)
    assert [t["theta"] for t in first["trials"]] == [t["theta"] for t in second["trials"]]
    out, _ = here("run", "--in-process", "--resume", first["run_id"], "--store", store)
    assert "continues from trial 3" in out


BAD = {
    "unknown task": (["run", "--task", "juggle"], ["unknown task 'juggle'", "slide"]),
    "no task": (["run"], ["--task is missing", "slide"]),
    "unknown improver": (
        ["run", "--task", "slide", "--improver", "magic"],
        ["unknown improver 'magic'", "knn", "llm", "random", "ridge"],
    ),
    "goal out of reach": (
        ["run", "--task", "slide", "--goal", "0.6,1.9"],
        ["goal y = 1.9 m", "0.38 to 0.45 m"],
    ),
    "goal too short": (["run", "--task", "slide", "--goal", "0.6"], ["goal needs 2 values"]),
    "goal not finite": (["run", "--task", "slide", "--goal", "nan,0.4"], ["goal x = nan"]),
    "no trials": (["run", "--task", "slide", "--trials", "0"], ["1 to 1000"]),
    "data set missing": (
        ["run", "--task", "slide", "--dataset", "none.parquet"],
        ["none.parquet", "icpi dataset build"],
    ),
    "json into nowhere": (
        ["run", "--task", "slide", "--json", "nowhere/run.json"],
        ["nowhere/run.json", "folder does not exist"],
    ),
    "unknown run": (["run", "--resume", "nothing"], ["nothing"]),
    "show nothing": (["dataset", "show", "none.parquet"], ["none.parquet"]),
    "unknown command": (["fly"], ["unknown command 'fly'", "run, runs"]),
}


@pytest.mark.parametrize(("arguments", "words"), BAD.values(), ids=BAD.keys())
def test_bad_input_gets_one_clear_line_and_exit_code_2(
    arguments, words, store, monkeypatch, capsys
):
    monkeypatch.setenv("ICPI_STORE", str(store))
    try:
        code = main(arguments)
    except SystemExit as stop:  # argparse ends the process
        code = stop.code
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    for word in words:
        assert word in err.splitlines()[-1]


def test_a_store_that_cannot_be_written_stops_before_anything_moves(tmp_path, capsys):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    words = ["run", "--task", "slide", "--in-process", "--store", str(blocked / "t.sqlite")]
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert str(blocked) in err
    assert "trial 0" not in out


def test_tasks_are_listed_and_described(here):
    listed, _ = here("task", "list")
    assert [line.split()[0] for line in listed.splitlines()] == TASKS.names()
    described, _ = here("task", "describe", "slide", "--quick")
    for word in ("speed", "0.6 to 1.6 m/s", "friction", "goal", "cost [m]"):
        assert word in described


@pytest.mark.slow
def test_describe_measures_unless_told_to_be_quick(here, monkeypatch):
    small = functools.partial(task_command.SurveyPlan, samples=32, line=9)  # any number is shown
    monkeypatch.setattr(task_command, "SurveyPlan", small)
    measured, errors = here("task", "describe", "slide", "--draws", 1)
    assert "\r" not in errors  # no progress bar where there is no terminal
    quick, _ = here("task", "describe", "slide", "--quick")
    for word in ("best reachable cost", "first-attempt cost", "fine-scale noise"):
        assert word in measured
        assert word not in quick


@pytest.mark.slow
def test_a_data_set_is_built_and_shown_and_repeatable(tmp_path, here, monkeypatch):
    """In two processes, by a search that begins with 16 thetas instead of 256."""
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    words = ("dataset", "build", "--task", "slide", "--examples", "4", "--draws", "1",
             "--seed", "3", "--k", "1", "--out")  # fmt: skip
    code = (
        "import sys; from icpi_ros.cli.main import main; "
        "from icpi_ros.learn.building import search; search.GLOBAL_SAMPLES = 16; "
        "sys.exit(main(sys.argv[1:]))"
    )
    subprocess.run([sys.executable, "-c", code, *words, files[0]], check=True, timeout=600)
    monkeypatch.setattr(search, "GLOBAL_SAMPLES", 16)
    here(*words, files[1])
    assert files[0].read_bytes() == files[1].read_bytes()
    shown, _ = here("dataset", "show", files[0])
    for word in ("4 examples of slide", "seed: 3", "label: brute"):
        assert word in shown


def test_help_names_every_command():
    text = icpi("--help").stdout
    for command in ("demo", "run", "up", "task", "dataset", "runs", "doctor"):
        assert f"  {command} " in text


def test_a_resumed_run_refuses_to_be_changed(store, monkeypatch, here, capsys):
    out, _ = here("run", "--task", "slide", "--improver", "ridge", "--in-process", "--trials", 2,
                  "--store", store)  # fmt: skip
    run_id = out.split()[1].rstrip(":")
    monkeypatch.setenv("ICPI_STORE", str(store))
    for extra in (["--seed", "9"], ["--trials", "5"], ["--goal", "0.6,0.4"], ["--model", "x"]):
        assert main(["run", "--in-process", "--resume", run_id, *extra]) == 2
        assert "leave" in capsys.readouterr().err
    assert main(["run", "--in-process", "--resume", ""]) == 2


def test_a_file_that_cannot_be_written_is_one_line_and_the_run_is_still_named(store, capsys):
    words = ["run", "--task", "slide", "--improver", "ridge", "--in-process", "--trials", "2"]
    assert main([*words, "--store", str(store), "--json", "/dev/full"]) == 1
    out, err = capsys.readouterr()
    assert "stored run: " in out
    assert "No space left" in err.splitlines()[-1]


def test_the_demo_ends_with_one_sentence():
    def trial(number, cost):
        return Trial(number, np.zeros(2), None, cost=cost)

    missed, better = trial(0, 0.21), trial(2, 0.0001)
    assert verdict([missed, better]) == (
        "The first attempt missed the goal by 210 mm; after 2 more tries the puck stopped 0.10 mm "
        "from it."
    )
    assert "after 1 more try the puck" in verdict([missed, trial(1, 0.001)])
    assert verdict([better]) == "The puck stopped 0.10 mm from the goal, and not closer afterwards."
    assert verdict([]) == "No trial was seen to its end."


@pytest.mark.parametrize(
    ("way", "reason"),
    [("--in-process", "needs a graph: leave out"), ("--attach", "start it with source:=camera")],
)
def test_a_source_is_refused_where_it_would_be_ignored(way, reason, capsys):
    assert main(["run", "--task", "slide", "--source", "camera", way]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--source camera" in line
    assert reason in line
