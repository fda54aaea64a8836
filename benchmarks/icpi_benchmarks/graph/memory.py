"""Memory of the nodes of a run: the largest share that each held while trials were carried out.

Nodes of one graph are forks of one process and share what it imported, so that their resident
memory cannot be added up.  Proportional shares (PSS) can: what is shared is divided among those who
share it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TARGET = 400e6
"""Most memory of a run's nodes together, sum of their largest shares [bytes]."""
_KINDS = {"rss": ("Rss",), "pss": ("Pss",), "uss": ("Private_Clean", "Private_Dirty")}


class PeakMemory:
    """Largest memory of some processes at the moments of a run.

    Args:
        pids: of the processes, by name.
    """

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self._peaks: dict[str, dict[str, int]] = {}

    def look(self) -> None:
        """Look at all of them now."""
        for name, pid in self._pids.items():
            now, peak = held(pid), self._peaks.setdefault(name, dict.fromkeys(_KINDS, 0))
            self._peaks[name] = {kind: max(now[kind], peak[kind]) for kind in _KINDS}

    def rows(self) -> dict[str, Any]:
        """Return the largest memory of each [bytes], and the sums of these."""
        sums = {kind: sum(peak[kind] for peak in self._peaks.values()) for kind in _KINDS}
        return {"nodes": self._peaks, "together": sums}


def held(pid: int) -> dict[str, int]:
    """Return resident, proportional and own memory of a process [bytes] (proc(5), smaps_rollup)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    found = {name: 1024 * int(size) for name, size in re.findall(r"(\w+):\s+(\d+) kB", text)}
    return {kind: sum(found[name] for name in names) for kind, names in _KINDS.items()}


def kept(rows: Mapping[str, Any]) -> bool:
    """Return True if the target is met."""
    return bool(rows["together"]["pss"] <= TARGET)


def text(rows: Mapping[str, Any]) -> str:
    """Return the rows as lines."""
    lines = [f"{'largest [MB]':<16} {'PSS':>7} {'USS':>7} {'RSS':>7}"]
    for name, peak in {**rows["nodes"], "together": rows["together"]}.items():
        sizes = [f"{peak[kind] / 1e6:7.1f}" for kind in ("pss", "uss", "rss")]
        lines.append(f"{name:<16} {' '.join(sizes)}")
    return "\n".join([*lines, f"PSS together: at most {TARGET / 1e6:g} MB allowed"])
