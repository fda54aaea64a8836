"""Speed of reading a bag, which is made with known content and read as an evaluation does."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from icpi_benchmarks.speed.simulation import peak_memory
from icpi_ros.bags.formats.definitions import definition, own_types
from icpi_ros.bags.formats.mcap_writer import McapWriter
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.samples import poses_of, stream_samples
from icpi_ros.bags.topics import CLOCK, IMAGE, JOINTS, POSE, TYPES, WINDOW
from icpi_ros.bags.trials import read_trials
from icpi_ros.core.types import SECOND
from icpi_ros.perception.image_source import ImageSource
from icpi_ros.perception.imaging.images import Bytes
from icpi_ros.perception.sources import Source
from icpi_ros.perception.targets import tracked_target
from icpi_ros.tasks import TASKS
from icpi_ros.testing.synthetic_images import draw, expose, overhead

START = 1_700_000_000 * SECOND
POSE_PERIOD = 10_000_000
IMAGE_PERIOD = 16_666_667
TRIAL_PERIOD = 5 * SECOND
TRIAL_LENGTH = 2 * SECOND
WIDTH, HEIGHT = 320, 240
NOISE = 8.0
"""Standard deviation of the noise of a pixel: noisy images are the hard ones to compress."""
TASK = "slide"


@dataclass(frozen=True)
class BagFigures:
    """Times of reading a bag.

    Attributes:
        bytes: size of the bag [B].
        recorded: length of the bag [s].
        samples: poses in windows, or images.
        trials_seconds: time to open the bag and read its trials [s].
        read_seconds: time to read the samples [s].
        seen_seconds: time to read images, detect and track the object [s]; 0 for poses.
        peak_memory: of the process [MB].
    """

    bytes: int
    recorded: float
    samples: int
    trials_seconds: float
    read_seconds: float
    seen_seconds: float
    peak_memory: float

    @property
    def times_real(self) -> float:
        """Recorded time over the time of the whole evaluation, trials and samples."""
        return self.recorded / (self.trials_seconds + (self.seen_seconds or self.read_seconds))


def write_pose_bag(path: Path, seconds: int) -> None:
    """Write a bag of poses, joints and clock at 100 Hz with a trial every 5 s."""
    with BagMaker(path) as out:
        joints = _joints(out)
        for ns in range(START, START + seconds * SECOND, POSE_PERIOD):
            out.windows(ns, POSE_PERIOD)
            out.put(POSE, ns, _pose(out, ns))
            out.put(JOINTS, ns, joints)
            out.put(CLOCK, ns, out.message("rosgraph_msgs/msg/Clock", clock=out.stamp(ns)))


def write_camera_bag(path: Path, size: int) -> None:
    """Write a bag of at least ``size`` [B] of noisy 320x240 images at 60 Hz."""
    film, images = _images(), list[Bytes]()
    with BagMaker(path) as out:
        number = 0
        while out.writer.size < size:
            images.extend(islice(film, 1))
            ns = START + number * IMAGE_PERIOD
            out.windows(ns, IMAGE_PERIOD)
            out.put(IMAGE, ns, image_message(out, ns, images[number % len(images)]))
            number += 1


def measure(path: Path, source: str) -> BagFigures:
    """Read a bag that was written here; ``source`` is ``tracked_pose`` or ``camera``."""
    begin = time.perf_counter()
    bag = Bag(path)
    trials = read_trials(bag)
    opened = time.perf_counter()
    seen = 0.0
    if source == "camera":
        count, read = _read(bag, None)
        follower = ImageSource(TASKS.get(TASK), camera=overhead(WIDTH, HEIGHT))
        _, seen = _read(bag, follower)
        recorded = count * IMAGE_PERIOD / SECOND
    else:
        count = sum(len(stamps) for stamps, _ in poses_of(bag, trials))
        read = time.perf_counter() - opened
        recorded = len(trials) * TRIAL_PERIOD / SECOND
    size = path.stat().st_size
    return BagFigures(size, recorded, count, opened - begin, read, seen, peak_memory())


def _read(bag: Bag, source: Source | None) -> tuple[int, float]:
    begin, count = time.perf_counter(), 0
    for sample in stream_samples(bag, "camera"):
        count += 1
        if source is not None:
            source.take(sample)
    return count, time.perf_counter() - begin


class BagMaker:
    """Bag that is being made; a context manager."""

    def __init__(self, path: Path) -> None:
        self.writer, self._store = McapWriter(path), own_types()
        self._channels: dict[str, int] = {}

    def __enter__(self) -> BagMaker:
        return self

    def __exit__(self, *error: object) -> None:
        self.writer.close()

    def message(self, kind: str, **fields: Any) -> Any:
        """Return a message of a type."""
        return self._store.types[kind](**fields)

    def stamp(self, ns: int) -> Any:
        """Return a time [ns] as a message."""
        return self.message("builtin_interfaces/msg/Time", sec=ns // SECOND, nanosec=ns % SECOND)

    def header(self, ns: int) -> Any:
        """Return a header stamped ``ns`` [ns]."""
        return self.message("std_msgs/msg/Header", stamp=self.stamp(ns), frame_id="base")

    def put(self, name: str, ns: int, msg: Any) -> None:
        """Write a message on our topic of a name, recorded at ``ns`` [ns]."""
        kind = TYPES[name]
        if name not in self._channels:
            self._channels[name] = self.writer.add_channel(f"/{name}", definition(kind), "[]")
        self.writer.write(self._channels[name], ns, bytes(self._store.serialize_cdr(msg, kind)))

    def windows(self, ns: int, period: int) -> None:
        """Open and close the window of a trial where its time has come."""
        number, phase = divmod(ns - START, TRIAL_PERIOD)
        start = START + number * TRIAL_PERIOD
        for state, due in ((0, 0), (1, TRIAL_LENGTH)):
            if due <= phase < due + period:
                self.put(WINDOW, ns, self._window(state, number, start))

    def _window(self, state: int, number: int, start: int) -> Any:
        fields: Mapping[str, Any] = {
            "state": state,
            "trial_id": f"bench/{number}-0",
            "task": TASK,
            "start": self.stamp(start),
            "stop": self.stamp(start + TRIAL_LENGTH if state else 0),
        }
        return self.message("icpi_msgs/msg/TrialWindow", **fields)


def _pose(out: BagMaker, ns: int) -> Any:
    point = out.message("geometry_msgs/msg/Point", x=0.6, y=0.1 + 1e-10 * (ns - START), z=0.01)
    turn = out.message("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=0.0, w=1.0)
    pose = out.message("geometry_msgs/msg/Pose", position=point, orientation=turn)
    return out.message("geometry_msgs/msg/PoseStamped", header=out.header(ns), pose=pose)


def _joints(out: BagMaker) -> Any:
    return out.message(
        "sensor_msgs/msg/JointState",
        header=out.header(START),
        name=[f"joint_{number}" for number in range(6)],
        position=np.zeros(6),
        velocity=np.zeros(6),
        effort=np.zeros(0),
    )


def _images() -> Iterator[Bytes]:
    """Yield the images of one slide over the table, each with noise of its own."""
    camera, seen = overhead(WIDTH, HEIGHT), tracked_target(TASKS.get(TASK))
    rng = np.random.default_rng(0)
    for y in np.linspace(-0.1, 0.3, 300):
        yield expose(draw(camera, seen.target, seen.plane, np.array([0.6, y, 0.01])), rng, NOISE)


def image_message(out: BagMaker, ns: int, pixels: Bytes) -> Any:
    """Return the message of an image ``(HEIGHT, WIDTH, 3)`` stamped ``ns`` [ns]."""
    return out.message(
        "sensor_msgs/msg/Image",
        header=out.header(ns),
        height=HEIGHT,
        width=WIDTH,
        encoding="rgb8",
        is_bigendian=0,
        step=3 * WIDTH,
        data=pixels.ravel(),
    )
