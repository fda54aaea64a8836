"""Real graphs of real processes, each in a ROS domain that no other graph on this machine uses."""

import contextlib
import functools
import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import ClassVar

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import warm
from careful import CAREFUL
from own_domain import own_domain
from unsteady import SECOND_RUN

from icpi_ros.core.errors import IcpiError
from icpi_ros.ros.bringup.description import graph as description
from icpi_ros.ros.bringup.processes import BackgroundGraph

NODES = ("mujoco_arm", "perception", "executor", "policy_improver")
NAMESPACE = "test"
TRIALS = 3
"""Of the recorded run."""
PACE = 2
"""Simulated seconds per second of graphs in which a motion has a middle: not too long a one."""
SHOWN = 60
"""Lines of a failed test's graph logs that are shown."""
SECRET = "sk-this-is-a-key-0123456789"
HANG = 120.0
"""Ends a wait for what will not come [s]; judges nothing: machines are slow, and busy."""
PATIENCE = {
    "executor": {
        "start_timeout": 120.0,
        "joint_state_timeout": 10.0,
        "object_state_timeout": 60.0,
        "reply_timeout": 60.0,
    },
    "policy_improver": {
        "connect_timeout": 120.0,
        "heartbeat_timeout": 60.0,
        "observation_timeout": 60.0,
    },
}
"""Deadlines of nodes in tests that are not about them: they too only end a hang."""

SIMULATED = {spec.name: spec.parameters for spec in description("sim", {})}
LOOSE = {name: SIMULATED["executor"][name] for name in CAREFUL}
"""Parameters of an executor that is started alone and asks nobody: those of a simulation."""


def parameters(file, nodes):
    """Write a file of parameters, those of :data:`PATIENCE` and what a test sets; return it."""
    merged = {node: PATIENCE.get(node, {}) | nodes.get(node, {}) for node in (*PATIENCE, *nodes)}
    content = {node: {"ros__parameters": values} for node, values in merged.items()}
    file.write_text(json.dumps({"/**": content}))  # JSON is YAML
    return file


@pytest.fixture(scope="session", autouse=True)
def domain():
    """One domain for the session; tests that run side by side reserve different ones."""
    yield from own_domain()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Show the graph logs that a failed test wrote: which node was late, or what it said.

    Those of a second run also where it passed: the two are compared.
    """
    report = yield
    if report.failed or os.environ.get(SECOND_RUN):
        for log in RunningGraph.logs:
            if log.exists() and log.stat().st_mtime >= call.start:
                lines = log.read_text(errors="replace").splitlines()
                report.sections.append((str(log), "\n".join(lines[-SHOWN:])))
    return report


class WarmGraph(BackgroundGraph):
    """A graph that has been spared its imports."""

    start = warm.Popen


class RunningGraph:
    """A graph with its store, its log and the pids of its nodes.

    Args:
        folder: for store, log and parameters.
        env: further environment variables.
        graph: its name.
        nodes: parameters by node that its arguments do not have.
        cold: it is started as a user starts it.
        arguments: launch arguments.
    """

    logs: ClassVar[list[Path]] = []
    """Of all graphs so far."""

    def __init__(self, folder, env=None, graph="sim", nodes=None, cold=False, **arguments):
        self.store = folder / "trials.sqlite"
        self.log = folder / "graph.log"
        usual = {"namespace": NAMESPACE}
        if graph != "replay":
            file = parameters(folder / "params.yaml", nodes or {})
            usual |= {"params_file": file, "store": self.store}
        if graph == "sim":
            usual |= {"real_time_factor": 0}
        given = usual | arguments
        self.process = (BackgroundGraph if cold else WarmGraph)(graph, given, self.log, env)

    def __enter__(self):
        self.process.__enter__()
        self.logs.append(self.log)
        return self

    def __exit__(self, *exc):
        for pid in self.pids().values():  # a test may have left one stopped
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.process.stop()

    def text(self):
        return self.log.read_text() if self.log.exists() else ""

    def pids(self):
        return {n: int(p) for n, p in re.findall(r"(\w+) started \(pid=(\d+)\)", self.text())}

    def death(self):
        return None if self.process.alive else self.process.reason()

    def wait_until_ended(self, limit=HANG):
        return self.process.process.wait(limit)


def running(pid):
    """Tell whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_gone(pids, limit=HANG):
    deadline = time.monotonic() + limit
    while left := [pid for pid in pids if running(pid)]:
        assert time.monotonic() < deadline, f"processes {left} live after {limit} s"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def fast(tmp_path_factory, domain):
    """A free-running graph for the tests of one module."""
    with RunningGraph(tmp_path_factory.mktemp("fast")) as graph:
        yield graph


