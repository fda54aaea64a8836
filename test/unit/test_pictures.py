"""Pictures answer at a glance: nothing is hidden, covered, or lost in the dark."""

import re
import sys
from dataclasses import replace
from itertools import combinations, pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from toy_task import TOY, rollout

from icpi_ros.api import improve
from icpi_ros.core.errors import UsageError
from icpi_ros.core.pictures import style
from icpi_ros.core.pictures.labels import label_points
from icpi_ros.core.types import ObjectTrajectory, Proposal, Trial, TrialStatus
from icpi_ros.evaluate.survey import Landscape
from icpi_ros.report.arm_picture import draw_map
from icpi_ros.report.picture import plot_svg
from icpi_ros.report.task_picture import finer
from icpi_ros.runs.picture import draw_goal, draw_paths, live, near_goal
from icpi_ros.runs.run import Run
from icpi_ros.runs.store.storage import MemoryStorage
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.reach import Reach

ROPE = TASKS.get("rope-swing")


def figure(**size):
    from matplotlib.figure import Figure  # here: not every worker draws

    return Figure(**size)


def luminance(colour):
    values = np.array([int(colour[i : i + 2], 16) / 255.0 for i in (1, 3, 5)])
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [style.LIGHT, style.DARK], ids=["light", "dark"])
def test_texts_can_be_read_and_trials_told_apart(colours):
    for name in ("ink", "quiet", "link", "good", "bad", "default", "oracle"):
        assert contrast(colours[name], colours["paper"]) >= 4.5, name
    sequence = [colours[f"t{n}"] for n in range(len(style.SEQUENCE))]
    steps = [contrast(colour, colours["paper"]) for colour in sequence]
    assert all(one < other for one, other in pairwise(steps))  # the newest stands out most
    assert steps[0] >= 2.0


def test_every_colour_has_a_dark_value_and_one_name():
    assert style.LIGHT.keys() == style.DARK.keys()
    assert len(set(style.LIGHT.values())) == len(style.LIGHT)


def test_a_plot_in_a_page_has_no_colour_of_its_own():
    def draw(axes):
        axes.plot(range(20), "o", color=style.SEQUENCE[3], label="many dots, one path")
        axes.set(xlabel="label", title="title")
        axes.legend()

    markup = plot_svg(draw, "k", "plot")
    assert not [colour for colour in style.LIGHT.values() if colour in markup]
    assert {"ink", "quiet", "line", "t3"} <= set(re.findall(r"var\(--(\w+)\)", markup))


def test_labels_of_crowded_points_cover_neither_each_other_nor_the_points():
    axes = figure(figsize=(6, 5), dpi=100).subplots()
    points = np.array([[0.40, 0.40], [0.44, 0.41], [0.42, 0.45], [0.97, 0.5], [0.5, 0.98]])
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.plot(*points.T, "o")
    label_points(axes, points, [f"marker {n}: 0.05 mm" for n in range(5)])
    boxes = [text.get_window_extent() for text in axes.texts if text.get_text()]
    assert len(boxes) == 5
    assert not [True for one, other in combinations(boxes, 2) if one.overlaps(other)]
    inside = axes.get_window_extent()
    for box in boxes:
        assert inside.x0 <= box.x0 < box.x1 <= inside.x1
        assert not [place for place in axes.transData.transform(points) if box.contains(*place)]


# --- runs ---------------------------------------------------------------------------------------


def missed(task, misses):
    """Trials whose observed point was off the default goal by ``misses`` [mm]."""
    return [
        Trial(
            n, np.zeros(task.space.dim), Proposal(np.zeros(task.space.dim), ""),
            status=TrialStatus.DONE, error=np.array(miss) / 1e3,
            cost=float(np.linalg.norm(miss)) / 1e3,
        )
        for n, miss in enumerate(misses)
    ]  # fmt: skip


def test_the_goal_is_magnified_to_where_the_learning_is_and_the_rest_is_named():
    misses = [(200.0, 0.0), (9.0, 0.0), (0.0, 0.5), (0.1, 0.0), (0.0, -0.2)]
    near = near_goal(TOY, TOY.default_goal, missed(TOY, misses))
    assert 0.5 < near.half < 2.0
    axes = figure().subplots()
    draw_goal(axes, near)
    assert axes.get_xlim() == (-near.half, near.half)
    texts = [text.get_text() for text in axes.texts]
    assert "beyond: trials 0 (200 mm), 1 (9.00 mm)" in texts
    assert {"2", "3", "4"} <= set(texts)


def test_without_a_place_that_counts_nothing_is_magnified():
    lost = replace(missed(TOY, [(1.0, 0.0)])[0], status=TrialStatus.UNOBSERVED, error=None)
    assert near_goal(TOY, TOY.default_goal, [lost]) is None
    assert near_goal(TOY, TOY.default_goal, []) is None


