"""Serve a language model, or a stand-in, as an OpenAI-compatible endpoint on this machine."""

from __future__ import annotations

import argparse

from icpi_ros.core.errors import UsageError


def run(args: argparse.Namespace) -> int:
    """Answer until SIGINT or SIGTERM."""
    from icpi_ros.llm.server.listening import Address  # uvicorn is 0.4 s

    address = Address(args.host, args.port, args.allow_remote)
    sizes = {name: getattr(args, name) for name in ("threads", "context", "parallel")}
    if args.weights is not None:
        from icpi_ros.llm.server.weights.app import serve_weights

        serve_weights(address, args.log_level, args.weights, **sizes)
        return 0
    for name, value in sizes.items():
        if value is not None:
            raise UsageError(f"--{name} is for a model with weights: name it with --weights")
    from icpi_ros.llm.server.server import serve

    serve(address, args.log_level)
    return 0
