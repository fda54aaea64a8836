"""Style of all pictures and pages: colours, light and dark, and matplotlib's settings.

Pictures are drawn in the light colours.  In a page a colour of :data:`LIGHT` becomes the variable
of its name (``var(--ink)``), which the page's style sheet gives its light or its dark value.
matplotlib is imported at the first call only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

INK, QUIET, LINE, PAPER = "#1b1f24", "#59636e", "#d7dade", "#ffffff"
"""Text; labels and ticks; grids and frames; background."""
GOAL, PREDICTED, GOOD, BAD = "#c81e3c", "#3b82c4", "#1a7f45", "#b3300f"
"""The goal; predictions; passed; refused or failed."""
DEFAULT, ORACLE = "#0b4fa8", "#111315"
"""The improver that others are compared with; those that know the hidden physics."""
CATEGORIES = (
    "#c2410c", "#0f766e", "#8b1e5b", "#6b7280", "#7c6a00", "#6d28d9", "#15803d", "#b91c1c",
    "#0e7490", "#92400e",
)  # fmt: skip
"""Kinds of things.  Dark enough for text on white, apart in lightness and hue for the
colour-blind."""
SEQUENCE = (
    "#f9983e", "#f1814d", "#e66c5c", "#d9586a", "#ca457a", "#b83289", "#a51f99", "#8e0ca4",
    "#7501a8", "#5b01a5", "#3f049c", "#20068f",
)  # fmt: skip
"""Trials from the first to the last, which stands out most."""
_DARK_CATEGORIES = (
    "#ff9a5c", "#3cc9bb", "#f07ac0", "#a9b1bd", "#d8c34a", "#b294ff", "#5fd38d", "#ff8f8f",
    "#5cc8e6", "#e0a070",
)  # fmt: skip
_DARK_SEQUENCE = (
    "#b12a90", "#bf3984", "#cc4778", "#d8576b", "#e26660", "#eb7655", "#f3874a", "#f99a3e",
    "#fdac33", "#fec029", "#fbd724", "#f4ed27",
)  # fmt: skip
LIGHT = {
    "ink": INK, "quiet": QUIET, "line": LINE, "paper": PAPER, "soft": "#f5f6f8",
    "mark": "#e8f0fb", "link": "#0b4fa9", "shade": "#c9ced6", "goal": GOAL,
    "predicted": PREDICTED, "good": GOOD, "bad": BAD, "default": DEFAULT, "oracle": ORACLE,
    **{f"c{n}": colour for n, colour in enumerate(CATEGORIES)},
    **{f"t{n}": colour for n, colour in enumerate(SEQUENCE)},
}  # fmt: skip
DARK = {
    "ink": "#e6eaee", "quiet": "#9ba6b2", "line": "#343c46", "paper": "#13171c",
    "soft": "#1c2229", "mark": "#1d2f47", "link": "#7db3ff", "shade": "#05070a",
    "goal": "#ff5c77", "predicted": "#6fb4f2", "good": "#5fd38d", "bad": "#ff8a70",
    "default": "#69a7ff", "oracle": "#f2f4f6",
    **{f"c{n}": colour for n, colour in enumerate(_DARK_CATEGORIES)},
    **{f"t{n}": colour for n, colour in enumerate(_DARK_SEQUENCE)},
}  # fmt: skip
"""The same names as in :data:`LIGHT`."""
SETTINGS = {
    "font.size": 11.5,
    "text.color": INK,
    "text.parse_math": False,  # names come from a file: a $ is a $
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.labelcolor": QUIET,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.titlelocation": "left",
    "axes.titlesize": 12.0,
    "axes.titleweight": "bold",
    "axes.titley": 1.0,  # no ticks are above: the room they take need not be measured
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.titlesize": 14.0,
    "figure.titleweight": "bold",
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 10.5,
    "legend.handletextpad": 0.4,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "xtick.color": LINE,
    "xtick.labelcolor": QUIET,
    "ytick.color": LINE,
    "ytick.labelcolor": QUIET,
}
"""matplotlib's settings of every picture."""
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_NAMES = {colour: name for name, colour in LIGHT.items()}
_COST_STOPS = (SEQUENCE[11], SEQUENCE[8], SEQUENCE[5], SEQUENCE[2], "#fcc56a", "#fdf3d8")


def rgb(colour: str) -> tuple[int, int, int]:
    """Return red, green, blue of ``#rrggbb``, 0 to 255 each."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


@contextmanager
def settings() -> Iterator[None]:
    """Keep matplotlib's settings while a picture is drawn and written."""
    from matplotlib import rc_context

    with rc_context(SETTINGS):
        yield


def sequence(count: int) -> list[str]:
    """Return a colour for each of ``count`` trials, from :data:`SEQUENCE`."""
    places = np.linspace(0.0, len(SEQUENCE) - 1.0, max(count, 2))[:count]
    return [SEQUENCE[round(float(place))] for place in places]


def cost_map() -> Colormap:
    """Return the map of costs: low ones are dark, as the last trials are."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("icpi costs", _COST_STOPS)


def with_variables(text: str) -> str:
    """Put the variables of a page in the place of our colours in a style."""
    return _COLOUR.sub(
        lambda found: (
            f"var(--{_NAMES[found.group()]})" if found.group() in _NAMES else found.group()
        ),
        text,
    )


def style_sheet() -> str:
    """Return the variables of all colours; dark on a screen that asks for it, never on paper."""
    light, dark = (
        ":root{" + ";".join(f"--{name}:{colour}" for name, colour in colours.items()) + "}"
        for colours in (LIGHT, DARK)
    )
    return f"{light}\n@media screen and (prefers-color-scheme:dark){{{dark}}}\n"


def log_ticks(axes: Axes, which: str, most: int = 6) -> None:
    """Label powers of ten as plain numbers, at most so many; 2 and 5 too where few powers fit."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axis = getattr(axes, f"{which}axis")
    low, high = getattr(axes, f"get_{which}lim")()
    marks: Sequence[int] = (1, 2, 5) if 3.0 * np.log10(high / low) < most + 1.5 else (1,)
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    ticks = [m * 10.0**k for k in range(first, last + 1) for m in marks]
    ticks = [tick for tick in ticks if low <= tick <= high]
    axis.set_major_locator(FixedLocator(ticks[:: max(1, -(-len(ticks) // most))]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
