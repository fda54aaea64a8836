"""Plug-in of pytest: which worker runs which file, where xdist has several.

Graphs wait more than they work, everything else only works.  So the first workers (``--graphs``)
run graphs, one at a time each, and the others everything else on what the graphs leave of the
processors; a worker that has no more of its own takes what there is.
"""

import contextlib
import os

import pytest
from kinds import DIED, kind

try:
    from xdist.scheduler import LoadScopeScheduling
except ImportError:  # without xdist there are no lanes
    LoadScopeScheduling = object

RECORDED = ("test_replay", "test_record", "test_offline", "test_replay_pixels")
TOGETHER = dict.fromkeys(RECORDED, "recorded")
"""Files that share recorded runs."""
FIRST = (
    "test_processes", "recorded", "test_gripper_stops", "test_stop", "test_gripper",
    "test_real_graph", "test_arm_faults", "test_operator", "test_own_motion", "test_pixels",
    "test_improvers", "test_bench", "test_llm", "test_tasks", "test_safety_property",
    "test_outcome_model", "test_bench_report", "test_identify", "test_cli", "test_build",
    "test_bench_pixels", "test_suite", "test_setup_installer",
)  # fmt: skip
"""Files that take longest: begun last, one of them would be waited for alone."""
NICE = 5


def graphic(name):
    """Tell whether a test or a file of tests starts graphs."""
    return kind(name) in ("graph", "launch")


def stem(name):
    """Return the name of a test's file without its folder and ending."""
    return name.split("::")[0].rsplit("/", 1)[-1].removesuffix(".py")


class Lanes(LoadScopeScheduling):
    """Hands out whole files: the longest first, graphs to the first workers."""

    def _split_scope(self, nodeid):
        file = nodeid.split("::")[0]
        return f"{file.rsplit('/', 1)[0]}/{TOGETHER.get(stem(nodeid), stem(nodeid))}"

    def _assign_work_unit(self, node):
        self.workqueue.move_to_end(self._next(node), last=False)
        with contextlib.suppress(OSError):  # it has just died: that will be told by its end
            super()._assign_work_unit(node)

    def remove_node(self, node):
        """Forget a worker; return the test in which it died, after which no file is begun.

        xdist hands out its files again, done or not: the next worker dies of the same test, or
        waits for ever for the end of a file of which nothing is left.
        """
        workload = self.assigned_work.pop(node)
        left = [test for file in workload.values() for test, done in file.items() if not done]
        if not left:
            return None
        self.workqueue.clear()
        return left[0]

    def _next(self, node):
        """Return the scope that a worker takes next: of its own kind, the longest."""
        lane = is_graph_lane(self.config, node.gateway.id)

        def rank(scope):
            place = FIRST.index(stem(scope)) if stem(scope) in FIRST else len(FIRST)
            return graphic(f"{scope}.py") != lane, place, -len(self.workqueue[scope])

        return min(self.workqueue, key=rank)


def is_graph_lane(config, worker):
    """Tell whether a worker ("gw0") runs graphs first."""
    return int(worker.removeprefix("gw")) < config.option.graphs


def pytest_addoption(parser):
    parser.addoption("--graphs", type=int, help="hand out whole files; so many workers run graphs")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return None if config.option.graphs is None else Lanes(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    if error and error != "keyboard-interrupt":
        node.config.stash[DIED] = node.gateway.id


def pytest_sessionfinish(session):
    if DIED in session.config.stash and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED  # between two tests: none has failed


def pytest_terminal_summary(terminalreporter, config):
    if worker := config.stash.get(DIED, ""):
        terminalreporter.write_line(f"worker {worker} died: not all tests ran", red=True)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    worker = getattr(config, "workerinput", {}).get("workerid")
    if worker is None and config.option.graphs is not None and LoadScopeScheduling is not object:
        config.option.maxworkerrestart = "0"
    if worker and config.option.graphs and not is_graph_lane(config, worker):
        os.nice(NICE)
