"""Serve the in-context model as an OpenAI-compatible endpoint on this machine."""

from __future__ import annotations

import argparse

from icpi_ros.cli.arguments import whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the address."""
    parser.add_argument("--host", default="127.0.0.1", help="loopback address (default: 127.0.0.1)")
    parser.add_argument(
        "--port", type=whole(0, 65535), default=8377, help="0 = any free one (default: 8377)"
    )
    parser.add_argument(
        "--allow-remote", action="store_true", help="allow other addresses: there are no keys"
    )
    parser.add_argument("--log-level", choices=("debug", "info", "warn", "error"), default="warn")


def run(args: argparse.Namespace) -> int:
    """Answer until SIGINT or SIGTERM."""
    from icpi_ros.llm.server.server import Address, serve  # uvicorn is 0.4 s

    serve(Address(args.host, args.port, args.allow_remote), args.log_level)
    return 0
