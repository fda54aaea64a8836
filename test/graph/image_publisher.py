"""Publishes the images of a folder, each for a while, at 15 Hz: python image_publisher.py DIR."""

import sys
import time
from pathlib import Path

import cv2
import rclpy
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image

HOLD = 8  # frames of each view


def main(folder, topic):
    rclpy.init()
    node = rclpy.create_node("camera")
    out = node.create_publisher(Image, topic, qos_profile_sensor_data)
    images = [cv2.imread(str(path)) for path in sorted(Path(folder).glob("*.png"))]
    count = 0
    while rclpy.ok():
        image = images[count // HOLD % len(images)]
        height, width = image.shape[:2]
        msg = Image(height=height, width=width, encoding="bgr8", step=3 * width)
        msg.data.frombytes(image.tobytes())
        out.publish(msg)
        count += 1
        time.sleep(1 / 15)


if __name__ == "__main__":
    main(*sys.argv[1:])
