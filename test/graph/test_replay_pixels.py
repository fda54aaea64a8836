"""A trial that only a camera saw: recorded with its images, seen again in a replay."""

import numpy as np

from icpi_msgs.msg import ObjectTrajectory, Proposal
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.samples import stream_samples
from icpi_ros.bags.trials import read_trials
from icpi_ros.ros.base import convert, qos

from .conftest import IMAGES, RunningGraph

SAME_PATH = 5e-4
"""Largest distance between the live path and the one seen again [m]."""


def test_the_path_out_of_recorded_images_is_that_of_the_live_ones(filmed, tmp_path, observer):
    folder, _, _ = filmed
    bag = Bag(folder)
    trial, *_ = read_trials(bag)
    images = list(stream_samples(bag, "camera", [trial]))
    assert len(images) > 0.9 * IMAGES["camera_rate"] * (trial.stop - trial.start) / 1e9
    assert all(image.info is not None for image in images)
    assert "object_pose" not in bag.topics
    with RunningGraph(tmp_path, graph="replay", bag=folder, source="camera", rate=0) as graph:
        paths = observer.record(ObjectTrajectory, "object_trajectory", qos.EVENT)
        proposals = observer.record(Proposal, "proposals", qos.RECORD)
        observer.wait(lambda: (paths and proposals) or not graph.process.alive, "a path")
        assert graph.process.alive, graph.text()
    again, live = convert.object_trajectory_from(paths[0]), trial.path.trajectory
    assert paths[0].trial_id == trial.trial_id
    np.testing.assert_allclose(again.times, live.times, atol=1e-9)
    np.testing.assert_array_equal(np.isnan(again.positions), np.isnan(live.positions))
    assert np.nanmax(np.abs(again.positions - live.positions)) < SAME_PATH
