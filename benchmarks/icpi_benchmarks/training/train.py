"""Training by the true cost of the proposals, in runs that the network itself makes.

``python -m icpi_benchmarks.training.train FOLDER`` goes on where it was in the folder;
docs/transformer.md has the figures.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from icpi_benchmarks.program import run_program
from icpi_benchmarks.training.families import Problems, ProblemShape, draw_problems, draw_shape
from icpi_benchmarks.training.network import TrainedNetwork, tokens
from icpi_ros.cli.json_output import kept

TRIALS = 5
"""Proposals of a run."""
PRECISION = 0.01
"""Scaled cost below which less is worth little."""
MAX_COST = 3.0
"""Largest scaled cost that counts."""
FIRST_PASS = 0.3
"""Weight of the loss of the first pass's step."""
ASTRAY, ASTRAY_STD = 0.15, 0.15
"""Share of proposals that are executed wrongly in training, so that histories differ, and by how
much [scaled theta]."""
WARM_UP = 20
"""Steps in which the rate grows."""
QUICK = 10.0
"""Factor on the rate of the few weights that are the same for all problems."""
MAX_MEMORY = 0.98
"""Share of the running mean of the weights that stays at a step."""
VALIDATION_SEED = 10_000
VALIDATION = (
    ProblemShape(48, 2, 2, 30, 20),
    ProblemShape(48, 3, 2, 30, 20),
    ProblemShape(32, 3, 3, 30, 20),
    ProblemShape(24, 6, 3, 30, 20),
    ProblemShape(24, 1, 1, 10, 10),
)
"""Problems that no training step sees; they decide which weights are kept."""
STATE, MEANS, CURVE = "state.pt", "means", "curve.jsonl"


@dataclass(frozen=True)
class Schedule:
    """Settings of a training.

    Attributes:
        steps: of the optimiser, in all.
        problems: per step.
        rate: of learning.
        final: last steps, in which the rate falls; 0 = it stays.
        seed: of weights and problems.
        every: steps between validations; the state is kept then.
    """

    steps: int
    problems: int = 32
    rate: float = 3e-3
    final: int = 0
    seed: int = 1
    every: int = 25

    def share(self, step: int) -> float:
        """Return the share of the rate at a step."""
        left = (self.steps - step) / self.final if self.final else 1.0
        return min(1.0, (step + 1) / WARM_UP, max(left, 0.01))


def loss_of(errors: Tensor) -> Tensor:
    """Return the mean loss of true errors ``(B, m)``."""
    return _loss((errors.square().sum(-1) + 1e-12).sqrt()).mean()


def _loss(cost: Tensor) -> Tensor:
    return torch.log(cost + PRECISION) + cost.clamp_max(MAX_COST)


def train_step(model: TrainedNetwork, problems: Problems, generator: torch.Generator) -> float:
    """Add the gradients of one run per problem; return the mean loss."""
    thetas = problems.first[:, None]
    errors = problems.observed(thetas[:, 0], generator)[:, None]
    total = 0.0
    for _ in range(TRIALS):
        t = tokens(problems.points, problems.outcomes, thetas, errors)
        first, second = model(t)
        loss = loss_of(problems.errors(t.best + second))
        loss = loss + FIRST_PASS * loss_of(problems.errors(t.best + first))
        (loss / TRIALS).backward()
        total += float(loss.detach()) / TRIALS
        with torch.no_grad():
            x = t.best + second.detach()
            astray = (torch.rand(len(x), 1, generator=generator) < ASTRAY).float()
            moved = ASTRAY_STD * astray * torch.randn(x.shape, generator=generator)
            x = (x + moved).clamp(-1.0, 1.0)
            thetas = torch.cat([thetas, x[:, None]], 1)
            errors = torch.cat([errors, problems.observed(x, generator)[:, None]], 1)
    return total


@torch.no_grad()
def costs(model: TrainedNetwork, problems: Problems, generator: torch.Generator) -> Tensor:
    """Return true scaled costs ``(B, n + 1)`` of the best trial, first attempt included."""
    thetas = problems.first[:, None]
    errors = problems.observed(thetas[:, 0], generator)[:, None]
    true = [problems.errors(thetas[:, 0])]
    for _ in range(TRIALS):
        t = tokens(problems.points, problems.outcomes, thetas, errors)
        x = t.best + model(t)[1]
        thetas = torch.cat([thetas, x[:, None]], 1)
        errors = torch.cat([errors, problems.observed(x, generator)[:, None]], 1)
        true.append(problems.errors(x))
    return torch.stack(true, 1).square().sum(-1).sqrt().cummin(dim=1).values


