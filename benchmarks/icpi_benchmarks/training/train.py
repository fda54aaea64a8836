"""Training by the true cost of the proposals, on runs that the network itself makes.

``python -m icpi_benchmarks.training.train --out FOLDER`` ; see docs/transformer.md.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path

import torch
from torch import Tensor

from icpi_benchmarks.training.families import Problems, Shape, draw_problems, draw_shape
from icpi_benchmarks.training.network import Transformer, tokens

TRIALS = 5
"""Proposals of a run."""
PRECISION = 0.01
"""Scaled cost below which less is worth little."""
ASTRAY = 0.15
"""Share of proposals that are executed wrongly in training, so that histories differ."""
VALIDATION = (
    Shape(48, 2, 2, 30, 20),
    Shape(48, 3, 2, 30, 20),
    Shape(32, 3, 3, 30, 20),
    Shape(24, 6, 3, 30, 20),
    Shape(24, 1, 1, 10, 10),
)


def loss_of(errors: Tensor) -> Tensor:
    """Return the mean loss of true errors ``(B, m)``."""
    cost = (errors.square().sum(-1) + 1e-12).sqrt()
    return (torch.log(cost + PRECISION) + cost.clamp_max(3.0)).mean()


def train_step(model: Transformer, problems: Problems, generator: torch.Generator) -> float:
    """Add the gradients of one run per problem; return the mean loss."""
    thetas = problems.first[:, None]
    errors = problems.observed(thetas[:, 0], generator)[:, None]
    total = 0.0
    for _ in range(TRIALS):
        t = tokens(problems.points, problems.outcomes, thetas, errors)
        first, second = model(t)
        loss = loss_of(problems.errors(t.best + second))
        loss = loss + 0.3 * loss_of(problems.errors(t.best + first))
        (loss / TRIALS).backward()
        total += float(loss.detach()) / TRIALS
        with torch.no_grad():
            x = t.best + second.detach()
            astray = (torch.rand(len(x), 1, generator=generator) < ASTRAY).float()
            x = (x + 0.15 * astray * torch.randn(x.shape, generator=generator)).clamp(-1.0, 1.0)
            thetas = torch.cat([thetas, x[:, None]], 1)
            errors = torch.cat([errors, problems.observed(x, generator)[:, None]], 1)
    return total


@torch.no_grad()
def costs(model: Transformer, problems: Problems, generator: torch.Generator) -> Tensor:
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


def validate(model: Transformer, seed: int) -> tuple[float, list[list[float]]]:
    """Return the score (lower is better), and mean costs by shape and step."""
    rows, score = [], 0.0
    for number, shape in enumerate(VALIDATION):
        generator = torch.Generator().manual_seed(seed + number)
        found = costs(model, draw_problems(shape, generator), generator)
        rows.append([round(float(v), 4) for v in found.mean(0)])
        score += float((torch.log(found[:, 1:] + PRECISION) + found[:, 1:].clamp_max(3.0)).mean())
    return score / len(VALIDATION), rows


def main() -> None:
    """Train until the time is up; goes on where it was."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--final", type=int, default=0, help="last steps, of falling rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=int, default=25)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    model, mean_model = Transformer(), Transformer()
    mean_model.load_state_dict(model.state_dict())
    print("parameters", sum(p.numel() for p in model.parameters()), flush=True)
    quick = [p for n, p in model.named_parameters() if n.endswith(("run.bias", "geometry"))]
    slow = [p for n, p in model.named_parameters() if not n.endswith(("run.bias", "geometry"))]
    groups = [{"params": slow, "lr": args.rate}, {"params": quick, "lr": 10 * args.rate}]
    optimiser = torch.optim.AdamW(groups, weight_decay=1e-3)
    start, mean, done, spent, best = time.time(), 0.0, 0, 0.0, math.inf
    state = args.out / "state.pt"
    if state.exists():
        kept = torch.load(state)
        model.load_state_dict(kept["model"])
        mean_model.load_state_dict(kept["mean"])
        optimiser.load_state_dict(kept["optimiser"])
        generator.set_state(kept["generator"])
        done, spent, best = kept["done"], kept["spent"], kept["best"]
    last = done
    for step in range(done, args.steps + 1):
        if (step % args.every == 0 and step > last) or step in (0, args.steps):
            score, rows = validate(mean_model, 10_000)
            cpu = spent + time.process_time()
            line = {"step": step, "score": round(score, 4), "loss": round(mean, 4)}
            line |= {"s": round(time.time() - start), "cpu": round(cpu)}
            with (args.out / "curve.jsonl").open("a") as file:
                file.write(json.dumps(line | {"costs": rows}) + "\n")
            print(line, rows, flush=True)
            if score < best:
                best = score
                torch.save(mean_model.state_dict(), args.out / "best.pt")
            kept = {"model": model.state_dict(), "mean": mean_model.state_dict()}
            kept |= {"optimiser": optimiser.state_dict(), "generator": generator.get_state()}
            torch.save(kept | {"done": step, "spent": cpu, "best": best}, state)
        shape = draw_shape(args.batch, generator)
        problems = draw_problems(shape, generator)
        optimiser.zero_grad()
        loss = train_step(model, problems, generator)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        left = (args.steps - step) / args.final if args.final else 1.0
        for group, times in zip(optimiser.param_groups, (1.0, 10.0), strict=True):
            group["lr"] = args.rate * times * min(1.0, (step + 1) / 20, max(left, 0.01))
        if math.isfinite(loss) and torch.isfinite(norm):
            optimiser.step()
            mean = 0.95 * mean + 0.05 * loss if mean else loss
        else:
            print("skipped", step, shape, loss, float(norm), flush=True)
        share = min(0.98, step / (step + 10))
        with torch.no_grad():
            for kept_p, p in zip(mean_model.parameters(), model.parameters(), strict=True):
                kept_p.lerp_(p, 1.0 - share)


if __name__ == "__main__":
    main()