@pytest.fixture(scope="module")
def timed(tmp_path_factory, domain):
    """A graph at a known pace for the tests of one module."""
    with RunningGraph(tmp_path_factory.mktemp("timed"), real_time_factor=PACE) as graph:
        yield graph


def record(folder, trials=TRIALS, **arguments):
    """Carry out and record a run; return its bag, its id and its stored trials.

    The graph has ended with Ctrl-C.
    """
    from observer import Observer

    from icpi_ros.ros.base.topics import CAMERA_IMAGE, OBJECT_POSE
    from icpi_ros.ros.clients.improve_client import Callbacks, ImproveClient, ImproveRequest
    from icpi_ros.runs.store.store import TrialStore

    with RunningGraph(folder, record=folder / "bag", **arguments) as graph:
        with (
            ImproveClient(NAMESPACE) as client,
            contextlib.closing(Observer("/" + NAMESPACE)) as graph_view,
        ):
            client.connect(HANG, graph.death)
            # A free-running trial is over in half a second: a recorder that is found later lacks
            # its first samples.
            sensed = CAMERA_IMAGE if arguments.get("source") == "camera" else OBJECT_POSE
            listening = functools.partial(graph_view.node.count_subscribers, sensed)
            graph_view.wait(lambda: listening() > 1, "perception and the recorder", HANG)
            calls = Callbacks(lambda *run: None, lambda trial: None, graph.death)
            request = ImproveRequest("slide", "ridge-hindsight", budget=trials, seed=3)
            result = client.improve(request, calls)
        wait_until_recorded(folder / "bag", arguments.get("source", "tracked_pose"), trials)
        graph.process.stop()
        assert "recorder stopped (rc=0)" in graph.text()
    assert result.error_code == 0, result.error_msg
    with TrialStore(graph.store) as store:
        return folder / "bag", result.run_id, store.trials(result.run_id)


def wait_until_recorded(folder, source, count):
    """Wait until the bag has all trials and what was sensed until after the last one.

    The recorder of a busy machine is behind, and does not wait for long when its graph ends.
    """
    from icpi_ros.bags.reader import Bag
    from icpi_ros.bags.samples import stream_samples
    from icpi_ros.bags.trials import read_trials

    def whole():
        with contextlib.suppress(IcpiError):
            bag = Bag(folder)
            closed = (trial for trial in read_trials(bag) if trial.state == "closed")
            trials = [trial for trial in closed if trial.outcome and trial.path]
            if len(trials) == count:  # an attempt that was not observed is another window
                last = max(sample.ns for sample in stream_samples(bag, source))
                return last > max(trial.stop for trial in trials)
        return False

    deadline = time.monotonic() + HANG
    while not whole():
        assert time.monotonic() < deadline, f"{folder} is not complete after {HANG:g} s"
        time.sleep(0.2)


@pytest.fixture(scope="session")
def recorded(tmp_path_factory, domain):
    """One run of three trials at full speed, recorded."""
    os.environ["TEST_API_KEY"] = SECRET
    try:
        return record(tmp_path_factory.mktemp("recorded"), viewer="true", model=SECRET)
    finally:
        del os.environ["TEST_API_KEY"]


IMAGES = {"camera_rate": 30, "camera_width": 160, "camera_height": 120}
"""Few and small ones, which show as much: most of a filmed trial's processor time is theirs."""


@pytest.fixture(scope="session")
def filmed(tmp_path_factory, domain):
    """One run of two trials that only a camera saw, recorded.

    Slowly: images that perception has no time for are missed live, not offline.
    """
    folder = tmp_path_factory.mktemp("filmed")
    return record(folder, 2, source="camera", real_time_factor=0.5, **IMAGES)


@pytest.fixture
def observer():
    from observer import Observer

    node = Observer("/" + NAMESPACE)
    yield node
    node.close()


@pytest.fixture
def client():
    from icpi_ros.ros.clients.improve_client import ImproveClient

    with ImproveClient(NAMESPACE) as opened:
        yield opened


@pytest.fixture
def person(observer):
    from person import Person

    return Person(observer)