def validate(model: TrainedNetwork, times: int = 1) -> tuple[float, list[list[float]]]:
    """Return the score (lower is better), and mean costs by shape and trial.

    Args:
        model: to be judged.
        times: as many problems as in VALIDATION.
    """
    rows, score = [], 0.0
    for number, shape in enumerate(VALIDATION):
        generator = torch.Generator().manual_seed(VALIDATION_SEED + number)
        grown = replace(shape, problems=times * shape.problems)
        found = costs(model, draw_problems(grown, generator), generator)
        rows.append([round(float(v), 4) for v in found.mean(0)])
        score += float(_loss(found[:, 1:]).mean())
    return score / len(VALIDATION), rows


class Training:
    """A training under way, and its files."""

    def __init__(self, schedule: Schedule, folder: Path) -> None:
        """Begin it, or go on with what the folder has."""
        torch.manual_seed(schedule.seed)
        self.schedule, self.folder = schedule, folder
        self.generator = torch.Generator().manual_seed(schedule.seed)
        self.model, self.mean = TrainedNetwork(), TrainedNetwork()
        self.mean.load_state_dict(self.model.state_dict())
        self.optimiser = torch.optim.AdamW(self._groups(), weight_decay=1e-3)
        self.done, self.spent, self.loss = 0, 0.0, 0.0
        if (folder / STATE).exists():
            self._restore(torch.load(folder / STATE))

    def _groups(self) -> list[dict[str, Any]]:
        quick: dict[bool, list[Tensor]] = {False: [], True: []}
        for name, weights in self.model.named_parameters():
            quick[name.endswith(("run.bias", "geometry"))].append(weights)
        rate = self.schedule.rate
        return [
            {"params": quick[False], "lr": rate},
            {"params": quick[True], "lr": QUICK * rate},
        ]

    def _restore(self, kept: dict[str, Any]) -> None:
        self.model.load_state_dict(kept["model"])
        self.mean.load_state_dict(kept["mean"])
        self.optimiser.load_state_dict(kept["optimiser"])
        self.generator.set_state(kept["generator"])
        self.done, self.spent = kept["done"], kept["spent"]

    def run(self) -> None:
        """Train to the last step."""
        start = self.done
        for step in range(start, self.schedule.steps + 1):
            if step in (0, self.schedule.steps) or (step % self.schedule.every == 0 < step - start):
                self._validate(step)
            self._step(step)

    def _step(self, step: int) -> None:
        shape = draw_shape(self.schedule.problems, self.generator)
        problems = draw_problems(shape, self.generator)
        self.optimiser.zero_grad()
        loss = train_step(self.model, problems, self.generator)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        rate = self.schedule.rate * self.schedule.share(step)
        for group, factor in zip(self.optimiser.param_groups, (1.0, QUICK), strict=True):
            group["lr"] = rate * factor
        if math.isfinite(loss) and torch.isfinite(norm):
            self.optimiser.step()
            self.loss = 0.95 * self.loss + 0.05 * loss if self.loss else loss
        memory = min(MAX_MEMORY, step / (step + 10))
        with torch.no_grad():
            both = zip(self.mean.parameters(), self.model.parameters(), strict=True)
            for mean, weights in both:
                mean.lerp_(weights, 1.0 - memory)

    def _validate(self, step: int) -> None:
        """Keep the state, and the running mean of the weights."""
        score, rows = validate(self.mean)
        spent = self.spent + time.process_time()
        line: dict[str, Any] = {"step": step, "score": round(score, 4)}
        line |= {"loss": round(self.loss, 4), "cpu_s": round(spent), "costs": rows}
        print(json.dumps(line), flush=True)
        with (self.folder / CURVE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        torch.save(self.mean.state_dict(), self.folder / MEANS / f"{step:06d}.pt")
        state = {"model": self.model.state_dict(), "mean": self.mean.state_dict()}
        state |= {"optimiser": self.optimiser.state_dict(), "done": step}
        state |= {"schedule": asdict(self.schedule)}
        torch.save(
            state | {"generator": self.generator.get_state(), "spent": spent}, self.folder / STATE
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the folder and the settings of :class:`Schedule`."""
    parser.add_argument("folder", type=Path, help="state, running means of the weights and curve")
    parser.add_argument("--steps", type=int, required=True, help="of the optimiser, in all")
    parser.add_argument("--problems", type=int, default=32, help="per step")
    parser.add_argument("--rate", type=float, default=3e-3, help="of learning")
    parser.add_argument("--final", type=int, default=0, help="last steps, of falling rate")
    parser.add_argument("--seed", type=int, default=1, help="of weights and problems")
    parser.add_argument("--every", type=int, default=25, help="steps between validations")


def run(args: argparse.Namespace) -> int:
    """Train; the rows are the curve."""
    folder: Path = args.folder
    schedule = Schedule(**{field.name: getattr(args, field.name) for field in fields(Schedule)})
    (folder / MEANS).mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    with kept(args.json, list[dict[str, Any]]()) as rows:
        Training(schedule, folder).run()
        lines = (folder / CURVE).read_text(encoding="utf-8").splitlines()
        rows.extend(json.loads(line) for line in lines)
    return 0


if __name__ == "__main__":
    sys.exit(run_program(sys.modules[__name__]))
