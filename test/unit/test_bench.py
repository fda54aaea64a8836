"""`icpi bench` as a whole: the same rows anywhere, resumable, and errors in one line."""

import functools
import json
import os
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
from icpi_benchmarks import results
from icpi_benchmarks.cli import main as cli
from icpi_benchmarks.contest import datasets, shared_simulator
from icpi_benchmarks.contest.conditions import PRESETS, Condition, preset
from icpi_benchmarks.contest.plan import ContestPlan
from icpi_benchmarks.contest.run import run
from icpi_benchmarks.report.text import bench_tables
from icpi_benchmarks.results import Results
from pushing_task import PUSHING_GOALS, closed_form

from icpi_ros.cli.main import main
from icpi_ros.core.errors import InvalidValue, ResultsError, UnknownName, UsageError
from icpi_ros.core.types import Proposal
from icpi_ros.improvers import IMPROVERS
from icpi_ros.improvers.base import Improver
from icpi_ros.learn.building import build as build_module
from icpi_ros.learn.building import plan as data_plan
from icpi_ros.learn.building import search as search_module
from icpi_ros.learn.building.build import build, label_draw, with_label_noise
from icpi_ros.learn.building.workers import Workers
from icpi_ros.learn.dataset.dataset import (
    REBUILD_TOLERANCE,
    fingerprint,
    paths_fingerprint,
    shipped,
)
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.rope_swing import ROPE_SWING_GC
from icpi_ros.tasks.slide import SLIDE, SLIDE_GC

SMALL = ContestPlan((SLIDE, SLIDE_GC), ("ridge", "random"), instances=3, trials=3, seed=5)


class Stop(Exception):
    """Raised in the middle of a benchmark."""


def stop_after(count):
    def on_cell(progress):
        if progress.done == count:
            raise Stop

    return on_cell


def untimed(found):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in found.rows]


@pytest.fixture(scope="module", autouse=True)
def remembered():
    """The rollouts of all instances, not of the latest alone: most tests have the same six."""
    shared = functools.cache(shared_simulator._shared.__wrapped__)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared_simulator, "_shared", shared)
        yield


@pytest.fixture(scope="module")
def small():
    return run(SMALL)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "small.json"


@pytest.fixture
def more_improvers(monkeypatch):
    monkeypatch.setattr(IMPROVERS, "_loaded", dict(IMPROVERS._loaded))
    return IMPROVERS


