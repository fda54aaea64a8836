"""Chromium without a screen, spoken to in its own protocol (DevTools) over a WebSocket.

Nothing but Debian's package `chromium` is needed: `websockets` comes with viser.  Pictures are
computed by the processor (SwiftShader), so that a page draws slowly and takes all cores it gets.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from icpi_ros.core.errors import ExecutionFailed, IcpiError
from icpi_ros.core.system_packages import CHROMIUM, apt_command, browser

START_LIMIT, ANSWER_LIMIT = 60.0, 60.0
"""Longest times for the browser to start, and to answer [s]."""
FLAGS = (
    "--headless=new",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--disable-features=Translate,MediaRouter,OptimizationHints",
    "--no-proxy-server",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--remote-debugging-port=0",
    "--remote-debugging-address=127.0.0.1",
)
"""Options of every start: it asks no server for anything, and all its windows run at full speed."""


def program() -> str:
    """Return the path of the browser.

    Raises:
        IcpiError: there is none.
    """
    found = browser()
    if found is None:
        raise IcpiError(f"no Chromium is installed: run `{apt_command(CHROMIUM.packages)}`")
    return found


class Chromium:
    """One browser process with a profile of its own; a context manager.

    Args:
        size: of its windows [px].
        flags: further command line options.
        niceness: by which it gives way to others: it draws on all processors.
    """

    def __init__(self, size: tuple[int, int] = (1400, 900), *flags: str, niceness: int = 0) -> None:
        """Keep what is wanted; nothing is started yet."""
        self._size, self._niceness = size, niceness
        self._flags = (*FLAGS, f"--window-size={size[0]},{size[1]}", *flags)
        if os.geteuid() == 0:
            self._flags += ("--no-sandbox",)  # it starts none for root
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it.

        Raises:
            IcpiError: there is none.
            ExecutionFailed: it does not start.
        """
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="icpi-browser-")))
            command = ["nice", "-n", str(self._niceness), program(), *self._flags]
            command += [f"--user-data-dir={folder}", "about:blank"]
            log = stack.enter_context((folder / "log").open("wb"))
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
            stack.callback(self._end)
            self._line = stack.enter_context(_Line(self._address(folder)))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def group(self) -> int:
        """Process group of all its processes."""
        assert self._process is not None
        return self._process.pid

    def open(self, url: str = "about:blank", size: tuple[int, int] | None = None) -> Tab:
        """Open a page in a window of its own."""
        width, height = size or self._size
        made = self._line.ask(
            "Target.createTarget", url="about:blank", newWindow=True, width=width, height=height
        )
        found = self._line.ask("Target.attachToTarget", targetId=made["targetId"], flatten=True)
        tab = Tab(self._line, found["sessionId"], made["targetId"])
        tab.resize(width, height)
        if url != "about:blank":
            tab.go(url)
        return tab

    def _address(self, folder: Path) -> str:
        """Return where it listens, once it does."""
        assert self._process is not None
        file, deadline = folder / "DevToolsActivePort", time.monotonic() + START_LIMIT
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError, ValueError):
                port, path = file.read_text(encoding="utf-8").split()
                return f"ws://127.0.0.1:{port}{path}"
            time.sleep(0.05)
        lines = (folder / "log").read_text(encoding="utf-8", errors="replace").splitlines()
        raise ExecutionFailed(f"Chromium did not start: {(lines or ['its log is empty'])[-1]}")

    def _end(self) -> None:
        """End all its processes; its profile is thrown away anyway."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(ANSWER_LIMIT)


class Tab:
    """One page in a window of its own.

    Attributes:
        errors: what its scripts threw and wrote to the console as errors, the latest 100.
    """

    def __init__(self, line: _Line, session: str, target: str) -> None:
        """Take a page that is open."""
        self._line, self._session, self._target = line, session, target
        self.errors: deque[str] = deque(maxlen=100)
        line.listen(session, self._on_event)
        for domain in ("Page", "Runtime", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> Any:
        """Return the answer to a command of the protocol."""
        return self._line.ask(method, self._session, **parameters)

    def go(self, url: str) -> None:
        """Load an address.

        Raises:
            ExecutionFailed: it cannot be loaded.
        """
        if text := self.ask("Page.navigate", url=url).get("errorText"):
            raise ExecutionFailed(f"Chromium could not load the page: {text}")

    def before_scripts(self, script: str) -> None:
        """Let a script run in every frame that is loaded from now on, before those of the page."""
        self.ask("Page.addScriptToEvaluateOnNewDocument", source=script)

    def evaluate(self, script: str, **values: Any) -> Any:
        """Return the value of an expression, waited for where it is a promise.

        Args:
            script: in which each of ``values`` is a name.
            values: JSON values.

        Raises:
            ExecutionFailed: it throws.
        """
        names = ", ".join(values)
        given = ", ".join(json.dumps(value) for value in values.values())
        found = self.ask(
            "Runtime.evaluate",
            expression=f"(async ({names}) => ({script}))({given})",
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in found:
            details = found["exceptionDetails"]
            text = details.get("exception", {}).get("description") or details.get("text", "")
            raise ExecutionFailed(f"the page's script failed: {text}")
        return found["result"].get("value")

    def until(self, script: str, limit: float = ANSWER_LIMIT, **values: Any) -> Any:
        """Wait until an expression is true; return its value.

        Raises:
            ExecutionFailed: not within ``limit`` [s].
        """
        deadline, problem = time.monotonic() + limit, ""
        while True:
            try:
                if found := self.evaluate(script, **values):
                    return found
            except ExecutionFailed as exc:  # while it is loaded nothing is there yet
                problem = f"; {exc}"
            if time.monotonic() > deadline:
                thrown = "".join(f"; {error}" for error in self.errors)
                raise ExecutionFailed(f"not within {limit:g} s: {script} {values}{problem}{thrown}")
            time.sleep(0.05)

    def click(self, x: float, y: float) -> None:
        """Press and release the left button at a place of the page [px]."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            pressed = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, **pressed)

    def key(self, key: str, code: int) -> None:
        """Press and release a key, for example ("Enter", 13)."""
        for kind in ("rawKeyDown", "keyUp"):
            self.ask(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code
            )

    def write(self, text: str) -> None:
        """Write text where the focus is."""
        self.ask("Input.insertText", text=text)

    def resize(self, width: int, height: int, mobile: bool = False) -> None:
        """Give the page another size [px]; ``mobile``: as a phone has it."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )

    def prefer(self, scheme: str) -> None:
        """Let the person prefer ``light`` or ``dark`` pages."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.ask("Emulation.setEmulatedMedia", features=[feature])

    def freeze(self, frozen: bool) -> None:
        """Freeze the page as a machine that goes to sleep does, or wake it up."""
        self.ask("Page.setWebLifecycleState", state="frozen" if frozen else "active")

    def picture(self, path: Path) -> None:
        """Write what is seen as a PNG file."""
        import base64

        found = self.ask("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(found["data"]))

    def close(self) -> None:
        """Close the window."""
        self._line.ask("Target.closeTarget", targetId=self._target)

    def _on_event(self, method: str, found: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            details = found["exceptionDetails"]
            self.errors.append(str(details.get("exception", {}).get("description") or details))
        elif method == "Runtime.consoleAPICalled" and found["type"] == "error":
            self.errors.append(" ".join(str(arg.get("value", "")) for arg in found["args"]))


class _Line:
    """Connection to a browser: questions from any thread, answers by their number."""

    def __init__(self, address: str) -> None:
        self._socket = connect(address, max_size=None, proxy=None, open_timeout=START_LIMIT)
        self._numbers = itertools.count(1)
        self._open: dict[int, Future[Any]] = {}
        self._listeners: dict[str, Callable[[str, dict[str, Any]], None]] = {}
        self._thread = threading.Thread(target=self._receive, name="browser", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._thread.join(ANSWER_LIMIT)

    def listen(self, session: str, take: Callable[[str, dict[str, Any]], None]) -> None:
        """Let ``take`` have the events of a session."""
        self._listeners[session] = take

    def ask(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """Return the answer to one command.

        Raises:
            ExecutionFailed: it is refused, or not answered.
        """
        number, answer = next(self._numbers), Future[Any]()
        self._open[number] = answer
        message = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        try:
            self._socket.send(json.dumps(message))
            found = answer.result(ANSWER_LIMIT)
        except TimeoutError:
            raise ExecutionFailed(f"Chromium did not answer {method}") from None
        except ConnectionClosed:
            raise ExecutionFailed(f"Chromium has ended, before {method}") from None
        finally:
            self._open.pop(number, None)
        if "error" in found:
            raise ExecutionFailed(f"Chromium refused {method}: {found['error'].get('message')}")
        return found["result"]

    def _receive(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            for text in self._socket:
                found = json.loads(text)
                waiting = self._open.get(found.get("id", -1))
                if waiting is not None:
                    waiting.set_result(found)
                elif take := self._listeners.get(found.get("sessionId", "")):
                    take(found["method"], found["params"])
