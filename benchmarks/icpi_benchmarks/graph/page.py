"""Latency and cost of the live page of a simulated graph, in a real browser.

All processes are on one machine, so that their clocks are one.  Pictures are computed by the
processor (no graphics card is used), of a small window: what is measured is the way to the page and
one of its frames, not how fast a machine draws.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import viser
from sensor_msgs.msg import JointState
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from icpi_benchmarks.browser.chromium import Chromium
from icpi_benchmarks.browser.view_page import ViewPage, addresses_in
from icpi_benchmarks.graph.page_figures import PageFigures, Pair, arrivals
from icpi_benchmarks.graph.stop_latency import Measured, StopClient
from icpi_ros.core.errors import ExecutionFailed, InvalidValue
from icpi_ros.core.types import Array
from icpi_ros.robots import argument_of
from icpi_ros.robots.base import Arm
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.base.topics import JOINT_STATES
from icpi_ros.ros.bringup.environment import environment
from icpi_ros.ros.bringup.instance import reserve_domain
from icpi_ros.ros.bringup.processes import BackgroundGraph
from icpi_ros.ros.clients.client_node import ClientNode
from icpi_ros.ros.clients.improve_client import Callbacks, ImproveClient, ImproveRequest

TASK = "slide"
NICENESS = 10
"""Of the browser: what it draws on a graphics card elsewhere must not slow down the graph here."""
START_LIMIT = 30.0
"""Longest wait for graph and page [s]."""
SETTLED = 2
"""Trials after which the simulation has caught up with the start of a browser."""
RELEASE = "release the stop"
NS = 1e-9
TICKS = os.sysconf("SC_CLK_TCK")
ICPI = (sys.executable, "-c", "import sys; from icpi_ros.cli.main import main; sys.exit(main())")
SEEN = "document.querySelector('iframe').contentWindow.icpiSeen"
WATCH = """
(() => {
  const now = () => (performance.timeOrigin + performance.now()) / 1000;
  window.icpiSeen = [];
  window.icpiPressed = 0;
  addEventListener("pointerdown", (event) => {
    icpiPressed = (performance.timeOrigin + event.timeStamp) / 1000;
  }, true);
  const Theirs = Worker;
  window.Worker = class extends Theirs {
    set onmessage(take) {
      super.onmessage = (event) => {
        const at = now();
        take.call(this, event);
        if (event.data.type !== "message_batch") return;
        for (const message of event.data.messages) {
          if (message.type !== "SetPositionMessage" || message.name !== "LINK") continue;
          const row = [...message.position, at, 0];
          icpiSeen.push(row);
          // It is drawn in the next frame; the one after comes when that has been drawn.
          requestAnimationFrame(() => requestAnimationFrame(() => { row[4] = now(); }));
        }
      };
    }
  };
})();
"""


@dataclass(frozen=True)
class PagePlan:
    """Plan of a measurement; 0 = that is not measured.

    Attributes:
        arm: that moves.
        seconds: of a moving arm whose joint states are looked for on the page.
        stops: presses of STOP.
        pairs: runs without and with the page.
        trials: of each of these runs.
        seed: of motions and moments.
        window: of the browser [px].
        draw: the browser draws the scene, here by the processor, while STOP is pressed.
    """

    arm: Arm
    seconds: float
    stops: int
    pairs: int
    trials: int
    seed: int
    window: tuple[int, int] = (240, 180)
    draw: bool = False


def measure(plan: PagePlan) -> PageFigures:
    """Return the measurements of a plan.

    Raises:
        ExecutionFailed: graph, page or browser do not start or do not answer.
    """
    number, held = reserve_domain()
    os.environ.update(environment())
    os.environ["ROS_DOMAIN_ID"] = str(number)
    found = PageFigures()
    try:
        with tempfile.TemporaryDirectory() as name, _graph(plan, Path(name)) as graph:
            folder = Path(name)
            if plan.seconds or plan.stops:
                with (
                    Chromium(plan.window, niceness=NICENESS) as browser,
                    ShownGraph(folder) as shown,
                ):
                    link = f"/arm/link_{len(plan.arm.joints)}"
                    page = ViewPage(browser, shown.link, script=WATCH.replace("LINK", link))
                    page.ready()
                    if plan.seconds:
                        found.arrivals = _arrivals(plan, graph, page)
                    if plan.stops:
                        stopped = _stops(plan, graph, page)
                        found.stops = [stop.deceleration for stop in stopped.stops]
                        found.missed = stopped.missed
            if plan.pairs:
                found.pairs = [_pair(plan, graph, folder, pair) for pair in range(plan.pairs)]
    finally:
        held.release()
    return found


def _graph(plan: PagePlan, folder: Path) -> BackgroundGraph:
    given = {
        "task": TASK,
        "arm": argument_of(plan.arm),
        "real_time_factor": "1.0",
        "store": str(folder / "trials.sqlite"),
    }
    return BackgroundGraph("sim", given, folder / "graph.log")


class ShownGraph:
    """`icpi view --operate` of the graph, a process of its own; a context manager.

    Attributes:
        link: of its page.
    """

    def __init__(self, folder: Path) -> None:
        """Keep where its addresses are written."""
        self._file, self._log = folder / "page.json", folder / "page.log"

    def __enter__(self) -> ShownGraph:
        self._file.unlink(missing_ok=True)
        words = ("view", "--operate", "--json", str(self._file))
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*ICPI, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            self.link = self._addresses()["page"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(START_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def processor_time(self) -> float:
        """Return its processor time so far [s]."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii")
        user, system = fields.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / TICKS

    def _addresses(self) -> dict[str, str]:
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline and self._process.poll() is None:
            if found := addresses_in(self._file):
                return found
            time.sleep(0.05)
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        raise ExecutionFailed(f"icpi view opened no page: {(lines or ['it said nothing'])[-1]}")


