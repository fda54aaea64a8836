"""The scenes' own images: what MuJoCo draws, with its light and shades, is found where it is."""

import mujoco
import numpy as np
import pytest

from icpi_ros.perception.detector import Detector
from icpi_ros.perception.imaging.images import Frame
from icpi_ros.perception.targets import tracked_target
from icpi_ros.sim.camera import SimulatedCamera
from icpi_ros.sim.camera_settings import CameraSettings
from icpi_ros.sim.world import load_model
from icpi_ros.tasks import TASKS


@pytest.mark.parametrize("name", ["slide", "roll-gc"])
def test_a_rendered_object_is_found_where_it_is(name):
    task, watched, rng = TASKS.get(name), tracked_target(TASKS.get(name)), np.random.default_rng(0)
    model = load_model(task, task.seeded_physics(0))
    data, off = mujoco.MjData(model), []
    start = model.jnt_qposadr[model.body_jntadr[model.body(task.object_body).id]]
    with SimulatedCamera(model, "", CameraSettings(), watched.target) as camera:
        detector = Detector(watched.target, camera.camera, watched.plane)
        for _ in range(40):
            place = watched.plane.lift(np.array([rng.uniform(0.2, 1.0), rng.uniform(0.0, 0.7)]))
            data.qpos[start : start + 3] = place
            (seen,) = detector.detect(Frame(camera.render(data), "rgb8"))
            normal, offset = watched.plane.normal, watched.plane.offset
            found = camera.camera.on_plane(seen.pixel[np.newaxis], normal, offset)[0]
            off.append(np.linalg.norm(found - place))
    assert np.median(off) < 5e-4
    assert np.percentile(off, 95) < 1.2e-3
