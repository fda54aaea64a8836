"""The scenes' own images: what MuJoCo draws, with its light and shades, is found where it is."""

import os

import numpy as np
import pytest

from icpi_ros.perception.detector import Detector
from icpi_ros.perception.images import Frame
from icpi_ros.perception.synthetic import overhead
from icpi_ros.perception.targets import watch
from icpi_ros.resources import share_path
from icpi_ros.tasks import TASKS

os.environ.setdefault("MUJOCO_GL", "egl")
mujoco = pytest.importorskip("mujoco")


@pytest.mark.parametrize("task", ["slide", "roll-gc"])
def test_a_rendered_object_is_found_to_half_a_millimetre(task):
    watched, camera, rng = watch(task), overhead(320, 240), np.random.default_rng(0)
    model = mujoco.MjModel.from_xml_path(str(share_path("sim", TASKS.get(task).scene)))
    name = watched.target.name
    model.geom(name).rgba[:3] = watched.target.colour
    data = mujoco.MjData(model)
    try:
        renderer = mujoco.Renderer(model, 240, 320)
    except Exception as broken:
        pytest.skip(f"no headless rendering here: {broken}")
    detector, off = Detector(watched.target, camera, watched.plane), []
    try:
        renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = False
        for _ in range(40):
            place = watched.plane.lift(np.array([rng.uniform(0.2, 1.0), rng.uniform(-0.2, 0.7)]))
            data.joint(name).qpos[:3] = place
            mujoco.mj_forward(model, data)
            renderer.update_scene(data, "overhead")
            (seen,) = detector.detect(Frame(renderer.render(), "rgb8"))
            plane = watched.plane
            found = camera.on_plane(seen.pixel[np.newaxis], plane.normal, plane.offset)[0]
            off.append(np.linalg.norm(found - place))
    finally:
        renderer.close()
    assert np.median(off) < 3e-4
    assert np.percentile(off, 95) < 1e-3
