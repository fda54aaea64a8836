import re
from dataclasses import replace

import numpy as np
import pytest
from toy_task import TOY, rollout

from icpi_ros.cli.main import main
from icpi_ros.core.errors import UsageError
from icpi_ros.core.types import Proposal, Trial, TrialStatus
from icpi_ros.core.units import millimetres
from icpi_ros.report.picture import save_figure
from icpi_ros.report.run.text import improver_label, run_table, trial_line
from icpi_ros.runs.picture import draw
from icpi_ros.runs.store.store import RunConfig, TrialStore
from icpi_ros.runs.verdict import verdict
from icpi_ros.tasks import TASKS


def trials(count, missing=()):
    rng, found = np.random.default_rng(0), []
    for number in range(count):
        theta = TOY.space.sample(rng)
        seen = rollout(theta)
        error = TOY.error(seen, TOY.default_goal)
        cost = TOY.cost(error)
        trial = Trial(
            number, theta, Proposal(theta, "ridge"), status=TrialStatus.DONE, error=error,
            cost=cost, best_cost=cost, seconds=2.6, trajectory=seen,
        )  # fmt: skip
        if number in missing:
            lost = {"status": TrialStatus.UNOBSERVED, "cost": float("nan"), "trajectory": None}
            trial = replace(trial, **lost, note="perception silent")
        found.append(trial)
    return found


@pytest.mark.parametrize(
    ("count", "missing"), [(0, ()), (1, ()), (1, (0,)), (8, (0, 3)), (60, (59,))]
)
@pytest.mark.filterwarnings("error")
def test_picture(tmp_path, count, missing):
    from matplotlib.image import imread

    path = tmp_path / "deep" / "run.png"
    save_figure(path, draw(TOY, TOY.default_goal, trials(count, missing)))
    image = imread(path)
    assert image.shape[0] > 500
    assert image.shape[1] > 1000
    assert image[..., :3].std() > 0.01
    edge = np.concatenate([image[:2].ravel(), image[-2:].ravel()])
    assert (edge == 1.0).all()  # nothing is cut off at the top and the bottom


def predicting(found):
    """The same trials with predictions, the second without a spread."""
    spreads = [0.5, float("nan"), *[0.01] * (len(found) - 2)]
    return [
        replace(t, proposal=replace(t.proposal, predicted_cost=0.8 * t.cost, predicted_std=spread))
        for t, spread in zip(found, spreads, strict=True)
    ]


@pytest.mark.filterwarnings("error")
def test_predictions_stand_beside_outcomes(tmp_path):
    rows = trials(4, (2,))
    plain, told = tmp_path / "plain.png", tmp_path / "told.png"
    save_figure(plain, draw(TOY, TOY.default_goal, rows))
    save_figure(told, draw(TOY, TOY.default_goal, predicting(rows)))
    assert plain.read_bytes() != told.read_bytes()
    assert "predicted" not in run_table(rows, TOY.space)
    text = run_table(predicting(rows), TOY.space).splitlines()
    assert "predicted" in text[0]
    assert f"{millimetres(0.8 * rows[0].cost)} ± 500 mm" in text[2]
    assert f"{millimetres(0.8 * rows[1].cost)} " in text[3]
    assert "±" not in text[3]


def stored(path, rows, note="done"):
    config = RunConfig("toy-push", "ridge", tuple(TOY.default_goal), len(rows))
    with TrialStore(path) as store:
        run_id = store.create_run(config)
        for trial in rows:
            store.begin_trial(run_id, trial.number, trial.theta, trial.proposal, trial.projected)
            store.finish_trial(run_id, trial)
        store.set_state(run_id, "finished", note)
    return run_id


@pytest.fixture
def toy_registered(monkeypatch):
    monkeypatch.setattr(TASKS, "get", lambda name: TOY)


@pytest.mark.usefixtures("toy_registered")
def test_report_of_a_run_as_text_page_and_picture(tmp_path, capsys):
    rows = predicting(trials(5, (3,)))
    hostile = "<script>alert(1)</script>"
    rows[2] = replace(rows[2], proposal=replace(rows[2].proposal, fallback_reason=hostile))
    store, page = tmp_path / "trials.sqlite", tmp_path / "run.html"
    run_id = stored(store, rows, hostile)
    assert main(["report", run_id, "--store", str(store)]) == 0
    text = capsys.readouterr().out
    assert run_id in text
    assert "! trial 3 unobserved: perception silent" in text
    order = ["report", run_id, "--store", str(store), "--html", str(page), "--png", str(tmp_path)]
    assert main(order) == 0
    assert (tmp_path / f"{run_id}.png").read_bytes().startswith(b"\x89PNG")
    markup = page.read_text(encoding="utf-8")
    assert markup.count("<script") == 1
    assert markup.count("&lt;script&gt;alert(1)") >= 3
    assert markup.count("<svg") == 3
    assert not re.search(r"https?://", markup)
    for wanted in (run_id, "perception silent", f"{millimetres(rows[4].cost)}", "icpi run"):
        assert wanted in markup
    heads = (
        'class="verdict"',
        "cost per trial",
        "object paths",
        "magnified",
        'id="trials"',
        'id="notes"',
    )
    assert sorted(heads, key=markup.index) == list(heads)  # the cost is first in a narrow window
    more, *_ = re.findall(r'data-v="([^"]+)">\+[\d.]+ mm</td>', markup)
    assert float(more) == pytest.approx(0.2 * rows[0].cost, rel=1e-6)  # worse than predicted
    assert 'id="model"' not in markup  # no model was asked
    assert "var(--ink)" in markup
    assert "prefers-color-scheme:dark" in markup


