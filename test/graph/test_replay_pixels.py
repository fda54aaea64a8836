"""A trial that only a camera saw: recorded with its images, seen again in a replay."""

from contextlib import closing
from functools import partial

import numpy as np
import pytest
from observer import Observer

from icpi_msgs.msg import ObjectTrajectory, Proposal
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.samples import stream_samples
from icpi_ros.bags.trials import read_trials
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.base.topics import CAMERA_IMAGE
from icpi_ros.ros.clients.improve_client import Callbacks, ImproveClient, ImproveRequest

from .conftest import HANG, NAMESPACE, RunningGraph

RATE = 30
"""Of the camera [Hz]: half of the usual, which shows as much."""
SAME_PATH = 5e-4
"""Largest distance between the live path and the one seen again [m]."""


@pytest.fixture(scope="module")
def filmed(tmp_path_factory, domain):
    folder = tmp_path_factory.mktemp("filmed")
    recorded = {"source": "camera", "camera_rate": RATE, "record": folder / "bag"}
    with RunningGraph(folder, **recorded) as graph:
        with ImproveClient("test") as client, closing(Observer("/" + NAMESPACE)) as graph_view:
            client.connect(HANG, graph.death)
            # A free-running trial is over in half a second: a recorder that is found later has
            # the last of its images alone.
            listening = partial(graph_view.node.count_subscribers, CAMERA_IMAGE)
            graph_view.wait(lambda: listening() > 1, "perception and the recorder", HANG)
            calls = Callbacks(lambda *run: None, lambda trial: None, graph.death)
            result = client.improve(ImproveRequest("slide", "random", budget=1, seed=3), calls)
            assert result.error_code == 0, result.error_msg
        graph.process.stop()
    return folder / "bag"


def test_the_path_out_of_recorded_images_is_that_of_the_live_ones(filmed, tmp_path, observer):
    bag = Bag(filmed)
    (trial,) = read_trials(bag)
    images = list(stream_samples(bag, "camera", [trial]))
    assert len(images) > 0.9 * RATE * (trial.stop - trial.start) / 1e9
    assert all(image.info is not None for image in images)
    assert "object_pose" not in bag.topics
    with RunningGraph(tmp_path, graph="replay", bag=filmed, source="camera", rate=0) as graph:
        paths = observer.record(ObjectTrajectory, "object_trajectory", qos.EVENT)
        proposals = observer.record(Proposal, "proposals", qos.RECORD)
        observer.wait(lambda: (paths and proposals) or not graph.process.alive, "a path")
        assert graph.process.alive, graph.text()
    again, live = convert.object_trajectory_from(paths[0]), trial.path.trajectory
    assert paths[0].trial_id == trial.trial_id
    np.testing.assert_allclose(again.times, live.times, atol=1e-9)
    np.testing.assert_array_equal(np.isnan(again.positions), np.isnan(live.positions))
    assert np.nanmax(np.abs(again.positions - live.positions)) < SAME_PATH
