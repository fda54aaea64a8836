"""Plug-in of pytest: a table at the end of what ran, what was skipped and why, by kind of test."""

import os
import time
from collections import Counter, defaultdict

import pytest

KINDS = ("unit", "contract", "examples", "graph", "launch", "browser")
STEPS = "SUITE_STEPS"
"""Environment variable with what ran before the tests: "lint=1.2 types=3.4" [s]."""
UNSTEADY = pytest.StashKey[set]()
"""Node ids of the tests that failed and then passed alone; set by the plug-in ``unsteady``."""
DIED = pytest.StashKey[str]()
"""Worker that died, if one did; set by the plug-in ``lanes``."""
OUTPUT = "skipped modules"


def kind(nodeid):
    """Return the kind of a test, from its folder below ``test``."""
    folders = nodeid.split("::")[0].split("/")[:-1]
    return next((folder for folder in folders if folder in KINDS), "other")


def reason(report):
    """Return why a test or a module was skipped."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


class Worker:
    """Tells the controller of modules that were skipped as a whole, which xdist keeps to itself."""

    def __init__(self, config):
        self.config, self.skipped = config, []

    def pytest_collectreport(self, report):
        if report.skipped:
            self.skipped.append((kind(report.nodeid), reason(report)))

    def pytest_sessionfinish(self):
        self.config.workeroutput[OUTPUT] = self.skipped


class Table:
    """Counts tests and prints the table."""

    def __init__(self, config):
        self.config, self.begin = config, time.monotonic()
        self.ran, self.failed = defaultdict(set), defaultdict(set)
        self.skipped, self.seconds = defaultdict(Counter), Counter()
        self.modules = set()

    def pytest_runtest_logreport(self, report):
        group = kind(report.nodeid)
        self.seconds[group] += report.duration
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped[group][reason(report)] += 1
        elif report.when == "call" or report.failed:
            self.ran[group].add(report.nodeid)
        if report.failed:
            self.failed[group].add(report.nodeid)
            reporter = self.config.pluginmanager.getplugin("terminalreporter")
            if reporter.verbosity == 0:  # named at once: the details only come at the end
                reporter.ensure_newline()
                reporter.write_line(f"failed: {report.nodeid} ({report.when})")

    def pytest_collectreport(self, report):
        if report.skipped:
            self.modules.add((kind(report.nodeid), reason(report)))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node):
        told = getattr(node, "workeroutput", {}).get(OUTPUT, [])  # none of a worker that crashed
        self.modules |= {(group, text) for group, text in told}

    def pytest_terminal_summary(self, terminalreporter):
        unsteady = self.config.stash.get(UNSTEADY, set())
        write = terminalreporter.write_line
        for group, text in self.modules:
            self.skipped[group][text + " (whole file)"] += 1
        terminalreporter.write_sep("=", "what ran")
        write(f"{'':10}{'ran':>6}{'failed':>8}{'unsteady':>10}{'skipped':>9}{'seconds':>9}")
        for step, seconds in (pair.split("=") for pair in os.environ.get(STEPS, "").split()):
            write(f"{step:10}{'yes':>6}{0:>8}{'':19}{float(seconds):9.1f}")
        for group in (*KINDS, "other"):
            ran, failed = self.ran[group], self.failed[group]
            if ran or self.skipped[group]:
                numbers = (len(ran), len(failed - unsteady), len(failed & unsteady))
                write(
                    "{:10}{:>6}{:>8}{:>10}".format(group, *numbers)
                    + f"{self.skipped[group].total():>9}{self.seconds[group]:9.1f}"
                )
        spent = time.monotonic() - self.begin
        write(f"seconds of tests are added up over all workers; by the clock {spent:.0f} s")
        for group, reasons in self.skipped.items():
            for text, number in reasons.items():
                write(f"skipped {group} x {number}: {text}")


def pytest_configure(config):
    worker = hasattr(config, "workerinput")
    config.pluginmanager.register(Worker(config) if worker else Table(config), "kinds of tests")