@pytest.mark.usefixtures("toy_registered")
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("name", "rows"), [("none", []), ("one", trials(1)), ("lost", trials(2, (0, 1)))]
)
def test_report_of_a_run_with_little_to_show(tmp_path, name, rows, capsys):
    store, page = tmp_path / "trials.sqlite", tmp_path / "run.html"
    run_id = stored(store, rows)
    assert main(["report", run_id, "--store", str(store), "--html", str(page)]) == 0
    shown = re.findall(r'<section id="(\w+)"', page.read_text(encoding="utf-8"))
    expected = {"none": [], "one": ["timings"], "lost": ["notes", "timings"]}[name]
    assert shown == ["trials", *expected, "repeat"]
    assert main(["report", "other", "--store", str(store)]) == 2
    assert run_id in capsys.readouterr().err


@pytest.mark.filterwarnings("error")
def test_picture_of_a_perfect_trial_and_of_missing_samples(tmp_path):
    trial = trials(1)[0]
    trial.trajectory.positions[3:] = np.nan
    save_figure(tmp_path / "p.png", draw(TOY, TOY.default_goal, [replace(trial, cost=0.0)]))


def test_picture_that_cannot_be_written():
    with pytest.raises(UsageError, match="cannot write the picture /proc/none"):
        save_figure("/proc/none/p.png", draw(TOY, TOY.default_goal, trials(1)))


@pytest.mark.parametrize(
    ("costs", "text"),
    [
        ((), "No trial was observed."),
        ((213.0,), "213 mm; no adjustment has an outcome yet."),
        ((213.0, 1.0), "213 mm to 1.00 mm in one adjustment."),
        ((213.0, 1.0, 0.11, 0.3), "213 mm to 1.00 mm in one adjustment, 0.11 mm after two."),
        ((213.0, 250.0, 4.0), "213 mm to 4.00 mm in two adjustments."),
        ((3.0, 5.0, 4.0), "3.00 mm; not closer in two adjustments."),
        ((None, 9.0, 4.0), "9.00 mm (trial 1, the first with a cost) to 4.00 mm in one adjustment. "
         "1 of 3 trials without a cost."),
    ],
)  # fmt: skip
def test_verdict(costs, text):
    missing = [n for n, cost in enumerate(costs) if cost is None]
    rows = [
        trial if cost is None else replace(trial, cost=cost / 1e3)
        for trial, cost in zip(trials(len(costs), missing), costs, strict=True)
    ]
    assert verdict(rows) == text
    fallen = [replace(t, proposal=replace(t.proposal, fallback_reason="down")) for t in rows[:1]]
    assert bool(fallen) == verdict([*fallen, *rows[1:]]).endswith("fell back on another.")


@pytest.mark.parametrize(
    ("metres", "text"),
    [
        (0.0, "0.00 mm"),
        (0.00421, "4.21 mm"),
        (0.009994, "9.99 mm"),
        (0.009996, "10.0 mm"),
        (0.0999, "99.9 mm"),
        (0.2519, "252 mm"),
        (float("nan"), "-"),
    ],
)
def test_millimetres(metres, text):
    assert millimetres(metres) == text


def test_lines():
    good, lost = trials(2, (1,))
    good = replace(good, theta=np.array([1.02, -0.13]), cost=0.00421)
    assert trial_line(good, TOY.space, 8) == (
        "trial 0 (1/8)  push=1.02 m/s turn=-0.13 rad  cost 4.21 mm  ridge  2.6 s"
    )
    assert "unobserved: perception silent  ridge" in trial_line(lost, TOY.space, 8)
    label = improver_label(replace(good.proposal, fallback_reason="llm: no\nanswer"))
    assert label == "ridge (fallback: llm: no answer)"
    assert "..." in improver_label(replace(good.proposal, fallback_reason="x" * 500))
    projected = replace(good, projected=True)
    assert "(projected)" in trial_line(projected, TOY.space, 8)


def test_table_marks_the_best_and_lists_all():
    rows = trials(12, (2,))
    text = run_table(rows, TOY.space).splitlines()
    assert len(text) == 2 + 12
    assert "push [m/s]" in text[0]
    best = min((t for t in rows if t.status is TrialStatus.DONE), key=lambda t: t.cost)
    assert [line.split()[0] for line in text if " * " in line] == [str(best.number)]
    assert "unobserved" in text[4]
    assert run_table([], TOY.space).splitlines()[0].startswith("trial")
