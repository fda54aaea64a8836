"""Results of the same instances in one table, two improvers in pairs, predictions, Markdown."""

import json
from dataclasses import replace

import numpy as np
import pytest
from bench_data import condition, realistic, results_of
from icpi_benchmarks.report.markdown import bench_markdown
from icpi_benchmarks.results import Results, read, write
from icpi_benchmarks.statistics.blocks import block, blocks
from icpi_benchmarks.statistics.comparison import compared
from icpi_benchmarks.statistics.joining import joined, why_not, why_not_paired
from icpi_benchmarks.statistics.predictions import ALL, predictions
from icpi_benchmarks.statistics.summaries import summarise

from icpi_ros.cli.main import main
from icpi_ros.core.errors import InvalidValue

WHO = ("embedded", "ridge", "random")


def part(whole, labels, tasks=None, conditions=None):
    """Return what a benchmark of some of the improvers, tasks and conditions would have been."""
    config = whole.config | {"improvers": list(labels), "default": labels[0]}
    config["tasks"] = [t for t in whole.config["tasks"] if tasks is None or t in tasks]
    config["conditions"] = [
        c for c in whole.config["conditions"] if conditions is None or c["name"] in conditions
    ]
    names = {c["name"] for c in config["conditions"]}
    rows = [
        row
        for row in whole.rows
        if row["improver"] in labels and row["task"] in config["tasks"]
        if row["condition"] in names
    ]
    return Results(config, whole.instances, rows)


@pytest.fixture(scope="module")
def whole():
    return realistic(tasks=("slide", "roll-gc"), improvers=WHO, instances=8, trials=4)


def test_parts_joined_have_the_summaries_of_the_whole(whole, tmp_path):
    parts = [part(whole, ("ridge", "random")), part(whole, ("embedded",))]
    parts[0].config["versions"] = {"icpi_ros": "0.1.0", "numpy": "1.26.4"}
    parts[1].config["versions"] = {"icpi_ros": "0.2.0", "numpy": "2.4.6"}
    found = joined([(tmp_path / f"{n}.json", one) for n, one in enumerate(parts)])
    assert found.config["default"] == "embedded"
    assert set(found.config["improvers"]) == set(WHO)
    for one, other in zip(summarise(found), summarise(whole), strict=True):
        for label in WHO:
            assert one.of(label).ratio_low.tolist() == other.of(label).ratio_low.tolist()
    assert [file["improvers"] for file in found.config["files"]] == [
        ["ridge", "random"],
        ["embedded"],
    ]
    text = bench_markdown(found, summarise(found), "all.png", "")
    assert "icpi_ros 0.1.0, numpy 1.26.4; icpi_ros 0.2.0, numpy 2.4.6" in text
    write(found, tmp_path / "all.json")  # what was joined is a results file itself
    assert summarise(read(tmp_path / "all.json"))[0].default == "embedded"


def test_an_improver_may_have_more_tasks_and_conditions_than_another(tmp_path):
    both = [
        condition("features=error"),
        condition("features=path", options={"features": "path"}),
    ]
    whole = realistic(("slide", "roll-gc"), WHO, both, instances=5, trials=3)
    parts = [
        part(whole, ("ridge",), tasks=("slide",), conditions=("features=error",)),
        part(whole, ("embedded",)),
    ]
    found = joined([(tmp_path / f"{n}.json", one) for n, one in enumerate(parts)])
    who = {(one.condition, one.task): one.improvers for one in blocks(found)}
    assert who == {
        ("features=error", "slide"): ("embedded", "ridge"),  # the order of the preset
        ("features=error", "roll-gc"): ("embedded",),
        ("features=path", "slide"): ("embedded",),
        ("features=path", "roll-gc"): ("embedded",),
    }
    assert not any(one.unused for one in summarise(found))  # ridge plays there in no task


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"seed": 1}, "seed is 0 in one, 1 in the other"),
        ({"instances": 9}, "instances is 8 in one, 9 in the other"),
        ({"preset": "noise"}, "preset is 'main' in one, 'noise' in the other"),
        ({"benchmark": {"name": "v1", "hash": "ab"}}, "benchmark is not there in one, v1 ab"),
        ({"datasets": {"slide/": "other"}}, "data set .task/condition. slide/ is"),
        ({"definitions": {"slide": "ff"}}, "definition of the task slide is '0123456789abcdef'"),
        ({"conditions": [condition(noise=0.002)]}, "condition 'plain' differs"),
    ],
)
def test_what_is_not_of_the_same_instances_is_refused(whole, change, reason, tmp_path):
    other = part(whole, ("ridge",))
    files = [(tmp_path / "a", part(whole, ("embedded",)))]
    files.append((tmp_path / "b", replace(other, config=other.config | change)))
    with pytest.raises(InvalidValue, match=reason):
        joined(files)