def icpi(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "icpi_ros.cli.main", "bench", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


# --- running ------------------------------------------------------------------------------------


def test_rows_instances_and_config(small):
    keys = [
        (r["condition"], r["task"], r["instance"], r["improver"], r["trial"]) for r in small.rows
    ]
    expected = [
        ("", task, instance, improver, trial)
        for task in ("slide", "slide-gc")
        for instance in range(3)
        for improver in ("ridge", "random")
        for trial in range(3)
    ]
    assert keys == expected
    places = [(entry["task"], entry["instance"]) for entry in small.instances]
    assert places == [(task, n) for task in ("slide", "slide-gc") for n in range(3)]
    config = small.config
    assert config["datasets"] == {
        "slide/": fingerprint(shipped(SLIDE)),
        "slide-gc/": fingerprint(shipped(SLIDE_GC)),
    }
    assert config["paths_fingerprint"] == {
        "slide/": paths_fingerprint(shipped(SLIDE)),
        "slide-gc/": paths_fingerprint(shipped(SLIDE_GC)),
    }
    assert config["definitions"]["slide"] == SLIDE.definition_hash()
    assert config["default"] == "ridge"
    assert {"icpi_ros", "numpy", "scipy", "mujoco", "python"} <= set(config["versions"])
    assert "--instances 3 --trials 3 --seed 5" in config["command"]
    for row in small.rows:
        assert row["failure"] is None
        assert row["best_cost"] <= row["cost"]
        assert (row["seconds"] == 0.0) == (row["trial"] == 0)


def test_costs_are_those_of_the_instances_in_the_file(small):
    from icpi_ros.robots import ARMS
    from icpi_ros.sim.rollout import rollout

    entry = small.instances[4]
    found = rollout(
        SLIDE_GC, ARMS.get(SLIDE_GC.arm), np.array(entry["physics"]), np.array([entry["theta"]])
    )
    error = SLIDE_GC.error(found.trajectories[0], np.array(entry["goal"]))
    rows = [r for r in small.rows if r["task"] == "slide-gc" and r["instance"] == 1]
    assert {row["cost"] for row in rows if row["trial"] == 0} == {SLIDE_GC.cost(error)}


@pytest.mark.slow
def test_two_workers_give_the_same_rows(small):
    found = run(SMALL, Workers(2))
    assert untimed(found) == untimed(small)
    assert found.instances == small.instances
    assert found.config == small.config


def test_who_else_takes_part_does_not_matter(small):
    alone = run(replace(SMALL, improvers=("random",), tasks=(SLIDE_GC,), instances=2))
    assert untimed(alone) == [
        row
        for row in untimed(small)
        if row["improver"] == "random" and row["task"] == "slide-gc" and row["instance"] < 2
    ]


def test_a_broken_run_continues_and_gives_the_same_rows(small, out, tmp_path):
    with pytest.raises(Stop):
        run(SMALL, out=out, on_cell=stop_after(4))
    cells = tmp_path / "small.json.parts" / "units.jsonl"
    assert cells.read_text().count("\n") == 4
    (cells.parent / ".slide-500.parquet.77.tmp").write_bytes(b"PAR1")
    with cells.open("a") as file:
        file.write('[{"task": "slide-gc", "condit')
    seen = []
    found = run(SMALL, out=out, on_cell=lambda progress: seen.append(progress.done))
    assert sorted(set(seen)) == [4, 5, 6]
    assert untimed(found) == untimed(small)
    assert results.read(out) == found
    assert [path.name for path in tmp_path.iterdir()] == ["small.json"]


def test_a_cell_that_was_cut_off_by_a_crash_is_done_again_once(small, out, tmp_path):
    with pytest.raises(Stop):
        run(SMALL, out=out, on_cell=stop_after(3))
    cells = tmp_path / "small.json.parts" / "units.jsonl"
    cells.write_bytes(cells.read_bytes()[:-20])
    with pytest.raises(Stop):
        run(SMALL, out=out, on_cell=stop_after(4))
    seen = []
    found = run(SMALL, out=out, on_cell=lambda progress: seen.append(progress.done))
    assert seen[0] == 4
    assert untimed(found) == untimed(small)


def test_parts_of_another_benchmark_are_refused_with_the_difference(out):
    with pytest.raises(Stop):
        run(SMALL, out=out, on_cell=stop_after(1))
    with pytest.raises(
        ResultsError, match=r"another benchmark \(trials: 3 in the file, 4 now\).* --json"
    ):
        run(replace(SMALL, trials=4), out=out)


def test_parts_of_the_same_benchmark_by_another_command_are_taken_up(out, small):
    with pytest.raises(Stop):
        run(SMALL, out=out, on_cell=stop_after(1))
    assert untimed(run(replace(SMALL, draws="test"), out=out)) == untimed(small)


def test_two_processes_do_not_write_the_same_file(out):
    def another(_):
        with pytest.raises(ResultsError, match="another process is running the benchmark for"):
            run(SMALL, out=out)
        raise Stop

    with pytest.raises(Stop):
        run(SMALL, out=out, on_cell=another)


def test_a_full_disk_is_one_line_that_says_what_is_kept(out, monkeypatch):
    from icpi_benchmarks.contest import cell_log

    synced = []

    def fills_up(_):
        synced.append(1)
        if len(synced) == 3:
            raise OSError(28, os.strerror(28))

    monkeypatch.setattr(cell_log.os, "fsync", fills_up)
    with pytest.raises(ResultsError, match=r"No space left.*of 6 instances are kept.*again"):
        run(SMALL, out=out)
    assert not out.exists()


@pytest.mark.slow
def test_an_improver_that_fails_is_in_the_file_and_the_others_go_on(out, more_improvers, small):
    class Raising(Improver):
        name, summary = "raising", "for tests"

        def propose(self, history, rng):
            raise RuntimeError("no idea")

    class Nan(Raising):
        name = "nan"

        def propose(self, history, rng):
            return Proposal(history[-1].theta * np.nan, "nan")

    class Slow(Raising):
        name = "slow"

        def propose(self, history, rng):
            wake.wait(20.0)
            return Proposal(history[-1].theta, "slow")

    wake = threading.Event()
    for name, kind in (("raising", Raising), ("nan", Nan), ("slow", Slow)):
        more_improvers.register(name, kind)
    names = ("raising", "nan", "slow", "ridge", "random")
    plan = replace(SMALL, improvers=names, tasks=(SLIDE,), instances=2, time_limit=2.0)
    found = run(plan, out=out)
    wake.set()
    reasons = {
        name: {r["failure"] for r in found.rows if r["improver"] == name and r["trial"] == 1}
        for name in names
    }
    assert reasons["raising"] == {"RuntimeError: no idea"}
    assert "not a finite number" in reasons["nan"].pop()
    assert reasons["slow"] == {
        "took longer than 2 s",
        "not asked again: its call in an earlier instance still goes on",
    }
    assert reasons["ridge"] == reasons["random"] == {None}
    others = [r for r in untimed(found) if r["improver"] in ("ridge", "random")]
    assert others == [r for r in untimed(small) if r["task"] == "slide" and r["instance"] < 2]


def test_results_of_other_versions_are_not_mixed(monkeypatch):
    from icpi_benchmarks.contest import run as run_module

    from icpi_ros.core.errors import IcpiError

    monkeypatch.setattr(run_module, "all_versions", lambda: {"mujoco": "0.1"})
    with pytest.raises(IcpiError, match=r"a worker runs other versions.*mujoco .*, here 0\.1"):
        run(replace(SMALL, tasks=(SLIDE,), instances=1))


def test_a_key_in_an_option_is_refused_before_anything_is_written(out, monkeypatch):
    monkeypatch.setenv("TOY_API_KEY", "sk-live-0815")
    plan = replace(SMALL, improvers=("llm:model=sk-live-0815",), tasks=(SLIDE,), instances=1)
    with pytest.raises(UsageError, match="hold the value of TOY_API_KEY") as caught:
        run(plan, out=out)
    assert "0815" not in str(caught.value)
    assert list(out.parent.iterdir()) == []


# --- conditions ---------------------------------------------------------------------------------


def test_conditions_share_instances_and_the_first_attempt():
    conditions = (Condition("a", noise=0.001), Condition("b", label_noise=0.4))
    plan = replace(SMALL, tasks=(SLIDE,), conditions=conditions, instances=2)
    found = run(plan)
    first = {(r["condition"], r["instance"]): r["cost"] for r in found.rows if r["trial"] == 0}
    assert first["a", 0] == first["b", 0] != first["a", 1]
    costs = {
        name: [r["cost"] for r in found.rows if (r["condition"], r["improver"]) == (name, "ridge")]
        for name in "ab"
    }
    assert costs["a"] != costs["b"]
    assert [c["name"] for c in found.config["conditions"]] == ["a", "b"]
    assert len(set(found.config["datasets"].values())) == 2


def test_label_noise_is_that_of_a_build_with_it(monkeypatch):
    monkeypatch.setattr(search_module, "rollout", closed_form)
    plan = data_plan.DatasetPlan(examples=30, draws=6, seed=3)
    clean = build(PUSHING_GOALS, UR5E, plan)
    noisy = build(PUSHING_GOALS, UR5E, replace(plan, label_noise=0.2))
    assert fingerprint(with_label_noise(clean, PUSHING_GOALS, 0.2, 3)) == fingerprint(noisy)
    assert fingerprint(clean) != fingerprint(noisy)
    condition = Condition(label_noise=0.1, examples=200)
    found = datasets.under(condition, SLIDE, shipped(SLIDE)).dtheta - shipped(SLIDE).dtheta[:200]
    assert np.std(found / SLIDE.space.half_range) == pytest.approx(0.1, rel=0.1)


@pytest.mark.slow
def test_the_shipped_data_set_is_the_beginning_of_the_large_one():
    made = shipped(SLIDE).provenance
    plan = data_plan.DatasetPlan(examples=500, draws=50, seed=made["seed"])
    part, expected = label_draw(SLIDE, UR5E, plan, 2, threads=2), shipped(SLIDE)
    rows = expected.group == 2
    assert np.array_equal(part.theta, expected.theta[rows])  # drawn, not computed
    for name in ("error", "dtheta", "cost", "label_cost", "path", "label_path"):
        made_here, shipped_ = getattr(part, name), getattr(expected, name)[rows]
        np.testing.assert_allclose(made_here, shipped_, rtol=0.0, atol=REBUILD_TOLERANCE)


def test_a_small_data_set_is_the_beginning_of_the_shipped_one():
    found = datasets.under(Condition(examples=25), SLIDE, shipped(SLIDE))
    assert len(found) == 25
    assert np.array_equal(found.theta, shipped(SLIDE).theta[:25])
    with pytest.raises(InvalidValue, match="examples = 400: the data set of slide has 0 to 300"):
        datasets.under(Condition(examples=400), SLIDE, shipped(SLIDE))


def test_a_large_data_set_is_built_beside_the_output_once(out, monkeypatch):
    whole = shipped(SLIDE)
    built = replace(whole, provenance=whole.provenance | {"rollouts": 1, "dropped": 0})
    parts = {draw: built.take(whole.group == draw % 30) for draw in range(50)}
    made = []

    def label(task, arm, plan, draw, threads):
        made.append(draw)
        part = parts[draw]
        versions = {"versions": build_module.versions("mujoco")}
        group = np.full(len(part), draw)
        return replace(part, group=group, provenance=part.provenance | versions)

    monkeypatch.setattr(build_module, "label_draw", label)
    plan = replace(
        SMALL, tasks=(SLIDE,), instances=1,
        conditions=(Condition("large", examples=500), Condition("small", examples=100)),
    )  # fmt: skip
    shown = []
    with pytest.raises(Stop):
        run(plan, out=out, on_cell=stop_after(1), on_draw=lambda t, p: shown.append((t, p.done)))
    assert shown[-1] == ("slide", 50)
    folder = out.with_name("small.json.parts")
    assert (folder / "slide-500.parquet").exists()
    found = run(plan, out=out)
    assert len(made) == 50
    assert len(set(found.config["datasets"].values())) == 2
    assert not folder.exists()


def test_improvers_take_part_under_the_conditions_that_name_them(out):
    conditions = (
        Condition("examples=0", examples=0),
        Condition("examples=5", examples=5, improvers=("embedded",)),
    )
    plan = replace(
        SMALL, tasks=(SLIDE,), improvers=("embedded", "random"), conditions=conditions, instances=1
    )
    found = run(plan, out=out)
    played = {(row["condition"], row["improver"]) for row in found.rows}
    assert played == {
        ("examples=0", "embedded"), ("examples=0", "random"), ("examples=5", "embedded"),
    }  # fmt: skip
    tables = bench_tables(results.read(out))
    assert ["random" in table for table in tables] == [True, False]


def test_conditions_under_which_no_improver_plays_are_left_out():
    cold = preset("cold").with_improvers(("bo", "random"))
    assert [condition.name for condition in cold.conditions] == ["examples=0"]
    wanted = {"improvers": ("bo", "random"), "preset": "cold"}
    assert "--preset cold" in replace(SMALL, **wanted, conditions=cold.conditions).command()
    with pytest.raises(InvalidValue, match="'examples=5' needs one of these improvers: embedded"):
        replace(SMALL, **wanted, conditions=preset("cold").conditions)


def test_presets_are_sound():
    assert set(PRESETS) == {
        "main", "smoke", "data-size", "label-noise", "features", "k", "shift", "noise",
        "tokens", "llm", "llm-context", "cold", "models", "small", "ways", "drift", "calibration",
        "v1",
    }  # fmt: skip
    for chosen in PRESETS.values():
        names = [condition.name for condition in chosen.conditions]
        assert len(set(names)) == len(names)
        assert len(set(chosen.improvers)) == len(chosen.improvers)
        assert set(chosen.tasks) <= set(TASKS.names())
    assert [c.noise for c in PRESETS["noise"].conditions] == [0.0, 0.001, 0.002, 0.005, 0.01]
    assert preset("main").with_draws("shifted").conditions[0].name == "shifted"
    with pytest.raises(
        UnknownName,
        match=r"unknown preset 'all': choose one of calibration, cold, data-size, .*smoke",
    ):
        preset("all")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"instances": 0}, "instances = 0: must be at least 1"),
        ({"trials": 0}, "trials = 0"),
        ({"tasks": ()}, "needs at least one task"),
        ({"improvers": ()}, "needs at least one improver"),
        ({"tasks": (SLIDE, SLIDE)}, "task 'slide' is given more than once"),
        ({"conditions": (Condition(), Condition())}, "condition '' is given more than once"),
        ({"time_limit": float("nan")}, "time_limit = nan"),
        ({"threshold": 0.0}, "threshold = 0"),
        ({"improvers": ("magic",)}, "unknown improver 'magic'"),
    ],
)
def test_plans_that_cannot_be_run(change, message):
    with pytest.raises((InvalidValue, UnknownName), match=message):
        replace(SMALL, **change)


