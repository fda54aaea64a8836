"""Workers for independent pieces of work: this process, local processes, or a Dask cluster.

Results come back in any order as soon as each is there.  Local processes go through joblib;
on a cluster the scheduler runs the work of a lost worker again elsewhere.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import pickle
import queue
import select
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from icpi_ros.core import plugins
from icpi_ros.core.errors import IcpiError, UsageError

T = TypeVar("T")
CONNECT_TIMEOUT = 15.0
"""Longest wait for the scheduler to answer, and for its first worker [s]."""
LOOP_STARTS = 3
"""Attempts to start Dask's own loop, 10 s each."""
LOST_TIMEOUT = 60.0
"""Longest time that a cluster may be without any worker [s]."""
POLL_PERIOD = 2.0
"""Time between two checks that the cluster has workers [s]."""


@dataclass(frozen=True)
class Workers:
    """Workers of one kind.

    Attributes:
        processes: local processes; 1 = this one.  Not used with ``dask``.
        dask: address of a Dask scheduler, for example ``tcp://10.0.0.5:8786``; empty = local.
    """

    processes: int = 1
    dask: str = ""

    def run(self, work: Callable[[int], T], items: Sequence[int]) -> Iterator[tuple[int, T]]:
        """Yield (item, work(item)) for every item, in any order.

        Raises:
            UsageError: the scheduler cannot be reached, or dask is not installed.
            IcpiError: a worker process died, or the cluster lost all its workers.
        """
        if not items:
            return iter(())
        if self.dask:
            return _on_cluster(self.dask, _with_plugins(work), items)
        if min(self.processes, len(items)) == 1:
            return ((item, work(item)) for item in items)
        return _in_processes(min(self.processes, len(items)), _with_plugins(work), items)


def require_versions(found: Mapping[str, str], here: Mapping[str, str]) -> None:
    """Refuse the work of a worker that runs other versions than this process.

    Raises:
        IcpiError: ``found`` there differ; names them and those ``here``.
    """
    other = [
        f"{name} {found.get(name, 'missing')}, here {here.get(name, 'missing')}"
        for name in sorted({*here, *found})
        if found.get(name) != here.get(name)
    ]
    if other:
        raise IcpiError(
            f"a worker runs other versions ({'; '.join(other)}): install the same ones there"
        )


@dataclass(frozen=True)
class _Packed:
    """Work that is unpacked only after the plug-ins whose classes it holds are loaded."""

    plugins: tuple[str, ...]
    content: bytes

    def __call__(self, item: int) -> Any:
        plugins.load(self.plugins)
        return pickle.loads(self.content)(item)


def _with_plugins(work: Callable[[int], T]) -> Callable[[int], T]:
    """Return work that processes can do which have not loaded our plug-ins yet."""
    if not plugins.loaded():
        return work
    import cloudpickle

    return _Packed(plugins.loaded(), cloudpickle.dumps(work))


def _in_processes(
    count: int, work: Callable[[int], T], items: Sequence[int]
) -> Iterator[tuple[int, T]]:
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    # Of a build that is broken off: that work was given up is what was asked for.
    warnings.filterwarnings("ignore", r"\d+ tasks? which", UserWarning, r"joblib\.")
    pool = Parallel(count, backend="loky", batch_size=1, return_as="generator_unordered")
    try:
        with _ctrl_c_held():
            results = pool(delayed(_numbered)(work, item) for item in items)
        yield from results
    except TerminatedWorkerError as exc:
        raise IcpiError(
            "a worker process died (killed, or out of memory?): take fewer --workers if memory is "
            "short"
        ) from exc


@contextmanager
def _ctrl_c_held() -> Iterator[None]:
    """Take Ctrl-C when the block has ended; what it starts never does, not while it starts either.

    A process, and a thread that makes more of them, begins with its maker's blocked signals.
    """
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as other_tracker

    for tracker in (resource_tracker, other_tracker):
        tracker.ensure_running()  # else it starts inside, and lets the signals in again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _numbered(work: Callable[[int], T], item: int) -> tuple[int, T]:
    """Do one piece of work in a process of joblib's."""
    _prepare_process()
    return item, work(item)


@functools.cache
def _prepare_process() -> None:
    """Leave Ctrl-C to the parent of this process, and end when the parent was killed."""
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid is None:
        return
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        handle = os.pidfd_open(parent.pid)
    except OSError:  # an old kernel: joblib ends idle processes after five minutes
        return

    def watch() -> None:
        select.select([handle], [], [])
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


# --- Dask ---------------------------------------------------------------------------------------


def _on_cluster(
    address: str, work: Callable[[int], T], items: Sequence[int]
) -> Iterator[tuple[int, T]]:
    client = _connect(address)
    from concurrent.futures import CancelledError

    from distributed import KilledWorker

    try:
        futures = {client.submit(work, item, pure=False): item for item in items}
        for future in _finished(client, list(futures), address):
            yield futures[future], future.result()
            future.release()
    except KilledWorker as exc:
        raise IcpiError(f"workers at {address} died again and again (memory?)") from exc
    except CancelledError as exc:
        raise IcpiError(f"lost the Dask scheduler at {address}") from exc
    finally:
        client.close(timeout=5)


def _connect(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as exc:
        raise UsageError(
            "--dask needs Dask: install it with `pip install 'icpi_ros[dask]'`"
        ) from exc
    try:
        client = _started(
            functools.partial(Client, address, timeout=CONNECT_TIMEOUT, set_as_default=False)
        )
    except (OSError, ValueError, TimeoutError) as exc:
        reason = " ".join(str(exc).split())[:120]
        raise UsageError(f"cannot reach a Dask scheduler at {address!r}: {reason}") from exc
    try:
        client.wait_for_workers(1, timeout=CONNECT_TIMEOUT)
    except TimeoutError as exc:
        client.close(timeout=5)
        raise UsageError(f"the Dask cluster at {address} has no worker: start some") from exc
    return client


def _started(client: Callable[[], Any]) -> Any:
    """Return a new client; on a busy machine its loop may need more than the 10 s it is given.

    Raises:
        TimeoutError: it did, again and again.
    """
    for _ in range(LOOP_STARTS):
        with suppress(AssertionError):  # the only error that distributed raises
            return client()
    raise TimeoutError(f"Dask did not begin within {LOOP_STARTS} times 10 s: this machine is busy")


def _finished(client: Any, futures: list[Any], address: str) -> Iterator[Any]:
    """Yield futures as they finish; give up a cluster that has no worker left."""
    ready: queue.SimpleQueue[Any] = queue.SimpleQueue()
    for future in futures:
        future.add_done_callback(ready.put)
    lost_since = None
    for _ in futures:
        while True:
            try:
                done = ready.get(timeout=POLL_PERIOD)
                break
            except queue.Empty:
                alive = _has_workers(client)
            lost_since = None if alive else lost_since or time.monotonic()
            if lost_since and time.monotonic() - lost_since > LOST_TIMEOUT:
                raise IcpiError(
                    f"the Dask cluster at {address} has had no worker for {LOST_TIMEOUT:.0f} s: "
                    "start some"
                )
        yield done


def _has_workers(client: Any) -> bool:
    return client.status == "running" and bool(client.scheduler_info(n_workers=-1)["workers"])
