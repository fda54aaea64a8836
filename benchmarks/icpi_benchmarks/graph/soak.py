"""Changes of a graph over hundreds of trials: memory, processes, shared memory."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MAX_GROWTH = 0.05
"""Share by which a node's memory may grow after ``SETTLED`` trials."""
SETTLED = 50
"""Trials after which every node has made its one-time allocations."""
AVERAGED = 5
"""Trials over which memory is averaged at both ends."""
SHARED = Path("/dev/shm")


@dataclass(frozen=True)
class Growth:
    """Resident memory of one node: after ``SETTLED`` trials and at the end [bytes]."""

    node: str
    begin: float
    end: float

    @property
    def share(self) -> float:
        """Growth as a share of the memory at the beginning."""
        return self.end / self.begin - 1.0


@dataclass(frozen=True)
class Soak:
    """Measurements of a long run.

    Attributes:
        trials: asked for.
        stored, told: numbers of the trials in the store, and of those reported to the client.
        growth: of every node's memory.
        processes: of the graph that still run after its end.
        shared: new files in shared memory that no process has open any more.
        seconds: wall time of the run [s].
    """

    trials: int
    stored: tuple[int, ...]
    told: tuple[int, ...]
    growth: tuple[Growth, ...]
    processes: tuple[str, ...]
    shared: tuple[str, ...]
    seconds: float

    @property
    def problems(self) -> list[str]:
        """Problems, one line each."""
        expected = tuple(range(self.trials))
        found = [
            f"{where}: trials lost or doubled: {_difference(numbers, expected)}"
            for where, numbers in (("store", self.stored), ("client", self.told))
            if numbers != expected
        ]
        found += [
            f"{g.node} grew by {g.share:.1%} after trial {SETTLED}, at most {MAX_GROWTH:.0%}"
            for g in self.growth
            if g.share > MAX_GROWTH
        ]
        found += [f"process left: {name}" for name in self.processes]
        return found + [f"shared memory left: {name}" for name in self.shared]


def resident(pid: int) -> int:
    """Return the resident memory of a process [bytes], 0 if it is gone (proc(5), VmRSS)."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    found = re.search(r"^VmRSS:\s+(\d+) kB", text, re.MULTILINE)
    return 1024 * int(found[1]) if found else 0


def node_pids(log: str) -> dict[str, int]:
    """Return the processes of a graph by node, from its log."""
    return {name: int(pid) for name, pid in re.findall(r"(\w+) started \(pid=(\d+)\)", log)}


def growth_of(samples: Mapping[str, Sequence[int]]) -> tuple[Growth, ...]:
    """Return how memory grew; ``samples`` has one number [bytes] per trial for every node."""
    return tuple(
        Growth(
            node,
            float(np.median(values[SETTLED - AVERAGED : SETTLED + AVERAGED])),
            float(np.median(values[-2 * AVERAGED :])),
        )
        for node, values in samples.items()
    )


def shared_files() -> frozenset[str]:
    """Return the names of the files in shared memory."""
    return frozenset(path.name for path in SHARED.iterdir()) if SHARED.is_dir() else frozenset()


def orphaned(names: Iterable[str]) -> tuple[str, ...]:
    """Return those files in shared memory that no process of this machine has open.

    The others belong to programs that run at the same time.
    """
    used = ""
    for maps in Path("/proc").glob("[0-9]*/maps"):
        try:
            used += maps.read_text(encoding="utf-8", errors="replace")
        except OSError:  # it ended meanwhile, or is another user's
            continue
    return tuple(sorted(n for n in names if f"{SHARED}/{n}" not in used and (SHARED / n).exists()))


def still_running(pids: Mapping[str, int], limit: float) -> tuple[str, ...]:
    """Return the names of processes that still run ``limit`` [s] after their end was requested."""
    deadline = time.monotonic() + limit
    while left := [name for name, pid in pids.items() if resident(pid)]:
        if time.monotonic() > deadline:
            return tuple(left)
        time.sleep(0.05)
    return ()


def _difference(numbers: Iterable[int], expected: Sequence[int]) -> str:
    seen = list(numbers)
    lost = sorted(set(expected) - set(seen))
    doubled = sorted({n for n in seen if seen.count(n) > 1})
    return f"lost {lost or 'none'}, doubled {doubled or 'none'}"
