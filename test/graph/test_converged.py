"""The end of a graph's runs is as the graph was started, that of resumed ones, too."""

import numpy as np
import pytest
from toy_task import TOY, rollout

from icpi_msgs.action import Improve
from icpi_ros.core.types import Proposal
from icpi_ros.improvers import IMPROVERS
from icpi_ros.improvers.base import Improver
from icpi_ros.ros.improver.improvement import ImprovementJob, Listener, Setup
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.tasks import TASKS


class Certain(Improver):
    """Expects to gain nothing."""

    name = "certain"
    summary = "for tests"
    needs_dataset = False
    predicts_gain = True

    def propose(self, history, rng):
        details = {"expected_gain": 0.0, "trial_noise": 0.001}
        return Proposal(TOY.space.sample(rng), self.name, details=details)


class Handle:
    def __init__(self, **goal):
        self.request = Improve.Goal(task=TOY.name, budget=5, **goal)


class Motions:
    """Executes in closed form."""

    def arm(self):
        pass

    def execute(self, trial_id, proposal, changed, followed):
        return rollout(np.array(proposal.theta)), 1.0


@pytest.fixture(autouse=True)
def registered():
    with IMPROVERS.temporarily("certain", Certain), TASKS.temporarily(TOY.name, TOY):
        yield


def improved(path, stop, lines, **goal):
    """Result of one goal in a node that was started with ``stop``."""
    listener = Listener(
        lambda *feedback: None, lambda *trial: None, lambda *proposal: None, lines.append
    )
    setup = Setup(TOY, "certain", path, None, stop=stop)
    result = ImprovementJob(setup, Handle(**goal), Motions(), listener).run()
    assert result.error_code == 0, result.error_msg
    return result


def test_a_run_ends_when_converged_and_goes_on_where_another_graph_says_so(
    tmp_path,
):
    path, lines = tmp_path / "t.sqlite", []
    first = improved(path, "when-converged", lines)
    assert first.trials == 3
    why = "converged: expected gain of 2 further trials 0.00 mm, below the noise 1.00 mm"
    assert lines[-1] == f"run {first.run_id} ends: {why}"
    with TrialStore(path) as store:
        record = store.run(first.run_id)
    assert (record.state, record.note, record.config.stop) == ("finished", why, "when-converged")

    again = improved(path, "when-converged", lines, resume_run_id=first.run_id)
    assert (again.trials, lines[-1]) == (3, f"run {first.run_id} ends: {why}")
    more = improved(path, "after-trials", lines, resume_run_id=first.run_id)
    assert f"run {first.run_id} began with stop = when-converged, now it is after-trials" in lines
    assert (more.trials, lines[-1]) == (5, f"run {first.run_id} ends: all 5 trials used")
