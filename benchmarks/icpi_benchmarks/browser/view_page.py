"""The page of `icpi view` in a real browser: what stands there, and a person's hands."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from icpi_benchmarks.browser.chromium import Chromium
from icpi_ros.core.errors import ExecutionFailed

LIMIT = 60.0
"""Longest wait for what a page is to show [s]."""
HELPERS = """
(() => {
  const frame = () => document.querySelector("iframe");
  const docs = () => [document, frame() && frame().contentDocument].filter(Boolean);
  const all = (selector) => docs().flatMap((doc) => [...doc.querySelectorAll(selector)]);
  const seen = (part) => part.getClientRects().length > 0;
  const words = (part) => (part.innerText || "").replace(/\\u200b/g, "").trim();
  window.icpi = {
    text: () => docs().map((doc) => doc.body ? doc.body.innerText : "").join("\\n"),
    button: (label) => all("button").find((b) => words(b) === label && seen(b)),
    box: (label) => icpi.of(label, "input[type=checkbox]"),
    number: (label) => icpi.of(label, "input[inputmode=decimal]"),
    choice: (label) => icpi.of(label, "input"),
    of: (label, kind) => {
      const found = all("label").find((l) => words(l) === label && seen(l));
      let part = found;
      while (part && !part.querySelector(kind)) part = part.parentElement;
      return part && part.querySelector(kind);
    },
    middle: (part) => {
      part.scrollIntoView({block: "center"});
      const outer = part.ownerDocument === document;
      const inside = outer ? {x: 0, y: 0} : frame().getBoundingClientRect();
      const box = part.getBoundingClientRect();
      return [inside.x + box.x + box.width / 2, inside.y + box.y + box.height / 2];
    },
  };
  return true;
})()
"""


def addresses_in(file: Path) -> dict[str, str] | None:
    """Return what `icpi view --json FILE` wrote; None = nothing whole yet, it may still come."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return {name: str(address) for name, address in found.items()}


class ViewPage:
    """One page of `icpi view`, open in a window.

    Attributes:
        tab: its window.
    """

    def __init__(
        self,
        browser: Chromium,
        link: str,
        size: tuple[int, int] | None = None,
        script: str = "",
    ) -> None:
        """Open a link.

        Args:
            browser: to open it in.
            link: with the token, or without.
            size: of the window [px].
            script: to run in every frame before the page's own.
        """
        self.tab = browser.open(size=size)
        if script:
            self.tab.before_scripts(script)
        self.load(link)

    def load(self, link: str) -> None:
        """Load a link in its window."""
        self.tab.go(link)
        self.tab.until("document.readyState === 'complete' && document.title !== ''")
        self.tab.evaluate(HELPERS)

    def ready(self) -> None:
        """Wait until viser's panels are there."""
        self.sees("motion", "trials")

    @property
    def line(self) -> str:
        """Text of the upper edge."""
        return str(self.tab.evaluate("document.getElementById('line').textContent"))

    def sees(self, *texts: str, limit: float = LIMIT) -> None:
        """Wait until all these texts can be read on the page."""
        for text in texts:
            self.tab.until("icpi.text().includes(text)", limit, text=text)

    def no_longer_sees(self, text: str) -> None:
        """Wait until a text cannot be read on the page any more."""
        self.tab.until("!icpi.text().includes(text)", text=text)

    def warns(self, text: str) -> None:
        """Wait until a text stands in the yellow bar."""
        bar = "document.getElementById('urgent')"
        self.tab.until(f"!{bar}.hidden && {bar}.textContent.includes(text)", text=text)

    def stop(self) -> None:
        """Press STOP."""
        self._click("document.getElementById('stop')")

    def press(self, label: str) -> None:
        """Press the button of that label, once it can be pressed."""
        self.tab.until("(b => Boolean(b) && !b.disabled)(icpi.button(label))", label=label)
        self._click("icpi.button(label)", label=label)

    def has(self, label: str) -> bool:
        """Tell whether there is a button of that label."""
        return bool(self.tab.evaluate("Boolean(icpi.button(label))", label=label))

    def tick(self, label: str) -> None:
        """Tick the box of that label."""
        self.tab.until("Boolean(icpi.box(label))", label=label)
        self._click("icpi.box(label)", label=label)

    def write(self, label: str, number: float) -> None:
        """Write a number beside the slider of that label."""
        self.tab.until("Boolean(icpi.number(label))", label=label)
        self._click("icpi.number(label)", label=label)
        self.tab.evaluate("icpi.number(label).select()", label=label)
        self.tab.write(f"{number:g}")
        self.tab.key("Enter", 13)
        self.tab.key("Tab", 9)

    def number(self, label: str) -> float:
        """Return the number beside the slider of that label."""
        return float(self.tab.until("icpi.number(label)?.value", label=label))

    def until_gone(self, label: str, press: bool = False) -> None:
        """Wait until there is no button of that label; ``press`` it again and again until then."""
        deadline = time.monotonic() + LIMIT
        while self.has(label):
            if time.monotonic() > deadline:
                raise ExecutionFailed(f"the button {label!r} is still there after {LIMIT:g} s")
            if press and self.tab.evaluate("!icpi.button(label)?.disabled", label=label):
                self._click("icpi.button(label)", label=label)
            time.sleep(0.2)

    def _click(self, part: str, **values: Any) -> None:
        """Press the left button in the middle of a part of the page."""
        x, y = self.tab.evaluate(f"icpi.middle({part})", **values)
        self.tab.click(x, y)
