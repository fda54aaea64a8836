"""Time of a proposal of the improver llm besides the model: retrieval, prompt, parsing, store.

A server in a process of its own answers at once; a proposal and its write to the trial store are
timed against a bare HTTP round trip of the same bytes to the same server, in turn.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np

from icpi_ros.core.types import Outcome, Trial, TrialStatus
from icpi_ros.improvers.base import Context
from icpi_ros.improvers.llm.plain import Llm
from icpi_ros.learn.dataset.dataset import shipped
from icpi_ros.runs.store.store import RunConfig, TrialStore
from icpi_ros.tasks.base import Task

PATH = "/v1/chat/completions"
TRIALS = 6
"""Length of the history that proposals are made for."""
WARM_UP = 20
MAX_ROUND_TRIPS = 2.0
"""Most time of a proposal beyond a bare round trip, in those."""
_Write = Callable[[Trial], None]


@dataclass(frozen=True)
class OverheadRow:
    """Medians of one task [s]: a bare round trip, a proposal, its write to the store.

    ``overhead`` is proposal and write beyond the round trip; ``round_trips`` is the proposal alone
    beyond it, in round trips of the same run; ``round_trips_undisturbed`` compares the fastest
    tenths of both, which other work on the machine delays less.
    """

    task: str
    count: int
    bare: float
    proposal: float
    stored: float
    overhead: float
    overhead_p95: float
    round_trips: float
    round_trips_undisturbed: float


def measure(task: Task, count: int, folder: Path, **options: Any) -> OverheadRow:
    """Time ``count`` proposals.

    Args:
        task: whose shipped data set is searched.
        count: how many, after 20 that do not count.
        folder: where the store is made.
        options: of the improver.
    """
    with _server() as port, _store(task, folder) as store:
        os.environ.setdefault("ICPI_BENCH_KEY", "none")
        given = {"base_url": f"http://127.0.0.1:{port}/v1", "model": "canned", **options}
        given |= {"key_variable": "ICPI_BENCH_KEY", "wire": "json"}
        context = Context(task.space, task.default_goal, task.cost_mask, shipped(task), given)
        improver, history = Llm(context), _history(task)
        body = json.dumps({"model": "canned", "messages": improver.prompt(history).messages})
        round_trip = _bare(port, body.encode())
        times = [_once(improver, history, round_trip, store, n) for n in range(WARM_UP + count)]
    bare, proposal, stored = np.array(times[WARM_UP:]).T
    over = (proposal + stored - np.median(bare)).tolist()
    return OverheadRow(
        task.name,
        count,
        float(np.median(bare)),
        float(np.median(proposal)),
        float(np.median(stored)),
        median(over),
        quantiles(over, n=20)[-1],
        *(float(np.percentile(proposal, q) / np.percentile(bare, q)) - 1.0 for q in (50, 10)),
    )


def _once(
    improver: Llm,
    history: list[Outcome],
    round_trip: Callable[[], None],
    store: tuple[_Write, _Write],
    number: int,
) -> tuple[float, float, float]:
    """Return the times of one round trip, one proposal, and its writes [s]."""
    start = time.perf_counter()
    round_trip()
    bare = time.perf_counter()
    proposal = improver.propose(history, np.random.default_rng(number))
    proposed = time.perf_counter()
    if proposal.fallback_reason:
        raise AssertionError(f"the canned reply was refused: {proposal.fallback_reason}")
    trial = Trial(number, proposal.theta, proposal)
    begin, end = store
    begin(trial)
    stored = time.perf_counter()
    end(trial)  # not part of the proposal
    return bare - start, proposed - bare, stored - proposed


def _history(task: Task) -> list[Outcome]:
    """Return made-up trials; their outcomes do not matter here."""
    rng, size = np.random.default_rng(0), len(task.error_names)
    errors = 0.1 * rng.standard_normal((TRIALS, size))
    thetas = task.space.sample(rng, TRIALS)
    return [Outcome(t, e, task.cost(e)) for t, e in zip(thetas, errors, strict=True)]


@contextmanager
def _store(task: Task, folder: Path) -> Iterator[tuple[_Write, _Write]]:
    """Yield functions that write the start and the end of a trial."""
    goal = tuple(task.default_goal.tolist())
    with TrialStore(folder / "overhead.sqlite") as store:
        run = store.create_run(RunConfig(task.name, "llm", goal, 1000))

        def write(trial: Trial) -> None:
            store.begin_trial(run, trial.number, trial.theta, trial.proposal, False)

        def end(trial: Trial) -> None:
            store.finish_trial(run, replace(trial, status=TrialStatus.FAILED))

        yield write, end


def _bare(port: int, body: bytes) -> Callable[[], None]:
    """Return a function that posts ``body`` over one kept connection and reads the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10.0)

    def post() -> None:
        connection.request("POST", PATH, body, {"Content-Type": "application/json"})
        connection.getresponse().read()

    return post


@contextmanager
def _server() -> Iterator[int]:
    """Yield the port of a server in another process that answers at once."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    try:
        if not here.poll(30.0):
            raise TimeoutError("the canned server did not start within 30 s")
        yield int(here.recv())
    finally:
        process.terminate()
        process.join(5.0)


def _serve(pipe: Any) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Canned)
    pipe.send(server.server_address[1])
    server.serve_forever()


class _Canned(BaseHTTPRequestHandler):
    """Handler whose reply has as many outputs as were asked for, from 100 on."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    """Buffered: headers and body in one packet."""

    def do_POST(self) -> None:
        """Answer a completion."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        width = len(request["messages"][-1]["content"].rpartition("\n")[2].split("|")[0].split())
        reply = {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": "canned",
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {
                        "role": "assistant",
                        "content": json.dumps({"output": list(range(100, 100 + width))}),
                    },
                }
            ],
            "usage": {"prompt_tokens": 700, "completion_tokens": 9, "total_tokens": 709},
        }
        body = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Write no log."""
