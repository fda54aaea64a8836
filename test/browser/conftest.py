"""Pages in a real Chromium without a screen, of graphs of real processes: `make test-browser`."""

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from graph.conftest import HANG, NAMESPACE, RunningGraph, domain  # noqa: F401
from icpi_benchmarks.browser.chromium import Chromium, program
from icpi_benchmarks.browser.view_page import ViewPage, addresses_in

from icpi_ros.core.errors import IcpiError

sys.path.append(str(Path(__file__).parents[1] / "unit"))  # what its tests show and ask

ICPI = (sys.executable, "-c", "import sys; from icpi_ros.cli.main import main; sys.exit(main())")
SIZE = (760, 520)
"""Of windows that no picture is made of [px]: the processor draws them."""


def pytest_addoption(parser):
    parser.addoption("--pictures", type=Path, metavar="FOLDER", help="keep pictures of the page")


@pytest.fixture(scope="session")
def browser():
    """One browser for all tests; without one there is nothing to test, and nothing is skipped."""
    try:
        program()
    except IcpiError as exc:
        pytest.exit(str(exc), returncode=1)
    rules = "--host-resolver-rules=MAP *.example 127.0.0.1"
    with Chromium(SIZE, rules) as started:
        yield started


@pytest.fixture
def window(browser):
    """Open pages in windows of their own, which are closed at the end."""
    with contextlib.ExitStack() as stack:

        def opened(link, size=None):
            shown = ViewPage(browser, link, size)
            stack.callback(shown.tab.close)
            return shown

        yield opened


@pytest.fixture(scope="module")
def graph(tmp_path_factory, domain):  # noqa: F811
    """A simulated graph in which a person approves every motion and puts the scene back."""
    folder = tmp_path_factory.mktemp("viewed")
    with RunningGraph(folder, approval="true", scene="operator", max_step="0.5") as running:
        yield running


class ViewCommand:
    """`icpi view` of the graph, as a process of its own.

    Attributes:
        link: that it printed.
        port: of its page.
    """

    def __init__(self, folder, port=0):
        file = folder / f"addresses-{time.monotonic_ns()}.json"
        words = ("view", "--namespace", NAMESPACE, "--operate", "--port", port, "--json", file)
        self.process = subprocess.Popen([*ICPI, *map(str, words)], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + HANG
        while not (found := addresses_in(file)):
            assert self.process.poll() is None, "icpi view has ended"
            assert time.monotonic() < deadline, "icpi view opened no page"
            time.sleep(0.05)
        self.link, self.stop_link = found["page"], found["stop"]
        self.port = int(self.stop_link.rsplit(":", 1)[1].strip("/"))

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait(HANG)


@pytest.fixture
def view(graph, tmp_path):
    """Start `icpi view` of the graph; all are ended."""
    started = []

    def start(port=0):
        started.append(ViewCommand(tmp_path, port))
        return started[-1]

    yield start
    for command in started:
        if command.process.poll() is None:
            command.signal(signal.SIGCONT)
            command.kill()
