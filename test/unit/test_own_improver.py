"""docs/own_improver.md is what it says: its code block is written to a file and used here."""

import numpy as np
import outsider
import pytest
import toy

from icpi_ros.core import plugins
from icpi_ros.core.errors import InvalidValue
from icpi_ros.improvers import IMPROVERS


@pytest.fixture
def nearby(tmp_path):
    _, path = outsider.write_files(tmp_path)
    with outsider.forgotten():
        plugins.load([str(path)])
        yield IMPROVERS.get("nearby")


def test_an_improver_is_under_20_lines():
    assert len(outsider.block("own_improver.md", "python").splitlines()) < 20


def test_the_one_that_learns_from_examples_and_has_an_option(tmp_path):
    path = tmp_path / "nearest.py"
    path.write_text(outsider.block("own_improver.md", "py"), encoding="utf-8")
    with outsider.forgotten():
        plugins.load([str(path)])
        nearest = IMPROVERS.get("nearest")
        costs = toy.best_costs(nearest(toy.context()), instances=20, adjustments=5, seed=1)
        assert costs.mean(axis=0)[5] < 0.6 * costs.mean(axis=0)[0]
        with pytest.raises(InvalidValue, match="gain"):
            nearest(toy.context(options={"gain": 3.0}))


def test_it_improves(nearby):
    costs = toy.best_costs(nearby(toy.context()), instances=20, adjustments=20, seed=1).mean(axis=0)
    assert costs[20] < 0.6 * costs[0]


def test_it_proposes_again_what_it_proposed(nearby):
    history = [toy.outcome(theta, [0.2, 0.8]) for theta in toy.SPACE.sample(toy_rng(), 3)]
    first, second = (nearby(toy.context()).propose(history, toy_rng()) for _ in range(2))
    assert np.array_equal(first.theta, second.theta)
    assert first.provenance == "nearby"


def toy_rng():
    return np.random.default_rng(4)
