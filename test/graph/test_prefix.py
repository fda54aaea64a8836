"""An arm whose joints carry a prefix, from the launch argument to the record of the trial."""

from sensor_msgs.msg import JointState
from trajectory_msgs.msg import JointTrajectory

from icpi_ros.ros.base import qos
from icpi_ros.ros.base.topics import CONTROLLER_TRAJECTORY, JOINT_STATES
from icpi_ros.ros.clients.improve_client import Callbacks, ImproveRequest
from icpi_ros.runs.store.store import TrialStore

from .conftest import HANG, RunningGraph


def test_a_graph_with_a_prefix_runs_and_records_how_the_arm_followed(
    tmp_path, domain, observer, client
):
    with RunningGraph(tmp_path, joint_prefix="left_") as graph:
        states = observer.record(JointState, JOINT_STATES, qos.SENSOR_LATEST)
        sent = observer.record(JointTrajectory, CONTROLLER_TRAJECTORY, qos.COMMAND)
        client.connect(HANG, graph.death)
        request = ImproveRequest("slide", "random", budget=1, seed=3)
        result = client.improve(request, Callbacks(death=graph.death))
        assert (result.error_code, result.error_msg) == (0, "")
    assert all(name.startswith("left_") for name in states[-1].name)
    assert all(name.startswith("left_") for name in sent[-1].joint_names)
    with TrialStore(graph.store) as store:
        (trial,) = store.trials(result.run_id)
    assert trial.tracking.motion == "stroke"
    assert trial.tracking.joint.startswith("left_")
    assert 0.0 < trial.tracking.error < 0.1
    assert 0.0 <= trial.tracking.time < 2.0
