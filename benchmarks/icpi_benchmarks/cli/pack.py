"""Pack the recorded cassettes of language models, small and ready to be shipped."""

from __future__ import annotations

import argparse

from icpi_benchmarks.cassettes.recordings import pack


def run(args: argparse.Namespace) -> int:
    """Print a line per cassette, and their size together."""
    sizes = pack(args.folder, args.into)
    for name, (answers, size) in sizes.items():
        print(f"{name}: {answers} answers, {size / 1e3:.0f} kB")
    print(f"{sum(size for _, size in sizes.values()) / 1e6:.2f} MB in {args.into}")
    if args.json:
        args.json.write(
            [{"file": name, "answers": n, "bytes": size} for name, (n, size) in sizes.items()]
        )
    return 0