def test_a_rope_is_marked_where_it_came_closest():
    times = np.linspace(0.0, 1.0, 50)
    x = np.linspace(0.3, 1.2, 50)
    path = ObjectTrajectory(times, np.column_stack([x, np.full(50, 0.13), np.full(50, 0.7)]))
    error = ROPE.error(path, ROPE.default_goal)
    (trial,) = missed(ROPE, [1e3 * error])
    axes = figure().subplots()
    draw_paths(axes, ROPE, ROPE.default_goal, [replace(trial, trajectory=path)])
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["start", "goal", "closest approach"]
    (mark,) = [line for line in axes.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(mark.get_xydata()[0], ROPE.default_goal + error)


def notebook(monkeypatch):
    """Put a notebook in the place of none; return what it shows, one after the other."""
    shown = []
    handle = SimpleNamespace(update=shown.append)

    def display(figure, display_id):
        shown.append(figure)
        return handle

    fake = SimpleNamespace(get_ipython=object, display=SimpleNamespace(display=display))
    monkeypatch.setitem(sys.modules, "IPython", fake)
    monkeypatch.setattr(live, "MIN_PAUSE", 3600.0)
    return shown


def test_a_live_picture_follows_the_run_and_always_shows_its_end(monkeypatch):
    shown = notebook(monkeypatch)
    run = Run(TOY, improver="random", trials=3)
    picture = run.plot(live=True)
    run.tell(rollout(run.ask().theta))
    assert not shown  # no cell has shown it yet
    picture._ipython_display_()
    monkeypatch.setattr(live, "MIN_PAUSE", 0.0)
    run.tell(rollout(run.ask().theta))
    monkeypatch.setattr(live, "MIN_PAUSE", 3600.0)
    run.tell(rollout(run.ask().theta))
    dots = [sum(line.get_marker() == "o" for line in one.axes[0].lines) for one in shown]
    assert dots == [1, 2, 3]


def test_a_live_picture_that_fails_is_given_up_and_the_run_goes_on(monkeypatch, capsys):
    notebook(monkeypatch)
    monkeypatch.setattr(live, "MIN_PAUSE", 0.0)
    run = Run(TOY, improver="random", trials=3)
    run.plot(live=True).show()
    run._live._draw = lambda: 1 / 0
    while not run.finished:
        run.tell(rollout(run.ask().theta))
    assert run.state == "finished"
    assert capsys.readouterr().err.count("the run goes on: ZeroDivisionError") == 1


def test_a_run_that_would_be_live_is_not_made_outside_of_a_notebook(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    storage = MemoryStorage()
    with pytest.raises(UsageError, match="needs a notebook"):
        improve("slide", live=True, storage=storage)
    assert storage.runs() == []


def test_a_live_picture_outside_of_a_notebook_is_refused(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    with pytest.raises(UsageError, match="needs a notebook"):
        Run(TOY, improver="random", trials=1).plot(live=True).show()


# --- tasks and arms -----------------------------------------------------------------------------


def test_a_map_of_reach_tells_reasons_and_distances_from_the_limits_apart():
    thetas = np.array([[x, y] for x in (0.5, 1.0, 1.5) for y in (-0.5, 0.0, 0.5)])
    reasons = ("", "", "", "", "", "", "velocity of elbow", "velocity of elbow", "tool z")
    paths = tuple(np.empty((0, 3)) for _ in thetas)
    loads = (0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 1.2, 1.2, 1.2)
    found = Reach("toy-push", "ur5e", 3, thetas, reasons, ("",) * 9, paths, loads)
    axes = figure().subplots()
    draw_map(axes, TOY, found)
    (mesh,) = axes.collections
    cells = np.asarray(mesh.get_array()).reshape(3, 3, -1)[:, :, :3]  # row = y, column = x
    green = cells[:, :2, 1] > cells[:, :2, 0]
    assert green.all()
    assert (cells[:, 0].sum(axis=-1) > cells[:, 1].sum(axis=-1)).all()  # pale = far from limits
    assert len({tuple(cells[row, 2].round(3)) for row in range(3)}) == 2


def test_a_landscape_is_smooth_at_its_optimum():
    x = y = np.linspace(-1.0, 1.0, 8)  # no point of the grid is the optimum
    best = np.array([[0.1, -0.05]])
    error = np.stack(np.meshgrid(x - best[0, 0], y - best[0, 1]), axis=-1)[np.newaxis]
    cost = np.linalg.norm(error, axis=-1)
    shown = Landscape((0, 1), x, y, cost, error, np.zeros((1, 1)), best, np.zeros(1), np.zeros(2))
    fine_x, fine_y, fine = finer(shown, 0)
    assert cost.min() > 0.1
    across, up = np.meshgrid(fine_x - best[0, 0], fine_y - best[0, 1])
    np.testing.assert_allclose(fine, np.hypot(across, up), atol=1e-12)
    lost = replace(shown, cost=np.where(cost > 1.2, np.nan, cost))
    assert finer(lost, 0)[2] is not None
    np.testing.assert_array_equal(finer(lost, 0)[2], lost.cost[0])
