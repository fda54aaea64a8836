"""Attacks on the page from the same browser and the same machine: refused, the graph untouched."""

import contextlib
import functools
import http.server
import json
import socket
import threading
from pathlib import Path
from urllib.parse import urlencode

import pytest
import viser
from graph.improving import Improvement
from graph.observer import Observer
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from icpi_msgs.msg import OperatorRequest
from icpi_ros.ros.base import qos
from icpi_ros.view.panels import APPROVE, BACK, LOOKED
from icpi_ros.view.rules import bound

from .conftest import HANG, NAMESPACE

AROUND = 20
"""Ports on either side of the page's that the attacker looks at."""
RELEASE = "release the stop"


@pytest.fixture(scope="module")
def elsewhere():
    """Port of a server with the attacker's page, on this machine."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=Path(__file__).parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def asked(graph):
    """A graph with a motion that waits for a person, what it asks, and whether it was stopped."""
    observer = Observer("/" + NAMESPACE)
    questions = observer.record(OperatorRequest, "operator_request", qos.LATCHED)
    run = Improvement(budget=1)
    run.start()
    observer.wait(lambda: questions and questions[-1].kind == OperatorRequest.MOTION, "a question")
    yield questions, run
    observer.close()


def finished_by_a_person(page, run):
    """Approve the motion that still waits, on the page that was open all the time."""
    page.press(APPROVE)
    page.tick(LOOKED)
    page.press(BACK)
    return run.ended().error_code == 0


@pytest.fixture(scope="module")
def bare():
    """Port of viser as it is, which lets anyone in: what the attack is worth."""
    with bound("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    server = viser.ViserServer(host="127.0.0.1", port=port, verbose=False)
    yield server.get_port()
    server.stop()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "evil.example"])
def test_a_page_of_another_origin_reaches_nothing(
    view, window, browser, elsewhere, bare, asked, host
):
    """It knows viser's protocol, the port, and the token of a process that has ended."""
    questions, run = asked
    question = questions[-1]
    ended = view()
    ended.kill()
    command = view()
    page = window(command.link)
    page.ready()
    wanted = {
        "ports": f"{command.port - AROUND}-{command.port + AROUND}",
        "victims": f"{command.port},{bare}",
        "viser": f"viser-v{viser.__version__}",
        "tokens": ended.link.rstrip("/").rsplit("/", 1)[1],
    }
    tab = browser.open(f"http://{host}:{elsewhere}/attacker.html?{urlencode(wanted)}")
    tab.until("found.done", HANG)
    found = tab.evaluate("found")
    tab.close()
    assert any(f":{bare}/" in address for address in found["opened"]), "the attack is none"
    assert any(f":{bare}/" in address for address, _ in found["received"])
    texts = json.dumps(found)
    assert f":{command.port}/" not in texts
    assert command.port not in found["listening"], "a scan sees no difference to a closed port"
    assert "STOPPED" not in page.line
    assert questions[-1] is question
    assert finished_by_a_person(page, run)


def test_a_name_that_leads_here_opens_no_page(view, browser):
    """DNS rebinding: the browser takes evil.example for the page's own origin."""
    command = view()
    link = command.link.replace("127.0.0.1", "evil.example")
    for address in (link, link + "scene/", command.stop_link.replace("127.0.0.1", "evil.example")):
        tab = browser.open(address)
        text = tab.until("document.body.innerText")
        tab.close()
        assert text.strip() == "refused: this page is not at that host"


def test_a_flood_keeps_no_viewer_out_and_does_not_delay_a_stop(view, window):
    """A thousand connections, half of them with half a request, and messages of any size."""
    command = view()
    page = window(command.link)
    page.ready()
    with contextlib.ExitStack() as stack:
        for number in range(1000):
            address = ("127.0.0.1", command.port)
            line = stack.enter_context(socket.create_connection(address, HANG))
            with contextlib.suppress(ConnectionError):  # it was closed already
                line.sendall(b"GET /stop HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 4000 * (number % 2))
        late = window(command.link)
        late.ready()
        late.stop()
        page.sees("STOPPED")
        page.until_gone(RELEASE, press=True)
        huge(command)
    page.no_longer_sees("STOPPED")
    page.stop()
    late.sees("STOPPED")
    late.until_gone(RELEASE, press=True)


def huge(command):
    """Send much: in one message, in a header, and without the token."""
    bar = command.link.replace("http", "ws") + "bar"
    with contextlib.suppress(ConnectionError, Exception), connect(bar, proxy=None) as line:
        line.send("stop" * (8 << 20))
        line.recv(timeout=HANG)
    with connect(bar, proxy=None) as line:
        assert "stopped" in json.loads(line.recv(timeout=HANG))
    with pytest.raises(InvalidStatus):
        connect(bar.replace(bar.split("/")[3], "x" * 32), proxy=None)
    with pytest.raises(Exception, match=r"connection|header|HTTP"):
        connect(bar, proxy=None, additional_headers={"A": "b" * (1 << 20)})
