"""A recorded run played into the real perception node, and what an improver says to it."""

import numpy as np
import pytest
from trajectory_msgs.msg import JointTrajectory

from icpi_msgs.msg import ObjectTrajectory, Proposal, Trial
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.trials import read_trials
from icpi_ros.core.errors import ObservationMissing, UsageError
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.bringup.description import graph
from icpi_ros.ros.nodes import replay as replay_node

from .conftest import TRIALS, RunningGraph

SAME_PATH = 1e-4
"""Largest distance between the live path and the one seen again [m]."""


class Heard:
    """What a replay said, all of it in one place."""

    def __init__(self, observer):
        self.paths = observer.record(ObjectTrajectory, "object_trajectory", qos.EVENT)
        self.trials = observer.record(Trial, "trials", qos.RECORD)
        self.proposals = observer.record(Proposal, "proposals", qos.RECORD)
        self.motions = observer.record(
            JointTrajectory, "joint_trajectory_controller/joint_trajectory", qos.COMMAND
        )


def offered(node):
    """Services of all nodes of the graph; the observer itself is a client of motions."""
    nodes = [
        name for name, _ in node.get_node_names_and_namespaces() if not name.startswith("observer")
    ]
    assert {"replay", "perception"} <= set(nodes)
    return {
        service
        for name in nodes
        for service, _ in node.get_service_names_and_types_by_node(name, "/test")
    }


def replay(folder, observer, bag, until_ended=True, **arguments):
    """Play a bag; return what was heard, and which topics and services there were."""
    with RunningGraph(
        folder, graph="replay", bag=bag, improver="ridge-hindsight", **arguments
    ) as graph:
        heard = Heard(observer)
        observer.wait(
            lambda: len(heard.proposals) >= TRIALS or not graph.process.alive,
            "proposals of a replay",
        )
        assert graph.process.alive, graph.text()
        topics = dict(observer.node.get_topic_names_and_types())
        services = offered(observer.node)
        commands = [name for name in topics if observer.node.get_publishers_info_by_topic(name)]
        graph.process.stop()
        for node in ("replay", "perception"):
            assert f"{node} stopped (rc=0)" in graph.text()
    return heard, commands, services


@pytest.fixture(scope="module")
def stored(recorded):
    folder, _, _ = recorded
    return folder, read_trials(Bag(folder))


@pytest.mark.parametrize("rate", [0, 4])
def test_perception_sees_again_what_it_saw(tmp_path, observer, stored, rate):
    bag, trials = stored
    heard, commands, services = replay(tmp_path, observer, bag, rate=rate, seed=3)

    paths = {msg.trial_id: convert.object_trajectory_from(msg) for msg in heard.paths}
    for trial in trials:
        again, live = paths[trial.trial_id], trial.path.trajectory
        np.testing.assert_allclose(again.times, live.times, atol=1e-9)
        assert np.abs(again.positions - live.positions).max() < SAME_PATH

    costs = {msg.trial: msg.cost for msg in heard.trials}
    assert costs == pytest.approx({t.number: t.trial.cost for t in trials}, abs=SAME_PATH)

    # The same seed and history: the same proposals as in the recorded run.
    proposed = {msg.trial: np.array(msg.theta) for msg in heard.proposals}
    assert sorted(proposed) == list(range(1, TRIALS + 1))
    for trial in trials[1:]:
        np.testing.assert_allclose(proposed[trial.number], trial.theta, atol=1e-9)

    # Nothing could move an arm: nobody offers motions, nobody sends them.
    assert not [name for name in services if "execute_motion" in name or "improve" in name]
    assert "/test/recorded/joint_trajectory_controller/joint_trajectory" in commands
    assert "/test/joint_trajectory_controller/joint_trajectory" not in commands
    assert heard.motions == []


def test_without_a_player_any_other_will_do(tmp_path, observer, stored):
    """What `ros2 bag play` would publish comes from this process."""
    from geometry_msgs.msg import PoseStamped
    from rosgraph_msgs.msg import Clock

    from icpi_msgs.msg import TrialWindow

    bag, _ = stored
    with RunningGraph(
        tmp_path, graph="replay", player="false", improver="ridge-hindsight"
    ) as graph:
        heard = Heard(observer)
        node = observer.node
        clock = node.create_publisher(Clock, "/clock", qos.CLOCK)
        outs = {
            "/test/object_pose": node.create_publisher(PoseStamped, "object_pose", qos.EVENT),
            "/test/trial_window": node.create_publisher(TrialWindow, "trial_window", qos.EVENT),
            "/test/trials": node.create_publisher(Trial, "recorded/trials", qos.RECORD),
        }
        observer.wait(
            lambda: all(out.get_subscription_count() for out in outs.values()), "the graph"
        )
        for message in Bag(bag).raw(outs):
            clock.publish(Clock(clock=convert.time_msg(message.ns)))
            outs[message.channel.topic].publish(message.data)
            if message.channel.topic == "/test/object_pose":
                with observer.changed:
                    observer.changed.wait(0.001)  # reliable, and still not to be flooded
        observer.wait(lambda: len(heard.proposals) >= TRIALS, "proposals")
        assert graph.process.alive, graph.text()


def test_no_node_of_the_graph_could_move_anything(tmp_path):
    for given in ({"bag": "x"}, {"player": "false"}, {"bag": "x", "viewer": "true"}):
        names = {spec.name for spec in graph("replay", given)}
        assert names <= {"perception", "replay", "viewer"}


def test_a_bag_that_is_not_there_starts_nothing(tmp_path):
    with pytest.raises(UsageError, match="bag: there is no bag /nowhere/bag"):
        RunningGraph(tmp_path, graph="replay", bag="/nowhere/bag")


def test_what_cannot_be_replayed_is_one_line(tmp_path, stored):
    with RunningGraph(tmp_path, graph="replay", bag=stored[0], source="camera") as graph:
        assert graph.wait_until_ended() in (1, 2)
    assert "no topic camera/image_raw, which perception listens to" in graph.text()
    assert "Traceback" not in graph.text()


def test_a_window_in_which_nothing_was_seen_is_left_out_with_its_reason(monkeypatch):
    """The task of a plug-in is not asked about a path without samples."""
    monkeypatch.setattr(replay_node, "trial_from", lambda msg: msg)
    why = "the object was not seen: the tracker lost it"
    with pytest.raises(ObservationMissing, match=why):
        replay_node.Replay._redo(None, None, ObjectTrajectory(reason=why))
