"""A process that writes trials into a store until it is killed: STORE READY_FILE."""

import sys
import time
from pathlib import Path

import numpy as np
from toy_task import TOY, rollout

from icpi_ros.core.types import Proposal, Trial, TrialStatus
from icpi_ros.runs.store.store import RunConfig, TrialStore


def main(path, progress):
    store = TrialStore(path)
    run_id = store.create_run(RunConfig("toy-push", "ridge", (0.6, 0.42), budget=1000))
    out = Path(progress).open("w", buffering=1)  # noqa: SIM115
    print(f"run {run_id}", file=out)
    for number in range(1000):
        theta = TOY.space.sample(np.random.default_rng([0, number]))
        proposal = Proposal(theta, "ridge")
        store.begin_trial(run_id, number, theta, proposal, projected=False)
        print(f"begun {number}", file=out)
        time.sleep(0.005)
        seen = rollout(theta)
        error = TOY.error(seen, TOY.default_goal)
        trial = Trial(
            number, theta, proposal, status=TrialStatus.DONE, error=error, cost=TOY.cost(error),
            trajectory=seen,
        )  # fmt: skip
        store.finish_trial(run_id, trial)
        print(f"done {number}", file=out)


if __name__ == "__main__":
    main(*sys.argv[1:])
