"""Data sets seen as executions under hidden physics."""

from dataclasses import replace

import numpy as np
import toy

from icpi_ros.learn.executions import Executions, PhysicsSamples

GOAL = np.array([0.55, 0.40])


def error_at(points, physics, goal=GOAL):
    return toy.endpoint(toy.SPACE.denormalise(points), physics) - goal


def physics_of(draws=30, size=300, seed=0):
    """The physics that toy.dataset drew, by its own generator."""
    rng = np.random.default_rng(seed)
    drawn = []
    for n in range(size):
        if n % (size // draws) == 0:
            drawn.append(toy.PHYSICS.sample(rng))
        toy.SPACE.sample(rng)
    return drawn


def test_errors_are_those_to_the_runs_goal_under_the_draws_physics():
    done = Executions.of(toy.dataset(), toy.SPACE, GOAL)
    for number, physics in enumerate(physics_of()):
        mine = done.draw == number
        inside = np.abs(done.points[mine]).max(axis=1) < 1.0  # labels may be clipped
        np.testing.assert_allclose(
            done.errors[mine][inside], error_at(done.points[mine][inside], physics), atol=1e-9
        )


def test_a_common_label_counts_once():
    done = Executions.of(toy.dataset(), toy.SPACE, GOAL)
    assert len(done.points) == 300 + 30  # all examples of a draw have one solution


def test_pairs_are_of_one_draw():
    done = Executions.of(toy.dataset(), toy.SPACE, GOAL)
    i, j = done.pairs(np.arange(50))
    assert len(i) > 0
    assert (done.draw[i] == done.draw[j]).all()
    assert (i != j).all()


def test_where_errors_cannot_be_moved_goals_are_kept_apart():
    data = toy.dataset()
    goals = np.where(np.arange(300) % 2, 0.4, 0.5)[:, np.newaxis]
    data = replace(data, goal=goals)  # one goal value, two errors
    done = Executions.of(data, toy.SPACE, np.array([0.4]))
    assert done.draw.max() == 59
    assert {tuple(error) for error in data.error} <= {tuple(error) for error in done.errors}


def test_the_draw_with_the_runs_physics_is_the_most_alike():
    data, hits = toy.dataset(), 0
    rng = np.random.default_rng(5)
    for physics in physics_of()[:12]:
        draws = PhysicsSamples(data, toy.SPACE, GOAL, toy.MASK)
        thetas = toy.SPACE.sample(rng, 4)
        found = draws.alike(thetas, toy.endpoint(thetas, physics) - GOAL, count=3)
        assert len(found) == 3
        assert found[0][2] == 1.0
        assert found[0][2] >= found[1][2] >= found[2][2] >= 0.0
        points, costs, _ = found[0]
        true = np.linalg.norm(error_at(points, physics), axis=1)
        hits += np.abs(costs - true).max() < 1e-6
    assert hits >= 9
