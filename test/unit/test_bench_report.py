"""A benchmark's reports: one file, everything in it, nothing of a hostile name alive."""

import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from bench_data import RATES, condition, realistic, results_of
from icpi_benchmarks.report import figures
from icpi_benchmarks.report.figures import save_pngs
from icpi_benchmarks.report.page import MAX_DETAILED, bench_page
from icpi_benchmarks.report.plots import condition_places
from icpi_benchmarks.report.style import styles
from icpi_benchmarks.report.text import bench_tables, bench_text
from icpi_benchmarks.report.verdict import bench_verdict
from icpi_benchmarks.report.words import percent, shown_trials, significant
from icpi_benchmarks.results import write
from icpi_benchmarks.statistics.summaries import summarise

from icpi_ros.cli.main import main

HOSTILE = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "$\\frac{$", "a&b\x07\n<b>",
    "</style></title></svg>", "--><!--", "{}%s", "javascript:alert(1)",
)  # fmt: skip


class Page(HTMLParser):
    """Elements, attributes and texts of a page as a browser would split them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts = Counter(), [], []
        self.cells, self.scripts, self._open = [], [], []
        self.feed(text)
        self.close()
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._open.append(tag)

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_data(self, data):
        if self._open and self._open[-1] == "script":
            self.scripts.append(data)
        elif not self._open or self._open[-1] != "style":
            self.texts.append(data)
            if self._open and self._open[-1] in ("td", "th"):
                self.cells.append(data)

    def values(self, name):
        return [value for _, found, value in self.attributes if found == name]


@pytest.fixture(scope="module")
def main_text():
    return bench_page(realistic(tasks=("slide", "rope-swing"), instances=25))


@pytest.fixture(scope="module")
def main_page(main_text):
    return Page(main_text)


@pytest.mark.slow
def test_the_page_is_one_file_that_refers_to_nothing_outside(main_text, main_page):
    assert main_page.tags["link"] == main_page.tags["iframe"] == main_page.tags["base"] == 0
    for name in ("src", "href", "xlink:href", "data", "action", "srcset"):
        assert all(value.startswith(("#", "data:")) for value in main_page.values(name))
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", main_text))
    assert "@import" not in main_text
    assert not re.search(r"https?://", main_text)
    (policy,) = [v for v in main_page.values("content") if "default-src" in v]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2]
    assert main_page.tags["script"] == 1


def test_the_page_fits_a_phone_and_says_its_language(main_page):
    assert "width=device-width, initial-scale=1" in main_page.values("content")
    assert ("html", "lang", "en") in main_page.attributes
    widths = [v for v in main_page.values("style") if "max-width" in v]
    assert len(widths) == main_page.tags["svg"] > 0


def test_every_id_is_there_once_and_every_reference_leads_somewhere(main_text, main_page):
    ids = main_page.values("id")
    assert len(ids) == len(set(ids))
    wanted = {value[1:] for value in main_page.values("href")}
    wanted |= set(re.findall(r"url\(#([^)]*)\)", main_text))
    assert wanted <= set(ids)


def test_all_improvers_and_tasks_are_there_with_their_figures(main_page):
    cells = Counter(cell.strip() for cell in main_page.cells)
    for improver in RATES:
        assert cells[improver] >= 2, improver  # a row in the table of each task
        assert main_page.text.count(improver) > 10  # and a label in plots
    for task in ("slide", "rope-swing"):
        assert any(task in label for label in main_page.values("aria-label"))
    assert main_page.tags["figure"] == main_page.tags["figcaption"] == main_page.tags["svg"]


def test_the_page_says_how_to_repeat_it(main_page):
    for text in (
        "icpi bench --preset main --json main.json", "numpy", "2.4.6", "sha256:abab",
        "0123456789abcdef", "25 instances", "5 mm",
    ):  # fmt: skip
        assert text in main_page.text.replace("\xa0", " "), text


def test_who_does_not_take_the_option_that_a_study_varies_is_named():
    conditions = [condition(f"k={k}", options={"k": k}) for k in (1, 5)]
    results = realistic(
        tasks=("slide",), improvers=("embedded", "knn"), conditions=conditions, instances=3
    )
    text = "embedded does not use the condition's k"
    assert all(text in table for table in bench_tables(results))
    page = Page(bench_page(results)).text
    assert page.count(text) >= 4  # below two tables and in the captions of the study
    assert "knn does not use" not in page


def test_a_page_without_a_command_says_so():
    page = Page(bench_page(results_of({"embedded": [[0.1, 0.05]]}, command="", preset="")))
    assert "icpi bench: own choice" in page.text
    assert "no command repeats it" in page.text


def test_failures_and_fallbacks_are_named(main_page):
    assert "the kernel matrix is singular" in main_page.text
    assert "llm: no answer in 30 s" in main_page.text


def test_many_different_reasons_stay_a_short_table():
    results = realistic(tasks=("slide",), improvers=("embedded", "bo"), instances=40)
    rows = [
        dict(row, failure=f"diverged at {n} s " + 900 * "x", cost=None)
        if row["trial"] == 2 and row["improver"] == "bo" else dict(row, failure=None)
        for n, row in enumerate(results.rows)
    ]  # fmt: skip
    page = Page(bench_page(replace(results, rows=rows)))
    assert page.cells.count("failed") == 11  # ten reasons and the rest
    assert "30 other reasons" in page.text
    assert 400 * "x" not in page.text


def test_every_instance_is_a_dot(main_text):
    (panel,) = re.findall(r'aria-label="slide: random against embedded".*?</svg>', main_text)
    dots = [path.count("h0") for path in re.findall(r' d="((?:M[\d. ]+h0)+)"', panel)]
    assert dots == [25, 25]  # after 3 and after 5 adjustments


def test_a_hostile_file_stays_text():
    results = realistic(tasks=("slide",), improvers=("embedded", "bo", "llm"), instances=12)
    rename = dict(zip(("embedded", "bo", "llm", "slide"), HOSTILE, strict=False))
    evil = [
        dict(row, improver=rename[row["improver"]], task=HOSTILE[3],
             failure=row["failure"] and HOSTILE[4], fallback_reason=HOSTILE[5])
        for row in results.rows
    ]  # fmt: skip
    config = dict(results.config)
    config |= {
        "improvers": [rename[name] for name in config["improvers"]], "tasks": [HOSTILE[3]],
        "default": HOSTILE[0], "command": HOSTILE[4], "preset": HOSTILE[1],
        "versions": {HOSTILE[6]: HOSTILE[0]}, "definitions": {HOSTILE[7]: HOSTILE[1]},
        "datasets": {HOSTILE[3]: HOSTILE[4]}, "conditions": [condition()],
    }  # fmt: skip
    page = Page(bench_page(replace(results, config=config, rows=evil)))
    assert page.tags["script"] == 1
    assert "alert" not in page.scripts[0]
    assert page.tags["img"] == page.tags["b"] == 0
    assert page.tags["style"] == page.tags["title"] == 1
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert all(value.startswith("#") for value in page.values("href"))
    for text in HOSTILE[:3]:
        assert text in page.text


def test_a_key_of_the_environment_never_reaches_the_page(monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "sk-0123456789abcdef")
    results = results_of({"embedded": [[0.1, 0.05]]}, command="icpi bench sk-0123456789abcdef")
    assert "sk-0123456789abcdef" not in bench_page(results)


@pytest.fixture
def coarse(monkeypatch):
    """Pictures of a sixteenth of the dots, where only what can be drawn counts."""
    monkeypatch.setattr(figures, "PNG_DPI", 50)


@pytest.mark.slow
@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize(
    "results",
    [
        results_of({"embedded": [[0.1]]}),
        results_of({"embedded": [[0.0, 0.0]], "other": [[0.0, 0.0]]}),
        results_of({"random": [[0.1, 0.05]] * 3, "ridge": [[0.1, 0.02]] * 3}),
        results_of({f"ridge:k={k}": [[0.1, 0.01 * k]] * 3 for k in range(1, 31)}),
        results_of({"embedded": [[0.1, float("nan")], [float("nan")] * 2]}),
    ],
    ids=["one row", "perfect", "no default", "thirty improvers", "failures only"],
)
@pytest.mark.filterwarnings("error")
def test_unusual_results_have_a_page_tables_and_figures(results, tmp_path):
    page = Page(bench_page(results))
    (table,) = bench_tables(results)
    for improver in results.config["improvers"]:
        assert improver in page.text
        assert improver in table
    assert save_pngs(tmp_path, summarise(results))
    assert "nan" not in page.text.lower().split()
    assert "nan" not in table.lower().split()


def test_a_task_without_any_first_outcome_is_named_and_the_others_shown():
    results = realistic(tasks=("slide", "roll-gc"), improvers=("embedded", "knn"), instances=3)
    nothing = {"cost": None, "best_cost": None, "failure": "diverged"}
    rows = [dict(row, **nothing) if row["task"] == "slide" else row for row in results.rows]
    lost = replace(results, rows=rows)
    slide, roll = bench_tables(lost)
    assert slide == (
        "slide: nothing can be compared: the common first attempt failed in all 3 instances"
    )
    assert "embedded *" in roll
    page = Page(bench_page(lost))
    assert "failed in all 3 instances" in page.text
    assert "3 instances left out for all improvers alike" in page.text
    everything = replace(results, rows=[dict(row, **nothing) for row in results.rows])
    assert "no first attempt had an outcome" in Page(bench_page(everything)).text


def test_a_study_shows_cost_over_conditions_and_a_table_for_each():
    names = ("examples=100", "examples=25", "examples=500")
    conditions = [condition(name, examples=int(name[9:])) for name in names]
    results = realistic(
        tasks=("slide",), improvers=("embedded", "knn"), conditions=conditions, instances=10
    )
    page = Page(bench_page(results))
    assert "slide: cost over conditions" in page.values("aria-label")
    for name in names:
        assert f"slide, {name}: improvers" in page.values("aria-label")
    assert len(bench_tables(results)) == 3


@pytest.mark.slow
@pytest.mark.usefixtures("coarse")
@pytest.mark.filterwarnings("error")
def test_control_characters_in_a_condition_do_not_spoil_the_figures(tmp_path):
    conditions = [condition("a\x07\n=1"), condition("a\x07\n=2")]
    results = realistic(
        tasks=("slide",), improvers=("embedded", "knn"), conditions=conditions, instances=3
    )
    assert save_pngs(tmp_path, summarise(results))
    (figure, *_) = re.findall(r"<svg.*?</svg>", bench_page(results), re.DOTALL)
    assert "\x07" not in figure


@pytest.mark.slow
def test_a_page_with_many_conditions_leaves_plots_out_and_says_so():
    conditions = [condition(f"k={k}") for k in range(MAX_DETAILED + 1)]
    results = realistic(
        tasks=("slide",), improvers=("embedded", "knn"), conditions=conditions, instances=4
    )
    nothing = {"cost": None, "best_cost": None, "failure": "diverged"}
    rows = [row | nothing if row["condition"] > "k=1" else row for row in results.rows]
    page = Page(bench_page(replace(results, rows=rows)))  # most have no plots of their own
    assert "too large with per-instance plots" in page.text
    assert not any("against" in label for label in page.values("aria-label"))


@pytest.mark.parametrize(
    ("names", "places", "label"),
    [
        (("k=1", "k=10", "k=100"), [0, 1, 2], "k"),
        (("noise=0mm", "noise=2mm", "noise=10mm"), [0, 2, 10], "noise"),
        (("features=error", "features=raw"), [0, 1], "features"),
        (("", "shifted"), [0, 1], "condition"),
        (("k=1", "examples=5"), [0, 1], "condition"),
        (("k=.", "k=1..2"), [0, 1], "k"),
        (("noise=1mm", "noise=1m"), [0, 1], "noise"),
    ],
)
def test_where_conditions_stand(names, places, label):
    found, name = condition_places(names)
    assert found.tolist() == pytest.approx(places)
    assert name == label


def test_improvers_can_be_told_apart():
    looks = styles(list(RATES), "embedded")
    seen = {(s.colour, str(s.line["linestyle"]), s.line["marker"]) for s in looks.values()}
    assert len(seen) == len(RATES)
    assert looks["embedded"].line["linewidth"] > 2 * looks["knn"].line["linewidth"]
    assert looks["oracle"].line["linestyle"] != "-"


def test_an_improver_and_its_hindsight_have_colours_of_their_own_in_every_report():
    pairs = [styles([name, f"{name}-hindsight", "embedded"], "embedded") for name in ("ridge", "x")]
    for looks in pairs:
        assert len({look.colour for look in looks.values()}) == 3
    assert pairs[0]["ridge"] == styles(["ridge", "embedded", "bo", "knn"], "embedded")["ridge"]
    options = styles(["ridge", "ridge:k=5", "embedded"], "embedded")
    assert options["ridge"].colour == options["ridge:k=5"].colour  # told apart by their dashes


@pytest.mark.parametrize(
    ("costs", "text"),
    [
        ((0.01, 0.04), "is ahead of all others in slide (0.25 of other's mean cost)."),
        ((0.04, 0.01), "is behind the best other in slide (4.00 of other's mean cost)."),
        ((0.02, 0.02), "is level with the best other in slide (1.00 of other's mean cost)."),
    ],
)
def test_the_verdict_comes_first_and_in_plain_words(costs, text, tmp_path, capsys):
    rows = {
        name: [[0.1, cost]] * 3
        for name, cost in zip(("embedded", "other", "oracle"), (*costs, 0.001), strict=True)
    }
    results = results_of(rows)
    expected = f"After 1 adjustment embedded {text}"
    assert bench_verdict(summarise(results)) == expected
    page = Page(bench_page(results)).text
    assert page.index(expected) < page.index("The command") < page.index("Overview")
    assert bench_text(results).startswith(expected)
    ratio = costs[0] / costs[1]
    assert summarise(results)[0].of("other").ratio[1] == pytest.approx(ratio)  # default / other


def test_a_verdict_on_many_cases_counts_them_and_one_on_no_other_says_so():
    conditions = [condition(f"k={k}") for k in range(1, 9)]
    results = realistic(
        tasks=("slide",), improvers=("embedded", "knn"), conditions=conditions, instances=3
    )
    assert re.search(r"embedded is .* of 8 cases\.$", bench_verdict(summarise(results)))
    alone = summarise(results_of({"embedded": [[0.1, 0.05]]}))
    assert bench_verdict(alone).startswith("embedded alone was measured")
    assert bench_verdict([]) == ""


def test_tables_mark_the_default_and_name_failures():
    table = bench_tables(realistic(tasks=("slide",), instances=200))[0]
    assert table.startswith("slide: best cost [mm], mean / p95 over 200 instances")
    assert [line.split()[0] for line in table.splitlines() if " * " in line] == ["embedded"]
    assert "! bo failed" in table
    assert "! llm fell back" in table
    results = results_of({"embedded": [[0.1, 0.05], [float("nan")] * 2]})
    assert "1 more left out for all alike" in bench_tables(results)[0]


@pytest.mark.parametrize(
    ("value", "text"),
    [(296.4, "296"), (83.06, "83.1"), (6.718, "6.72"), (0.0068, "0.007"), (0.0, "0.000"),
     (99.97, "100"), (float("nan"), "-"), (float("inf"), "inf")],
)  # fmt: skip
def test_three_digits(value, text):
    assert significant(value) == text


def test_only_all_is_100_percent():
    assert [percent(v) for v in (0.0, 0.001, 0.5, 0.999, 1.0)] == [
        "0 %", "1 %", "50 %", "99 %", "100 %",
    ]  # fmt: skip
    assert shown_trials(6) == [0, 1, 2, 3, 5]
    assert shown_trials(1) == [0]


# --- the command --------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path):
    results = realistic(tasks=("slide",), improvers=("embedded", "knn"), instances=6)
    rows = [dict(row) for row in results.rows]
    instances = [
        {"task": "slide", "condition": "", "instance": n, "physics": [], "goal": [], "theta": []}
        for n in range(6)
    ]
    path = tmp_path / "bench.json"
    write(replace(results, rows=rows, instances=instances), path)
    return path


def test_report_prints_tables_or_writes_page_and_figures(file, tmp_path, capsys):
    from matplotlib.image import imread

    assert main(["report", str(file)]) == 0
    assert "embedded *" in capsys.readouterr().out
    page, folder = tmp_path / "page.html", tmp_path / "deep" / "figures"
    assert main(["report", str(file), "--html", str(page), "--png", str(folder)]) == 0
    assert str(page) in capsys.readouterr().out
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    pictures = sorted(path.name for path in folder.iterdir())
    ours = ["slide-calibration.png", "slide-curves.png", "slide-pairs.png"]
    assert pictures == ["predictions.png", *ours]
    for name in pictures:
        image = imread(folder / name)
        assert image[..., :3].std() > 0.01


def damaged(path, change):
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.update(format="other"),
        lambda data: data.update(version=99),
        lambda data: data.pop("rows"),
        lambda data: data.update(rows=[]),
        lambda data: data["rows"].pop(),
        lambda data: data["rows"][3].update(cost="cheap"),
        lambda data: data["config"].pop("seed"),
        lambda data: data["config"].update(seed="zero"),
        lambda data: data["config"].update(threshold_m=None),
        lambda data: data["config"].update(conditions=3),
        lambda data: data["config"].update(improvers="all"),
        lambda data: data["config"].update(versions=[]),
        lambda data: data["config"].update(improvers=[["embedded"]]),
        lambda data: data["config"].update(conditions=[{"name": 3}]),
        lambda data: data["rows"][3].update(condition=["a"]),
    ],
)
def test_a_damaged_file_is_refused_in_one_line_and_leaves_nothing(file, tmp_path, capsys, change):
    damaged(file, change)
    page = tmp_path / "page.html"
    assert main(["report", str(file), "--html", str(page)]) != 0
    error = capsys.readouterr().err
    assert error.startswith("icpi: error: ")
    assert error.count("\n") == 1
    assert not page.exists()


def test_a_file_that_was_cut_off_is_refused(file, capsys):
    file.write_text(file.read_text()[:-100])
    assert main(["report", str(file)]) != 0
    assert "cut off" in capsys.readouterr().err


def test_what_cannot_be_found_or_written_is_said(file, tmp_path, capsys):
    assert main(["report", str(tmp_path / "none.json")]) != 0
    assert "none.json" in capsys.readouterr().err
    assert main(["report", "no-such-run", "--store", str(tmp_path / "none.sqlite")]) == 2
    assert "there is no trial store" in capsys.readouterr().err
    assert main(["report", str(file), "--html", str(tmp_path / "no" / "p.html")]) == 2
    assert "its folder does not exist" in capsys.readouterr().err
    before = file.read_bytes()
    assert main(["report", str(file), "--html", str(file)]) == 2
    assert "is the file that is read" in capsys.readouterr().err
    assert file.read_bytes() == before
    assert main(["report", str(file), "--png", str(file)]) == 2
    assert "name a folder" in capsys.readouterr().err
