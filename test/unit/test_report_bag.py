"""`icpi report` of a bag: its page, its tables, its refusals."""

import csv
import json
from dataclasses import replace

import bench_data
import numpy as np
import pytest
from icpi_benchmarks.results import write
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
    assert "--foxglove FILE" in markup
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


BENCHMARK = bench_data.results_of(
    {"embedded": [[0.3, 0.1], [0.2, np.nan]], "random": [[0.3, 0.2], [0.2, 0.2]]}
)


def write_benchmark(path, results=BENCHMARK):
    write(results, path)
    return str(path)


def test_the_rows_of_a_benchmark_are_tables_too(tmp_path, capsys):
    results = write_benchmark(tmp_path / "smoke.json")
    files = [tmp_path / "out.csv", tmp_path / "out.parquet"]
    assert main(["report", results, "--csv", str(files[0]), "--parquet", str(files[1])]) == 0
    rows = list(csv.DictReader(files[0].open(encoding="utf-8")))
    assert [(r["improver"], r["instance"], r["trial"], r["cost"]) for r in rows] == [
        ("embedded", "0", "0", "0.3"),
        ("embedded", "0", "1", "0.1"),
        ("embedded", "1", "0", "0.2"),
        ("embedded", "1", "1", ""),
        ("random", "0", "0", "0.3"),
        ("random", "0", "1", "0.2"),
        ("random", "1", "0", "0.2"),
        ("random", "1", "1", "0.2"),
    ]
    assert (rows[0]["theta_0"], rows[0]["theta_1"], rows[0]["projected"]) == ("1.0", "0.1", "False")
    table = parquet.read_table(files[1])
    assert table.column_names == list(rows[0])
    assert table.column("cost").to_pylist() == [0.3, 0.1, 0.2, None, 0.3, 0.2, 0.2, 0.2]
    assert capsys.readouterr().out.count("8 rows: ") == 2


def test_several_benchmarks_are_one_table(tmp_path):
    other = replace(BENCHMARK, rows=[{**row, "theta": None} for row in BENCHMARK.rows])
    files = [
        write_benchmark(tmp_path / "a.json"),
        write_benchmark(tmp_path / "b.json", other),
    ]
    assert main(["report", *files, "--csv", str(tmp_path / "out.csv")]) == 0
    rows = list(csv.DictReader((tmp_path / "out.csv").open(encoding="utf-8")))
    assert [row["file"] for row in rows] == [files[0]] * 8 + [files[1]] * 8
    assert [row["theta_1"] for row in rows] == ["0.1"] * 8 + [""] * 8


@pytest.mark.parametrize("option", ["--csv", "--parquet"])
@pytest.mark.parametrize("rows", [[], [{}]])
def test_a_benchmark_without_rows_is_one_line(tmp_path, capsys, option, rows):
    results = tmp_path / "bench.json"
    results.write_text(json.dumps({"rows": rows}), encoding="utf-8")
    assert main(["report", str(results), option, str(tmp_path / "out")]) != 0
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()
