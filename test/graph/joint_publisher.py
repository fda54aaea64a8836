"""Publishes a recording of joints once somebody listens: python joint_publisher.py CSV TOPIC."""

import sys
import time
from pathlib import Path

import rclpy
from sensor_msgs.msg import JointState

from icpi_ros.motion.demonstration import read_csv
from icpi_ros.robots import find_arm


def main(path, topic):
    recording = read_csv(Path(path), find_arm("ur5e"))
    rclpy.init()
    node = rclpy.create_node("guided_arm")
    out = node.create_publisher(JointState, topic, 1000)
    while rclpy.ok() and not out.get_subscription_count():
        time.sleep(0.05)
    rows = recording.positions
    number = 0
    while rclpy.ok():  # at rest for as long as it takes when the recording has ended
        msg = JointState(name=list(recording.joints))
        msg.header.stamp.sec, part = divmod(number, 125)
        msg.header.stamp.nanosec = part * 8_000_000
        msg.position = rows[min(max(number - 60, 0), len(rows) - 1)].tolist()
        out.publish(msg)
        number += 1
        time.sleep(0.004)


if __name__ == "__main__":
    main(*sys.argv[1:])
