"""Puts this folder on the path, so that tests can import shared helpers such as ``toy``."""

import gc
import itertools
import os
import re
import shutil
import signal
import tempfile

import pytest
from hypothesis import settings

pytest_plugins = ["pytester", "kinds", "lanes", "unsteady"]


# Otherwise an example may take 0.2 s, except where CI is set: a test would judge by the clock.
settings.register_profile("unhurried", settings.default, deadline=None)
settings.load_profile("unhurried")


CACHE, DATA = "ICPI_CACHE", "XDG_DATA_HOME"
"""Folders of this session, shared by its workers and their processes: fits, and what a user's own
store would be, which no test may see."""

GARBAGE = (50_000, 20, 100)
"""When the collector of garbage looks: Python's own 700, 10 and 10 are for less memory than tests
may have, and 7 % of their processor time."""


def pytest_configure(config):
    """A shell starts what runs in its background deaf to Ctrl-C, and all that it starts in turn."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        os.environ.pop("ICPI_STORE", None)
        for variable in (CACHE, DATA):
            os.environ[variable] = tempfile.mkdtemp(prefix="icpi-test-")


def pytest_collection():
    """What is collected stays until the end: the collector of garbage need not go through it."""
    gc.disable()


def pytest_collection_finish():
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    gc.enable()


def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        for variable in (CACHE, DATA):
            if folder := os.environ.get(variable):
                shutil.rmtree(folder, ignore_errors=True)


FOLDERS = itertools.count()


@pytest.fixture
def tmp_path(request, tmp_path_factory):
    """Folder of one test; pytest's own looks through those of all tests before, for each anew."""
    name = re.sub(r"\W", "_", request.node.name)[:30]
    path = tmp_path_factory.getbasetemp() / f"{name}{next(FOLDERS)}"
    path.mkdir(mode=0o700)
    return path
