"""The command that `icpi run --attach` prints for a run that is not complete, pasted as it is."""

import signal

from icpi_ros.data.execution import Backend
from icpi_ros.data.store import TrialStore

from .command_line import continue_with, icpi
from .conftest import HANG, NAMESPACE


def test_the_printed_command_finishes_the_run_in_the_attached_graph(fast):
    given = "run --attach --task slide --improver ridge --trials 40 --target-cost 0.0"
    first = icpi([*given.split(), "--namespace", NAMESPACE, "--store", fast.store])
    told = []
    for line in first.stdout:
        told.append(line)
        if len(told) == 2:  # the run and its first trial
            first.send_signal(signal.SIGINT)
    assert first.wait(HANG) == 1, first.stderr.read()
    arguments = continue_with("".join(told))
    run_id = arguments[2]

    elsewhere = icpi(["run", "--resume", run_id, "--store", fast.store, "--in-process"])
    _, error = elsewhere.communicate(timeout=HANG)
    assert elsewhere.returncode == 2
    assert f"run {run_id} was executed in a simulation, in a graph" in error
    assert "continue it in process" in error

    again = icpi(arguments)
    out, error = again.communicate(timeout=HANG)
    assert again.returncode == 0, error
    assert "continues from trial" in out
    with TrialStore(fast.store) as store:
        record, ways = store.run(run_id), store.executions(run_id)
    assert (record.state, record.mixed) == ("finished", "")
    assert set(ways) == {record.execution}
    way = record.execution
    assert (way.backend, way.namespace) == (Backend.SIMULATED, f"/{NAMESPACE}")
    assert (way.arm, way.source, way.dry_run) == ("ur5e", "tracked_pose", "false")
