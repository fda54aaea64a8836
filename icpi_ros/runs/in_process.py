"""A run driven to its end by a function in the place of a robot."""

from __future__ import annotations

from collections.abc import Callable

from icpi_ros.core.errors import (
    BudgetSpent,
    ExecutionCancelled,
    IcpiError,
    ObservationMissing,
    StoreError,
)
from icpi_ros.core.types import Array, ObjectTrajectory, Trial
from icpi_ros.runs.run import Run


def run_in_process(
    run: Run,
    rollout: Callable[[Array], ObjectTrajectory],
    on_trial: Callable[[Trial], None] = lambda trial: None,
) -> None:
    """Drive a run to its end with a function instead of a robot.

    Args:
        run: new or resumed.
        rollout: theta ``(d,)`` to the object's trajectory; after ObservationMissing the trial
            is unobserved, after ExecutionCancelled the run cancelled, after any other IcpiError
            failed.
        on_trial: called with every trial after it is stored, unobserved ones included.

    Raises:
        StoreError: a trial cannot be written.
        KeyboardInterrupt: the run is cancelled if it came in ``rollout``; anywhere else the run
            stays open.  It can be resumed either way.
    """
    while not run.finished:
        try:
            trial = run.ask()
        except BudgetSpent:
            return
        try:
            try:
                trajectory = rollout(trial.theta)
            except KeyboardInterrupt:
                run.cancel("interrupted by the user")
                raise
            run.tell(trajectory)
        except ObservationMissing as exc:
            run.unobserved(str(exc))
        except ExecutionCancelled as exc:
            run.cancel(str(exc))
        except StoreError:
            raise
        except IcpiError as exc:
            run.fail(str(exc))
        on_trial(run.trials[-1])
