"""`icpi report` of a bag: its page, its tables, its refusals."""

import csv

import pytest
from pyarrow import parquet
from run_bag import run_bag, simulate

from icpi_ros.cli.main import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def runs(folder):
    return [simulate(folder, improver="random", trials=3, seed=seed) for seed in (1, 2)]


@pytest.fixture(scope="module")
def bag(folder, runs):
    return run_bag(folder / "bag", runs[0])


def test_the_page_has_trials_pictures_timings_and_perception(bag, folder, runs, tmp_path):
    page = tmp_path / "run.html"
    store = str(folder / "trials.sqlite")
    assert main(["report", str(bag), "--html", str(page), "--store", store]) == 0
    markup = page.read_text(encoding="utf-8")
    for wanted in (runs[0].run_id, "Timings", "Perception", "Camera", "100.0%", "object_pose"):
        assert wanted in markup
    assert "config/foxglove.json" in markup
    assert markup.count("<svg") == 3
    assert markup.count("<script") == 1


def test_tables_of_a_bag_and_of_its_stored_run_agree(bag, folder, runs, tmp_path):
    store = str(folder / "trials.sqlite")
    files = [tmp_path / name for name in ("bag.csv", "run.csv", "bag.parquet")]
    order = ["report", str(bag), "--csv", str(files[0]), "--parquet", str(files[2])]
    assert main([*order, "--store", store]) == 0
    assert main(["report", runs[0].run_id, "--store", store, "--csv", str(files[1])]) == 0
    from_bag, from_store = (list(csv.DictReader(f.open(encoding="utf-8"))) for f in files[:2])
    assert from_bag == from_store
    assert [float(row["cost"]) for row in from_bag] == [t.cost for t in runs[0].trials]
    table = parquet.read_table(files[2]).to_pylist()
    assert [row["error_x"] for row in table] == [t.error[0] for t in runs[0].trials]
    assert [row["theta_speed"] for row in table] == [t.theta[0] for t in runs[0].trials]
    assert table[0]["predicted_cost"] is None
    assert set(table[0]) == set(from_bag[0])


def test_without_anything_asked_for_it_prints_the_table(bag, runs, capsys):
    assert main(["report", str(bag)]) == 0
    text = capsys.readouterr().out
    assert f"run {runs[0].run_id}: slide-gc with random, seed 1" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--run", "nothing"], "unknown run in this bag 'nothing'"),
        (["--store", "/nowhere.sqlite"], "there is no trial store"),
        (["--html", "BAG/page.html"], "written into the bag"),
    ],
)
def test_bad_arguments_are_one_clear_line(bag, capsys, words, said):
    words = [word.replace("BAG", str(bag)) for word in words]
    assert main(["report", str(bag), *words]) == 2
    error = capsys.readouterr().err.strip()
    assert said in error
    assert "\n" not in error


def test_a_bag_of_several_runs_asks_which_one(folder, runs, tmp_path, capsys):
    both = run_bag(tmp_path / "both", *runs)
    assert main(["report", str(both)]) == 2
    assert f"choose one with --run: {runs[0].run_id}" in capsys.readouterr().err
    assert main(["report", str(both), "--run", runs[1].run_id]) == 0


def test_tables_are_of_runs_only(tmp_path, capsys):
    results = tmp_path / "bench.json"
    results.write_text("{}", encoding="utf-8")
    assert main(["report", str(results), "--csv", str(tmp_path / "out.csv")]) == 2
    assert "write the trials of a run" in capsys.readouterr().err
