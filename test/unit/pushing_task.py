"""The toy task as data-set builders need it: goals that vary, hindsight, and no simulator."""

import numpy as np
import toy_task

from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.sim.rollout import Rollouts
from icpi_ros.sim.world import SimulationUnstable


class Pushing(toy_task.ToyTask):
    shifted_space = ParameterSpace((Parameter("grip", "1", 0.3, 1.0),))

    def outcome_goal(self, trajectory):
        return self.error(trajectory, np.zeros(2))


class PushingGoals(Pushing):
    name = "toy-push-goals"
    goal_space = ParameterSpace(
        (Parameter("x", "m", 0.5, 0.7), Parameter("y", "m", 0.38, 0.45)), label="goal"
    )

    def sample_goal(self, rng):
        return self.goal_space.sample(rng)


PUSHING, PUSHING_GOALS = Pushing(), PushingGoals()


def closed_form(task, arm, physics, thetas, threads=1, unstable_above=np.inf):
    """Stands in for ``icpi_ros.sim.rollout.rollout``; fast pushes make it unstable."""
    if (thetas[:, 0] > unstable_above).any():
        raise SimulationUnstable("toy: too fast")
    trajectories = [toy_task.rollout(theta, grip=physics[0]) for theta in thetas]
    return Rollouts(trajectories, np.ones(len(thetas), dtype=bool))
