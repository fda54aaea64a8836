"""A viewer of a page without a browser: what viser sends, and what a person would press."""

import contextlib
import json

import msgspec
import viser
import zstandard
from websockets.sync.client import connect
from websockets.typing import Subprotocol

LIMIT = 60.0
"""Ends a hang [s]."""


class Viewer:
    """Viewer of the scene and panels; a context manager.

    Attributes:
        nodes: message that made each node of the scene, by name.
        parts: properties of each panel, by label (or by kind, where it has none).
    """

    def __init__(self, link):
        self._uuids, self._texts = {}, {}
        self.nodes, self.parts, self.moved = {}, {}, {}
        self._line = connect(
            link.replace("http", "ws") + "scene",
            subprotocols=[Subprotocol(f"viser-v{viser.__version__}")],
            open_timeout=LIMIT,
            proxy=None,
        )
        place = {"wxyz": (1, 0, 0, 0), "position": (1, 1, 1), "look_at": (0, 0, 0)}
        lens = {"fov": 1.0, "near": 0.1, "far": 9.0, "image_height": 900, "image_width": 1400}
        camera = {"type": "ViewerCameraMessage", "up_direction": (0, 0, 1)} | place | lens
        self._line.send(msgspec.msgpack.encode(camera))  # only now viser counts it as a viewer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._line.close()

    def until(self, done):
        """Take what comes until ``done(self)`` holds; return what that is."""
        while not (found := done(self)):
            for message in unpacked(self._line.recv(timeout=LIMIT)):
                self._take(message)
        return found

    def all_of(self, *names):
        """Wait until these nodes of the scene are there."""
        self.until(lambda viewer: viewer.nodes.keys() >= set(names))

    def text(self):
        """All texts of the panels, in one."""
        return "\n".join(self._texts.values())

    def press(self, label):
        """Press the newest button of that label, once it can be pressed."""
        self.until(lambda viewer: viewer.parts.get(label, {}).get("disabled") is False)
        self.set(label, True)

    def set(self, label, value):
        """Put an input to a value, or press a button."""
        self.send(self.uuid(label), value)

    def uuid(self, label):
        """Id of the newest input of that label."""
        return self.until(lambda viewer: viewer._uuids.get(label))

    def send(self, uuid, value):
        """Put the input of an id to a value, whether or not it is still there."""
        message = {"type": "GuiUpdateMessage", "uuid": uuid, "updates": {"value": value}}
        self._line.send(msgspec.msgpack.encode(message))

    def drain(self, quiet):
        """Take what comes until nothing has come for so long [s]."""
        with contextlib.suppress(TimeoutError):
            while True:
                for message in unpacked(self._line.recv(timeout=quiet)):
                    self._take(message)

    def _take(self, message):
        kind, props = message["type"], message.get("props") or {}
        if "name" in message and "props" in message:
            self.nodes[message["name"]] = message
        elif kind.startswith("Set") and "name" in message:
            self.moved[message["name"], kind] = message
        elif kind == "RemoveSceneNodeMessage":
            self.nodes.pop(message["name"], None)
        elif kind == "GuiUpdateMessage":
            self._update(message["uuid"], message["updates"])
        elif kind == "GuiRemoveMessage":
            self._texts.pop(message["uuid"], None)
            for label in [k for k, v in self._uuids.items() if v == message["uuid"]]:
                del self._uuids[label]
                del self.parts[label]
        elif kind.startswith("Gui") and "uuid" in message:
            label = props.get("label") or kind
            self._uuids[label] = message["uuid"]
            self.parts[label] = dict(props) | {"value": message.get("value")}
            self._update(message["uuid"], props)

    def _update(self, uuid, updates):
        for name in ("content", "_markdown"):
            if name in updates:
                self._texts[uuid] = updates[name]
        for label, known in self._uuids.items():
            if known == uuid:
                self.parts[label] |= updates


def unpacked(frame):
    """Return the messages of one frame of viser's."""
    size = int.from_bytes(frame[8:16], "little")
    packed = zstandard.ZstdDecompressor().decompress(frame[16 : 16 + size])
    return msgspec.msgpack.decode(packed)["messages"]


@contextlib.contextmanager
def upper_edge(link):
    """Yield a function that returns the next news of the page's upper edge."""
    with connect(link.replace("http", "ws") + "bar", open_timeout=LIMIT, proxy=None) as line:
        yield lambda: heard(line)


def heard(line):
    """Return the next news of an upper edge that is no sign of life."""
    for _ in range(int(LIMIT)):  # one a second
        news = json.loads(line.recv(timeout=LIMIT))
        if "frozen" not in news:
            return news
    raise TimeoutError("nothing but signs of life came")