def test_other_physics_other_outcomes_and_rows_twice_are_refused(whole, tmp_path):
    entry = {"task": "slide", "condition": "", "instance": 0, "goal": [0.1], "theta": [1.0]}
    one = replace(part(whole, ("embedded",)), instances=[entry | {"physics": [0.3]}])
    other = replace(part(whole, ("ridge",)), instances=[entry | {"physics": [0.3001]}])
    a, b = tmp_path / "a", tmp_path / "b"
    assert "physics of instance 0 of slide differs" in why_not([(a, one), (b, other)])
    moved = [row | {"best_cost": row["best_cost"] + 1e-3} for row in other.rows]
    text = why_not([(a, replace(one, instances=[])), (b, replace(other, rows=moved))])
    assert "8 of 8 first attempts at slide have another outcome" in text
    assert "both have embedded on slide" in why_not([(a, one), (b, one)])
    older = part(whole, ("ridge",))
    del older.config["conditions"][0]["noise"]  # a key that its version did not know
    assert not why_not([(a, part(whole, ("embedded",))), (b, older)])


def test_time_limits_may_differ_where_no_proposal_took_longer_than_the_shortest(whole, tmp_path):
    def limited(label, limit, seconds):
        one = part(whole, (label,))
        rows = [row | {"seconds": seconds if row["trial"] == 2 else 0.0} for row in one.rows]
        return tmp_path / label, Results(one.config | {"time_limit": limit}, [], rows)

    files = [limited("embedded", 90.0, 9.0), limited("ridge", 10.0, 9.0)]
    assert joined(files).config["time_limit"] == 10.0
    for late in (limited("random", 60.0, 12.0), limited("random", 9.0, 0.0)):
        with pytest.raises(InvalidValue, match=r"16 proposals of \S+, time_limit \d+ s, took "):
            joined([*files, late])
    for other in (10.0, 60.0):  # whoever ran into the shortest limit has it
        assert not why_not([limited("embedded", 10.0, 12.0), limited("ridge", other, 0.0)])


