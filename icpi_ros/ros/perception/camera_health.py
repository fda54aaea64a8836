"""Health of a camera's images since the last report, the worst of it in one line; no ROS."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from icpi_ros.core.types import SECOND
from icpi_ros.perception.tracking_types import Rejection

MAX_RATE = 300.0
"""More images per second than any camera here sends [Hz]: a driver's error, or a bag too fast."""
MAX_KINDS = 20
"""Kinds of problems that are counted apart; what a message holds must not fill the memory."""
MANY = "other problems"
_NOTABLE = (Rejection.CLOCK, Rejection.FUTURE)
"""Worth a line even where other images were good."""


class CameraHealth:
    """Counts of images and their problems, each kind of which is logged once; single-threaded."""

    def __init__(self, log: Callable[[str], object]) -> None:
        self._log = log
        self._known: set[str] = set()
        self._begin = time.monotonic()
        self._latency: float | None = None
        self._clear()

    def _clear(self) -> None:
        self._problems: Counter[str] = Counter()
        self._rejected: Counter[Rejection] = Counter()
        self._images = 0

    def problem(self, text: str) -> None:
        """Count an image (or calibration) that could not be used at all, and why."""
        if text not in self._known:
            text = text if len(self._known) < MAX_KINDS else MANY
            if text not in self._known:
                self._known.add(text)
                self._log(text)
        self._problems[text] += 1

    def image(self, stamp: int, rejected: Rejection, now: int | None) -> None:
        """Count an image that was looked at.

        Args:
            stamp: of the image [ns].
            rejected: why it gave no position.
            now: the same clock now [ns]; None = unknown.
        """
        self._images += 1
        self._rejected[rejected] += 1
        if now is not None:
            self._latency = (now - stamp) / SECOND

    @property
    def silent(self) -> bool:
        """True if no image arrived since the last report."""
        return not (self._images or self._problems)

    def take(self) -> tuple[str | None, dict[str, str]]:
        """Return what was wrong since the last call (None = nothing), and values to show."""
        end = time.monotonic()
        length, self._begin = max(end - self._begin, 1e-3), end
        rate, seen = self._images / length, self._rejected.pop(Rejection.NO, 0)
        values = {
            "images per second": f"{rate:.1f}",
            "share seen": f"{seen / self._images:.2f}" if self._images else "-",
            "latency [s]": "-" if self._latency is None else f"{self._latency:.4f}",
        }
        values |= {f"not seen: {why.value}": str(n) for why, n in self._rejected.items()}
        values |= {f"unusable: {why}": str(n) for why, n in self._problems.items()}
        worst = self._worst(rate, seen)
        self._clear()
        return worst, values

    def _worst(self, rate: float, seen: int) -> str | None:
        found = [why for why, _ in self._problems.most_common(1)]
        found += [why.value for why in _NOTABLE if self._rejected[why]]
        rejected = self._rejected.total()
        if not found and rejected > seen:  # an arm hides the object now and then
            found.append(f"not seen: {self._rejected.most_common(1)[0][0].value}")
        if not found and rate > MAX_RATE:
            found.append(f"{rate:.0f} images per second, at most {MAX_RATE:.0f} expected")
        return "; ".join(found) or None
