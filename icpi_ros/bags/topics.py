"""Topics of a bag by our names: in any namespace, or by a mapping in a YAML file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from icpi_ros.bags.formats.raw import Channel, shown
from icpi_ros.core.errors import UnknownName, UsageError
from icpi_ros.core.yaml_files import FileKind, read_yaml

POSE = "object_pose"
IMAGE = "camera/image_raw"
BELOW_RAW = "/compressed"
"""Behind the name of a topic of images: the same, compressed (``image_transport``)."""
COMPRESSED = IMAGE + BELOW_RAW
INFO = "camera/camera_info"
JOINTS = "joint_states"
WINDOW = "trial_window"
PATH = "object_trajectory"
STATE = "object_state"
TRIALS = "trials"
PROPOSALS = "proposals"
CLOCK = "clock"
PARAMETERS = "recorded_parameters"

TYPES: Mapping[str, str] = {
    POSE: "geometry_msgs/msg/PoseStamped",
    IMAGE: "sensor_msgs/msg/Image",
    COMPRESSED: "sensor_msgs/msg/CompressedImage",
    INFO: "sensor_msgs/msg/CameraInfo",
    JOINTS: "sensor_msgs/msg/JointState",
    WINDOW: "icpi_msgs/msg/TrialWindow",
    PATH: "icpi_msgs/msg/ObjectTrajectory",
    STATE: "icpi_msgs/msg/ObjectState",
    TRIALS: "icpi_msgs/msg/Trial",
    PROPOSALS: "icpi_msgs/msg/Proposal",
    CLOCK: "rosgraph_msgs/msg/Clock",
    PARAMETERS: "std_msgs/msg/String",
}
"""Topics that are understood, by our relative names, and their types."""

MAPPING_FILE = FileKind(
    max_bytes=2**16,
    name="the mapping of topics ",
    invalid="cannot read the mapping of topics {path}: not valid YAML",
)


def read_mapping(path: Path) -> dict[str, str]:
    """Return the mapping of a YAML file such as ``object_pose: /vicon/puck/pose``.

    Raises:
        UsageError: it cannot be read, or is not a mapping of our topics to topics of a bag.
    """
    content = read_yaml(path, MAPPING_FILE)
    pairs = content.items() if isinstance(content, dict) else ()
    found = {n: t for n, t in pairs if isinstance(n, str) and isinstance(t, str)}
    if not found or len(found) < len(pairs):
        raise UsageError(
            f"mapping of topics {path}: expected lines such as `{POSE}: /vicon/puck/pose`"
        )
    for name in found:
        if name not in TYPES and name not in (others := _source_topics()):
            raise UnknownName(f"topic in {path}", name, dict.fromkeys((*TYPES, *others)))
    return {name: "/" + topic.lstrip("/") for name, topic in found.items()}


def _source_topics() -> list[str]:
    """Return the topics of all sensor sources, which are imported for it, OpenCV with them."""
    from icpi_ros.perception.sources import SOURCES

    return [SOURCES.get(name).topic for name in SOURCES]


def assign(
    channels: Iterable[Channel], mapping: Mapping[str, str], types: Mapping[str, str] = TYPES
) -> dict[str, str]:
    """Return our name to the bag's topic, for all of ``types`` that the bag has.

    Without a mapping a topic is ours if it has our name, in any namespace.

    Raises:
        UsageError: two namespaces have it, or the mapping names a topic that is not there or is
            of another type.
    """
    kinds = {channel.topic: channel.kind for channel in channels}
    found = {}
    if kinds.get(mapping.get(IMAGE, "")) == TYPES[COMPRESSED]:
        mapping = {COMPRESSED if n == IMAGE else n: topic for n, topic in mapping.items()}
    for name, kind in types.items():
        if name in mapping:
            found[name] = _mapped(name, mapping[name], kind, kinds)
            continue
        fits = [t for t, k in kinds.items() if k == kind and ("/" + t).endswith("/" + name)]
        if len(fits) > 1:
            raise UsageError(
                f"the bag has {name} more than once ({shown(fits)}): say in a mapping "
                f"which one counts, `{name}: {shown(fits[:1])}`"
            )
        if fits:
            found[name] = fits[0]
    return found


def of_other_types(channels: Iterable[Channel], name: str, kind: str) -> list[str]:
    """Return a line about each topic that has our name, and not the type that belongs to it."""
    return [
        f"{shown([channel.topic])} is {shown([channel.kind])}, expected {kind}: it is not read"
        for channel in channels
        if channel.kind != kind and ("/" + channel.topic).endswith("/" + name)
    ]


def _mapped(name: str, topic: str, kind: str, kinds: Mapping[str, str]) -> str:
    there = kinds.get(topic)
    if there is None:
        raise UsageError(
            f"mapping {name}: {topic} is not in the bag; its topics are {shown(kinds)}"
        )
    if there != kind:
        raise UsageError(f"mapping {name}: {topic} is {shown([there])}, expected {kind}")
    return topic
