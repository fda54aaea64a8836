"""The page's door, over real connections: who comes in, and what they may press."""

import contextlib
import http.client
import json
import re
import shutil
import socket
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
import viser
from view_client import heard
from viser import _messages
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from icpi_ros.core.errors import ExecutionFailed, IcpiError, UsageError
from icpi_ros.view import gate as gate_module
from icpi_ros.view.controls import BarState
from icpi_ros.view.gate import MAX_CONNECTIONS, MAX_MESSAGE, MAX_STRANGERS, Gate
from icpi_ros.view.rules import Door

LIMIT = 60.0
SECRET = "the run's own line"


class Run:
    """Stand-in for a run: notes what is asked of it."""

    def __init__(self):
        self.asked = []
        self.broken = None

    def stop(self):
        self.asked.append("stop")
        if self.broken:
            raise self.broken
        return "stopped: the arm stands"

    def reset(self):
        self.asked.append("reset")
        return "released"

    def decide(self, request, kind, theta=()):
        self.asked.append((request, kind, tuple(theta)))
        return kind


@pytest.fixture(scope="module")
def gates():
    """A read-only page and one that operates, each with its run."""
    made = []
    for operate in (False, True):
        run = Run()
        gate = Gate("127.0.0.1", 0, run, operate=operate, title="slide")
        gate.server.scene.add_box("/secret")
        gate.show(BarState(SECRET))
        made.append((gate, run))
    yield made
    for gate, _ in made:
        gate.close()


@pytest.fixture
def page(gates):
    gate, run = gates[0]
    run.asked.clear()
    run.broken = None
    return gate, run


@pytest.fixture
def operated(gates):
    gate, run = gates[1]
    run.asked.clear()
    return gate, run


def get(gate, path, **headers):
    """Return status, headers and text of a plain request."""
    line = http.client.HTTPConnection("127.0.0.1", gate.door.port, timeout=LIMIT)
    line.putrequest("GET", path, skip_host=True)
    for name, value in ({"Host": f"127.0.0.1:{gate.door.port}"} | headers).items():
        line.putheader(name, value)
    line.endheaders()
    answer = line.getresponse()
    found = answer.status, answer.headers, answer.read().decode()
    line.close()
    return found


def opened(gate, path, origin=None, host=None, viewer=False):
    """Open a socket as a browser would."""
    protocols = [Subprotocol(f"viser-v{viser.__version__}")] if viewer else None
    address = f"ws://{host or '127.0.0.1'}:{gate.door.port}/{path}"
    return connect(
        address,
        sock=socket.create_connection(("127.0.0.1", gate.door.port), LIMIT),
        origin=origin,
        subprotocols=protocols,
        open_timeout=LIMIT,
        proxy=None,
    )


def scene(gate, **more):
    return opened(gate, f"{gate.door.token}/scene", viewer=True, **more)


def bar(gate, **more):
    return opened(gate, f"{gate.door.token}/bar", **more)


def test_the_link_opens_the_page_and_what_it_shows(page):
    gate, _ = page
    assert gate.door.link == f"http://127.0.0.1:{gate.door.port}/{gate.door.token}/"
    status, _, text = get(gate, f"/{gate.door.token}/")
    assert (status, "scene/" in text) == (200, True)
    own = f"http://127.0.0.1:{gate.door.port}"
    with bar(gate, origin=own) as line, scene(gate, origin=own) as shown:
        assert heard(line)["line"] == SECRET
        assert b"/secret" in unpacked(shown.recv(timeout=LIMIT))


def unpacked(frame):
    """Return what viser sends as it is before it is packed."""
    import zstandard

    size = int.from_bytes(frame[8:16], "little")
    return zstandard.ZstdDecompressor().decompress(frame[16 : 16 + size])


STRANGERS = {
    "no token": {"path": "scene"},
    "empty token": {"path": "/scene"},
    "a wrong token": {"path": "A" * 32 + "/scene"},
    "half the token": {"path": "{half}/scene"},
    "a page elsewhere": {"origin": "http://evil.example"},
    "another port of this machine": {"origin": "http://127.0.0.1:8000"},
    "the same host with https": {"origin": "https://127.0.0.1:{port}"},
    "a file": {"origin": "null"},
    "a name that was rebound": {"host": "evil.example"},
    "both": {"host": "evil.example", "origin": "http://evil.example:{port}"},
}


@pytest.mark.parametrize("what", STRANGERS)
@pytest.mark.parametrize("place", ["scene", "bar"])
def test_a_stranger_gets_no_socket(page, what, place):
    gate, run = page
    asked = {"path": "{token}/scene"} | STRANGERS[what]
    token = gate.door.token
    filled = {
        name: value.format(token=token, half=token[:16], port=gate.door.port)
        for name, value in asked.items()
    }
    filled["path"] = filled["path"].replace("scene", place)
    with pytest.raises(InvalidStatus) as refused:
        opened(gate, viewer=place == "scene", **filled)
    assert refused.value.response.status_code in (403, 421)
    assert SECRET.encode() not in refused.value.response.body
    assert not run.asked


