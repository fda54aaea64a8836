"""A client that attacks a graph, in a process of its own: floods of goals, big messages, joints.

    attacker.py NAMESPACE

Every line on its standard input says what it does from then on: any of ``goals``, ``big`` and
``foreign``, or nothing.  Every 0.1 s it prints as JSON what it has done so far.  Its rate is
bounded: the processors belong to those whom it attacks.  Its bursts are longer than a queue.
"""

import array
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from sensor_msgs.msg import JointState

from icpi_msgs.action import ExecuteMotion
from icpi_msgs.msg import ObjectTrajectory, Proposal
from icpi_msgs.srv import Decide
from icpi_ros.ros.base import qos
from icpi_ros.ros.base.topics import DECIDE, EXECUTE_MOTION, JOINT_STATES, OBJECT_TRAJECTORY
from icpi_ros.ros.bringup.environment import environment
from icpi_ros.ros.clients.client_node import ClientNode

WINDOW, BIG_WINDOW = 20, 3
"""Goals, and big requests, without an answer at a time; a server's queue holds 10."""
BURSTS = {"goals": 0.4, "big": 0.1, "foreign": 0.02}
"""Shortest time from one burst to the next [s]: as many as are without an answer at a time."""
LOST, ENDED = 5.0, 0.5
"""Steady time after which an answer is no longer waited for [s]; the same when the goal ended."""
BIG = 200_000
"""Characters of a big text."""
NUMBERS = 20_000
"""Of a big path."""
JOINTS = 5_000
PERIOD = 0.02
"""Between two rounds [s]."""
LONG = "x" * BIG
PATH = ObjectTrajectory(trial_id=LONG, times=array.array("d", [0.0] * NUMBERS))
DECISION = Decide.Request(comment=LONG, theta=array.array("d", [1.0] * NUMBERS))
ZEROS = array.array("d", [0.0] * JOINTS)
FINGERS = JointState(name=[f"finger_{i}" for i in range(JOINTS)], position=ZEROS, velocity=ZEROS)


class Attacker(ClientNode):
    """Does what ``modes`` say, in its spinning thread; ``done`` counts it."""

    def __init__(self, namespace):
        super().__init__("attacker", namespace)
        self.modes, self.done, self.codes = set(), Counter(), Counter()
        self._flying, self._asked, self._next, self._states = {}, {}, 0, None
        self._sent, self._taken = set(), {}  # goals without and with a handle
        self._due = dict.fromkeys(BURSTS, 0.0)
        self._goals = ActionClient(self.node, ExecuteMotion, EXECUTE_MOTION)
        self._decide = self.node.create_client(Decide, DECIDE)
        self._paths = self.node.create_publisher(ObjectTrajectory, OBJECT_TRAJECTORY, qos.EVENT)
        self.node.create_timer(PERIOD, self._round)
        self.spin()

    def _round(self):
        now = time.monotonic()
        for number, handle in list(self._taken.items()):
            if handle.status >= GoalStatus.STATUS_SUCCEEDED:  # its answer may be lost
                del self._taken[number]
                self._flying[number] = min(self._flying[number], now - LOST + ENDED)
        for waiting in (self._flying, self._asked):
            for number in [n for n, since in waiting.items() if now - since > LOST]:
                del waiting[number]
                self._taken.pop(number, None)
        if self._goals.server_is_ready() and self._is_due("goals", now):
            while len(self._flying) < WINDOW:
                self._send(now)
        if self._is_due("big", now):
            while len(self._asked) < BIG_WINDOW:
                self._big(now)
        if "foreign" not in self.modes:
            self._withdraw()
        elif self._is_due("foreign", now):
            self._foreign()

    def _is_due(self, mode, now):
        due = mode in self.modes and now >= self._due[mode]
        if due:
            self._due[mode] = now + BURSTS[mode]
        return due

    def _send(self, now):
        self._next += 1
        number = self._next
        self._flying[number] = now
        self._sent.add(number)
        long = LONG if number % 20 == 0 else "flood"
        goal = ExecuteMotion.Goal(
            task="slide",
            trial_id=f"flood/{number}",
            proposal=Proposal(theta_names=["speed", "heading"], theta=[1.0, 0.1], provenance=long),
        )
        self._goals.send_goal_async(goal).add_done_callback(
            lambda reply: self._accepted(number, reply.result())
        )

    def _accepted(self, number, handle):
        """Ask for the result; goals before this one that were not taken, a queue has dropped."""
        self._sent.discard(number)
        for earlier in [n for n in self._sent if n < number]:
            self._sent.remove(earlier)
            self._flying.pop(earlier, None)
        if number in self._flying:
            self._taken[number] = handle
        handle.get_result_async().add_done_callback(
            lambda answer: self._answered(number, answer.result().result.error_code)
        )

    def _answered(self, number, code):
        self._flying.pop(number, None)
        self._taken.pop(number, None)
        self.done["goals"] += 1
        self.codes[code] += 1

    def _big(self, now):
        """Ask for a big decision about nothing, and publish a big path beside perception's."""
        self._next += 1
        number = self._next
        self._asked[number] = now
        self._paths.publish(PATH)
        self._decide.call_async(DECISION).add_done_callback(
            lambda reply: self._refused(number, reply)
        )

    def _refused(self, number, reply):
        for earlier in [n for n in self._asked if n <= number]:
            del self._asked[earlier]
        self.done["big"] += not reply.result().accepted

    def _foreign(self):
        """Publish joints that are none of the arm's, beside its driver."""
        if self._states is None:
            self._states = self.node.create_publisher(JointState, JOINT_STATES, qos.SENSOR)
        FINGERS.header.stamp = self.node.get_clock().now().to_msg()
        self._states.publish(FINGERS)
        self.done["foreign"] += 1

    def _withdraw(self):
        """Publish no joints any more."""
        if self._states is not None:
            self.node.destroy_publisher(self._states)
        self._states = None

    def report(self):
        """Return what was done, the codes of the answers, and how many are still to come."""
        flying = len(self._flying) + len(self._asked)
        return {**self.done, "codes": dict(self.codes), "flying": flying}


class Attack:
    """Starts the program above and tells it what to do; a context manager."""

    def __init__(self, namespace):
        import warm  # only tests have it on their path

        self._process = warm.Popen(
            [sys.executable, __file__, namespace],
            env=environment(),
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.reports = []
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self._process.stdin.close()  # it ends
        try:
            self._process.wait(60.0)
        finally:
            self._process.kill()

    def _read(self):
        for line in self._process.stdout:
            self.reports.append(json.loads(line))

    def does(self, *modes):
        self._process.stdin.write(" ".join(modes) + "\n")
        self._process.stdin.flush()

    def count(self, what):
        """How often it has done this, or was answered with a code, as far as it has told."""
        last = self.reports[-1] if self.reports else {}
        return last.get(what, 0) if isinstance(what, str) else last["codes"].get(str(what), 0)


def main(namespace):
    with Attacker(namespace) as attacker:
        ended = threading.Event()

        def listen():
            for line in sys.stdin:
                attacker.modes = set(line.split())
            ended.set()

        threading.Thread(target=listen, daemon=True).start()
        while not ended.wait(0.1):
            print(json.dumps(attacker.report()), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
