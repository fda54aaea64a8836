"""Listens to the frames of a graph; prints the last of each as JSON, and what holds the arm.

A program of its own: tf2_msgs may only be found in the environment that it is started with.
"""

import json
import sys

from observer import Observer
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from tf2_msgs.msg import TFMessage

from icpi_ros.ros.base import qos


def main(*wanted):
    observer = Observer("/test")
    frames, joints = {}, observer.record(JointState, "joint_states", qos.SENSOR_LATEST)
    described = observer.record(String, "robot_description", qos.LATCHED)

    def take(msg):
        for one in msg.transforms:
            t, r = one.transform.translation, one.transform.rotation
            place, turn = [t.x, t.y, t.z], [r.x, r.y, r.z, r.w]
            frames[one.child_frame_id] = [one.header.frame_id, place, turn]

    for topic, profile in (("/tf", qos.EVENT), ("/tf_static", qos.LATCHED_EVERY)):
        observer.node.create_subscription(TFMessage, topic, take, profile)
    observer.wait(lambda: set(wanted) <= set(frames) and described and joints, "all frames")
    frames.clear()  # of an arm that rests: the next ones are where the joints are said to be
    observer.wait(lambda: {"tool", "link_1"} <= set(frames), "frames again")
    found = {"frames": frames, "q": list(joints[-1].position), "urdf": described[-1].data}
    observer.close()
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
