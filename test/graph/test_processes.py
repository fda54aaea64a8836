"""What happens to a graph when its processes are killed, stopped, doubled or misused."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import warm

from icpi_msgs.action import ExecuteMotion, Improve
from icpi_msgs.msg import TrialWindow
from icpi_ros.core.errors import ExecutionFailed
from icpi_ros.core.types import TrialStatus
from icpi_ros.ros.base import qos, spin
from icpi_ros.ros.bringup import processes
from icpi_ros.ros.bringup.instance import runtime_dir
from icpi_ros.ros.clients.improve_client import Callbacks, ImproveClient, ImproveRequest
from icpi_ros.runs.run import Run
from icpi_ros.runs.store.store import TrialStore

from .conftest import HANG, NAMESPACE, NODES, RunningGraph, running, wait_gone

State = ExecuteMotion.Feedback
CODES = Improve.Result


def run(graph, request, **calls):
    """Carry out a run with a client of its own."""
    with ImproveClient(NAMESPACE) as client:
        client.connect(HANG, graph.death)
        return client.improve(request, Callbacks(death=graph.death, **calls))


def test_silent_perception_is_recorded_retried_once_and_ends_the_run(tmp_path, domain):
    nodes = {"executor": {"object_state_timeout": 3.0}}
    with RunningGraph(tmp_path, nodes=nodes) as graph:
        with ImproveClient(NAMESPACE) as client:
            client.connect(HANG, graph.death)
            assert (
                client.improve(ImproveRequest("slide", "random", budget=1)).trials == 1
            )  # all are there
            os.kill(graph.pids()["perception"], signal.SIGSTOP)
            result = client.improve(ImproveRequest("slide", "random", budget=3))
            assert result.error_code == CODES.UNOBSERVED
            assert "perception" in result.error_msg
            assert result.trials == 0
            with TrialStore(graph.store) as store:
                attempts = store.trials(result.run_id, all_attempts=True)
            assert [t.status for t in attempts] == [TrialStatus.UNOBSERVED] * 2
            assert all(t.trajectory is None and t.error is None for t in attempts)
            assert (attempts[0].theta == attempts[1].theta).all()
            os.kill(graph.pids()["perception"], signal.SIGCONT)
            again = client.improve(ImproveRequest("slide", resume_run_id=result.run_id, budget=3))
        assert (again.error_code, again.trials) == (0, 3)


def test_a_silent_arm_ends_the_trial_with_its_reason(tmp_path, domain, observer):
    nodes = {"executor": {"joint_state_timeout": 2.0, "start_timeout": 10.0, "reply_timeout": 5.0}}
    with RunningGraph(tmp_path, nodes=nodes, real_time_factor=1) as graph:
        _, future = observer.start([1.0, 0.0])
        observer.until(State.RETREATING, future)
        os.kill(graph.pids()["mujoco_arm"], signal.SIGSTOP)
        result = observer.reply(future).result
        assert result.error_code == ExecuteMotion.Result.ARM_SILENT
        assert "no joint state" in result.error_msg


def test_arm_and_perception_that_start_late_are_waited_for(tmp_path, domain, observer):
    late = ("mujoco_arm", "perception")
    nodes = {"executor": {"reply_timeout": 4.0}}
    with RunningGraph(tmp_path, nodes=nodes) as graph:
        observer.wait(lambda: set(late) <= set(graph.pids()), "their processes")
        for node in late:  # Python still starts: nothing was heard of them
            os.kill(graph.pids()[node], signal.SIGSTOP)
        _, future = observer.start([1.0, 0.0])
        # A sign of life every 0.5 s: longer than the deadline of replies.
        observer.wait(lambda: len(observer.feedback) > 10 or future.done(), "signs of life")
        for node in reversed(late):
            os.kill(graph.pids()[node], signal.SIGCONT)
        result = observer.reply(future).result
    assert (result.error_code, result.error_msg) == (0, "")


def test_nobody_is_killed_who_still_may_close():
    assert processes.STOP_LIMIT > processes.KILL_WAIT > spin.CLOSE_LIMIT + spin.TEAR_DOWN_LIMIT + 2


def interrupt(graph):
    """Press Ctrl-C; everything ends, and nothing is left."""
    graph.process.process.send_signal(signal.SIGINT)
    assert graph.wait_until_ended() == 0
    wait_gone(graph.pids().values())
    assert "Traceback" not in graph.text()


def test_ctrl_c_at_the_start_leaves_no_process_and_no_traceback(tmp_path, domain, observer):
    with RunningGraph(tmp_path, cold=True, real_time_factor=1) as graph:
        observer.wait(lambda: len(graph.pids()) > 0, "the first process")
        interrupt(graph)


def test_ctrl_c_in_a_stroke_leaves_no_process_and_no_traceback(tmp_path, domain, observer):
    # Slowly: the stroke must not be over before a busy machine ends it.
    with RunningGraph(tmp_path, real_time_factor=0.5) as graph:

        def improve():
            with contextlib.suppress(ExecutionFailed):  # the graph may be gone before its answer
                run(graph, ImproveRequest("slide", "random", budget=1))

        windows = observer.record(TrialWindow, "trial_window", qos.EVENT)
        user = threading.Thread(target=improve)
        user.start()
        observer.wait(lambda: windows, "a stroke that the arm has taken")
        interrupt(graph)
        user.join(HANG)
        assert "cancelled" in graph.text()
        assert "rejected" not in graph.text()  # the executor stops the arm, as it would a real one
        assert "not seen to stand" not in graph.text()
    with TrialStore(graph.store) as store:
        (record,) = store.runs()
        again = Run.resume(store, record.run_id, execution=record.execution)
        again.close()
        (trial,) = store.trials(record.run_id)
    # Interrupted, unless the improver was told of the end before the executor went.
    assert trial.status in (TrialStatus.INTERRUPTED, TrialStatus.CANCELLED)
    assert again.resumed_from == 0


@pytest.mark.parametrize(
    ("node", "parameter", "words"),
    [
        ("mujoco_arm", "real_time_factor:=-1.0", "from 0 to 100"),
        ("mujoco_arm", "physics:=[0.2]", "3 values"),
        ("executor", "arm:=tentacle", "ur5e_stick"),
        ("perception", "task:=juggle", "one of"),
        ("policy_improver", "improver:=magic", "ridge"),
    ],
)
def test_a_bad_parameter_is_one_clear_line_and_exit_code_2(domain, node, parameter, words):
    command = [sys.executable, "-m", f"icpi_ros.ros.nodes.{node}", "--ros-args", "-p", parameter]
    done = warm.run(command)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def name_holder(domain):
    """Return the process that last took the name of the node perception in this domain."""
    file = runtime_dir() / f"domain-{domain}.perception.lock"
    text = file.read_text().strip() if file.exists() else ""
    return int(text) if text.isdigit() else 0


def test_an_interrupted_node_ends_cleanly_by_itself(domain):
    command = [sys.executable, "-m", "icpi_ros.ros.nodes.perception"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + HANG
        while name_holder(domain) != process.pid:  # it has its name, and so its signal handlers
            assert running(process.pid)
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)  # terminal and ros2 launch both send one
        _, errors = process.communicate(timeout=HANG)
    assert (process.returncode, errors) == (0, "")


class Victims:
    """Graphs with one store, one after the other: a test that ended one leaves the next to others.

    What is left of a graph is never used again: only what a test did not harm is.
    """

    def __init__(self, tmp_path_factory):
        self.factory, self.store = tmp_path_factory, tmp_path_factory.mktemp("store") / "t.sqlite"
        self.graph = None

    def running(self):
        """Return a graph that runs: the one of the test before, or a new one."""
        if self.graph is None or not self.graph.process.alive:
            self.end()
            self.graph = RunningGraph(self.factory.mktemp("victim"), store=self.store)
            self.graph.store = self.store
            self.graph.__enter__()
        return self.graph

    def end(self):
        if self.graph is not None:
            self.graph.__exit__(None, None, None)
            self.graph = None


@pytest.fixture(scope="module")
def graphs(tmp_path_factory, domain):
    victims = Victims(tmp_path_factory)
    yield victims
    victims.end()


@pytest.fixture
def victims(graphs, request):
    """Graphs to be harmed; one that failed a test is not left to the next."""
    failed = request.session.testsfailed
    yield graphs
    if request.session.testsfailed > failed:
        graphs.end()


@pytest.mark.parametrize("victim", NODES)
def test_kill_9_of_any_node_loses_no_finished_trial(victims, victim):
    shown, run_ids = [], []
    graph = victims.running()

    def kill_in_the_second(trial):
        shown.append(trial)
        if len(shown) == 1:
            os.kill(graph.pids()[victim], signal.SIGKILL)

    try:
        run(
            graph,
            ImproveRequest("slide", "random", budget=3, seed=5),
            on_run=lambda run_id, trial: run_ids.append(run_id),
            on_trial=kill_in_the_second,
        )
    except Exception as exc:
        assert victim in str(exc) or "graph ended" in str(exc)  # noqa: PT017
    assert graph.wait_until_ended() != 0
    assert f"node {victim} ended by signal SIGKILL" in graph.text()
    wait_gone(graph.pids().values())
    assert "Traceback" not in graph.text()

    with TrialStore(graph.store) as store:
        before = [t for t in store.trials(run_ids[0]) if t.status is TrialStatus.DONE]
    assert before[0].theta.tolist() == shown[0].theta.tolist()

    started = []
    graph = victims.running()
    result = run(
        graph,
        ImproveRequest("slide", resume_run_id=run_ids[0], budget=3),
        on_run=lambda run_id, trial: started.append((run_id, trial)),
    )
    assert (result.error_code, result.trials) == (0, 3)
    assert started == [(run_ids[0], len(before))]
    with TrialStore(graph.store) as store:
        trials = store.trials(run_ids[0])
        every = store.trials(run_ids[0], all_attempts=True)
    assert [trial.status for trial in trials] == [TrialStatus.DONE] * 3
    assert not [trial for trial in every if trial.status is TrialStatus.RUNNING]


def test_a_second_graph_of_the_same_name_is_refused(victims, tmp_path, domain, observer):
    first = victims.running()
    observer.wait(observer.motions.ready, "the first graph")
    with RunningGraph(tmp_path) as second:
        assert second.wait_until_ended() == 2
        reason = second.process.reason()
        assert f"already runs in ROS domain {domain}" in reason
        assert f"/{NAMESPACE}/" in reason
        assert "ROS_DOMAIN_ID" in reason
    assert first.process.alive


def test_a_second_simulation_in_the_domain_is_refused_for_its_clock(victims, tmp_path, observer):
    first = victims.running()
    observer.wait(observer.motions.ready, "the first graph")
    with RunningGraph(tmp_path, namespace="other") as second:
        assert second.wait_until_ended() == 2
        assert "/clock already runs" in second.process.reason()
    assert first.process.alive


def test_ctrl_c_of_an_idle_graph_leaves_no_process_and_no_traceback(victims, observer):
    graph = victims.running()
    observer.wait(observer.motions.ready, "the executor")
    interrupt(graph)


def test_nodes_end_when_the_manager_is_killed(victims, observer):
    graph = victims.running()
    observer.wait(observer.motions.ready, "the executor")
    pids = list(graph.pids().values())
    assert len(pids) == len(NODES)
    graph.process.process.kill()
    wait_gone(pids)
