"""Runs the checks and tests that `make test` and `make quick` ask for: ``suite.py STEP ...``.

Steps run one after the other, and a failed one ends it.  Standard library only.
"""

import contextlib
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
        "--ignore=test/browser",  # make test-browser: it needs a browser, and all processors
        "test",
        "examples",
    ),
    "quick": (*PYTEST, "--numprocesses=3", "--graphs=0", "-m", "not slow", *CORE),
}
COMPILED = ROOT / "test" / "unit" / "__pycache__"
"""What a fresh clone has not."""
ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",  # its threads would wait for each other: all processors are busy
    "PYTHONUNBUFFERED": "1",  # progress is seen while it happens
}


def run(command, env):
    """Run one command and show it; return its exit code."""
    words = [str(word) for word in command]
    print(os.path.relpath(words[0], ROOT), *words[1:], flush=True)
    return subprocess.run(words, cwd=ROOT, env=env, check=False).returncode


@contextlib.contextmanager
def compiling(steps, env):
    """Compile the tests of a fresh clone beside its checks; yield a wait until they are.

    All workers at once would compile the same five hundred files, each for itself.
    """
    if COMPILED.exists() or not TESTS.keys() & set(steps):
        yield lambda: None
        return
    command = [*PYTEST, "--collect-only", "-q", *CORE, "test/graph"]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=ROOT, env=env, **silent) as process:
        try:
            yield process.wait
        finally:
            process.terminate()


def main(steps):
    """Run the steps; return the exit code of the first one that fails."""
    env = {**os.environ, **ENVIRONMENT}
    # A graph starts four Pythons: they must not compile everything anew each time.
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    with compiling(steps, env) as compiled:
        return carry_out(steps, env, compiled)


def carry_out(steps, env, compiled):
    """Run the steps one after the other; see :func:`main`."""
    spent = {}
    for step in steps:
        if step in TESTS:
            compiled()
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
