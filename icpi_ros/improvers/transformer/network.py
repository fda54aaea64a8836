"""The transformer in numpy: two passes, the second looks again around the step of the first.

``icpi_benchmarks.training.network`` is the same in PyTorch, for training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.improvers.transformer.fit import (
    DAMPING,
    Affine,
    boxed,
    fitted,
    limited,
    softmax,
)
from icpi_ros.improvers.transformer.tokens import SMALL, StepTokens, described, length

HEADS = 4
CENTRE = 1.5
"""Power of the prior weights in the mean step around which the first pass fits."""
AGAIN, AGAIN_SOFTENING = 1.5, 0.01
"""Power of the prior weight of a step in the second pass, the nearer to the first pass's step the
heavier, and what is added to the squared distance."""
MAX_SEEN = 10.0
"""Largest length that the second pass sees."""


@dataclass(frozen=True)
class Network:
    """The network with its weights.

    Attributes:
        weights: arrays by their names in PyTorch.
    """

    weights: Mapping[str, Array]

    def steps(self, t: StepTokens) -> tuple[Array, Array]:
        """Return the scaled step ``(d,)`` from the best trial after either pass, in the space."""
        seen = described(t)
        x, token, run = self._pass(0, self._linear("enter", seen.features), seen.between, t.query)
        share = softmax(CENTRE * seen.prior + limited(token[:, 1]))
        logs = seen.prior + limited(token[:, 0])
        first, model = _step(t, logs, share @ t.step, run)
        apart = t.step - first
        found = (model.residuals, apart, apart @ model.jacobian.T, model.residuals + t.end)
        lengths = np.minimum(np.stack([length(v) for v in found], axis=-1), MAX_SEEN)
        again = np.concatenate([lengths, np.log(lengths + SMALL)], axis=-1)
        x = x + self._linear("again", again)
        _, token, run = self._pass(1, x, seen.between, t.query)
        near = np.log(lengths[:, 1] ** 2 + AGAIN_SOFTENING)
        logs = seen.prior - AGAIN * near + limited(token[:, 0])
        return first, _step(t, logs, first, run)[0]

    def _linear(self, name: str, x: Array) -> Array:
        return np.asarray(x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"])

    def _norm(self, name: str, x: Array) -> Array:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + 1e-5)
        return np.asarray(scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"])

    def _pass(
        self, number: int, x: Array, between: Array, query: int
    ) -> tuple[Array, Array, Array]:
        """Return tokens ``(S, width)``, outputs of tokens ``(S, 2)`` and of the run ``(6,)``."""
        name = f"passes.{number}"
        layer = 0
        while f"{name}.layers.{layer}.out.weight" in self.weights:
            x = self._layer(f"{name}.layers.{layer}", x, between)
            layer += 1
        y = self._norm(f"{name}.norm", x)
        return x, self._linear(f"{name}.token", y), self._linear(f"{name}.run", y[query])

    def _layer(self, name: str, x: Array, between: Array) -> Array:
        """Return tokens after attention that sees distances, and a small perceptron."""
        s, width = x.shape
        qkv = self._linear(f"{name}.qkv", self._norm(f"{name}.norm1", x))
        q, k, v = qkv.reshape(s, 3, HEADS, -1).transpose(1, 2, 0, 3)
        logits = q @ k.transpose(0, 2, 1) / np.sqrt(width / HEADS)
        bias = between @ np.logaddexp(0.0, self.weights[f"{name}.geometry"]).T
        heads = softmax(logits - bias.transpose(2, 0, 1)) @ v
        x = x + self._linear(f"{name}.out", heads.transpose(1, 0, 2).reshape(s, width))
        up = np.maximum(self._linear(f"{name}.up", self._norm(f"{name}.norm2", x)), 0.0)
        return x + self._linear(f"{name}.down", up)


def _step(t: StepTokens, logs: Array, centre: Array, run: Array) -> tuple[Array, Affine]:
    """Return the step that zeroes the fitted error, and the fit."""
    model = fitted(t, logs, centre, run)
    here = t.best + centre
    damping = float(np.exp(DAMPING + limited(run[4:5])[0]))
    step = boxed(model, damping, -1.0 - here, 1.0 - here)
    return centre + 2.0 / (1.0 + np.exp(-run[5])) * step, model
