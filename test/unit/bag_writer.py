"""Records numbered poses until it is killed; says which number is on the disk for sure."""

import sys
import time
from pathlib import Path

from bag_data import START, STORE, pose

from icpi_ros.bags.formats.definitions import definition
from icpi_ros.bags.recording import RecordedTopic, Recording, RecordingLimits

if __name__ == "__main__":
    recording = Recording(Path(sys.argv[1]), RecordingLimits(), print)
    topic = RecordedTopic("/object_pose", definition("geometry_msgs/msg/PoseStamped"), "[]")
    begin = time.monotonic()
    for number in range(100_000):
        ns = time.time_ns()
        msg = pose(START + number, (number, 0.0, 0.0))
        recording.put(topic, ns, bytes(STORE.serialize_cdr(msg, topic.what.kind)))
        print(number, ns, flush=True)
        time.sleep(max(0.0, begin + 0.005 * (number + 1) - time.monotonic()))
