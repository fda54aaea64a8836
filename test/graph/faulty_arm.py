"""A graph whose simulated arm can be told to fail, over either way to it."""

import numpy as np
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from icpi_ros.motion.primitives import point_to_point
from icpi_ros.robots import ARMS
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.clients.improve_client import Callbacks, ImproveClient, ImproveRequest

from .conftest import HANG, NAMESPACE, RunningGraph
from .controllers import with_control_msgs

ARM = ARMS.get("ur5e")
SILENCE, REPLY = 3.0, 4.0
"""The executor's limits [s], which some faults run into."""
TRIALS = 10
"""How often a motion that a busy machine delayed is tried again."""
TOO_LOW = ("tool z reaches", "the table plane")
"""What is said of an arm that was held below the floor: by its tool point, or by its blade."""
STROKE = 3
"""A trial's third motion from rest, after retreat and approach."""


class FaultyArm:
    """A graph whose simulated arm can be told to fail."""

    def __init__(self, observer, client, graph):
        self.observer, self.client, self.graph = observer, client, graph
        node = observer.node
        self.joints = observer.record(JointState, "joint_states", qos.SENSOR_LATEST)
        self.set = node.create_client(SetParameters, "mujoco_arm/set_parameters")
        self.clear = node.create_client(Trigger, "mujoco_arm/clear_fault")
        observer.wait(self.set.service_is_ready, "the arm's parameters")
        observer.wait(self.clear.service_is_ready, "clear_fault")
        client.connect(HANG, graph.death)

    def fail(self, kind, after, motion=STROKE):
        values = {"fault": kind, "fault_motion": motion, "fault_after": after}
        given = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
        for item in given[::-1]:  # the kind last: motions are counted from then on
            answer = self.observer.reply(
                self.set.call_async(SetParameters.Request(parameters=[item]))
            )
            assert answer.results[0].successful, answer.results[0].reason

    def mend(self):
        assert self.observer.reply(self.clear.call_async(Trigger.Request())).success

    def trial(self, seed):
        """Run one trial of a run; return it."""
        shown = []
        self.client.improve(
            ImproveRequest("slide", "random", budget=1, seed=seed),
            Callbacks(on_trial=shown.append, death=self.graph.death),
        )
        (trial,) = shown
        return trial

    def usable_trial(self, seed):
        """Run a trial after a fault; where the arm was held below the floor it is moved out first.

        No gate checks a hold, and a stroke is a millimetre above: a person would move the arm.
        """

        def trial():
            done = self.trial(seed)
            if any(words in done.note for words in TOO_LOW):
                self.jog_home()
                done = self.trial(seed)
            return done

        return begun_in_time(trial, note=lambda trial: trial.note)

    def jog_home(self):
        here = convert.joint_state_from(self.joints[-1], ARM.joints)[1]
        topic = "joint_trajectory_controller/joint_trajectory"
        commands = self.observer.node.create_publisher(JointTrajectory, topic, qos.COMMAND)
        self.observer.wait(lambda: commands.get_subscription_count() > 0, "the controller")
        way = point_to_point(ARM, here, ARM.home, 0.2, 0.0)
        commands.publish(convert.trajectory_msg(way, "a person"))

        def home():
            at = convert.joint_state_from(self.joints[-1], ARM.joints)[1]
            return np.abs(at - ARM.home).max() < 0.01

        self.observer.wait(home, "the arm at home")

    def stopped(self, trial):
        """Tell whether the arm stands at a trial's end; wait for it where its note says "not yet".

        An arm that lags far behind goes on to where it was told to stop.
        """
        if "not seen to stand" in trial.note:
            self.observer.wait(self.stands, "the arm standing")
        return self.stands()

    def stands(self):
        count = len(self.joints)
        self.observer.wait(lambda: len(self.joints) > count + 5, "joint states")
        return max(np.abs(state.velocity).max() for state in self.joints[-5:]) < 0.02


def warm(graph):
    """Run a first trial: every later one has a retreat, an approach and a stroke."""
    with ImproveClient(NAMESPACE) as client:
        client.connect(HANG, graph.death)
        result = begun_in_time(lambda: client.improve(ImproveRequest("slide", "random", budget=1)))
        assert result.error_code == 0, result.error_msg


def begun_in_time(run, note=lambda result: result.error_msg):
    """Return the result of a run in which no motion arrived after its start.

    Where no controller says when it began, such a motion seems to be off its path; a controller
    steps to where it should be by now.
    """
    for _ in range(TRIALS):
        result = run()
        if not any(word in note(result) for word in ("left its path", "jumped from")):
            break
    return result


def graph_of(folder, controller, status=True, **arguments):
    limits = {"joint_state_timeout": SILENCE, "reply_timeout": REPLY}
    nodes = {
        "executor": {"controller": controller, **limits},
        "mujoco_arm": {"controller_status": status},
    }
    env = with_control_msgs() if controller == "action" else None
    # What leads to a stroke goes as fast as it may: the stroke is what fails.
    return RunningGraph(folder, env=env, nodes=nodes, speed_scale=1.0, **arguments)
