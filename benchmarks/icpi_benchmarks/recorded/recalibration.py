"""Factors that make forecasts of `embedded` cover what they say, from runs on training draws.

    icpi bench --preset calibration --improvers embedded --draws train --instances 300 --json F
    python -m icpi_benchmarks.recorded.recalibration F [F ..] [--write]

Per data set and number of trials: factors on middle and half-width of the forecast, so that 68 and
95 % of the outcomes are inside one and two half-widths.  Printed is also what every other instance
has with the factors of the rest.  The package's factors are taken out first, so that F has to be
measured with the ones that are there.  They count for the evidence that F was measured with, the
objects' paths or errors alone, and for nothing else.  `--write` puts those of the data sets and the
evidence in F into the package's file, the others stay.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from icpi_benchmarks.program import run_program
from icpi_benchmarks.results import Results, read
from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.files import replacing
from icpi_ros.core.types import Array
from icpi_ros.learn.outcome.recalibration import (
    ERROR,
    FILE,
    PATH,
    Factors,
    factors_after,
    recalibration_of,
)

IMPROVER = "embedded"
TARGETS = (0.68, 0.95)
MIDDLES = np.exp(np.linspace(np.log(0.4), np.log(2.5), 41))
WIDTHS = np.exp(np.linspace(np.log(0.2), np.log(4.0), 61))
REGULAR = (0.1, 0.01)
"""Weights of the logarithms of both factors against what the shares are off."""


def chosen(predicted: Array, half: Array, cost: Array) -> Factors:
    """Return the factors for forecasts ``(n,)`` and their outcomes ``(n,)`` [m]."""
    best, found = np.inf, (1.0, 1.0)
    for middle in MIDDLES:
        off = np.abs(cost - middle * predicted) / half
        for width in WIDTHS:
            shares = [float(np.mean(off <= n * width)) for n in (1, 2)]
            miss = sum(w * abs(s - t) for w, s, t in zip((1.0, 2.0), shares, TARGETS, strict=True))
            miss += REGULAR[0] * abs(np.log(middle)) + REGULAR[1] * abs(np.log(width))
            if miss < best:
                best, found = miss, (float(middle), float(width))
    return found


def covered(factors: Factors, predicted: Array, half: Array, cost: Array) -> tuple[float, ...]:
    """Return the shares inside one and two half-widths, and above the middle."""
    off = (cost - factors[0] * predicted) / (factors[1] * half)
    return tuple(float(np.mean(one)) for one in (np.abs(off) <= 1, np.abs(off) <= 2, off > 0))


def evidence(results: Results, name: str) -> str:
    """Return what the improver saw of trials in a task and condition, named ``task/condition``."""
    condition = name.split("/", 1)[1]
    (found,) = (one for one in results.config["conditions"] if one["name"] == condition)
    asked = found["options"].get("features", PATH)
    return PATH if asked == PATH and name in results.config.get("paths_fingerprint", {}) else ERROR


def steps(results: Results) -> Iterator[tuple[str, str, str, int, Array]]:
    """Yield task, fingerprint, evidence, trials before, and forecasts with outcomes ``(n, 3)``."""
    for name, fingerprint in sorted(results.config["datasets"].items()):
        place, seen = tuple(name.split("/", 1)), evidence(results, name)
        ours = [
            row
            for row in results.rows
            if (row["task"], row["condition"]) == place and row["improver"] == IMPROVER
        ]
        for step in range(1, 1 + max(row["trial"] for row in ours)):
            here = [row for row in ours if row["trial"] == step and row["cost"] is not None]
            values = [[row[k] for k in ("predicted_cost", "predicted_std", "cost")] for row in here]
            found = np.array(values, dtype=np.float64).reshape(-1, 3)
            known = np.isfinite(found).all(axis=1) & (found[:, 1] > 0.0)
            yield place[0], fingerprint, seen, step, found[known]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add files, and whether to write."""
    parser.add_argument("files", nargs="+", type=Path, metavar="F", help="results to learn from")
    parser.add_argument("--write", action="store_true", help="write the package's factors")


def run(args: argparse.Namespace) -> int:
    """Print the shares before and after, and write the factors if wanted."""
    found: dict[tuple[str, str], list[Factors]] = {}
    print("task, trials before; inside 1, inside 2, above [%]: now, and of every other instance")
    for file in args.files:
        results = read(file)
        if any(one["draws"] != "train" for one in results.config["conditions"]):
            raise InvalidValue(f"{file}: factors are chosen on training draws (--draws train)")
        for task, key, seen, step, values in steps(results):
            middle, width = factors_after(step, recalibration_of(key), seen)
            data = values[:, 0] / middle, values[:, 1] / width, values[:, 2]
            even = np.arange(len(values)) % 2 == 0
            half = chosen(*(one[even] for one in data))
            apart = covered(half, *(one[~even] for one in data))
            factors = chosen(*data)
            found.setdefault((key, seen), []).append(factors)
            new = " ".join(f"{one:.2f}" for one in factors)
            both = (covered((1.0, 1.0), *data), apart)
            shares = "  ".join(" ".join(f"{100 * share:3.0f}" for share in one) for one in both)
            print(f"{task:14} {seen:5} {step}  {shares}  factors {new}")
    if args.write:
        save(FILE, found)
    return 0


def save(file: Path, found: Mapping[tuple[str, str], Sequence[Factors]]) -> None:
    """Put factors by fingerprint and evidence into a file; what else is there stays."""
    known = json.loads(file.read_text(encoding="utf-8"))
    for (key, seen), factors in found.items():
        known.setdefault(key, {})[seen] = [[round(x, 3) for x in one] for one in factors]
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(of)}" for key, of in known.items())
    with replacing(file) as temporary:
        temporary.write_text(f"{{{lines}}}\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run_program(sys.modules[__name__]))