# --- the file -----------------------------------------------------------------------------------


@pytest.fixture
def content(small, out):
    results.write(small, out)
    return json.loads(out.read_text())


def test_what_is_written_is_read(small, out):
    results.write(small, out)
    assert results.read(out) == small
    text = out.read_text()
    assert text.count("\n") > len(small.rows)
    assert "NaN" not in text
    with pytest.raises(ResultsError, match="cannot write"):
        results.write(small, out / "below.json")


@pytest.mark.parametrize("keep", [0, 1, 200, 0.5, -3])
def test_a_file_that_was_cut_off(content, out, keep):
    text = out.read_text()
    keep = int(keep * len(text)) if isinstance(keep, float) else keep
    out.write_text(text[:keep])
    with pytest.raises(ResultsError, match=r"small\.json is not JSON, or was cut off"):
        results.read(out)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "has version 2, this icpi_ros knows 1: install a newer one"),
        ({"version": "x"}, "has version 'x'"),
        ({"format": "other"}, "not a results file of `icpi bench`"),
        ({"config": {}}, "config lacks command, preset"),
        ({"rows": None}, "rows is not a list"),
        ({"rows": [{"task": "slide"}]}, r"rows\[0\] lacks condition"),
        ({"rows": [3]}, r"rows\[0\] is not an object"),
        ({"instances": [{}]}, r"instances\[0\] lacks task"),
    ],
)
def test_files_that_are_not_ours(content, out, change, message):
    out.write_text(json.dumps(content | change))
    with pytest.raises(ResultsError, match=message) as caught:
        results.read(out)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_files_that_are_no_results_at_all(out):
    with pytest.raises(ResultsError, match="cannot read"):
        results.read(out)
    out.write_bytes(b"PAR1\xff\xfe")
    with pytest.raises(ResultsError, match="not JSON"):
        results.read(out)
    for text in (200_000 * "[", '{"cost": 1' + 400 * "0" + "}", r'{"label": "\ud800"}'):
        out.write_text(text)
        with pytest.raises(ResultsError, match="not JSON"):
            results.read(out)
    out.write_text("[1, 2]")
    with pytest.raises(ResultsError, match="not a results file"):
        results.read(out)


