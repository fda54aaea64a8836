"""Plug-in of pytest: a graph test that failed runs once more, alone, after all others.

With ``--once-more`` only.  One that then passes is unsteady: it is named, both logs are printed,
and more than :data:`MOST` of them fail the run.  An unsteady test is a fault to be found.
"""

import os
import subprocess
import sys

import pytest
from kinds import DIED, UNSTEADY, kind

KINDS = ("graph", "launch")
MOST = 2
"""Unsteady tests that a run may have."""
AGAIN = 10
"""Failed tests that are run again; where more fail, something is broken."""
LIMIT = 600.0
"""Of one second run, to end one that hangs [s]."""
SECOND_RUN = "SUITE_SECOND_RUN"
"""Environment variable of a second run: its graph logs are shown although it passes."""


class Unsteady:
    """Runs again what failed and tells what came of it."""

    def __init__(self, config):
        self.config = config
        self.failed, self.second = {}, {}

    def pytest_runtest_logreport(self, report):
        if report.failed and kind(report.nodeid) in KINDS:
            self.failed.setdefault(report.nodeid, []).append(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session, exitstatus):
        if DIED in self.config.stash:
            return
        if exitstatus != pytest.ExitCode.TESTS_FAILED or not 0 < len(self.failed) <= AGAIN:
            return
        reporter = self.config.pluginmanager.getplugin("terminalreporter")
        for nodeid in self.failed:
            reporter.ensure_newline()
            reporter.write_line(f"once more, alone: {nodeid}")
            self.second[nodeid] = self.run(nodeid)
        steady = {name for name, (passed, _) in self.second.items() if passed}
        self.config.stash[UNSTEADY] = steady
        if not move(reporter.stats, steady) and len(steady) <= MOST:
            session.exitstatus = pytest.ExitCode.OK

    def run(self, nodeid):
        """Run one test in a process of its own; return whether it passed, and its output."""
        command = [sys.executable, "-m", "pytest", "-p", "no:xdist", "-rP", nodeid]
        env = {k: v for k, v in os.environ.items() if k != "PYTEST_ADDOPTS"} | {SECOND_RUN: "1"}
        try:
            done = subprocess.run(
                command,
                cwd=self.config.rootpath,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            return False, f"ended after {LIMIT:g} s\n{exc.stdout or ''}"
        return done.returncode == 0, done.stdout

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter):
        write, sep = terminalreporter.write_line, terminalreporter.write_sep
        if len(self.failed) > AGAIN:
            sep("=", f"{len(self.failed)} graph tests failed: too many to run them once more")
        for nodeid, (passed, output) in self.second.items():
            if passed:
                for report in self.failed[nodeid]:
                    sep("_", f"first run failed: {nodeid}")
                    write(report.longreprtext)
                    for name, content in report.sections:
                        sep("-", name)
                        write(content)
            sep("_", f"second run {'passed' if passed else 'failed too'}: {nodeid}")
            write(output)
        self.name(terminalreporter)

    def name(self, terminalreporter):
        """Name the unsteady tests in one block."""
        steady = self.config.stash.get(UNSTEADY, set())
        if not steady:
            return
        terminalreporter.write_sep("=", "UNSTEADY: a fault to be found", yellow=True, bold=True)
        for nodeid in sorted(steady):
            terminalreporter.write_line(f"failed, then passed alone: {nodeid}")
        if len(steady) > MOST:
            terminalreporter.write_line(
                f"{len(steady)} unsteady tests, at most {MOST} allowed: the run has failed"
            )


def move(stats, steady):
    """Take the reports of unsteady tests from the failed ones; tell whether any failed are left."""
    for category in ("failed", "error"):
        reports = stats.pop(category, [])
        if others := [report for report in reports if report.nodeid not in steady]:
            stats[category] = others
        if moved := [report for report in reports if report.nodeid in steady]:
            stats.setdefault("unsteady", []).extend(moved)
    return "failed" in stats or "error" in stats


def pytest_addoption(parser):
    parser.addoption(
        "--once-more", action="store_true", help="run failed graph tests once more, alone"
    )


def pytest_configure(config):
    if config.option.once_more and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Unsteady(config), "unsteady tests")
