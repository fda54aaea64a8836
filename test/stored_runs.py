"""A run and its trials, for tests of the storages."""

import numpy as np
from toy_task import TOY, rollout

from icpi_ros.core.types import Proposal, Trial, TrialStatus
from icpi_ros.runs.store.records import RunConfig

CONFIG = RunConfig(
    task="toy-push",
    improver="ridge",
    goal=(0.6, 0.1 + 0.2),
    budget=8,
    target_cost=0.02,
    seed=2**64 - 1,
    options={"k": 20, "model": "m"},
    versions={"icpi_ros": "0.1.0"},
    definition_hash="abc",
)
THETA = np.array([1.0, 0.1])
PROPOSAL = Proposal(THETA * 2, "knn", "llm: silent", 0.25, 0.5, 0.125, details={"prompt": "p"})


def done(number, theta=THETA, proposal=PROPOSAL, **more):
    seen = rollout(theta)
    error = TOY.error(seen, TOY.default_goal)
    values = {"status": TrialStatus.DONE, "error": error, "cost": TOY.cost(error), "seconds": 1.5}
    values |= {"trajectory": seen, "best_cost": 0.01} | more
    return Trial(number, theta, proposal, **values)
