"""Recalibration of forecasts, for the data sets that come with the package.

What a model is sure of and what then happens differ by task and by how much of the run is known:
a rope's outcomes are smoother than its model believes, a contact's rougher.  Two factors per
number of trials, on the middle and on the half-width of a forecast, were chosen so that 68 and
95 % of the outcomes of runs on training draws are inside one and two half-widths (Kuleshov, Fenner
and Ermon, "Accurate Uncertainties for Deep Learning Using Calibrated Regression", ICML 2018, with
two numbers in place of a curve).  They are measured by

    icpi bench --preset calibration --improvers embedded --draws train --instances 300 --json F
    python -m icpi_benchmarks.recorded.recalibration F --write

They count where the evidence is what they were measured with: with ``path``, every trial of the run
shows the object's path and the model of the data set uses it.  Where a path is missing, with
``features=error``, on other data sets, and in runs in which a noisy sensor was noticed, it is the
model's own forecast.
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
PATH, ERROR = "path", "error"
"""Evidence of trials: the path of the object beside the error, or the error alone."""
Recalibration = Mapping[str, tuple[Factors, ...]]
"""By evidence, the factors after 1, 2, ... trials, the last ones for all later ones."""


def recalibration_of(fingerprint: str) -> Recalibration:
    """Return the factors of a data set by the evidence that they were measured with.

    Args:
        fingerprint: of the data set; of one that none were measured for there are no factors.
    """
    return _read().get(fingerprint, {})


def factors_after(trials: int, found: Recalibration, evidence: str | None) -> Factors:
    """Return the factors after so many trials of ``evidence``; none for another one, or None."""
    known = found.get(evidence, (NONE,)) if evidence else (NONE,)
    return known[min(trials, len(known)) - 1]


@cache
def _read() -> Mapping[str, Recalibration]:
    content = json.loads(FILE.read_text(encoding="utf-8"))
    return {
        key: {
            evidence: tuple((float(middle), float(width)) for middle, width in values)
            for evidence, values in found.items()
        }
        for key, found in content.items()
    }
