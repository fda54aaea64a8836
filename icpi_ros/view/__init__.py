"""Pages of runs in a browser: the live one, on viser, and that of the stored runs, without it."""

from __future__ import annotations

from importlib.util import find_spec

from icpi_ros.core.errors import UsageError


def need_viser() -> None:
    """Refuse to go on without viser.

    Raises:
        UsageError: it is not installed.
    """
    if find_spec("viser") is None:
        raise UsageError(
            "the page needs viser, which is not installed: run `make setup "
            "SETUP_FLAGS=--with=view`, or `pip install 'icpi_ros[view]'`"
        )
