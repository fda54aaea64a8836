"""Puts this folder on the path, so that tests can import shared helpers such as ``toy``."""

import signal

pytest_plugins = ["pytester", "kinds", "lanes", "unsteady"]


def pytest_configure():
    """A shell starts what runs in its background deaf to Ctrl-C, and all that it starts in turn."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