@pytest.mark.parametrize("path", ["/stop", "/"])
def test_even_the_stop_is_not_for_other_pages(page, path):
    gate, run = page
    for wrong in ({"origin": "http://evil.example"}, {"host": "evil.example"}):
        with pytest.raises(InvalidStatus):
            opened(gate, path.strip("/"), **wrong)
    assert not run.asked


@pytest.mark.parametrize("path", ["scene/", "index.html", "x/scene/", "../etc/passwd", "%2e%2e/x"])
def test_a_stranger_gets_no_page(page, path):
    gate, _ = page
    status, _, text = get(gate, f"/{path}")
    assert status == 403
    assert gate.door.token not in text


def test_two_hosts_or_none_are_refused(page):
    gate, _ = page
    path = f"/{gate.door.token}/"
    raw = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{gate.door.port}\r\nHost: evil.example\r\n\r\n"
    with socket.create_connection(("127.0.0.1", gate.door.port), LIMIT) as line:
        line.sendall(raw.encode())
        assert line.makefile("rb").readline().split()[1] == b"421"
    assert get(gate, path, Host="127.0.0.1")[0] == 421  # without the port: that of another server


def test_the_token_ends_with_its_process(gates):
    (first, _), (second, _) = gates
    assert first.door.token != second.door.token
    assert len(first.door.token) >= 32
    with pytest.raises(InvalidStatus):
        opened(second, f"{first.door.token}/bar")


def test_a_stop_needs_no_token_and_shows_nothing(page):
    gate, run = page
    status, _, text = get(gate, "/")
    assert status == 200
    assert "slide" not in text
    assert gate.door.token not in text
    with opened(gate, "stop") as line:
        line.send("stop")
        assert heard(line) == {"said": "STOP was pressed"}
    assert run.asked == ["stop"]


def test_a_stop_that_is_not_answered_says_so(page):
    gate, run = page
    run.broken = ExecutionFailed("no executor answers /lab/stop")
    with opened(gate, "stop") as stranger, bar(gate) as line:
        stranger.send("stop")
        assert heard(stranger) == {
            "failed": "the stop was not answered: use the emergency stop of the arm"
        }
        heard(line)
        line.send("stop")
        assert "no executor answers /lab/stop" in heard(line)["failed"]


@pytest.mark.parametrize("word", ["reset", "approve", "x" * 100, b"stop"])
def test_a_stranger_may_not_do_more_than_stop(operated, word):
    gate, run = operated
    with opened(gate, "stop") as line:
        line.send(word)
        with pytest.raises(ConnectionClosed):
            line.recv(timeout=LIMIT)
    assert not run.asked


def test_a_page_that_does_not_operate_only_stops(page):
    gate, run = page
    assert 'id="reset"' not in get(gate, f"/{gate.door.token}/")[2]
    with bar(gate) as line:
        heard(line)
        line.send("reset")
        with pytest.raises(ConnectionClosed):
            line.recv(timeout=LIMIT)
    assert not run.asked


def test_a_page_that_operates_releases_the_stop(operated):
    gate, run = operated
    with bar(gate) as line, bar(gate) as other:
        heard(line)
        heard(other)
        line.send("stop")
        assert heard(line) == {"said": "stopped: the arm stands"}
        gate.show(BarState(SECRET, stopped=True))
        assert heard(other) == {"line": SECRET, "stopped": True}
        heard(line)
        other.send("reset")
        assert heard(other) == {"said": "released", "to": "reset"}
        gate.show(BarState(SECRET))
    assert run.asked == ["stop", "reset"]


@pytest.fixture
def slow(operated, monkeypatch):
    """A page that operates, whose release is answered when the test lets it."""
    gate, run = operated
    asked, go_on = threading.Event(), threading.Event()

    def reset():
        asked.set()
        assert go_on.wait(LIMIT)
        run.asked.append("released")
        return "released"

    monkeypatch.setattr(run, "reset", reset)
    yield gate, run, asked, go_on
    go_on.set()


def test_a_stop_does_not_wait_for_a_release_and_comes_after_it_too(slow):
    """On the same connection: what arrives last at the arm is the stop."""
    gate, run, asked, go_on = slow
    with bar(gate) as line:
        heard(line)
        line.send("reset")
        assert asked.wait(LIMIT)
        line.send("stop")
        assert heard(line) == {"said": "stopped: the arm stands"}
        assert run.asked == ["stop"]
        go_on.set()
        assert heard(line) == {"said": "released", "to": "reset"}
        gate._stopping.submit(int).result(LIMIT)  # behind the stop that follows
    assert run.asked == ["stop", "released", "stop"]


