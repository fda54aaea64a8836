"""A hand that guides the simulated arm, where there is no real arm to take by the hand.

    .venv/bin/python examples/guided_arm.py [SEED]

It brings the arm of `icpi up sim` to the start of a push, and pushes once Enter is pressed: slowly,
not quite straight and trembling, as a person does it.  Nothing of it is needed beside a real arm.
"""

import sys
import time

import numpy as np
import rclpy
from rclpy.qos import qos_profile_sensor_data
from scipy.interpolate import make_smoothing_spline
from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMsg

from icpi_ros.motion.primitives import point_to_point, strike_rotation
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.robots import find_arm
from icpi_ros.ros.base import convert
from icpi_ros.testing.demonstrations import PUSH_HEIGHT, PUSH_START, RATE, pushed

ARM = find_arm("ur5e")
EVERY = 8
"""Samples of the made-up hand for each point of the motion that is sent."""
LENGTH = 0.3
"""Of the push [m]: at its end the arm does not stand between the object and the camera."""
ABOVE = 0.15
"""Height of the way to the start above it [m]."""
WAIT = 60.0
"""Longest wait for the arm [s]."""


class GuidedArm:
    """The simulated arm of a graph, moved directly: no executor, no gate."""

    def __init__(self, namespace):
        rclpy.init()
        self.node = rclpy.create_node("hand", namespace=namespace)
        topic = "joint_trajectory_controller/joint_trajectory"
        self.out = self.node.create_publisher(JointTrajectoryMsg, topic, 1)
        self.node.create_subscription(
            JointState, "joint_states", self.keep, qos_profile_sensor_data
        )
        self.q, self.qd = None, None
        self.wait(lambda: self.q is not None and self.out.get_subscription_count(), "the arm")

    def keep(self, msg):
        order = [msg.name.index(joint) for joint in ARM.joints]
        self.q, self.qd = np.array(msg.position)[order], np.array(msg.velocity)[order]

    def wait(self, condition, what):
        deadline = time.monotonic() + WAIT
        while not condition():
            if time.monotonic() > deadline:
                sys.exit(f"{what} did not come within {WAIT:g} s: is `icpi up sim` there?")
            rclpy.spin_once(self.node, timeout_sec=0.05)

    def move(self, motion):
        self.out.publish(convert.trajectory_msg(motion, "hand"))
        end = motion.positions[-1]
        there = lambda: np.abs(self.q - end).max() < 0.01 and np.abs(self.qd).max() < 0.01  # noqa: E731
        self.wait(there, "the end of the motion")

    def go(self, point):
        q = ARM.ik(np.array(point), strike_rotation(np.array(0.0)))
        self.move(point_to_point(ARM, self.q, q, 0.3))


def push(seed, here):
    """Return the motion of a hand, from where the arm is."""
    shown = pushed(ARM, seed, length=LENGTH)
    rows = np.append(np.arange(0, len(shown.times) - 1, EVERY), len(shown.times) - 1)
    splines = [make_smoothing_spline(shown.times, q, lam=1e-7) for q in shown.positions.T]
    q, qd, qdd = (
        np.stack([spline.derivative(order)(shown.times[rows]) for spline in splines], axis=1)
        for order in range(3)
    )
    q += (here - q[0]) * (1.0 - np.linspace(0.0, 1.0, len(rows))[:, np.newaxis])
    for values in (qd, qdd):
        values[[0, -1]] = 0.0
    q[0] = here
    return JointTrajectory(ARM.joints, shown.times[rows], q, qd, qdd)


def main(seed=0, namespace=""):
    arm = GuidedArm(namespace)
    start = (*PUSH_START, PUSH_HEIGHT)
    arm.go((start[0], start[1], start[2] + ABOVE))
    arm.go(start)
    input("the arm is at the start; start `icpi task new push`, then press Enter to push: ")
    arm.move(push(int(seed), arm.q))
    print(f"pushed in {len(pushed(ARM, int(seed), length=LENGTH).times) / RATE:.1f} s, and holds")
    rclpy.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
