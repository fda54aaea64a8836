from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest
from toy_task import TOY, rollout

from icpi_ros.errors import UsageError
from icpi_ros.report.run_picture import save_picture
from icpi_ros.report.run_text import improver_label, millimetres, run_table, trial_line
from icpi_ros.types import Proposal, Trial, TrialStatus


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
    path = tmp_path / "deep" / "run.png"
    save_picture(path, TOY, TOY.default_goal, trials(count, missing))
    image = matplotlib.image.imread(path)
    assert image.shape[0] > 500
    assert image.shape[1] > 1000
    assert image[..., :3].std() > 0.01
    edge = np.concatenate([image[:2].ravel(), image[-2:].ravel()])
    assert (edge == 1.0).all()  # nothing is cut off at the top and the bottom


@pytest.mark.filterwarnings("error")
def test_picture_of_a_perfect_trial_and_of_missing_samples(tmp_path):
    trial = trials(1)[0]
    trial.trajectory.positions[3:] = np.nan
    save_picture(tmp_path / "p.png", TOY, TOY.default_goal, [replace(trial, cost=0.0)])


def test_picture_that_cannot_be_written():
    with pytest.raises(UsageError, match="cannot write the picture /proc/none"):
        save_picture("/proc/none/p.png", TOY, TOY.default_goal, trials(1))


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
