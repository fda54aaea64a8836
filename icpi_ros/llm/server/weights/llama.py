"""llama.cpp with a model, asked over a socket in a folder that is this user's alone.

Its own HTTP server listens at that socket and at no port: web interface, slots and files are
offered to nobody, and a request whose connection is closed ends there.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, BinaryIO

from icpi_ros.core.errors import IcpiError, UsageError
from icpi_ros.core.text import printable
from icpi_ros.llm.server.weights.gguf import Header

PACKAGE = "xllamacpp"
INSTALL = "make setup SETUP_FLAGS=--with=local-llm, or pip install 'icpi_ros[local-llm]'"
DEFAULT_CONTEXT = 2048
"""Tokens of a request and its answer: twice 20 examples of 4 digits, a token per digit."""
DEFAULT_PARALLEL = 5
"""Choices that are computed at the same time."""
WORKING_MEMORY = 300e6
"""Memory beside weights, keys and values [bytes]."""
CHECKPOINTS = 4
"""Snapshots of a choice's sliding window that are kept, 9 MB each for Gemma 3 270M."""
SOCKET = "llama.sock"
STDERR = 2
_LEVELS = {"debug": 5, "info": 3}
"""Verbosity by level of the log; errors alone at any other."""
ERRORS = 1
LOG_LIMIT = 1.0
"""Longest wait for the end of a failure's log [s]."""
LAST_WORDS = "exiting due to model loading error"
"""Of llama.cpp, on a line of its own after the reason."""
_CAUSE = re.compile(
    r"(?:error loading model: )+(?P<why>.+)|(?P<other>\b(?:failed|error)\b.+)", re.IGNORECASE
)


class NoRuntime(UsageError):
    """llama.cpp is not installed, or cannot be loaded."""


class LoadingFailed(IcpiError):
    """Weights that llama.cpp did not load."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of the work.

    Attributes:
        threads: of the computation.
        context: tokens of each choice, with its prompt.
        parallel: choices that are computed at the same time.
    """

    threads: int
    context: int
    parallel: int

    @classmethod
    def of(
        cls, header: Header, threads: int | None, context: int | None, parallel: int | None
    ) -> Sizes:
        """Return the sizes for a model; None = the default, which depends on it.

        Raises:
            UsageError: a context beyond the model's, or more memory than there is.
        """
        trained = header.context or DEFAULT_CONTEXT
        if context is not None and header.context and context > trained:
            raise UsageError(
                f"--context {context}: {header.path.name} was trained with {trained} tokens at most"
            )
        found = cls(
            threads or physical_cores(),
            context or min(DEFAULT_CONTEXT, trained),
            parallel or DEFAULT_PARALLEL,
        )
        found._require_memory(header)
        return found

    def _require_memory(self, header: Header) -> None:
        cache = header.token_bytes * self.context * self.parallel
        needed = header.path.stat().st_size + cache + WORKING_MEMORY
        free = available_memory()
        if free is not None and needed > free:
            raise UsageError(
                f"{header.path.name} with --context {self.context} and --parallel {self.parallel} "
                f"takes about {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free: lower them, or "
                "take a smaller model"
            )


def available_memory() -> int | None:
    """Return the memory that can be had without swapping [bytes]; None = not known."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return 1024 * found[0] if found else None


def physical_cores() -> int:
    """Return the number of physical cores that this process may use."""
    allowed = os.sched_getaffinity(0)
    cores = set()
    for processor in allowed:
        siblings = Path(f"/sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list")
        try:
            cores.add(siblings.read_text(encoding="ascii"))
        except OSError:
            return len(allowed)
    return len(cores)


def version() -> str:
    """Return the version of the package with llama.cpp.

    Raises:
        NoRuntime: it is not installed.
    """
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        raise NoRuntime(
            f"--weights needs the package {PACKAGE} (llama.cpp), which is not installed: {INSTALL}"
        ) from None


@contextmanager
def running(header: Header, sizes: Sizes, log_level: str) -> Iterator[Path]:
    """Give the socket of llama.cpp with a model that is loaded and warm; end it afterwards.

    Raises:
        NoRuntime: the package with llama.cpp is missing or broken.
        LoadingFailed: the model cannot be loaded.
    """
    version()
    try:
        import xllamacpp
    except ImportError as exc:
        raise NoRuntime(f"{PACKAGE} cannot be loaded ({exc}): {INSTALL}") from None
    with tempfile.TemporaryDirectory(prefix="icpi-") as folder:
        path = Path(folder) / SOCKET
        server = _start(xllamacpp, _parameters(xllamacpp, header, sizes, log_level, path), header)
        try:
            yield path
        finally:
            del server  # ends its threads


def _parameters(llama: Any, header: Header, sizes: Sizes, log_level: str, listening: Path) -> Any:
    wanted = llama.CommonParams()
    wanted.model.path = str(header.path)
    wanted.hostnames = [str(listening)]
    wanted.n_parallel = sizes.parallel
    wanted.n_ctx = sizes.context * sizes.parallel
    wanted.cpuparams.n_threads = wanted.cpuparams_batch.n_threads = sizes.threads
    wanted.verbosity = _LEVELS.get(log_level, ERRORS)
    wanted.ui = wanted.endpoint_slots = wanted.endpoint_props = wanted.endpoint_metrics = False
    # Prompts are kept where they are computed; no second copy of up to 8 GB.
    wanted.cache_ram_mib, wanted.cache_idle_slots = 0, False
    wanted.n_ctx_checkpoints = CHECKPOINTS
    wanted.fit_params = False  # it loads the model twice, and may take another context
    return wanted


def _start(llama: Any, wanted: Any, header: Header) -> Any:
    """Return llama.cpp's server, ready; what it writes to stderr on the way is read, or passed on.

    Raises:
        LoadingFailed: it is not; the message is one line.
    """
    with tempfile.TemporaryFile() as log:
        kept = os.dup(STDERR)
        quiet = wanted.verbosity == ERRORS
        if quiet:
            os.dup2(log.fileno(), STDERR)
        try:
            return llama.Server(wanted)
        except Exception as exc:
            cause = _logged_cause(log) if quiet else ""
            failure = LoadingFailed(
                f"llama.cpp cannot load {header.path}: {cause or printable(str(exc))}"
            )
        finally:
            os.dup2(kept, STDERR)
            os.close(kept)
    raise failure


def _logged_cause(log: BinaryIO) -> str:
    """Return what llama.cpp complained of, whose thread may write it after the call has failed.

    What it writes later still would stand beside our one line.
    """
    deadline = time.monotonic() + LOG_LIMIT
    while True:
        log.seek(0)
        text = log.read().decode(errors="replace")
        if LAST_WORDS in text or time.monotonic() > deadline:
            return _cause(text)
        time.sleep(0.02)  # nothing tells when it is done


def _cause(log: str) -> str:
    """Return the first complaint of a log of llama.cpp on one line; "" = there is none.

    A text from outside: what llama.cpp printed.
    """
    found = _CAUSE.search(log)
    return printable((found["why"] or found["other"]).strip()) if found else ""
