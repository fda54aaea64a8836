"""Runs the checks and tests that `make test` and `make quick` ask for: ``suite.py STEP ...``.

Steps run one after the other, and a failed one ends it.  Standard library only.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
PYTEST = (BIN / "python", "-m", "pytest")
CHECKS = {
    "lint": [
        (BIN / "ruff", "check"),
        (BIN / "ruff", "format", "--check"),
        (BIN / "lint-imports", "--no-cache"),
    ],
    "types": [(BIN / "mypy",)],
}
CORE = ("test/unit", "test/contract")
TESTS = {
    # More workers than processors, for graphs and many other tests wait: two for graphs and two
    # for everything else take 334 s on two processors, one and two 389 s.
    "tests": (
        *PYTEST,
        "--numprocesses=4",
        "--graphs=2",
        "--once-more",
        "--nbmake",
        "test",
        "examples",
    ),
    "quick": (*PYTEST, "--numprocesses=3", "--graphs=0", "-m", "not slow", *CORE),
}
ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",  # its threads would wait for each other: all processors are busy
    "PYTHONUNBUFFERED": "1",  # progress is seen while it happens
}


def run(command, env):
    """Run one command and show it; return its exit code."""
    words = [str(word) for word in command]
    print(os.path.relpath(words[0], ROOT), *words[1:], flush=True)
    return subprocess.run(words, cwd=ROOT, env=env, check=False).returncode


def main(steps):
    """Run the steps; return the exit code of the first one that fails."""
    env, spent = {**os.environ, **ENVIRONMENT}, {}
    # A graph starts four Pythons: they must not compile everything anew each time.
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    for step in steps:
        begin = time.monotonic()
        for command in CHECKS.get(step) or [TESTS[step]]:
            if code := run(command, env):
                print(f"{step} failed after {time.monotonic() - begin:.1f} s", flush=True)
                return code
        spent[step] = time.monotonic() - begin
        env["SUITE_STEPS"] = " ".join(f"{name}={value:.1f}" for name, value in spent.items())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
