"""A server on a real socket that misbehaves by script, and how it can misbehave."""

from __future__ import annotations

import json
import socket
import struct
import threading
from email.utils import formatdate

import http_models

GOOD = json.dumps(http_models.body("1 2")).encode()
STATUS = {200: "OK", 302: "Found", 307: "Temporary Redirect", 429: "Too Many Requests"}


class FaultServer:
    """Does with each request what the script says next; the last step is repeated.

    A step takes the server and the connection and returns True to keep the connection.
    """

    def __init__(self):
        self.script, self.requests, self.connections = [good], 0, 0
        self.paths = []
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        while not self.over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            while path := read_request(connection):
                self.paths.append(path)
                if not self._step()(self, connection):
                    break
        except OSError:
            pass
        finally:
            connection.close()

    def _step(self):
        with self._lock:
            self.requests += 1
            return self.script[min(self.requests, len(self.script)) - 1]


def read_request(connection):
    """Read one request and return its path; "" if the client is gone."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return ""
        data += part
        if data.startswith(b"\x16"):  # TLS, of which we know nothing
            connection.sendall(head(400))
            return ""
    first, _, body = data.partition(b"\r\n\r\n")
    lengths = [x.split(b":")[1] for x in first.split(b"\r\n") if x.lower().startswith(b"content-l")]
    while lengths and len(body) < int(lengths[0]):  # a request for a tunnel has no body
        body += connection.recv(65536)
    return first.split(b" ")[1].decode()


def head(status=200, length=None, kind="application/json", **headers):
    lines = [f"HTTP/1.1 {status} {STATUS.get(status, 'Whatever')}", f"Content-Type: {kind}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += [] if length is None else [f"Content-Length: {length}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answer(data, status=200, kind="application/json", **headers):
    """A complete response."""
    data = data if isinstance(data, bytes) else json.dumps(data).encode()

    def step(server, connection):
        connection.sendall(head(status, len(data), kind, **headers) + data)
        return True

    return step


good = answer(GOOD)


def stream(*pieces):
    """The events of a streamed reply, its text in pieces."""
    deltas = [{"index": 0, "delta": {"content": piece}} for piece in pieces]
    chunks = [{"choices": [delta]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    lines = [f"data: {json.dumps(chunk)}" for chunk in chunks]
    return "\n\n".join([*lines, "data: [DONE]", ""]).encode()


def status(code, **headers):
    """A refusal that repeats the key, as some servers do."""
    echo = {"error": {"message": f"Incorrect API key provided: {http_models.KEY}"}}
    return answer(echo, code, **headers)


def in_seconds(seconds):
    """A refusal with a date in ``Retry-After``."""

    def step(server, connection):
        import time

        date = formatdate(time.time() + seconds, usegmt=True)
        return status(429, Retry_After=date)(server, connection)

    return step


def part(data, then):
    """The beginning of a response, then something else."""

    def step(server, connection):
        connection.sendall(data)
        return then(server, connection)

    return step


def reset(server, connection):
    """Send RST instead of a goodbye."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def hang_up(server, connection):
    return False


def answer_and_hang_up(server, connection):
    """A complete answer on a connection that the server closes soon after without saying so."""
    good(server, connection)
    return False


def stall(server, connection):
    server.over.wait(10.0)
    return False


def drip(server, connection):
    connection.sendall(head(200, 10_000))
    for _ in range(500):
        if server.over.wait(0.02):
            break
        connection.sendall(b" ")
    return False


def huge(server, connection):
    """Blanks without end, in chunks."""
    connection.sendall(head(200, None, Transfer_Encoding="chunked"))
    chunk = b"%x\r\n" % 65536 + b" " * 65536 + b"\r\n"
    while not server.over.is_set():
        connection.sendall(chunk)
    return False
