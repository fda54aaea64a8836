"""Picture of a run that a notebook redraws while the run goes on.

It needs no notebook: IPython is asked only where it shows the picture.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from icpi_ros.core.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MIN_PAUSE = 1.0
"""Time between two redrawings [s]; the end of the run is always drawn."""


def need_notebook() -> Any:
    """Return the IPython of the notebook that this is.

    Raises:
        UsageError: it is none.
    """
    ipython = sys.modules.get("IPython")  # a notebook has imported it
    if ipython is None or ipython.get_ipython() is None:
        raise UsageError(
            "what is live needs a notebook (IPython): run.plot() is a figure, and "
            "icpi_ros.watch(run).link the address of a page"
        )
    return ipython


class LivePicture:
    """Picture that is shown once, by a notebook's cell or by :meth:`show`, and then kept up."""

    name = "the live picture"

    def __init__(self, draw: Callable[[], Figure]) -> None:
        """Take the function that draws the run as it is."""
        self._draw = draw
        self._shown: Any = None
        self._last = -MIN_PAUSE

    def __repr__(self) -> str:
        """Return one line."""
        return "<LivePicture: redrawn after every trial in the notebook that shows it>"

    def show(self) -> None:
        """Show the picture here, and redraw it here from now on.

        Raises:
            UsageError: this is no notebook.
        """
        self._shown = need_notebook().display.display(self._draw(), display_id=True)
        self._last = time.monotonic()

    _ipython_display_ = show

    def update(self, last: bool = False) -> None:
        """Redraw the picture where it is shown, not more often than every second.

        Args:
            last: nothing follows: redraw it now.
        """
        if self._shown is None or (not last and time.monotonic() - self._last < MIN_PAUSE):
            return
        self._shown.update(self._draw())
        self._last = time.monotonic()
