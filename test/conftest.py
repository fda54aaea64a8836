"""Puts this folder on the path, so that tests can import shared helpers such as ``toy``."""

import gc
import os
import shutil
import signal
import tempfile

from hypothesis import settings

pytest_plugins = ["pytester", "kinds", "lanes", "unsteady"]


# Otherwise an example may take 0.2 s, except where CI is set: a test would judge by the clock.
settings.register_profile("unhurried", settings.default, deadline=None)
settings.load_profile("unhurried")


CACHE, DATA = "ICPI_CACHE", "XDG_DATA_HOME"
"""Folders of this session, shared by its workers and their processes: fits, and what a user's own
store would be, which no test may see."""


def pytest_configure(config):
    """A shell starts what runs in its background deaf to Ctrl-C, and all that it starts in turn."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        os.environ.pop("ICPI_STORE", None)
        for variable in (CACHE, DATA):
            os.environ[variable] = tempfile.mkdtemp(prefix="icpi-test-")


def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        for variable in (CACHE, DATA):
            if folder := os.environ.get(variable):
                shutil.rmtree(folder, ignore_errors=True)


def pytest_sessionstart():
    gc.disable()  # a million objects are made, and hardly any of them is garbage


def pytest_collection_finish():
    """What was collected stays to the end: no collection of garbage looks at it again."""
    gc.freeze()
    gc.enable()
