"""Puts this folder on the path, so that tests can import shared helpers such as ``toy``."""

import signal

from hypothesis import settings

pytest_plugins = ["pytester", "kinds", "lanes", "unsteady"]


# Otherwise an example may take 0.2 s, except where CI is set: a test would judge by the clock.
settings.register_profile("unhurried", settings.default, deadline=None)
settings.load_profile("unhurried")


def pytest_configure():
    """A shell starts what runs in its background deaf to Ctrl-C, and all that it starts in turn."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
