"""The transformer in PyTorch, for batches; :mod:`icpi_ros.improvers.transformer` has it in numpy.

Tokens are steps between executions of one physics sample (and from the run's best trial to its
others).  They are described by lengths only, and attention sees the distances between them, so
that nothing changes if parameters or errors are permuted, mirrored or turned, and one network
serves any number of them.  What it puts out are weights of the tokens: an affine model of the
outcome around a step is fitted to them by least squares and inverted, in two passes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from icpi_ros.improvers.transformer.fit import CONSTANT, DAMPING, LIMIT, PENALTIES, ROUNDS
from icpi_ros.improvers.transformer.network import (
    AGAIN,
    AGAIN_SOFTENING,
    CENTRE,
    HEADS,
    MAX_SEEN,
)
from icpi_ros.improvers.transformer.tokens import (
    END_SHARE,
    MAX_SQUARED,
    ORIGINS,
    SMALL,
    SOFTENING,
    TARGETS,
)

WIDTH, LAYERS, HIDDEN = 48, 2, 96
"""Sizes; LAYERS per pass."""
FEATURES, BETWEEN, SECOND = 22, 5, 8
"""Numbers of a token, of a pair of tokens, and of a token in the second pass."""
TOKEN_OUTPUTS, RUN_OUTPUTS = 2, 6


@dataclass(frozen=True)
class StepBatch:
    """Steps around the best trial; all but the last ``n`` are of the data set.

    Attributes:
        away: ``(B, S, d)`` origin, from the best trial.
        start: ``(B, S, m)`` error of the origin, minus that of the best trial.
        end: ``(B, S, m)`` error after the step; 0 is the goal.
        step: ``(B, S, d)``.
        group: ``(B, S)`` physics sample, -1 = the run's.
        evidence: ``(B, S)`` how far the sample is from the run's trials.
        best: ``(B, d)`` theta of the best trial.
        trials: number of them.
        base: ``(B,)`` index of the best one.
    """

    away: Tensor
    start: Tensor
    end: Tensor
    step: Tensor
    group: Tensor
    evidence: Tensor
    best: Tensor
    trials: int
    base: Tensor


def gather(values: Tensor, index: Tensor) -> Tensor:
    """Return ``(B, k, ...)`` of ``(B, n, ...)`` by ``(B, k)``."""
    rest = values.shape[2:]
    wide = index.reshape(index.shape + (1,) * len(rest)).expand(*index.shape, *rest)
    return torch.gather(values, 1, wide)


def tokens(points: Tensor, outcomes: Tensor, thetas: Tensor, errors: Tensor) -> StepBatch:
    """Return the tokens of executions ``(B, G, E, .)`` and trials ``(B, n, .)``."""
    b, g, e, d = points.shape
    n = thetas.shape[1]
    base = errors.square().sum(-1).argmin(dim=1, keepdim=True)
    best, left = gather(thetas, base), gather(errors, base)
    flat, ends = points.reshape(b, g * e, d), outcomes.reshape(b, g * e, -1)
    apart = (torch.cdist(flat, thetas) ** 2 + torch.cdist(ends, errors) ** 2).reshape(b, g, e, n)
    evidence = apart.amin(dim=2).mean(dim=2)
    near = gather(apart.reshape(b, g * e, n).transpose(1, 2), base)[:, 0]
    origins = near.topk(min(ORIGINS, g * e), dim=1, largest=False).indices
    k = origins.shape[1]
    group = origins // e
    others, after = gather(points, group), gather(outcomes, group)  # (B, k, E, .)
    here, now = gather(flat, origins), gather(ends, origins)
    steps = others - here[:, :, None]
    far = after.square().sum(-1) + 0.1 * steps.square().sum(-1)
    itself = torch.arange(e)[None, None] == (origins % e)[..., None]
    chosen = (far + 1e6 * itself).topk(TARGETS, dim=2, largest=False).indices

    def picked(values: Tensor) -> Tensor:
        wide = chosen[..., None].expand(b, k, TARGETS, values.shape[-1])
        return torch.gather(values, 2, wide).reshape(b, k * TARGETS, -1)

    def twice(values: Tensor) -> Tensor:
        return values.repeat_interleave(TARGETS, dim=1)

    none = torch.zeros(b, n, 1)
    return StepBatch(
        away=torch.cat([twice(here - best), none.expand(b, n, d)], 1),
        start=torch.cat([twice(now - left), none.expand(b, n, left.shape[-1])], 1),
        end=torch.cat([picked(after), errors], 1),
        step=torch.cat([picked(steps), thetas - best], 1),
        group=torch.cat([twice(group), torch.full((b, n), -1)], 1),
        evidence=torch.cat([twice(torch.gather(evidence, 1, group)), none[..., 0]], 1),
        best=best[:, 0],
        trials=n,
        base=base[:, 0],
    )


def described(t: StepBatch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return token features, distances between tokens, log prior weights, and the own flag."""
    b, s, d = t.away.shape
    m, n = t.end.shape[-1], t.trials
    left = gather(t.end, (s - n + t.base)[:, None])
    lengths = [t.away, t.start, t.end, t.step, t.end - t.start - left, t.end + t.start]
    measured = torch.stack([length(v) for v in lengths], -1)
    own = torch.zeros(b, s)
    own[:, s - n :] = 1.0
    trivial = torch.nn.functional.one_hot(s - n + t.base, s).to(t.away.dtype)
    later = torch.zeros(b, s)
    later[:, s - n :] = torch.arange(n) / 8.0
    since = (n - 1 - t.base)[:, None].expand(b, s) / 4.0
    cost = length(left).expand(b, s)
    shape = torch.tensor([d / 8.0, m / 3.0]).expand(b, s, 2)
    features = torch.cat(
        [
            measured,
            torch.log(measured + SMALL),
            torch.stack(
                [
                    *(torch.log(t.evidence + SMALL**2), cost, torch.log(cost + SMALL), own),
                    *(trivial, later, since, torch.full((b, s), n / 8.0)),
                ],
                -1,
            ),
            shape,
        ],
        -1,
    )
    same = (t.group[:, :, None] == t.group[:, None]).to(t.away.dtype)
    between = torch.stack([squares(v) for v in (t.away, t.start, t.end, t.step)] + [-same], -1)
    far = measured[..., 0] ** 2 + measured[..., 1] ** 2 + END_SHARE * measured[..., 2] ** 2
    return features, between, -2.0 * torch.log(far + SOFTENING), own


