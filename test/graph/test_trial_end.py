"""How a trial ends when something else fails as well: stand-ins for arm, scene and rules."""

from types import SimpleNamespace

import numpy as np
import pytest

from icpi_msgs.action import ExecuteMotion
from icpi_msgs.msg import Proposal
from icpi_ros.core.errors import Kind, MotionRefused, Refusal
from icpi_ros.core.types import Tracking
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.robots import ARMS
from icpi_ros.ros.executor.trial import Guard, TrialExecution
from icpi_ros.ros.following.memory import RunMemory
from icpi_ros.ros.following.planning import Planner
from icpi_ros.ros.following.rules import ExecutorRules, ExecutorSettings
from icpi_ros.ros.following.trial_ended import TrialEnded
from icpi_ros.tasks import TASKS

SLIDE, ARM = TASKS.get("slide"), ARMS.get("ur5e")
THETA = np.array([1.0, 0.1])
Phase = ExecuteMotion.Feedback


class Follower:
    """Refuses the motion of one name; counts the stops of the arm."""

    sent, planned, now = True, 0.0, 1

    def __init__(self, refused):
        self._refused = refused
        self.stops = 0

    cause = note = ""
    tracking = Tracking()

    def begin(self, trial_id):
        pass

    def await_controller(self):
        pass

    def await_arm(self):
        pass

    def wait_still(self, done, limit, failure):
        if not done():
            raise failure()

    def move_to(self, goal, name, slower=1.0, shown_from=None):
        self.follow(None, name)

    def follow(self, trajectory, name, on_start=lambda ns: None, release=None):
        if name == self._refused:
            text = f"{name} is refused"
            raise MotionRefused(Refusal(text, Kind.JOINT_LIMIT, "velocity", "elbow", 4.0))
        on_start(1)
        return 1

    def wait(self, done, limit, failure):
        assert done()

    def stop_arm(self):
        self.stops += 1
        return True


def execution(refused, on_phase=lambda phase: None, told=True, servers=None):
    follower, memory = Follower(refused), RunMemory()
    rules = ExecutorRules()
    planner = Planner(SLIDE, ARM, SafetyGate(ARM), rules, memory)
    reset = SimpleNamespace(
        done=lambda: True, result=lambda: SimpleNamespace(success=True, stamp=T)
    )
    scene = SimpleNamespace(
        is_published=told,
        can_reset=True,
        reset=lambda trial_id: reset,
        seen=SimpleNamespace(ns=2, arrival=float("inf")),
        window=lambda *_: None,
    )
    controller = SimpleNamespace(begin=lambda: None, done=lambda: True, refusal=lambda: "")
    alone = SimpleNamespace(doubt="")
    guard = Guard(rules, memory, planner, None, controller, servers or alone)
    trial = TrialExecution(
        SLIDE, follower, scene, guard, ExecutorSettings(), on_phase, lambda problem: None
    )
    return trial, follower, memory


T = SimpleNamespace(sec=0, nanosec=1)


def test_the_arm_is_stopped_even_if_the_client_cannot_be_told():
    def on_phase(phase):
        if phase == Phase.STOPPING:
            raise RuntimeError("feedback cannot be published")

    trial, follower, _ = execution("retreat", on_phase)
    with pytest.raises(RuntimeError, match="feedback"):
        trial.run("trial", THETA, Proposal(run_id="run"))
    assert follower.stops == 1


def test_what_is_refused_before_a_motion_ends_the_trial_as_refused():
    for name in ("retreat", "approach", "stroke"):
        trial, _, _ = execution(name)
        with pytest.raises(TrialEnded, match=f"^{name} is refused") as ended:
            trial.run("trial", THETA, Proposal(run_id="run"))
        assert ended.value.code == ExecuteMotion.Result.MOTION_REFUSED


class Servers:
    """A second server comes at the look of this number, counted from 0."""

    def __init__(self, at):
        self._left = at

    @property
    def doubt(self):
        self._left -= 1
        return "two servers" if self._left < 0 else ""


def test_a_second_executor_ends_a_trial_before_each_of_its_motions():
    sent = []
    for at in range(4):  # at the start, before retreat, approach and stroke
        trial, follower, memory = execution("", servers=Servers(at))
        move = follower.follow
        names = []

        def follow(
            trajectory, name, on_start=lambda ns: None, move=move, names=names, release=None
        ):
            names.append(name)
            return move(trajectory, name, on_start)

        follower.follow = follow
        with pytest.raises(TrialEnded, match="two servers") as ended:
            trial.run("trial", THETA, Proposal(run_id="run"))
        assert ended.value.code == ExecuteMotion.Result.MOTION_REFUSED
        assert memory.executed("run") == []
        sent.append(names)
    assert sent == [[], [], ["retreat"], ["retreat", "approach"]]


def test_a_stroke_that_was_refused_does_not_count_as_executed():
    trial, _, memory = execution("stroke")
    with pytest.raises(TrialEnded, match="stroke is refused") as ended:
        trial.run("trial", THETA, Proposal(run_id="run"))
    assert memory.executed("run") == []
    refusal = ended.value.refusal  # the gate's fields stay with the end of the trial
    assert (refusal.kind, refusal.joint, refusal.value) == (Kind.JOINT_LIMIT, "elbow", 4.0)
    assert refusal.text == str(ended.value)


def test_without_a_perception_nothing_moves():
    trial, follower, _ = execution("retreat", told=False)
    follower.sent = False
    with pytest.raises(TrialEnded, match="nobody tells object_state: waited 10 s") as caught:
        trial.run("trial", THETA, Proposal(run_id="run"))
    assert caught.value.code == ExecuteMotion.Result.PERCEPTION_SILENT
    assert follower.stops == 0
