"""Talks to a controller's action as any client would; prints what came back as JSON.

A program of its own: control_msgs may only be found in the environment that it is started with.
"""

import json
import sys

import numpy as np
from control_msgs.action import FollowJointTrajectory
from control_msgs.msg import JointTolerance
from observer import Observer
from sensor_msgs.msg import JointState

from icpi_ros.motion.primitives import point_to_point
from icpi_ros.robots import ARMS
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.base.calls import SafeActionClient

ARM = ARMS.get("ur5e")
UP = np.array([0.0, -0.4, 0.0, 0.0, 0.0, 0.0])


class Client:
    """Sends goals one after the other."""

    def __init__(self):
        self.observer = Observer("/test")
        self.joints = self.observer.record(JointState, "joint_states", qos.SENSOR_LATEST)
        name = "joint_trajectory_controller/follow_joint_trajectory"
        self.client = SafeActionClient(self.observer.node, FollowJointTrajectory, name)
        self.observer.wait(self.client.ready, "the action")
        self.observer.wait(lambda: self.joints, "joint states")
        self.feedback = []

    def goal(self, change=lambda goal: None, offset=UP):
        here = np.array(self.joints[-1].position)
        motion = point_to_point(ARM, here, here + offset, 0.4)
        goal = FollowJointTrajectory.Goal(trajectory=convert.trajectory_msg(motion, ""))
        goal.goal_time_tolerance.sec = 1
        change(goal)
        return goal

    def send(self, goal):
        return self.observer.reply(self.client.send(goal, self.feedback.append))

    def end(self, handle):
        answer = self.observer.reply(self.client.result(handle))
        return [int(answer.status), int(answer.result.error_code), answer.result.error_string]

    def moving(self):
        self.observer.wait(lambda: np.abs(self.joints[-1].velocity).max() > 0.2, "a motion")

    def rests(self):
        self.observer.wait(lambda: np.abs(self.joints[-1].velocity).max() < 0.01, "rest")


def final_velocity(goal):
    goal.trajectory.points[-1].velocities[2] = 1e-3


def scenarios(client):
    def empty(goal):
        goal.trajectory.points = []

    def tight(goal):
        goal.path_tolerance = [JointTolerance(name=ARM.joints[1], position=1e-5)]

    yield "moving_end", client.send(client.goal(final_velocity)).accepted
    yield "empty", client.send(client.goal(empty)).accepted
    yield "done", client.end(client.send(client.goal()))
    yield "feedback", len(client.feedback)
    handle = client.send(client.goal(offset=-UP))
    client.moving()
    client.observer.reply(client.client.cancel(handle))
    yield "cancelled", client.end(handle)
    client.rests()
    first = client.send(client.goal(offset=-UP))
    client.moving()
    here, speed = np.array(client.joints[-1].position), np.array(client.joints[-1].velocity)
    second = client.goal()
    second.trajectory.points = second.trajectory.points[-1:]
    second.trajectory.points[0].positions = (here + 0.25 * speed).tolist()
    second.trajectory.points[0].time_from_start.sec = 0
    second.trajectory.points[0].time_from_start.nanosec = 500_000_000
    handle = client.send(second)
    yield "preempted", client.end(first)
    yield "preempting", client.end(handle)
    client.rests()
    yield "tight", client.end(client.send(client.goal(tight)))
    client.rests()


def main():
    client = Client()
    print(json.dumps(dict(scenarios(client))), flush=True)
    client.observer.close()


if __name__ == "__main__":
    sys.exit(main())
