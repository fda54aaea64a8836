"""`icpi bench demonstration`: tasks from demonstrations in worlds that they know nothing of."""

import json

import numpy as np
import pytest
from icpi_benchmarks.cli.demonstration import table
from icpi_benchmarks.demonstrated import cells
from icpi_benchmarks.demonstrated.black_boxes import BLACK_BOXES, black_box
from icpi_benchmarks.demonstrated.cells import ShownTask
from icpi_here import icpi

from icpi_ros.core.errors import UnknownName

SMALL = ("--worlds", "toss-gc", "--parameters", "2", "--demonstrations", "1", "--instances", "1")
FEW = ("--improvers", "random", "--adjustments", "2", "--draws", "train", "--workers", "1")


@pytest.fixture(scope="module")
def thrown(tmp_path_factory):
    return black_box("toss-gc").described(1, 2, tmp_path_factory.mktemp("made"))


def row(draw, best_costs, improver="bo", **changes):
    about = {"world": "slide", "demonstration": 1, "parameters": 2, "draw": draw}
    return about | {
        "reachable": 1e-3,
        "condition": "noise=0mm",
        "improver": improver,
        "best_costs": best_costs,
        **changes,
    }


@pytest.mark.slow
def test_it_begins_with_the_demonstration_and_the_same_call_gives_the_same_rows(
    capsys, tmp_path, thrown, monkeypatch
):
    monkeypatch.setattr(cells, "SEARCHED", 4)
    monkeypatch.setattr(cells, "NEAR", 4)
    found = []
    for name, search in (("a.json", ()), ("b.json", ("--no-search",))):
        file = tmp_path / name
        words = ("bench", "demonstration", *SMALL, *FEW, *search, "--json", file)
        code, out, err = icpi(capsys, *words)
        assert code == 0, err
        assert "toss-gc, 2 parameters, noise=0mm, 1 draws" in out
        assert ("best theta found in the box" in out) != bool(search)
        found += json.loads(file.read_text())
    searched, plain = found
    assert searched["thetas"] == plain["thetas"]
    assert searched["costs"] == plain["costs"]
    np.testing.assert_allclose(searched["thetas"][0], thrown.first_theta)
    assert plain["reachable"] is None
    assert searched["reachable"] <= min(searched["costs"])
    assert searched["failures"] == [None, None, None]


def test_the_task_knows_nothing_of_the_world(thrown):
    assert thrown.scene is None
    assert thrown.physics_space.dim == 0
    assert thrown.name not in BLACK_BOXES


def test_draws_differ_by_demonstration_kind_and_number_and_not_by_the_parameters(thrown):
    first = ShownTask("toss-gc", 1, thrown)
    there = first.instance("test", 0, 0)
    for other in (
        ShownTask("toss-gc", 2, thrown).instance("test", 0, 0),
        first.instance("train", 0, 0),
        first.instance("test", 0, 1),
        first.instance("test", 1, 0),
    ):
        assert not np.array_equal(other.physics, there.physics)
        assert not np.array_equal(other.goal, there.goal)


def test_a_table_has_mean_median_and_worst_and_counts_a_lost_instance():
    costs = [(0.1, *[0.01 * n] * 5) for n in (1, 2, 6)]
    rows = [row(n, best) for n, best in enumerate(costs)] + [row(0, [None] * 6, "cma")]
    head, names, bo, cma = table(rows)
    assert head == (
        "slide, 2 parameters, noise=0mm, 3 draws; best theta found in the box 1 / 1 / 1"
    )
    assert names.split() == ["improver", "first", "3", "5"]
    assert bo.endswith(f"{'100 / 100 / 100':>16}" + 2 * f"{'30 / 20 / 60':>24}")
    assert cma.split()[1:] == ["inf", "/", "inf", "/", "inf"] * 3


def test_an_unknown_world_is_named(capsys):
    with pytest.raises(UnknownName, match="unknown black box 'slid'"):
        black_box("slid")