def test_two_versions_of_a_plug_in_are_compared_but_not_joined(whole, tmp_path):
    files = []
    for name, task in (("a", "slide"), ("b", "roll-gc")):
        one = part(whole, ("ridge",), tasks=(task,))
        origin = {"name": "ridge", "options": {}, "file": "mine.py", "sha256": name}
        files.append(
            (tmp_path / name, replace(one, config=one.config | {"entrants": {"ridge": origin}}))
        )
    assert why_not(files).endswith("cannot be joined: ridge is of different plug-in files")
    assert not why_not_paired(files)
    assert not why_not([files[0], (tmp_path / "b", part(whole, ("ridge",), tasks=("roll-gc",)))])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conditions": ["plain"]}, "config: name of a condition = None is not a text"),
        ({"played": [{"condition": ""}]}, "config: played: task = None is not a text"),
        ({"datasets": []}, "config: datasets = [] is not an object"),
        ({"definitions": {"slide": [0]}}, "definition of the task slide is"),
    ],
)
def test_a_damaged_file_among_several_is_named_in_one_line(
    change, message, whole, tmp_path, capsys
):
    a, b = tmp_path / "a.json", tmp_path / "b.json"
    write(part(whole, ("embedded",)), a)
    other = part(whole, ("ridge",))
    write(replace(other, config=other.config | change), b)
    assert main(["report", "--compare", f"{a},{b}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "b.json" in line
    assert message in line


def test_pairs_give_ratio_difference_and_wins():
    rng = np.random.default_rng(0)
    b = np.tile(rng.uniform(0.01, 0.1, (40, 1)), (1, 3))
    a = b * [1.0, 0.5, 0.5]
    a[:10, 1] = b[:10, 1]
    found = block(results_of({"a": a, "b": b}), "slide")
    first, second = compared(found, "a", found, "b", seed=0)
    assert (second.step, second.wins.value, second.ties) == (2, 1.0, 0.0)
    assert [second.ratio.low, second.ratio.value] == pytest.approx([0.5, 0.5])
    assert second.difference.value == pytest.approx(-0.5 * b[:, 0].mean())
    assert second.difference.low < second.difference.value < second.difference.high < 0.0
    assert (first.wins.value, first.ties) == (0.75, 0.25)
    assert 0.5 < first.wins.low < 0.75 < first.wins.high < 0.95
    with pytest.raises(InvalidValue, match="only the same instances can be compared"):
        compared(found, "a", block(results_of({"b": b[:5]}), "slide"), "b", seed=0)


def test_predictions_are_counted_step_by_step_with_their_sign():
    whole = results_of({"embedded": np.full((20, 3), 0.1)})
    for row in whole.rows:
        if row["trial"]:
            # Inside 1 std in even instances, between 1 and 2 in odd ones, always too hopeful.
            off = 0.5 if row["instance"] % 2 == 0 else 1.5
            row |= {"predicted_cost": 0.1 - 0.01 * off, "predicted_std": 0.01}
    rows = predictions(summarise(whole))
    assert [(row.task, row.step, row.count) for row in rows] == [
        ("slide", 1, 20),
        ("slide", 2, 20),
        ("slide", None, 40),
    ]
    for row in rows:
        assert row.within_1.value == 0.5
        assert 0.2 <= row.within_1.low < 0.5 < row.within_1.high <= 0.8
        assert (row.within_2.value, row.above.value) == (1.0, 1.0)
        assert row.mean_z.value == pytest.approx(1.0)
        assert row.mean_z.low < 1.0 < row.mean_z.high


def test_predictions_of_all_tasks_stand_last_and_those_of_a_substitute_do_not_count(whole):
    rows = predictions(summarise(whole))
    assert {row.improver for row in rows} == {"embedded"}
    assert [row.task for row in rows if row.step is None] == ["slide", "roll-gc", ALL]
    count = {row.task: row.count for row in rows if row.step is None}
    assert count[ALL] == count["slide"] + count["roll-gc"] == 2 * 8 * 3
    fallen = [row | {"fallback_reason": "no reply"} for row in whole.rows]
    assert predictions(summarise(replace(whole, rows=fallen))) == []


def test_tasks_of_the_same_instances_make_the_interval_of_all_no_narrower():
    whole = results_of({"embedded": np.full((30, 2), 0.1)})
    for row in whole.rows[1::2]:
        off = 0.5 if row["instance"] % 3 else 1.5
        row |= {"predicted_cost": 0.1 - 0.01 * off, "predicted_std": 0.01}
    twin = [row | {"task": "edge-gc"} for row in whole.rows if row["instance"] > 0]
    twin += [row | {"task": "edge-gc", "best_cost": None, "cost": None} for row in whole.rows[:2]]
    maps = {"definitions": {}, "datasets": {}, "tasks": ["slide", "edge-gc"]}
    both = Results(whole.config | maps, [], [*whole.rows, *twin])
    alone, _, *_, every = predictions(summarise(both))
    assert (every.task, every.count) == (ALL, 59)
    width = alone.within_1.high - alone.within_1.low
    assert every.within_1.high - every.within_1.low == pytest.approx(width, abs=0.04)


def test_a_page_of_markdown_has_tables_ratios_and_commands():
    noisy = [condition("noise=0mm"), condition("noise=5mm", noise=0.005)]
    results = realistic(("slide",), WHO, noisy, instances=6, trials=4)
    for row in results.rows:  # the same instances under both conditions
        if row["trial"] == 0:
            row["cost"] = row["best_cost"] = 0.3 + 0.01 * row["instance"]
    page = bench_markdown(results, summarise(results), "noise.png", "icpi report noise.json")
    assert "| improver | noise=0mm | noise=5mm |" in page
    assert "This / noise=0mm, mean after 3" in page
    assert "![main](noise.png)" in page
    assert "    icpi report noise.json\n" in page
    widths = {line.count("|") for line in page.splitlines() if line.startswith("|")}
    assert widths == {4, 3}
    assert "Frozen" not in page
    results.config["benchmark"] = {"name": "v1", "hash": "ab12"}
    page = bench_markdown(results, summarise(results), "noise.png", "")
    assert "Frozen benchmark v1, hash ab12." in page
    now = "best cost is what the best theta so far costs now"
    assert now not in page
    hostile = realistic(("slide",), WHO, [condition(drift=0.05)], instances=3, trials=3)
    hostile.config["command"] = "<script>a|b\n\n# x"
    text = bench_markdown(hostile, summarise(hostile), "x.png", "")
    assert "<script>" not in text
    assert "\n# x" not in text
    assert now in text


def test_the_command_joins_compares_and_writes(whole, tmp_path, capsys):
    a, b, page = tmp_path / "a.json", tmp_path / "b.json", tmp_path / "page.md"
    write(part(whole, ("embedded",)), a)
    write(part(whole, ("ridge", "random")), b)
    assert main(["report", str(a), str(b)]) == 0
    assert capsys.readouterr().out.count("slide: best cost [mm]") == 1
    assert main(["report", str(a), str(b), "--markdown", str(page)]) == 0
    assert "icpi report a.json b.json --markdown page.md" in page.read_text()
    assert 1_000 < page.with_suffix(".png").stat().st_size < 60_000
    capsys.readouterr()
    assert main(["report", str(a), str(b), "--compare", "embedded,ridge", "--json"]) == 0
    out = capsys.readouterr().out
    (pair,) = json.loads(out[out.index("[") : out.rindex("]") + 1])
    assert [(one["task"], one["step"]) for one in pair["steps"]][:4] == [
        ("slide", 1),
        ("slide", 2),
        ("slide", 3),
        ("roll-gc", 1),
    ]
    assert main(["report", "--compare", f"{a},{b}"]) == 0
    out = capsys.readouterr().out
    assert "A = embedded (a.json), B = ridge (b.json)" in out
    left = "left out, without a counterpart: "
    assert f"{left}random of b.json" in out.splitlines()
    small = part(whole, ("random",), tasks=("slide",))
    for labels in (("random", "ridge"), ("random",)):
        write(part(whole, labels, tasks=("slide",)), a)
        write(small, b)
        assert main(["report", "--compare", f"{a},{b}", "--markdown", str(page)]) == 0
        assert (f"{left}ridge of a.json" in page.read_text().splitlines()) == ("ridge" in labels)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "give the id of a run, a bag, or the JSON file"),
        (("--compare", "a"), "give two improvers of the results file, or two results files"),
        (("{a}", "--compare", "embedded,magic"), "no rows of 'magic' in a.json: choose two of"),
        (("{a}", "--compare", "embedded,ridge", "--html", "x.html"), "--compare prints tables"),
        (("{a}", "{a}", "--markdown", "x.md"), "both have embedded on slide"),
        (("{a}", "--markdown", "x.txt"), "must end in .md"),
        (("20261121-091500-slide-3f2a", "--compare", "a,b"), "--compare is about results files"),
    ],
)
def test_what_cannot_be_reported_is_refused_in_one_line(words, message, whole, tmp_path, capsys):
    write(whole, tmp_path / "a.json")
    words = [word.format(a=tmp_path / "a.json") for word in words]
    words = [str(tmp_path / w) if w.startswith("x.") else w for w in words]
    assert main(["report", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
