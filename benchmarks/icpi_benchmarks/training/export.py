"""Export of trained weights for numpy, and their recipe beside them.

``python -m icpi_benchmarks.training.export FOLDER`` reads what ``train`` left there and writes the
files of :mod:`icpi_ros.improvers.transformer`; it refuses weights with which numpy and PyTorch do
not agree.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch

from icpi_benchmarks.training import families, train
from icpi_benchmarks.training.network import HIDDEN, LAYERS, WIDTH, TrainedNetwork
from icpi_benchmarks.training.network import tokens as batch_of
from icpi_ros.core.types import Array
from icpi_ros.improvers.transformer import weights
from icpi_ros.improvers.transformer.network import HEADS, Network
from icpi_ros.improvers.transformer.tokens import tokens
from icpi_ros.learn.executions import Executions

HERE = Path(weights.__file__).parent
MAX_DIFFERENCE = 1e-9
"""Largest difference between the scaled steps of numpy and PyTorch, both in double precision."""
COMPARED = (
    families.Shape(8, 2, 2, 30, 20),
    families.Shape(8, 3, 2, 12, 9),
    families.Shape(8, 1, 1, 8, 8),
    families.Shape(8, 8, 3, 20, 12),
)


def difference(network: Network, model: TrainedNetwork, shape: families.Shape) -> float:
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


def recipe(kept: dict[str, Any], folder: Path, digest: str, network: Network) -> dict[str, Any]:
    """Return how the weights were made."""
    lines = (folder / train.CURVE).read_text(encoding="utf-8").splitlines()
    names = ("step", "score", "cpu_s")
    return {
        "sha256": digest,
        "parameters": int(sum(array.size for array in network.weights.values())),
        "width": WIDTH,
        "heads": HEADS,
        "layers_per_pass": LAYERS,
        "hidden": HIDDEN,
        "command": "python -m icpi_benchmarks.training.train FOLDER "
        + " ".join(f"--{name} {value}" for name, value in kept["schedule"].items()),
        "chosen": kept["line"],
        "curve": [[json.loads(line)[name] for name in names] for line in lines],
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "torch": torch.__version__,
        },
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "example": [round(float(v), 9) for v in weights.example_step(network)],
    }


def main() -> None:
    """Write the weights and the recipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    kept = torch.load(folder / train.WEIGHTS)
    arrays: dict[str, Any] = {
        name: value.numpy().astype(np.float32) for name, value in kept["weights"].items()
    }
    doubles: dict[str, Array] = {name: v.astype(np.float64) for name, v in arrays.items()}
    torch.set_default_dtype(torch.float64)
    model = TrainedNetwork()
    model.load_state_dict({name: torch.tensor(value) for name, value in doubles.items()})
    network = Network(doubles)
    apart = max(difference(network, model, shape) for shape in COMPARED)
    if not apart <= MAX_DIFFERENCE:
        raise SystemExit(f"numpy and PyTorch differ by {apart:g}: nothing was written")
    np.savez_compressed(HERE / weights.ARRAYS, **arrays)
    digest = hashlib.sha256((HERE / weights.ARRAYS).read_bytes()).hexdigest()
    found = recipe(kept, folder, digest, network)
    (HERE / weights.RECIPE).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"{found['parameters']} parameters; numpy and PyTorch differ by {apart:.1g}")


if __name__ == "__main__":
    main()
