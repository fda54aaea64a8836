"""Shipped weights: an archive of arrays without pickle, and their recipe beside it."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.improvers.transformer.network import Network
from icpi_ros.improvers.transformer.tokens import tokens
from icpi_ros.learn.executions import Executions

ARRAYS, RECIPE = "transformer.npz", "transformer.json"


@cache
def network() -> Network:
    """Return the network with the shipped weights; read once per process."""
    with (
        (resources.files(__package__) / ARRAYS).open("rb") as file,
        np.load(file, allow_pickle=False) as archive,
    ):
        return Network({name: archive[name].astype(np.float64) for name in archive.files})


def recipe() -> dict[str, Any]:
    """Return how the weights were made, their SHA-256, and a proposal to compare with."""
    text = (resources.files(__package__) / RECIPE).read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def example_step(network: Network) -> Array:
    """Return the scaled step ``(2,)`` for a fixed small run, which the recipe has, too."""
    grid = np.linspace(-0.9, 0.9, 5)
    points = np.array([(x, y) for x in grid for y in grid for _ in range(3)])
    draw = np.arange(len(points)) % 3
    turn = np.asarray(0.3 * draw, dtype=np.float64)

    def errors(x: Array, by: Array) -> Array:
        bent = x[:, 0] + 0.4 * x[:, 1] ** 2
        return np.column_stack([np.sin(bent + by), x[:, 1] * (1.0 + by) - 0.2])

    thetas = np.array([(0.8, -0.7), (0.1, 0.3)])
    run = thetas, errors(thetas, np.array([0.4, 0.4]))
    done = Executions(points, errors(points, turn), draw.astype(np.int64))
    return network.steps(tokens(done, done.errors, run, 1))[1]
