"""The command that `icpi run --attach` prints for a run that is not complete, pasted as it is."""

import shlex
import signal
import subprocess
import sys

from icpi_ros.data.execution import Backend
from icpi_ros.data.store import TrialStore

from .conftest import HANG, NAMESPACE


def icpi(arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "icpi_ros.cli.main", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_printed_command_finishes_the_run_in_the_attached_graph(fast):
    given = "run --attach --task slide --improver ridge --trials 40 --target-cost 0.0"
    first = icpi([*given.split(), "--namespace", NAMESPACE, "--store", fast.store])
    told = []
    for line in first.stdout:
        told.append(line)
        if len(told) == 2:  # the run and its first trial
            first.send_signal(signal.SIGINT)
    assert first.wait(HANG) == 1, first.stderr.read()
    command = next(line for line in told if "continue with: " in line)
    program, *arguments = shlex.split(command.split("continue with: ")[1])
    assert program == "icpi"
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
