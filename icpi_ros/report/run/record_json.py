"""A run in the form that ``icpi run --json`` writes."""

from __future__ import annotations

from icpi_ros.core.redact import Json, jsonable
from icpi_ros.core.types import Trial
from icpi_ros.llm.client.budget import Spending
from icpi_ros.runs.store.records import RunConfig
from icpi_ros.runs.trial_tables import trial_json


def record_json(
    run_id: str, config: RunConfig, trials: list[Trial], spent: Spending
) -> dict[str, Json]:
    """Return a run in the form that ``icpi run --json`` writes; standard JSON, no NaN."""
    return {
        "run_id": run_id,
        "task": config.task,
        "improver": config.improver,
        "config": jsonable(config.as_dict()),
        "spent": spent.as_dict(),
        "trials": jsonable([trial_json(trial) for trial in trials]),
    }
