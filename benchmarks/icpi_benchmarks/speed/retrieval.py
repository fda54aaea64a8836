"""Time of retrieval among many random examples: ``python -m icpi_benchmarks.speed.retrieval``.

Prints the time to build the index once, then the time per query; queries are random points that
the index has not seen.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from icpi_benchmarks.program import run_program
from icpi_ros.cli.arguments import whole
from icpi_ros.cli.json_output import kept
from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.core.types import Array
from icpi_ros.core.units import in_ms, times
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.retrieval import DEFAULT_K, Index


@dataclass(frozen=True)
class QueryTiming:
    """Times [s] of one size: to build the index, and ``(Q,)`` per query."""

    build: float
    queries: Array

    def line(self, examples: int, theta: int, error: int) -> str:
        """Return one printable line."""
        return (
            f"{examples} examples, theta {theta} + error {error} dimensions: index {self.build:.2f}"
            f" s, query {in_ms(times(self.queries), '.2f')}"
        )


def measure(
    examples: int, theta: int, error: int, queries: int, k: int, seed: int = 0
) -> QueryTiming:
    """Time ``queries`` look-ups of ``k`` neighbours among ``examples`` random ones."""
    rng = np.random.default_rng(seed)
    space = ParameterSpace(tuple(Parameter(f"p{i}", "1", -1.0, 1.0) for i in range(theta)))
    dataset = Dataset(
        task="benchmark",
        theta=space.sample(rng, examples),
        error=rng.normal(0.0, 0.3, (examples, error)),
        dtheta=rng.normal(0.0, 0.3, (examples, theta)),
        goal=np.zeros((examples, 1)),
        cost=np.zeros(examples),
        label_cost=np.zeros(examples),
        group=np.zeros(examples, dtype=np.int64),
    )
    start = time.perf_counter()
    index = Index(dataset, space)
    built = time.perf_counter() - start
    points = [(space.sample(rng), rng.normal(0.0, 0.3, error)) for _ in range(queries)]
    times = []
    for point in points:
        start = time.perf_counter()
        index.query(*point, k)
        times.append(time.perf_counter() - start)
    return QueryTiming(built, np.array(times))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the numbers of examples, queries and neighbours."""
    parser.add_argument("--examples", type=whole(1, 100_000_000), default=1_000_000)
    parser.add_argument("--queries", type=whole(1, 1_000_000), default=1000)
    parser.add_argument("--k", type=whole(1, 1000), default=DEFAULT_K)


def run(args: argparse.Namespace) -> int:
    """Print one line per dimension of the shipped tasks, and one for raw trajectories."""
    with kept(args.json, list[dict[str, Any]]()) as rows:
        for theta, error in ((2, 2), (3, 2), (3, 7)):
            timing = measure(args.examples, theta, error, args.queries, args.k)
            size = {"examples": args.examples, "theta": theta, "error": error}
            rows.append({**size, "build": timing.build, "query": times(timing.queries)})
            print(timing.line(**size), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(run_program(sys.modules[__name__]))
