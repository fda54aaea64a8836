"""Puts this folder on the path, for shared helpers such as ``toy``, and groups tests."""

from pathlib import Path

import pytest

GRAPHS = ("graph", "launch")
"""Folders of tests that start graphs."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Where several processes share the tests, one gets all graphs, the longest part, and begins.

    Graphs look at the clock and each is several processes: two side by side disturb each other.
    All other tests stay together by file.
    """
    for item in items:
        name = "graphs" if starts_graphs(item) else item.path.stem
        item.add_marker(pytest.mark.xdist_group(name))
    items.sort(key=lambda item: not starts_graphs(item))


def starts_graphs(item):
    return item.path.relative_to(Path(__file__).parent).parts[0] in GRAPHS
