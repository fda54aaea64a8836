"""Oracles and the tuning program, in simulation."""

import numpy as np
import pytest
from icpi_benchmarks.contest import tuning
from icpi_benchmarks.contest.oracles import ORACLES, Oracle
from icpi_benchmarks.contest.shared_simulator import shared_simulator
from icpi_benchmarks.instances import draw_instance
from icpi_benchmarks.program import run_program

from icpi_ros.core.errors import ExecutionFailed, InvalidValue
from icpi_ros.core.types import Outcome
from icpi_ros.improvers import IMPROVERS
from icpi_ros.improvers.base import Context
from icpi_ros.learn.dataset.dataset import empty, shipped
from icpi_ros.robots import ARMS
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import SimulationUnstable
from icpi_ros.tasks import TASKS

SLIDE = TASKS.get("slide")
ARM = ARMS.get(SLIDE.arm)


def make(name, instance, dataset=None, **options):
    dataset = shipped(SLIDE) if dataset is None else dataset
    context = Context(SLIDE.space, instance.goal, SLIDE.cost_mask, dataset, options)
    return ORACLES.get(name)(context, SLIDE, ARM, instance.physics)


def outcome(theta, instance):
    (path,) = rollout(SLIDE, ARM, instance.physics, theta[np.newaxis]).trajectories
    error = SLIDE.error(path, instance.goal)
    return Outcome(theta, error, SLIDE.cost(error))


def costs(name, number, adjustments):
    instance = draw_instance(SLIDE, "train", 5, number)
    oracle = make(name, instance)
    history = [outcome(instance.theta, instance)]
    for n in range(adjustments):
        theta = oracle.propose(history, np.random.default_rng(n)).theta
        history.append(outcome(SLIDE.space.project(theta)[0], instance))
    return np.minimum.accumulate([trial.cost for trial in history])


def test_names():
    assert ORACLES.names() == ["oracle", "ridge-oracle"]
    assert not set(ORACLES) & set(IMPROVERS), "a run must not be able to ask for an oracle"
    assert all(ORACLES.get(name).name == name for name in ORACLES)


@pytest.mark.slow
@pytest.mark.parametrize("name", ORACLES.names())
def test_slide_is_solved_in_four_adjustments(name):
    found = np.array([costs(name, number, 4) for number in range(6)])
    assert found[:, 0].mean() > 0.05
    assert found[:, 4].mean() < 0.003


def test_proposals_are_repeatable_and_inside():
    instance = draw_instance(SLIDE, "train", 5, 0)
    history = [outcome(instance.theta, instance)]
    first, again = (
        make("oracle", instance).propose(history, np.random.default_rng(n)).theta for n in (0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert SLIDE.space.contains(first)
    assert not np.array_equal(first, instance.theta)


def test_a_step_that_did_not_improve_is_halved():
    instance = draw_instance(SLIDE, "train", 5, 1)
    base = outcome(instance.theta, instance)
    worse = Outcome(SLIDE.space.lower.copy(), 2.0 * base.error, 2.0 * base.cost)
    oracle, rng = make("oracle", instance), np.random.default_rng(0)
    whole, half, quarter = (
        oracle.propose([base, *failed], rng).theta - base.theta
        for failed in ([], [worse], [worse, worse])
    )
    np.testing.assert_allclose(half, 0.5 * whole)
    np.testing.assert_allclose(quarter, 0.25 * whole)


def test_the_ridge_oracle_begins_like_ridge():
    instance = draw_instance(SLIDE, "train", 5, 2)
    oracle, rng = make("ridge-oracle", instance), np.random.default_rng(0)
    history = [outcome(instance.theta, instance)]
    ridge = IMPROVERS.get("ridge")(oracle.context)
    np.testing.assert_array_equal(
        oracle.propose(history, rng).theta, ridge.propose(history, rng).theta
    )


def test_what_oracles_need():
    instance = draw_instance(SLIDE, "train", 5, 0)
    make("oracle", instance, empty(SLIDE))
    with pytest.raises(InvalidValue, match="unknown option 'k' of oracle: choose from damping"):
        make("oracle", instance, k=3)


def test_an_oracle_does_not_simulate_what_its_instance_has(monkeypatch):
    instance = draw_instance(SLIDE, "train", 5, 7)
    simulated = []

    def counted(task, arm, physics, thetas, **more):
        simulated.extend(map(tuple, thetas))
        return rollout(task, arm, physics, thetas, **more)

    monkeypatch.setattr("icpi_benchmarks.simulator.rollout", counted)
    theta = instance.theta
    (path,) = shared_simulator(SLIDE, ARM, instance.physics)(theta[np.newaxis])
    history = [Outcome(theta, error := SLIDE.error(path, instance.goal), SLIDE.cost(error))]
    oracles = [make("oracle", instance) for _ in range(2)]
    first, second = (o.propose(history, np.random.default_rng(0)).theta for o in oracles)
    assert first.tobytes() == second.tobytes()
    assert len(simulated) == len(set(simulated)) == 1 + 2 * SLIDE.space.dim


def test_unstable_physics_end_in_one_clear_line(monkeypatch):
    instance = draw_instance(SLIDE, "train", 5, 8)
    oracle: Oracle = make("oracle", instance)
    history = [outcome(instance.theta, instance)]

    def diverge(*args, **kwargs):
        raise SimulationUnstable("it diverged")

    monkeypatch.setattr("icpi_benchmarks.simulator.rollout", diverge)
    with pytest.raises(ExecutionFailed, match="the oracle has no Jacobian"):
        oracle.propose(history, np.random.default_rng(0))


def test_every_study_can_be_run(capsys):
    for name, study in tuning.studies().items():
        entrants = study.entrants(one_by_one=True)
        assert len({entrant.label for entrant in entrants}) == len(entrants) > 1, name
        assert entrants[0].label == "as it is"
    words = ["knn-copy", "--all", "--tasks=slide", "--instances=2", "--trials=2"]
    assert run_program(tuning, words) == 0
    text = capsys.readouterr().out
    assert text.count("from_best=True") == 2
    assert "slide, 2 training draws" in text
    assert "geometric mean" in text