def length(values: Tensor) -> Tensor:
    """Return the norm of the last dimension, differentiable at 0."""
    return (values.square().sum(-1) + 1e-12).sqrt()


def squares(values: Tensor) -> Tensor:
    """Return squared distances ``(B, S, S)`` of all pairs, at most 4."""
    total = values.square().sum(-1)
    product = values @ values.transpose(1, 2)
    return (total[:, :, None] + total[:, None] - 2.0 * product).clamp(0.0, MAX_SQUARED)


class Layer(nn.Module):
    """Attention that sees distances, and a small perceptron; both after a norm."""

    def __init__(self) -> None:
        """Make the weights."""
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH)
        self.up = nn.Linear(WIDTH, HIDDEN)
        self.down = nn.Linear(HIDDEN, WIDTH)
        self.geometry = nn.Parameter(torch.linspace(-3.0, 2.0, HEADS)[:, None].repeat(1, BETWEEN))

    def forward(self, x: Tensor, between: Tensor) -> Tensor:
        """Return the tokens ``(B, S, WIDTH)`` after the layer."""
        b, s, _ = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(b, s, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        logits = qkv[0] @ qkv[1].transpose(2, 3) / math.sqrt(WIDTH / HEADS)
        bias = between @ nn.functional.softplus(self.geometry).T
        heads = torch.softmax(logits - bias.permute(0, 3, 1, 2), dim=-1) @ qkv[2]
        x = x + self.out(heads.transpose(1, 2).reshape(b, s, WIDTH))
        return x + self.down(torch.relu(self.up(self.norm2(x))))


class Pass(nn.Module):
    """Layers, and the weights of a fit."""

    def __init__(self) -> None:
        """Make the weights; at first the fit is that of the prior weights."""
        super().__init__()
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.token = nn.Linear(WIDTH, TOKEN_OUTPUTS)
        self.run = nn.Linear(WIDTH, RUN_OUTPUTS)
        for head in (self.token, self.run):
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def forward(self, x: Tensor, between: Tensor, base: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return tokens, outputs of tokens ``(B, S, 2)`` and of the run ``(B, 6)``."""
        for layer in self.layers:
            x = layer(x, between)
        y = self.norm(x)
        return x, self.token(y), self.run(gather(y, base[:, None])[:, 0])


def limited(values: Tensor) -> Tensor:
    """Return outputs, softly limited."""
    return LIMIT * torch.tanh(values / LIMIT)


def fitted(
    t: StepBatch, logs: Tensor, own: Tensor, centre: Tensor, run: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return error ``(B, m)`` and Jacobian ``(B, m, d)`` at ``centre``, and residuals."""
    b, s, d = t.away.shape
    weights = torch.softmax(logs, dim=1).double()
    ones = torch.ones(b, s, 1)
    columns = torch.cat(
        [ones, t.away, t.start, t.step - centre[:, None], 1.0 - own[..., None]], -1
    ).double()
    m = t.start.shape[-1]
    sizes = torch.tensor([1, d, m, d, 1])
    start = torch.tensor(PENALTIES).expand(b, 4)
    logs_ = torch.cat([torch.full((b, 1), CONSTANT), start + limited(run[:, :4])], 1)
    penalty = torch.exp(logs_.repeat_interleave(sizes, dim=1)).double()
    weighted = columns * weights[..., None]
    normal = columns.transpose(1, 2) @ weighted + torch.diag_embed(penalty)
    found = torch.linalg.solve(normal, weighted.transpose(1, 2) @ t.end.double())
    residual = (columns @ found).to(t.end.dtype) - t.end
    found = found.to(t.end.dtype)
    return found[:, 0], found[:, 1 + d + m : 1 + 2 * d + m].transpose(1, 2), residual


def boxed(jacobian: Tensor, error: Tensor, damping: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Return the damped step ``(B, d)`` that zeroes an error, in a box; what meets a wall stays."""
    d = jacobian.shape[-1]
    fixed = torch.zeros(low.shape, dtype=torch.bool)
    size = jacobian.square().sum(dim=(1, 2))[:, None]
    ridge = torch.diag_embed((damping[:, None] * size + 1e-6).expand(-1, d)).double()
    step = torch.zeros_like(low)
    for _ in range(ROUNDS):
        held = torch.where(fixed, step.clamp(low, high), torch.zeros_like(step))
        free = jacobian * (~fixed[:, None]).to(jacobian.dtype)
        rest = error + (jacobian @ held[..., None])[..., 0]
        free, rest = free.double(), rest.double()
        across = free.transpose(1, 2)
        moved = -torch.linalg.solve(across @ free + ridge, across @ rest[..., None])
        step = torch.where(fixed, held, moved[..., 0].to(step.dtype))
        fixed = fixed | (step < low) | (step > high)
    return torch.minimum(torch.maximum(step, low), high)


class TrainedNetwork(nn.Module):
    """Two passes: find a step, look again around it."""

    def __init__(self) -> None:
        """Make the weights."""
        super().__init__()
        self.enter = nn.Linear(FEATURES, WIDTH)
        self.again = nn.Linear(SECOND, WIDTH)
        self.passes = nn.ModuleList([Pass(), Pass()])

    def forward(self, t: StepBatch) -> tuple[Tensor, Tensor]:
        """Return the steps ``(B, d)`` after either pass, inside the space."""
        features, between, prior, own = described(t)
        base = t.away.shape[1] - t.trials + t.base
        x, token, run = self.passes[0](self.enter(features), between, base)
        share = torch.softmax(CENTRE * prior + limited(token[..., 1]), dim=1)
        centre = (share[..., None] * t.step).sum(1)
        first, residual, jacobian = self._step(t, prior + limited(token[..., 0]), own, centre, run)
        apart = t.step - first[:, None]
        effect = torch.einsum("bmd,bsd->bsm", jacobian, apart)
        seen = torch.stack(
            [length(residual), length(apart), length(effect), length(residual + t.end)], -1
        ).clamp_max(MAX_SEEN)
        x = x + self.again(torch.cat([seen, torch.log(seen + SMALL)], -1))
        x, token, run = self.passes[1](x, between, base)
        near = torch.log(seen[..., 1] ** 2 + AGAIN_SOFTENING)
        logs = prior - AGAIN * near + limited(token[..., 0])
        second, _, _ = self._step(t, logs, own, first, run)
        return first, second

    def _step(
        self, t: StepBatch, logs: Tensor, own: Tensor, centre: Tensor, run: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        error, jacobian, residual = fitted(t, logs, own, centre, run)
        here = t.best + centre
        damping = torch.exp(DAMPING + limited(run[:, 4]))
        step = boxed(jacobian, error, damping, -1.0 - here, 1.0 - here)
        scale = 2.0 * torch.sigmoid(run[:, 5:6])
        return centre + scale * step, residual, jacobian
