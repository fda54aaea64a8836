"""The command that `icpi run --attach` prints for a run that is not complete, pasted as it is."""

import signal

import pytest
from no_graph import NoGraph

from icpi_ros.cli.main import main
from icpi_ros.core.errors import ExecutionFailed
from icpi_ros.learn.dataset.execution import Backend
from icpi_ros.ros.clients import improve_client
from icpi_ros.runs.store.store import RunConfig, TrialStore

from .command_line import continue_with, icpi
from .conftest import HANG, NAMESPACE


def test_the_printed_command_finishes_the_run_in_the_attached_graph(fast, client):
    client.connect(HANG, fast.death)  # who attaches waits less long than a busy machine may need
    given = "run --attach --task slide --improver ridge --trials 12 --target-cost 0.0"
    first = icpi([*given.split(), "--namespace", NAMESPACE, "--store", fast.store])
    told = []
    for line in first.stdout:
        told.append(line)
        if len(told) == 2:  # the run and its first trial
            first.send_signal(signal.SIGINT)
    assert first.wait(HANG) == 130, first.stderr.read()
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


class Ends(NoGraph):
    """The client of a graph that ends, in the middle of a run if there is one."""

    run_id = ""

    def improve(self, request, calls):
        if self.run_id:
            calls.on_run(self.run_id, 0)
        raise ExecutionFailed("the graph ended: node executor ended by signal SIGKILL")


@pytest.mark.parametrize("begun", [True, False])
def test_a_run_whose_graph_ended_has_its_command_too(tmp_path, monkeypatch, capsys, begun):
    path = tmp_path / "trials.sqlite"
    with TrialStore(path) as store:
        run_id = store.create_run(RunConfig("slide", "ridge", (0.6, 0.42), 3))
    monkeypatch.setattr(improve_client, "ImproveClient", Ends)
    monkeypatch.setattr(Ends, "run_id", run_id if begun else "")
    given = ["run", "--attach", "--task", "slide", "--trials", "3", "--namespace", "lab"]
    assert main([*given, "--store", str(path)]) == 1
    told = capsys.readouterr()
    assert told.err == "icpi: error: the graph ended: node executor ended by signal SIGKILL\n"
    assert ("continue with: " in told.out) is begun
    if begun:
        again = ["run", "--resume", run_id, "--store", str(path), "--namespace", "lab", "--attach"]
        assert continue_with(told.out) == again
