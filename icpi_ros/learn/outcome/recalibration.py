"""Recalibration of forecasts, for the data sets that come with the package.

What a model is sure of and what then happens differ by task and by how much of the run is known:
a rope's outcomes are smoother than its model believes, a contact's rougher.  Two factors per
number of trials, on the middle and on the half-width of a forecast, were chosen so that 68 and
95 % of the outcomes of runs on training draws are inside one and two half-widths (Kuleshov, Fenner
and Ermon, "Accurate Uncertainties for Deep Learning Using Calibrated Regression", ICML 2018, with
two numbers in place of a curve).  They are measured by

    icpi bench --preset calibration --improvers embedded --draws train --instances 300 --json F
    python -m icpi_benchmarks.recorded.recalibration F --write

Other data sets, and runs in which a noisy sensor was noticed, keep the model's own forecast.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path

FILE = Path(__file__).with_name("recalibration.json")
Factors = tuple[float, float]
"""On the middle and on the half-width."""
NONE: Factors = (1.0, 1.0)


def factors_of(fingerprint: str) -> tuple[Factors, ...]:
    """Return the factors of a data set after 1, 2, ... trials, the last ones for all later ones.

    Args:
        fingerprint: of the data set; of one that none were measured for there is no factor.
    """
    return _read().get(fingerprint, (NONE,))


@cache
def _read() -> Mapping[str, tuple[Factors, ...]]:
    content = json.loads(FILE.read_text(encoding="utf-8"))
    return {
        key: tuple((float(middle), float(width)) for middle, width in values)
        for key, values in content.items()
    }