def test_a_second_release_is_refused_while_one_is_under_way(slow):
    gate, run, asked, go_on = slow
    with bar(gate) as line, bar(gate) as other:
        heard(line)
        heard(other)
        line.send("reset")
        assert asked.wait(LIMIT)
        other.send("reset")
        assert "under way" in heard(other)["failed"]
        go_on.set()
        heard(line)
    assert run.asked == ["released"]


@pytest.mark.parametrize("place", ["stop", "{token}/bar"])
def test_every_page_gets_signs_of_life_and_a_page_behind_says_so(page, monkeypatch, place):
    gate, _ = page
    monkeypatch.setattr(gate_module, "BEAT", 0.01)
    with opened(gate, place.format(token=gate.door.token)) as line:
        beats = (news for word in line if "frozen" in (news := json.loads(word)))
        assert not next(beats)["frozen"]  # nothing says that it has to be looked at
        monkeypatch.setattr(gate, "_looked", -1e9)
        assert any(news["frozen"] for news in beats)
        gate.beat()
        assert any(not news["frozen"] for news in beats)
        monkeypatch.setattr(gate, "_looked", None)


def test_a_socket_that_is_taken_before_it_listens_is_said_at_once(monkeypatch):
    """Two sockets with SO_REUSEADDR may be bound alike until one of them listens."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        bind = socket.socket.bind

        def bound_and_overtaken(self, address):
            bind(self, address)
            other.listen()

        monkeypatch.setattr(socket.socket, "bind", bound_and_overtaken)
        with pytest.raises(UsageError, match=f"port {port}"):
            Gate("127.0.0.1", port, None, operate=False, title="")


def test_a_gate_is_closed_once():
    gate = Gate("127.0.0.1", 0, None, operate=False, title="")
    gate.close()
    gate.close()
    gate.show(BarState("too late"))


def test_nobody_opens_a_tunnel(page, monkeypatch):
    gate, _ = page
    tunnels = []
    monkeypatch.setattr("viser._viser.ViserTunnel", lambda *_: tunnels.append(1))
    assert gate.server.request_share_url() is None
    with scene(gate) as shown:
        shown.send(msgspec.msgpack.encode({"type": _messages.ShareUrlRequest.__name__}))
        shown.ping().wait(LIMIT)
    assert not tunnels


def test_a_huge_message_ends_its_own_connection_alone(page):
    gate, _ = page
    with bar(gate) as other, scene(gate) as line:
        heard(other)
        line.send(b"x" * (MAX_MESSAGE + 1))
        with contextlib.suppress(ConnectionClosed):
            for _ in line:
                pass  # what was on its way
        assert line.protocol.close_rcvd.code == 1009
        other.ping().wait(LIMIT)


def test_too_many_sockets_of_strangers_leave_room_for_the_others(page):
    gate, run = page
    lines = [opened(gate, "stop") for _ in range(MAX_STRANGERS)]
    with pytest.raises(InvalidStatus) as refused:
        opened(gate, "stop")
    assert refused.value.response.status_code == 503
    with bar(gate) as line:
        heard(line)
        line.send("stop")
        assert heard(line)["said"]
    assert run.asked == ["stop"]
    for line in lines:
        line.close()


def test_of_too_many_connections_those_that_ask_for_nothing_go_first(page):
    """A thousand begun requests keep nobody out, and hold no descriptors of the run."""
    gate, run = page
    address = ("127.0.0.1", gate.door.port)
    with bar(gate) as kept, contextlib.ExitStack() as stack:
        heard(kept)
        lines = []
        for begun in (
            b"",
            b"GET / HTT",
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ",
            b"\0" * 99,
        ) * 250:
            lines.append(stack.enter_context(socket.create_connection(address, LIMIT)))
            lines[-1].sendall(begun)
        assert get(gate, "/")[0] == 200
        with bar(gate) as line, opened(gate, "stop") as stranger:
            assert heard(line)["line"] == SECRET
            stranger.send("stop")
            assert heard(stranger)["said"]
            assert all(is_dropped(line) for line in lines[:-MAX_CONNECTIONS])
        kept.send("stop")
        assert heard(kept)["said"]
    assert run.asked == ["stop", "stop"]


def test_a_request_that_is_never_finished_or_has_no_end_is_dropped(monkeypatch):
    monkeypatch.setattr(gate_module, "MAX_HANDSHAKE", 0.05)
    gate = Gate("127.0.0.1", 0, None, operate=False, title="")
    try:
        for begun in (b"GET / HTTP/1.1\r\n", b"GET /" + b"x" * (1 << 20)):
            with socket.create_connection(("127.0.0.1", gate.door.port), LIMIT) as line:
                with contextlib.suppress(ConnectionError):
                    line.sendall(begun)
                assert is_dropped(line)
        assert get(gate, "/")[0] == 200
    finally:
        gate.close()


def is_dropped(line):
    try:
        while line.recv(1 << 16):  # a refusal
            pass
        return True
    except ConnectionError:
        return True


def test_the_page_loads_nothing_from_elsewhere(page):
    gate, _ = page
    scene = f"/{gate.door.token}/scene/"
    for path in ("/", f"/{gate.door.token}/", scene, f"{scene}?darkMode"):
        status, headers, text = get(gate, path)
        policy = headers["Content-Security-Policy"]
        assert status == 200
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "default-src" in policy
        assert "http" not in policy
        assert "*" not in policy
        assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", text[:20000])


def test_another_page_cannot_frame_it(page):
    gate, _ = page
    for path in ("/", f"/{gate.door.token}/"):
        assert "frame-ancestors 'none'" in get(gate, path)[1]["Content-Security-Policy"]


NOTEBOOK = "http://localhost:8888"


def test_only_a_page_that_does_not_operate_is_framed_and_by_those_named_alone():
    with contextlib.closing(Gate("127.0.0.1", 0, Run(), False, "slide", (NOTEBOOK,))) as gate:
        token = gate.door.token
        for path, allowed in (
            (f"/{token}/", NOTEBOOK),
            (f"/{token}/scene/", f"'self' {NOTEBOOK}"),
            ("/", "'none'"),
        ):
            policy = get(gate, path)[1]["Content-Security-Policy"]
            assert policy.count("frame-ancestors") == 1
            assert f"frame-ancestors {allowed};" in policy
        with pytest.raises(InvalidStatus):  # what frames it has its own origin, and no socket
            bar(gate, origin=NOTEBOOK)
    with pytest.raises(UsageError, match="leave out --operate"):
        Gate("127.0.0.1", 0, Run(), True, "slide", (NOTEBOOK,))


@pytest.mark.parametrize(
    "wrong", ["*", "http://*", "https:", NOTEBOOK + "/x", "'self'", "http://a b", "http://a; x", ""]
)
def test_what_is_no_origin_frames_nothing(wrong):
    with pytest.raises(UsageError, match="is not the origin of a page"):
        Gate("127.0.0.1", 0, None, False, "", (wrong,))


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_a_stop_that_goes_unanswered_and_a_frozen_page_are_said(page, tmp_path):
    """The page's own script, with a clock and a document that the test makes."""
    gate, _ = page
    file = tmp_path / "page.html"
    file.write_text(get(gate, f"/{gate.door.token}/")[2])
    script = Path(__file__).with_name("view_page.js")
    done = subprocess.run(
        ["node", script, file], capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_a_viser_that_passes_the_door_by_opens_no_page(monkeypatch):
    class Other:
        def __init__(self, **_):
            pass

        def stop(self):
            pass

    monkeypatch.setattr(gate_module, "QuietServer", Other)
    with pytest.raises(IcpiError, match=r"does not listen through the page's door.*icpi_ros\[view"):
        Gate("127.0.0.1", 0, None, operate=False, title="")


def test_a_port_that_is_taken_is_named(page):
    gate, _ = page
    with pytest.raises(UsageError, match=f"port {gate.door.port}.*--host and --port"):
        Gate("127.0.0.1", gate.door.port, None, operate=False, title="")


@pytest.mark.parametrize(
    ("bound", "host", "comes_in"),
    [
        ("127.0.0.1", "localhost:80", True),
        ("localhost", "127.0.0.1:80", True),
        ("192.0.2.7", "192.0.2.7:80", True),
        ("192.0.2.7", "localhost:80", False),
        ("0.0.0.0", "192.0.2.7:80", True),
        ("0.0.0.0", "evil.example:80", False),
        ("::1", "[::1]:80", True),
        ("127.0.0.1", "127.0.0.1:81", False),
        ("127.0.0.1", "user@127.0.0.1:80", False),
        ("127.0.0.1", "127.0.0.1:80/x", False),
        ("127.0.0.1", "127.0.0.1:99999999", False),
        ("127.0.0.1", "", False),
    ],
)
def test_only_names_of_this_host_come_in(bound, host, comes_in):
    door = Door(bound, 80)
    with accepted(comes_in):
        door.place(f"/{door.token}/", [host], [f"http://{host}"])


@contextmanager
def accepted(expected):
    try:
        yield
        found = True
    except Exception:
        found = False
    assert found is expected
