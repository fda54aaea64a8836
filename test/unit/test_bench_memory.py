"""What `icpi bench memory` makes of what a kernel says of processes."""

import mmap
import os

from icpi_benchmarks.graph.memory import PeakMemory, held, kept, text

MB = 1_000_000


def test_the_largest_of_each_process_counts_and_is_added_up():
    memory = PeakMemory({"me": os.getpid(), "again": os.getpid()})
    with mmap.mmap(-1, 64 * MB) as block:
        block[:: mmap.PAGESIZE] = b"x" * len(range(0, len(block), mmap.PAGESIZE))
        memory.look()
        at_most = held(os.getpid())
    memory.look()
    assert held(os.getpid())["uss"] < at_most["uss"] - 60 * MB
    rows = memory.rows()
    for kind, size in rows["nodes"]["me"].items():
        assert abs(size - at_most[kind]) < MB
        assert rows["together"][kind] == size + rows["nodes"]["again"][kind]


def test_what_is_shared_is_counted_once():
    nodes = {name: {"pss": 200 * MB, "uss": 150 * MB, "rss": 300 * MB} for name in ("a", "b")}
    rows = {"nodes": nodes, "together": {"pss": 400 * MB, "uss": 300 * MB, "rss": 600 * MB}}
    assert kept(rows)
    rows["together"]["pss"] += 1
    assert not kept(rows)
    assert "together           400.0   300.0   600.0" in text(rows)
