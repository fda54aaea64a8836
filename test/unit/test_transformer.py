"""The small in-context transformer: its shipped weights, and what it was made to do."""

import hashlib
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest
import toy

from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.improvers import IMPROVERS
from icpi_ros.improvers.transformer.tokens import tokens
from icpi_ros.improvers.transformer.weights import ARRAYS, example_step, network, recipe
from icpi_ros.learn.executions import Executions

ROOM = resources.files("icpi_ros.improvers.transformer")


def test_the_shipped_weights_are_those_of_the_recipe():
    data = (ROOM / ARRAYS).read_bytes()
    assert hashlib.sha256(data).hexdigest() == recipe()["sha256"]
    assert len(data) < 1_000_000
    assert sum(array.size for array in network().weights.values()) == recipe()["parameters"]


def test_numpy_takes_the_step_that_the_export_compared_with_pytorch():
    assert example_step(network()) == pytest.approx(recipe()["example"], abs=1e-7)


def turned(angle):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def small_run(turn, mirror):
    """Return executions of a saturating map under three physics, and two trials, turned."""
    rng = np.random.default_rng(5)
    draw = np.repeat(np.arange(3), 12)
    x = rng.uniform(-0.6, 0.6, (38, 2))
    by = np.concatenate([np.array([0.1, 0.4, 0.8])[draw], [0.5, 0.5]])
    y = np.column_stack([np.tanh(x[:, 0] * (1 + by)) - 0.2, x[:, 1] + by * x[:, 0] ** 2])
    x, y = x @ turn.T, y @ mirror.T
    return Executions(x[:36], y[:36], draw), (x[36:], y[36:])


@pytest.mark.parametrize(
    ("turn", "mirror"),
    [(turned(0.7), np.eye(2)), (np.eye(2)[::-1], np.eye(2)), (np.eye(2), turned(2.0))],
    ids=["turned parameters", "other order of parameters", "turned errors"],
)
def test_order_and_direction_of_axes_do_not_matter(turn, mirror):
    steps = []
    for axes in ((np.eye(2), np.eye(2)), (turn, mirror)):
        done, run = small_run(*axes)
        base = int(np.argmin(np.sum(run[1] ** 2, axis=1)))
        t = tokens(done, done.errors, run, base)
        steps.append(network().steps(t)[1])
    assert np.linalg.norm(steps[0]) > 0.05
    np.testing.assert_allclose(turn @ steps[0], steps[1], atol=1e-9)


def test_it_learns_the_hidden_physics_in_context():
    kind = IMPROVERS.get("transformer")
    found = toy.best_costs(kind(toy.context(toy.dataset())), 12, 4, seed=21).mean(axis=0)
    assert found[1] < 0.25 * found[0]
    assert found[4] < 0.02 * found[0]


def test_more_parameters_than_it_was_trained_with_are_refused():
    wide = ParameterSpace(tuple(Parameter(f"p{n}", "m", -1.0, 1.0) for n in range(9)))
    data = toy.dataset(size=30)
    context = toy.context(data)
    grown = replace(
        data, theta=np.tile(data.theta, 5)[:, :9], dtheta=np.tile(data.dtheta, 5)[:, :9]
    )
    with pytest.raises(InvalidValue, match=r"at most 8 parameters, task .* has 9: use embedded"):
        IMPROVERS.get("transformer")(replace(context, space=wide, dataset=grown))
