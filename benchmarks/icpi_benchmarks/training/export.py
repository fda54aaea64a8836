"""Export of trained weights for numpy, and their recipe beside them.

``python -m icpi_benchmarks.training.export FOLDER FIRST LAST`` averages the weights that ``train``
left there from step FIRST to LAST, validates them on eight times the problems, and with ``--write``
writes the files of :mod:`icpi_ros.improvers.transformer`; it refuses weights with which numpy and
PyTorch do not agree.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import platform
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from icpi_benchmarks.program import run_program
from icpi_benchmarks.training import families, train
from icpi_benchmarks.training.network import HIDDEN, LAYERS, WIDTH, TrainedNetwork
from icpi_benchmarks.training.network import tokens as batch_of
from icpi_ros.cli.json_output import JsonOutput
from icpi_ros.core.types import Array
from icpi_ros.improvers.transformer import weights
from icpi_ros.improvers.transformer.network import HEADS, Network
from icpi_ros.improvers.transformer.tokens import tokens
from icpi_ros.learn.executions import Executions

HERE = Path(weights.__file__).parent
MAX_DIFFERENCE = 1e-9
"""Largest difference between the scaled steps of numpy and PyTorch, both in double precision."""
TIMES = 8
"""Problems of the last validation, for each of those in training."""
COMPARED = (
    families.ProblemShape(8, 2, 2, 30, 20),
    families.ProblemShape(8, 3, 2, 12, 9),
    families.ProblemShape(8, 1, 1, 8, 8),
    families.ProblemShape(8, 8, 3, 20, 12),
)


def difference(network: Network, model: TrainedNetwork, shape: families.ProblemShape) -> float:
    """Return the largest difference between the two on random problems."""
    generator = torch.Generator().manual_seed(shape.dim)
    problems = families.draw_problems(shape, generator)
    thetas = 2.0 * torch.rand(shape.problems, 3, shape.dim, generator=generator) - 1.0
    errors = torch.stack([problems.errors(thetas[:, n]) for n in range(3)], 1)
    with torch.no_grad():
        found = model(batch_of(problems.points, problems.outcomes, thetas, errors))
    worst = 0.0
    draw = np.repeat(np.arange(shape.samples), shape.each)
    for b in range(shape.problems):
        points = problems.points[b].reshape(-1, shape.dim).numpy()
        outcomes = problems.outcomes[b].reshape(-1, shape.errors).numpy()
        base = int(errors[b].square().sum(-1).argmin())
        done = Executions(points, outcomes, draw)
        run = thetas[b].numpy(), errors[b].numpy()
        for ours, theirs in zip(
            network.steps(tokens(done, outcomes, run, base)), found, strict=True
        ):
            worst = max(worst, float(np.abs(ours - theirs[b].numpy()).max()))
    return worst


def average(folder: Path, first: int, last: int) -> dict[str, Any]:
    """Return the mean of the weights kept from step ``first`` to ``last``."""
    kept = [
        torch.load(path)
        for path in sorted((folder / train.MEANS).glob("*.pt"))
        if first <= int(path.stem) <= last
    ]
    if not kept:
        raise SystemExit(f"{folder} has no weights of steps {first} to {last}")
    return {name: sum(one[name] for one in kept) / len(kept) for name in kept[0]}


def recipe(folder: Path, steps: tuple[int, int], network: Network) -> dict[str, Any]:
    """Return how the weights were made."""
    lines = (folder / train.CURVE).read_text(encoding="utf-8").splitlines()
    schedule = torch.load(folder / train.STATE)["schedule"]
    names = ("step", "score", "cpu_s")
    curve = [[json.loads(line)[name] for name in names] for line in lines]
    return {
        "parameters": int(sum(array.size for array in network.weights.values())),
        "width": WIDTH,
        "heads": HEADS,
        "layers_per_pass": LAYERS,
        "hidden": HIDDEN,
        "command": "python -m icpi_benchmarks.training.train FOLDER "
        + " ".join(f"--{name} {value}" for name, value in schedule.items()),
        "averaged_steps": list(steps),
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": torch.__version__,
        },
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "example": [round(float(v), 9) for v in weights.example_step(network)],
        "curve": [row for row in curve if row[0] % 50 == 0],
    }


def agreeing(arrays: dict[str, Array]) -> Network:
    """Return the network in numpy, which agrees with PyTorch."""
    torch.set_default_dtype(torch.float64)
    model = TrainedNetwork()
    model.load_state_dict({name: torch.tensor(value) for name, value in arrays.items()})
    network = Network(arrays)
    apart = max(difference(network, model, shape) for shape in COMPARED)
    if not apart <= MAX_DIFFERENCE:
        raise SystemExit(f"numpy and PyTorch differ by {apart:g}: nothing was written")
    print(f"numpy and PyTorch differ by {apart:.1g}")
    return network


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the folder, the steps and whether to write."""
    parser.add_argument("folder", type=Path)
    parser.add_argument("first", type=int)
    parser.add_argument("last", type=int)
    parser.add_argument("--write", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Validate weights, and write them with their recipe if asked to; one row, their score."""
    kept = average(args.folder, args.first, args.last)
    torch.set_num_threads(1)
    model = TrainedNetwork()
    model.load_state_dict(kept)
    score, rows = train.validate(model, TIMES)
    print(f"score {score:.4f}", *rows, sep="\n", flush=True)
    found = {"score": round(score, 4), "costs": rows}
    if args.write:
        write(args.folder, (args.first, args.last), kept, found)
    output: JsonOutput | None = args.json
    if output:
        output.write([found])
    return 0


def write(
    folder: Path, steps: tuple[int, int], kept: dict[str, torch.Tensor], found: dict[str, Any]
) -> None:
    """Write the weights for numpy, and how they were made and ``found``."""
    singles = {name: value.numpy().astype(np.float32) for name, value in kept.items()}
    network = agreeing({name: value.astype(np.float64) for name, value in singles.items()})
    made = recipe(folder, steps, network) | found
    archive: dict[str, Any] = dict(singles)
    np.savez_compressed(HERE / weights.ARRAYS, **archive)
    digest = hashlib.sha256((HERE / weights.ARRAYS).read_bytes()).hexdigest()
    text = json.dumps({"sha256": digest} | made, indent=1)
    text = re.sub(r"\[[^][]*\]", lambda rows: " ".join(rows.group().split()), text)
    (HERE / weights.RECIPE).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run_program(sys.modules[__name__]))
