"""Options of `icpi serve`."""

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
