"""A graph that learns from pixels only, and one whose camera loses too many images to learn."""

import os
import signal

import numpy as np
from sensor_msgs.msg import CameraInfo

from icpi_msgs.action import Improve
from icpi_msgs.msg import ObjectState
from icpi_ros.core.types import TrialStatus
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.base.topics import CAMERA_IMAGE, CAMERA_INFO, OBJECT_POSE, OBJECT_STATE
from icpi_ros.ros.clients.improve_client import Callbacks, ImproveRequest
from icpi_ros.runs.store.store import TrialStore

from .conftest import HANG, IMAGES, PACE, RunningGraph, wait_gone

TRIALS = 3
RATE = 30
"""Of the camera [Hz]: half of the usual, which shows as much."""


def improve(graph, client):
    shown = []
    client.connect(HANG, graph.death)
    calls = Callbacks(lambda *run: None, shown.append, graph.death)
    request = ImproveRequest("slide", "ridge-hindsight", budget=TRIALS, seed=3)
    return client.improve(request, calls), shown


def test_slide_improves_from_pixels_only(tmp_path, observer, client):
    infos = observer.record(CameraInfo, CAMERA_INFO, qos.IMAGE_EVERY)  # stamped as the images
    states = observer.record(ObjectState, OBJECT_STATE, qos.SENSOR_EVERY)
    with RunningGraph(tmp_path, source="camera", camera_rate=RATE) as graph:
        result, shown = improve(graph, client)
        topics = [name for name, _ in observer.node.get_topic_names_and_types()]
        assert observer.node.count_publishers(OBJECT_POSE) == 0
        pids = graph.pids().values()
        os.kill(graph.process.process.pid, signal.SIGINT)
        assert graph.wait_until_ended() == 0
        wait_gone(pids)
    assert (result.error_code, result.error_msg, result.trials) == (0, "", TRIALS)
    costs = [trial.cost for trial in shown]
    assert min(costs) < 0.02 < costs[0]

    assert not [name for name in topics if name.endswith(OBJECT_POSE)]
    assert f"/test/{CAMERA_IMAGE}" in topics
    published = {convert.to_ns(info.header.stamp) for info in infos}
    stamped = [convert.to_ns(state.header.stamp) for state in states]
    assert len(stamped) > 100
    # This subscriber may miss some; the stamps of all are on the grid.
    assert len(set(stamped) & published) > 0.5 * len(stamped)
    numbers = np.array(stamped) * RATE * 1e-9
    assert np.abs(numbers - np.round(numbers)).max() < 1e-6
    with TrialStore(graph.store) as store:
        for trial in store.trials(result.run_id):
            assert trial.trajectory.coverage > 0.5
    assert "Traceback" not in graph.text()


def test_a_poor_path_is_not_learnt_from_but_tried_once_more(tmp_path, client):
    # As many images are lost; fewer, and no rest would be seen, the executor would give up.  At a
    # pace: while rest is looked for nothing moves, and a free-running simulation dawdles.
    few = IMAGES | {"camera_drop": 0.8}
    with RunningGraph(tmp_path, source="camera", real_time_factor=PACE, **few) as graph:
        result, shown = improve(graph, client)
        text = graph.text()
    words = "the object's path is too poor to learn from: "
    assert result.error_code == Improve.Result.UNOBSERVED
    assert words in result.error_msg
    assert not shown
    assert np.isnan(result.best_cost)
    with TrialStore(graph.store) as store:
        attempts = store.trials(result.run_id, all_attempts=True)
        assert store.run(result.run_id).state == "failed"
    assert [trial.status for trial in attempts] == [TrialStatus.UNOBSERVED] * 2
    assert {trial.number for trial in attempts} == {0}
    np.testing.assert_array_equal(attempts[0].theta, attempts[1].theta)
    for trial in attempts:
        assert trial.note.startswith(words)
        assert trial.trajectory is None
    assert "seen in " in attempts[0].note or "not seen" in attempts[0].note
    assert text.count("it is tried once more") == 1