# --- the command --------------------------------------------------------------------------------

BAD = {
    "preset": (
        ["--preset", "all"],
        "unknown preset 'all': choose one of calibration, cold, data-size",
    ),
    "improver": (["--improvers", "ridge,magic"], "unknown improver 'magic': choose one of"),
    "task": (["--tasks", "juggle"], "unknown task 'juggle': choose one of"),
    "no instance": (["--instances", "0"], "argument --instances: '0': allowed are integers 1"),
    "no trial": (["--trials", "0"], "argument --trials: '0'"),
    "draws": (["--draws", "best"], "choose from"),
    "draws that are compared": (["--preset", "shift", "--draws", "train"], "compares draws"),
    "twice": (["--improvers", "knn,knn"], "improver 'knn' is given more than once"),
    "no task": (["--tasks", ""], "--tasks: a name is empty"),
    "no improver": (["--improvers", "knn,"], "--improvers: a name is empty"),
    "nowhere": (["--improvers", "knn", "--json", "none/x.json"], "its folder does not exist"),
    "option": (
        ["--improvers", "llm:modl=x", "--tasks", "slide"],
        "improver llm: unknown option 'modl' of llm: choose from base_url",
    ),
    "time limit": (["--time-limit", "0"], "argument --time-limit"),
    "cluster": (
        ["--improvers", "knn", "--tasks", "slide", "--dask", "nothing://here"],
        "cannot reach a Dask scheduler",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_usage_is_one_line(name, capsys):
    arguments, message = BAD[name]
    try:
        code = main(["bench", *arguments])
    except SystemExit as exc:
        code = exc.code
    assert code == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in last


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(out, monkeypatch, capsys, small):
    arguments = [
        "bench", "--tasks", "slide,slide-gc", "--improvers", "ridge,random", "--workers", "1",
        "--instances", "3", "--trials", "3", "--seed", "5", "--json", str(out),
    ]  # fmt: skip
    on_cell = cli._Display.on_cell

    def interrupted(self, progress):
        on_cell(self, progress)
        if progress.done == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cli._Display, "on_cell", interrupted)
        assert main(arguments) == 130
    error = capsys.readouterr().err
    assert "interrupted; 2 of 6 instances are kept in" in error
    assert "run the same command again" in error
    assert main(arguments) == 0
    assert untimed(results.read(out)) == untimed(small)
    assert "4 instances" in capsys.readouterr().out


@pytest.mark.slow
def test_the_smoke_preset_ranks_improvers(out, capsys):
    words = ["--preset", "smoke", "--instances", "5", "--workers", "1", "--json", str(out)]
    code = main(["bench", *words])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert "\r" not in printed.err  # no terminal: no progress bar
    assert "rollouts/s" in printed.out
    mean = _mean_after_three(results.read(out))
    for task in ("slide", "rope-swing-gc"):
        for other in ("bo-warm", "cma-warm", "knn", "ridge", "random"):
            assert 2.0 * mean[task, "embedded"] < mean[task, other]
        assert mean[task, "knn"] < mean[task, "random"]


def _mean_after_three(found: Results):
    tables = {}
    for row in found.rows:
        if row["trial"] == 3:
            tables.setdefault((row["task"], row["improver"]), []).append(row["best_cost"])
    return {key: np.mean(costs) for key, costs in tables.items()}


def test_no_command_is_claimed_for_conditions_of_ones_own():
    own = replace(SMALL, conditions=(Condition("a", noise=0.001),))
    assert own.command("x.json") == own.config()["preset"] == ""
    shifted = preset("main").with_draws("shifted").conditions
    assert "--draws shifted" in replace(SMALL, conditions=shifted, draws="shifted").command()
    assert replace(SMALL, conditions=shifted).command() == ""


def test_a_task_name_gives_its_task_in_the_command_that_repeats_it():
    plan = replace(SMALL, tasks=(ROPE_SWING_GC,), improvers=("llm:model=a b", "knn"))
    assert plan.command("x.json") == (
        "icpi bench --preset main --tasks rope-swing-gc --improvers 'llm:model=a b,knn' "
        "--instances 3 --trials 3 --seed 5 --time-limit 30.0 --threshold 0.005 --json x.json"
    )
