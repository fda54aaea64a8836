"""Puts this folder on the path, so that tests can import shared helpers such as ``toy``."""

import os
import shutil
import signal
import tempfile

from hypothesis import settings

pytest_plugins = ["pytester", "kinds", "lanes", "unsteady"]


# Otherwise an example may take 0.2 s, except where CI is set: a test would judge by the clock.
settings.register_profile("unhurried", settings.default, deadline=None)
settings.load_profile("unhurried")


CACHE = "ICPI_CACHE"
"""Fits of this session, shared by its workers and their processes."""


def pytest_configure(config):
    """A shell starts what runs in its background deaf to Ctrl-C, and all that it starts in turn."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        os.environ[CACHE] = tempfile.mkdtemp(prefix="icpi-test-cache-")


def pytest_unconfigure(config):
    if not hasattr(config, "workerinput") and CACHE in os.environ:
        shutil.rmtree(os.environ[CACHE], ignore_errors=True)
