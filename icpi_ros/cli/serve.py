"""Serve the in-context model as an OpenAI-compatible endpoint on this machine."""

from __future__ import annotations

import argparse


def run(args: argparse.Namespace) -> int:
    """Answer until SIGINT or SIGTERM."""
    from icpi_ros.llm.server.server import Address, serve  # uvicorn is 0.4 s

    serve(Address(args.host, args.port, args.allow_remote), args.log_level)
    return 0
