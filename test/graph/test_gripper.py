"""A throw through the graph: let go at its moment by whatever opens the gripper, or not at all."""

import re

import numpy as np
import pytest
from visualization_msgs.msg import Marker, MarkerArray

from icpi_msgs.action import ExecuteMotion
from icpi_msgs.msg import OperatorRequest
from icpi_ros.motion.release import release_at
from icpi_ros.report.operator_request import request_text
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.base.topics import MARKERS
from icpi_ros.ros.clients.checklist_client import ChecklistClient
from icpi_ros.ros.clients.improve_client import Callbacks, ImproveClient, ImproveRequest
from icpi_ros.ros.following.letting_go import MAX_LATE
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.sim.rollout import rollout
from icpi_ros.tasks.toss import TOSS_GC

from .conftest import HANG, NAMESPACE, RunningGraph
from .controllers import with_control_msgs
from .person import ASKED

Code = ExecuteMotion.Result
THETA, OTHER = np.array([1.4, 0.1, -0.02]), np.array([1.4, 0.1, 0.0])
RELEASE = TOSS_GC.motion(THETA, UR5E).release
WAYS = {
    "action": "action:gripper_controller/gripper_cmd",
    "parallel": "action:parallel_gripper_controller/gripper_cmd",
    "trigger": "trigger:open_gripper,close_gripper",
    "topic": "topic:digital_output",
}
PACES = (1.0, 0.3, 0.1)
"""Simulated seconds per second of a throw, and of another one where a busy machine was late."""
LATE = ("ms late, allowed", "its moment had passed")
"""What a busy machine's executor says: it sent the command late, or did not send it any more."""
NEAR = 0.1
"""Largest distance of a landing from that of its rollout [m]."""


def late(text):
    """Tell whether a trial failed because a busy machine missed the moment to let go."""
    return any(words in text for words in LATE)


def graph_of(folder, way, **arguments):
    given = {"real_time_factor": 1.0, "task": "toss-gc", "gripper": WAYS[way], "speed_scale": 1.0}
    return RunningGraph(folder, env=with_control_msgs(), **given | arguments)


def thrown(folder, way, pace):
    """Throw once through a graph; return the result and the trial."""
    folder.mkdir()
    with graph_of(folder, way, real_time_factor=pace) as graph, ImproveClient(NAMESPACE) as client:
        client.connect(HANG, graph.death)
        request = ImproveRequest("toss-gc", "random", budget=1, seed=1)
        result = client.improve(request, Callbacks(death=graph.death))
    with TrialStore(graph.store) as store:
        return result, store.trials(result.run_id)[0]


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_throw_lets_go_at_its_moment_and_lands_where_the_rollout_does(way, tmp_path, domain):
    for pace in PACES:
        result, trial = thrown(tmp_path / f"{pace:g}", way, pace)
        if result.error_code:
            assert late(result.error_msg), result.error_msg
            continue
        theta, physics = trial.theta[np.newaxis], TOSS_GC.seeded_physics(0)
        (inside,) = rollout(TOSS_GC, UR5E, physics, theta).trajectories
        apart = TOSS_GC.outcome_goal(trial.trajectory) - TOSS_GC.outcome_goal(inside)
        if np.linalg.norm(apart) < NEAR:
            break  # otherwise the command was on its way for long
    assert (result.error_code, result.error_msg) == (0, "")
    assert np.linalg.norm(apart) < NEAR
    release = TOSS_GC.motion(trial.theta, UR5E).release
    told = re.search(r"release at ([\d.]+) s: .* told to open ([+-][\d.]+) ms", trial.note)
    assert float(told[1]) == pytest.approx(release, abs=1e-4)
    assert -1.0 < float(told[2]) <= 1e3 * MAX_LATE


@pytest.mark.slow
def test_a_person_sees_the_release_and_puts_the_ball_into_the_gripper(tmp_path, observer, person):
    rules = {"approval": "true", "scene": "operator", "ramp_trials": 1, "rehearse": "true"}
    given = rules | {"task": "toss-gc", "viewer": "true", "speed_scale": 1.0}
    with RunningGraph(tmp_path, **given):
        markers = observer.record(MarkerArray, MARKERS, qos.LATCHED)
        with ChecklistClient(NAMESPACE) as checklist:
            lines = {line.name: line for line in checklist.checklist(HANG, HANG).lines}
        assert lines["gripper"].detail.startswith("the simulated arm's gripper opens it")
        names = list(TOSS_GC.space.names)
        _, result = observer.start(THETA.tolist(), theta_names=names, task="toss-gc")
        first = person.question(OperatorRequest.MOTION)
        assert first.has_release
        assert first.release == pytest.approx(RELEASE)
        shown = {motion.label: motion.has_release for motion in first.motions}
        assert (shown["stroke"], shown["rehearsal"]) == (True, False)
        person.decide(first, ASKED.EDIT, theta=OTHER.tolist())
        second = person.question(OperatorRequest.MOTION, first.request_id)
        motion = TOSS_GC.motion(OTHER, UR5E)
        release = release_at(motion.trajectory, motion.release, UR5E)
        assert second.release == pytest.approx(motion.release)
        assert f"lets go          {release.text}" in request_text(second, ["m/s", "rad", "s"])
        assert not person.decide(first).accepted  # that plan lets go at another moment

        def marked():
            last = [m for m in markers[-1].markers if m.ns == "release"] if markers else []
            place = convert.point_from(last[0].pose.position) if last else release.point + 1.0
            return np.allclose(place, release.point) and last[0].action == Marker.ADD

        observer.wait(marked, "the place of the release in the preview")
        assert person.decide(second).accepted
        scene = person.question(OperatorRequest.SCENE)
        assert scene.question.startswith("put the ball into the gripper, ")
        assert person.decide(scene).accepted
        answer = observer.reply(result).result
    assert answer.error_code == Code.NONE, answer.error_msg
    assert answer.theta.tolist() == OTHER.tolist()
    assert answer.note.startswith(f"release at {motion.release:.4f} s: by the clock")


@pytest.mark.slow
def test_a_gripper_that_is_not_there_is_said_before_anything_moves(tmp_path, observer):
    nodes = {"executor": {"start_timeout": 5.0}}
    given = {"task": "toss-gc", "gripper": "action:nobody/gripper_cmd", "nodes": nodes}
    with RunningGraph(tmp_path, env=with_control_msgs(), **given):
        with ChecklistClient(NAMESPACE) as checklist:
            observer.wait(
                lambda: any(
                    line.name == "gripper" and "nobody/gripper_cmd" in line.detail
                    for line in checklist.checklist(HANG, 0.0).lines
                ),
                "the line about the gripper",
            )
        names = list(TOSS_GC.space.names)
        _, result = observer.start(THETA.tolist(), theta_names=names, task="toss-gc")
        answer = observer.reply(result).result
    assert answer.error_code == Code.MOTION_REFUSED
    assert answer.error_msg.startswith("nothing serves the action nobody/gripper_cmd of a gripper")
    assert answer.motion_duration == 0.0
