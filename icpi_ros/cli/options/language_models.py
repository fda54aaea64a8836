"""Options of the commands about language models."""

from __future__ import annotations

import argparse
from pathlib import Path

from icpi_ros.cli.arguments import add_arm, add_mix, add_model, add_store, quantities, whole
from icpi_ros.cli.json_output import add_json


def prompt(parser: argparse.ArgumentParser) -> None:
    """Add what `icpi prompt` takes."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--task", help="task; its trials are simulated, later ones by ridge")
    which.add_argument("--run-id", metavar="RUN", help="a stored run, see `icpi runs`")
    parser.add_argument(
        "--trial",
        type=whole(1, 1000),
        metavar="N",
        help="the trial that is asked for (default: 1; of a stored run: its next one)",
    )
    parser.add_argument("--improver", help="llm or a variant (default: llm, or the run's own)")
    parser.add_argument(
        "--goal",
        type=quantities,
        metavar="X,Y",
        help="metres, or 60cm,42cm; default: the task's own",
    )
    parser.add_argument("--seed", type=whole(0, 2**62), default=0, help="of simulated trials")
    parser.add_argument("--dataset", type=Path, help="examples; default: the shipped set")
    add_arm(parser)
    add_mix(parser, "simulate another arm than that of the data set")
    add_json(parser, "the messages")
    add_model(parser)
    add_store(parser)


def serve(parser: argparse.ArgumentParser) -> None:
    """Add the address, and what a model with weights takes."""
    parser.add_argument(
        "--weights",
        metavar="PACKAGE|FILE.gguf",
        help="a language model: an installed package that holds one, or its file (default: the "
        "stand-in, which is no language model)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="loopback address (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=whole(0, 65535), default=8377, help="0 = any free one (default: 8377)"
    )
    parser.add_argument(
        "--allow-remote", action="store_true", help="allow other addresses: there are no keys"
    )
    sizes = parser.add_argument_group("a model with weights")
    sizes.add_argument(
        "--threads",
        type=whole(1, 1024),
        help="of the computation (default: the physical cores that it may use)",
    )
    sizes.add_argument(
        "--context",
        type=whole(64, 2**20),
        metavar="TOKENS",
        help="of a choice with its prompt (default: 2048, or what the model was trained with)",
    )
    sizes.add_argument(
        "--parallel",
        type=whole(1, 128),
        metavar="N",
        help="choices that are computed at the same time, and most of a request (default: 5)",
    )
    parser.add_argument("--log-level", choices=("debug", "info", "warn", "error"), default="warn")
