"""The frozen benchmark: what may differ between two people's results, and what is recorded."""

import hashlib
from dataclasses import replace

import numpy as np
import outsider
import pytest
from icpi_benchmarks.contest import frozen
from icpi_benchmarks.contest.conditions import preset
from icpi_benchmarks.contest.entrants import entrants
from icpi_benchmarks.contest.plan import ContestPlan

from icpi_ros.core import plugins
from icpi_ros.core.errors import UsageError
from icpi_ros.learn.dataset.dataset import shipped
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.slide import SLIDE

MINE = """
from icpi_ros.improvers import IMPROVERS
from icpi_ros.improvers.base import Improver
from icpi_ros.core.types import Proposal

class Mine(Improver):
    name, summary, needs_dataset = "mine-{n}", "uniform draws", False

    def propose(self, history, rng):
        return Proposal(self.context.space.sample(rng), self.name)

IMPROVERS.register("mine-{n}", Mine)
"""


def plan(**change):
    return replace(ContestPlan(tasks=(SLIDE,), improvers=("knn",), preset="v1"), **change)


@pytest.fixture
def mine(tmp_path, request):
    path = tmp_path / "mine.py"
    path.write_text(MINE.format(n=tmp_path.name))
    with outsider.forgotten():
        plugins.load([str(path)])
        yield path, f"mine-{tmp_path.name}"


def test_this_checkout_has_the_benchmark_that_is_frozen():
    tasks = tuple(TASKS.get(name) for name in frozen.frozen("v1")["tasks"])
    frozen.check(plan(tasks=tasks, improvers=preset("v1").improvers))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"seed": 1}, "seed is 1, not 0"),
        ({"instances": 20}, "instances is 20, not 200"),
        ({"trials": 7}, "trials is 7, not 6"),
        ({"threshold": 0.01}, "threshold_m is 0.01, not 0.005"),
        ({"time_limit": 300.0}, "time_limit is 300 s, not 30 s"),
        (
            {"conditions": preset("v1").with_draws("train").conditions, "draws": "train"},
            "draws is train, not test",
        ),
    ],
)
def test_another_size_or_other_draws_are_refused(change, reason):
    with pytest.raises(UsageError, match=f"benchmark v1 is frozen: {reason}: run it unchanged"):
        frozen.check(plan(**change))
    frozen.check(plan(**change, preset="main"))  # which is not frozen


def test_another_data_set_or_task_is_refused():
    data = shipped(SLIDE)
    fewer = replace(data, theta=data.theta + 1e-9)
    with pytest.raises(UsageError, match=r"data set of slide is [0-9a-f]{16}, not [0-9a-f]{16}"):
        frozen.check(plan(datasets=(fewer,)))
    moved = replace(data, path=data.path + np.float32(1e-3))
    with pytest.raises(UsageError, match=r"frozen: paths fingerprint of slide is \w{16}, not"):
        frozen.check(plan(datasets=(moved,)))
    other = type(SLIDE)()
    other.revision = SLIDE.revision + 1
    with pytest.raises(UsageError, match=r"revision of slide is .*; definition of slide is"):
        frozen.check(plan(tasks=(other,), datasets=(data,)))
    other.name = "slide-2"
    with pytest.raises(UsageError, match=r"task slide-2 is not part of it \(allowed: edge-gc, "):
        frozen.check(plan(tasks=(other,), datasets=(replace(data, task="slide-2"),)))


def test_results_say_which_benchmark_and_which_file_they_are_of(mine):
    path, name = mine
    found = plan(improvers=(name, "knn"))
    config = found.config()
    assert config["benchmark"] == frozen.identity("v1")
    assert config["entrants"] == {
        name: {
            "name": name,
            "options": {},
            "file": "mine.py",
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
    }
    assert f"icpi bench --plugin {path} --preset v1 --tasks slide" in found.command()
    (one,) = entrants((name,))
    assert replace(one, informed=True).origin()["informed"] is True  # an oracle from outside
    assert entrants(("knn",))[0].origin() == {}
    assert "benchmark" not in plan(preset="main").config()