class _Joints(ClientNode):
    """Subscriber of joint states that notes when each was published [s of the wall clock]."""

    def __init__(self, arm: Arm) -> None:
        super().__init__("icpi_page_latency")
        self._arm = arm
        self.noted: list[tuple[float, Array]] = []
        self.node.create_subscription(JointState, JOINT_STATES, self._on_joints, qos.SENSOR_EVERY)
        self.spin()

    def _on_joints(self, msg: JointState, info: Any) -> None:
        with contextlib.suppress(InvalidValue):
            _, q, _ = convert.joint_state_from(msg, self._arm.joints)
            self.noted.append((NS * info["source_timestamp"], q))

    def places(self) -> list[tuple[float, list[float]]]:
        """Return when each was published, and where its last link was ``(3,)`` [m]."""
        return [(at, self._arm.links(q)[-1, :3, 3].tolist()) for at, q in list(self.noted)]


def _arrivals(plan: PagePlan, graph: BackgroundGraph, page: ViewPage) -> list[Any]:
    """Look for the joint states of random trials on the page."""
    with _Joints(plan.arm) as joints, ImproveClient() as client:
        client.connect(START_LIMIT)
        _trials(client, graph, 1, plan.seed)  # what is drawn for the first time takes long
        page.tab.evaluate(f"{SEEN}.length = 0")
        end, seed = time.monotonic() + plan.seconds, plan.seed
        while time.monotonic() < end:
            _trials(client, graph, 1, seed)
            seed += 1
        time.sleep(0.5)  # what is on its way
        seen = page.tab.evaluate(SEEN)
    return list(arrivals(joints.places(), seen))


def _trials(client: ImproveClient, graph: BackgroundGraph, budget: int, seed: int) -> list[float]:
    """Carry out random trials; return the wall time of each [s]."""
    taken: list[float] = []
    calls = Callbacks(
        on_trial=lambda trial: taken.append(trial.seconds),
        death=lambda: None if graph.alive else graph.reason(),
    )
    result = client.improve(ImproveRequest(TASK, "random", budget=budget, seed=seed), calls)
    if result.error_code:
        raise ExecutionFailed(result.error_msg)
    return taken


class _PageStops(StopClient):
    """Client whose stops are presses of STOP on a page."""

    def __init__(self, graph: BackgroundGraph, arm: Arm, page: ViewPage) -> None:
        super().__init__(graph, arm)
        self._page = page

    def ask(self, kind: str, handle: Any) -> float:
        """Press STOP; return when the button was pressed [s of the steady clock]."""
        self._page.stop()
        pressed = float(self._page.tab.evaluate("icpiPressed"))
        return pressed - time.time() + time.monotonic()

    def release(self) -> None:
        """Release the stop on the page."""
        self._page.sees("STOPPED")
        self._page.until_gone(RELEASE, press=True)


def _stops(plan: PagePlan, graph: BackgroundGraph, page: ViewPage) -> Measured:
    """Stop moving arms by the page; each stop is released before the next motion."""
    rng, found = np.random.default_rng(plan.seed), Measured(plan.arm.limits)
    if not plan.draw:
        page.tab.evaluate("document.querySelector('iframe').hidden = true")
    with ImproveClient() as improve:
        improve.connect(START_LIMIT)
        _trials(improve, graph, SETTLED, plan.seed)
    with _PageStops(graph, plan.arm, page) as client:
        client.wait_for_graph()
        while len(found.stops) < plan.stops:
            client.stopped(rng, "page", found)
    return found


def _pair(plan: PagePlan, graph: BackgroundGraph, folder: Path, number: int) -> Pair:
    """Carry out the same trials without and with the page, every other time with it first.

    The first one of a run counts for nothing: it begins where the run before ended.
    """
    seed, count = plan.seed + number, plan.trials + 1
    with ImproveClient() as client:
        client.connect(START_LIMIT)
        without = [] if number % 2 else _trials(client, graph, count, seed)
        with ShownGraph(folder) as shown, _viewer(shown.link):
            begin, worked = time.monotonic(), shown.processor_time()
            with_page = _trials(client, graph, count, seed)
            share = (shown.processor_time() - worked) / (time.monotonic() - begin)
        without = without or _trials(client, graph, count, seed)
    return Pair(tuple(without[1:]), tuple(with_page[1:]), share)


@contextlib.contextmanager
def _viewer(link: str) -> Iterator[None]:
    """Connect as a page does, and take all that comes: no picture takes the trials' processor."""
    address = link.replace("http", "ws")
    protocol = Subprotocol(f"viser-v{viser.__version__}")
    with (
        connect(f"{address}scene", subprotocols=[protocol], proxy=None, max_size=None) as scene,
        connect(f"{address}bar", proxy=None) as bar,
    ):
        scene.send(_camera())
        for line in (scene, bar):
            threading.Thread(target=_drain, args=(line,), daemon=True).start()
        yield


def _drain(line: Any) -> None:
    with contextlib.suppress(ConnectionClosed):
        for _ in line:
            pass


def _camera() -> bytes:
    """Return viser's message of a camera: only then it counts a connection as a viewer."""
    import msgspec

    place = {"wxyz": (1, 0, 0, 0), "position": (1, 1, 1), "look_at": (0, 0, 0)}
    lens = {"fov": 1.0, "near": 0.1, "far": 9.0, "image_height": 900, "image_width": 1400}
    up = {"type": "ViewerCameraMessage", "up_direction": (0, 0, 1)}
    return msgspec.msgpack.encode(up | place | lens)
