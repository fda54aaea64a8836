"""The simulated camera: geometry, lens, noise, blur, timing; each against an independent figure."""

import subprocess
import sys

import mujoco
import numpy as np
import pytest

from icpi_ros.core.errors import InvalidValue, UsageError
from icpi_ros.robots import ARMS
from icpi_ros.sim.camera import SimulatedCamera, camera_name, snapshot, true_camera
from icpi_ros.sim.camera_settings import TYPICAL, CameraSettings
from icpi_ros.sim.shutter import Exposure, Shutter
from icpi_ros.sim.world import World
from icpi_ros.tasks import TASKS

MS = 1_000_000
SPOTS = np.array([[x, y, 0.0] for x in (-0.55, -0.2, 0.13, 0.5) for y in (-0.42, 0.02, 0.4)])
DISC = "<geom type='cylinder' size='0.025 0.0001' pos='{} {} 0' rgba='1 1 1 1'/>"
SCENE = f"""
<mujoco>
  <worldbody>
    <light pos="0 0 3"/>
    <camera name="above" pos="0.02 -0.03 1.5" fovy="45" xyaxes="0.995 0.0998 0 -0.0998 0.995 0"/>
    {"".join(DISC.format(x, y) for x, y, _ in SPOTS)}
  </worldbody>
</mujoco>"""
MOVING = """
<mujoco>
  <worldbody>
    <camera name="above" pos="0 0 1.5" fovy="45"/>
    <body name="ball">
      <joint name="x" type="slide" axis="1 0 0"/>
      <geom type="sphere" size="0.03" rgba="1 0 0 1"/>
    </body>
  </worldbody>
</mujoco>"""
LENS = (-0.25, 0.08, 0.001, -0.001, 0.0)


def state_of(model):
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return data


def image_of(xml, settings, **fields):
    model = mujoco.MjModel.from_xml_string(xml)
    with SimulatedCamera(model, "", settings) as camera:
        data = state_of(model)
        for name, value in fields.items():
            data.qpos[:] = value if name == "qpos" else data.qpos
        return camera.render(data), camera.camera


def centre(image, near, reach=14):
    """Return the centroid (column, row) of the light around a pixel."""
    column, row = np.round(near).astype(int)
    rows, columns = np.mgrid[row - reach : row + reach + 1, column - reach : column + reach + 1]
    light = image[rows, columns].sum(axis=-1).astype(float)
    return np.array([(columns * light).sum(), (rows * light).sum()]) / light.sum()


def off_centre(settings):
    image, camera = image_of(SCENE, settings)
    expected = camera.project(SPOTS)
    found = np.array([centre(image, pixel) for pixel in expected])
    return np.linalg.norm(found - expected, axis=1)


@pytest.mark.parametrize(
    ("width", "height", "limit"), [(320, 240, 0.1), (640, 480, 0.05), (321, 241, 0.1)]
)
def test_what_is_rendered_is_where_the_calibration_says(width, height, limit):
    off = off_centre(CameraSettings(width, height))
    assert off.max() < limit, off  # px


def test_a_distorted_image_agrees_with_the_distorted_calibration():
    off = off_centre(CameraSettings(distortion=LENS))
    assert off.max() < 0.1, off
    _, ideal = image_of(SCENE, CameraSettings())
    _, bent = image_of(SCENE, CameraSettings(distortion=LENS))
    moved = np.linalg.norm(ideal.project(SPOTS) - bent.project(SPOTS), axis=1)
    assert moved.max() > 3.0  # the lens does something


def test_a_distorted_image_has_no_empty_border():
    xml = SCENE.replace("<light", "<geom type='plane' size='9 9 1' pos='0 0 -0.1'/><light")
    for k1 in (-0.3, 0.15):
        image, _ = image_of(xml, CameraSettings(distortion=(k1, 0.0, 0.0, 0.0, 0.0)))
        assert image.min() > 20


def test_the_calibration_of_the_scenes():
    """Optical axis down onto the table, image rows towards -y: written out by hand."""
    task = TASKS.get("slide")
    model = World(task, ARMS.get(task.arm), task.seeded_physics(0)).model
    camera = true_camera(model, "overhead", CameraSettings())
    np.testing.assert_allclose(camera.position, [0.6, 0.25, 1.5], atol=1e-12)
    middle = np.array([[0.6, 0.25, 0.0], [0.7, 0.25, 0.0], [0.6, 0.35, 0.0]])
    pixels = camera.project(middle)
    np.testing.assert_allclose(pixels[0], [159.5, 119.5], atol=1e-9)
    focal = 120.0 / np.tan(np.deg2rad(22.5))
    np.testing.assert_allclose(pixels[1] - pixels[0], [focal * 0.1 / 1.5, 0.0], atol=1e-9)
    np.testing.assert_allclose(pixels[2] - pixels[0], [0.0, -focal * 0.1 / 1.5], atol=1e-9)


@pytest.mark.parametrize("name", ["slide", "roll-gc", "rope-swing"])
def test_only_the_tracked_object_is_red_and_nothing_is_overexposed(name):
    task = TASKS.get(name)
    world = World(task, ARMS.get(task.arm), task.seeded_physics(0))
    with SimulatedCamera(world.model, "", CameraSettings(640, 480)) as camera:
        image = camera.render(world.data).astype(int)
        expected = camera.camera.project(world.object_position[np.newaxis])[0]
    red = image[..., 0] > 2 * np.maximum(image[..., 1], image[..., 2])
    rows, columns = np.nonzero(red)
    assert len(rows) >= 16
    assert np.abs([columns - expected[0], rows - expected[1]]).max() < 20
    assert image.max() < 255


def test_nothing_but_looks_differs_from_the_simulated_model():
    """The camera works on a copy: lights and field of view of the simulation stay."""
    task = TASKS.get("slide")
    world = World(task, ARMS.get(task.arm), task.seeded_physics(0))
    fovy, head = world.model.cam_fovy.copy(), world.model.vis.headlight.ambient.copy()
    before = snapshot(world.data)
    with SimulatedCamera(world.model, "", CameraSettings(distortion=LENS)) as camera:
        camera.render(world.data)
    np.testing.assert_array_equal(fovy, world.model.cam_fovy)
    np.testing.assert_array_equal(head, world.model.vis.headlight.ambient)
    np.testing.assert_array_equal(before, world.data.qpos)


def test_noise_has_the_level_that_was_asked_for_and_repeats_with_the_seed():
    grey = SCENE.replace("<light", "<geom type='plane' size='9 9 1' pos='0 0 -.1'/><light")
    clean, _ = image_of(grey, CameraSettings())
    first, _ = image_of(grey, CameraSettings(noise=8.0, seed=3))
    again, _ = image_of(grey, CameraSettings(noise=8.0, seed=3))
    other, _ = image_of(grey, CameraSettings(noise=8.0, seed=4))
    middle = (clean > 40) & (clean < 215)
    noise = (first.astype(int) - clean)[middle]
    assert middle.mean() > 0.5
    assert abs(noise.std() - 8.0) < 0.2
    assert abs(noise.mean()) < 0.2
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.8


def test_two_frames_have_different_noise():
    grey = SCENE.replace("<light", "<geom type='plane' size='9 9 1' pos='0 0 -.1'/><light")
    model = mujoco.MjModel.from_xml_string(grey)
    with SimulatedCamera(model, "", CameraSettings(noise=8.0)) as camera:
        one, two = (camera.render(state_of(model)).astype(float) for _ in range(2))
    assert (one - two).std() == pytest.approx(8.0 * np.sqrt(2.0), rel=0.05)


def test_gain_brightens_and_a_lens_cap_is_black():
    clean, _ = image_of(SCENE, CameraSettings())
    half, _ = image_of(SCENE, CameraSettings(gain=0.5))
    cap, _ = image_of(SCENE, CameraSettings(gain=0.0))
    assert np.abs(half.astype(float) - 0.5 * clean).max() <= 0.5
    assert cap.max() == 0


def moving_exposure(speed, length_ms):
    """A ball that passes the middle of the picture at ``speed`` [m/s] at 100 ms."""
    times = tuple(range(80 * MS, 122 * MS, 2 * MS))
    states = tuple(np.array([speed * (t - 100 * MS) * 1e-9]) for t in times)
    return Exposure(6, 100 * MS, round(length_ms * MS), times, states)


def spread(image):
    light = image[..., 0].astype(float)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    share = light / light.sum()
    mean = (columns * share).sum(), (rows * share).sum()
    width = [
        np.sqrt((share * (grid - m) ** 2).sum())
        for grid, m in zip((columns, rows), mean, strict=True)
    ]
    return mean, width


def test_blur_lies_along_the_motion_and_is_centred_on_the_stamp():
    model = mujoco.MjModel.from_xml_string(MOVING)
    with SimulatedCamera(model, "", CameraSettings(exposure=0.016)) as camera:
        (x, y), (along, across) = spread(camera.expose(moving_exposure(2.0, 16.0)))
        (x0, y0), (along0, across0) = spread(camera.expose(moving_exposure(2.0, 0.0)))
    assert abs(x - x0) < 0.1
    assert abs(y - y0) < 0.1
    assert abs(across - across0) < 0.1
    focal = camera.camera.intrinsics.matrix[0, 0]
    streak = 2.0 * 0.016 * focal / 1.5  # a uniform streak of this length [px]
    assert along**2 - along0**2 == pytest.approx(streak**2 / 12.0, rel=0.15)


def test_an_exposure_shows_the_state_between_two_steps():
    model = mujoco.MjModel.from_xml_string(MOVING)
    exposure = Exposure(0, 1 * MS, 0, (0, 4 * MS), (np.array([0.0]), np.array([0.4])))
    with SimulatedCamera(model, "", CameraSettings()) as camera:
        (x, _), _ = spread(camera.expose(exposure))
        expected = camera.camera.project(np.array([[0.1, 0.0, 0.0]]))[0, 0]
    assert x == pytest.approx(expected, abs=0.15)


def film(settings, seconds=2.0, step_ms=2):
    """Return (time of delivery, exposure) of a run with steps of ``step_ms``."""
    shutter, delivered = Shutter(settings), []
    for ns in range(0, round(seconds * 1000) * MS + 1, step_ms * MS):
        shutter.see(ns, np.array([ns * 1e-9]))
        delivered += [(ns, exposure) for exposure in shutter.due(ns)]
    return shutter, delivered


def test_stamps_are_the_middles_of_the_exposures_at_the_rate():
    _, delivered = film(CameraSettings(rate=60.0, exposure=0.005))
    stamps = [exposure.ns for _, exposure in delivered]
    assert stamps == [round(k * 1e9 / 60.0) for k in range(1, 120)]
    for _, exposure in delivered:
        before, after, share = exposure.around(exposure.ns)
        assert (1 - share) * before[0] + share * after[0] == pytest.approx(exposure.ns * 1e-9)
        assert exposure.times[0] <= exposure.ns - 2_500_000
        assert exposure.times[-1] >= exposure.ns + 2_500_000


def test_latency_delays_delivery_but_not_the_stamp_nor_the_order():
    settings = CameraSettings(rate=100.0, exposure=0.004, latency=0.05)
    _, delivered = film(settings)
    numbers = [exposure.number for _, exposure in delivered]
    assert numbers == sorted(numbers)
    late = {ns - exposure.ns for ns, exposure in delivered}
    assert late == {52 * MS}


def test_the_share_of_dropped_frames_and_that_the_seed_decides_which():
    shutter, delivered = film(CameraSettings(drop=0.2, rate=100.0, seed=5), 30.0)
    assert shutter.taken == 3001
    assert shutter.dropped == shutter.taken - len(delivered)
    assert abs(shutter.dropped / shutter.taken - 0.2) < 0.03
    again = film(CameraSettings(drop=0.2, rate=100.0, seed=5), 30.0)[1]
    other = film(CameraSettings(drop=0.2, rate=100.0, seed=6), 30.0)[1]
    numbers = [[e.number for _, e in frames] for frames in (delivered, again, other)]
    assert numbers[0] == numbers[1] != numbers[2]


def test_a_jump_is_never_shown_half_way():
    shutter = Shutter(CameraSettings(rate=100.0, exposure=0.01))
    for ns in range(0, 40 * MS, 2 * MS):
        shutter.see(ns, np.array([0.0 if ns <= 20 * MS else 1.0]))
        if ns == 20 * MS:
            shutter.see(ns, np.array([1.0]))
    for exposure in shutter.due(100 * MS):
        for ns in np.linspace(exposure.ns - 5 * MS, exposure.ns + 5 * MS, 41):
            before, after, share = exposure.around(ns)
            assert (1 - share) * before[0] + share * after[0] in (0.0, 1.0)


def test_a_run_gives_the_same_images_again():
    def images():
        task = TASKS.get("slide")
        world = World(task, ARMS.get(task.arm), task.seeded_physics(1))
        shutter = Shutter(TYPICAL)
        with SimulatedCamera(world.model, "", TYPICAL) as camera:
            found = []
            for step in range(60):
                world.step(world.joint_positions, np.zeros(6))
                shutter.see((step + 1) * 2 * MS, snapshot(world.data))
                found += [camera.expose(e) for e in shutter.due((step + 1) * 2 * MS)]
        return np.array(found)

    first = images()
    assert len(first) >= 4
    np.testing.assert_array_equal(first, images())


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"width": 0}, "camera width = 0: must be 16 to 1920 px"),
        ({"height": 5000}, "camera height = 5000"),
        ({"rate": float("nan")}, "camera rate = nan: must be 1 to 240 Hz"),
        ({"noise": -1.0}, "camera noise = -1"),
        ({"exposure": 0.05}, "at most 1 / rate = 0.0166667 s"),
        ({"gain": -0.1}, "camera gain"),
        ({"latency": 2.0}, "camera latency = 2: must be 0 to 1 s"),
        ({"drop": 1.5}, "camera drop = 1.5"),
        ({"seed": -1}, "camera seed"),
        ({"distortion": (0.1,)}, "5 finite numbers"),
        ({"distortion": (float("inf"), 0, 0, 0, 0)}, "5 finite numbers"),
    ],
)
def test_bad_settings_are_named(fields, words):
    with pytest.raises(InvalidValue, match=words.replace("(", "\\(")):
        CameraSettings(**fields)


@pytest.mark.parametrize(
    ("distortion", "words"),
    [((-1.5, 0, 0, 0, 0), "folds the image"), ((-0.9, 0, 0, 0, 0), "folds|times as large")],
)
def test_a_lens_that_cannot_be_is_refused(distortion, words):
    with pytest.raises(InvalidValue, match=words):
        image_of(SCENE, CameraSettings(distortion=distortion))


def test_unknown_absent_and_moving_cameras_are_refused():
    model = mujoco.MjModel.from_xml_string(SCENE)
    assert camera_name(model) == "above"
    with pytest.raises(UsageError, match="unknown camera 'below': choose one of above"):
        true_camera(model, "below", CameraSettings())
    with pytest.raises(UsageError, match="no camera"):
        camera_name(mujoco.MjModel.from_xml_string("<mujoco/>"))
    carried = MOVING.replace("<joint", "<camera name='hand'/><joint")
    with pytest.raises(UsageError, match="'hand' is mounted on a moving body"):
        true_camera(mujoco.MjModel.from_xml_string(carried), "hand", CameraSettings())


def test_without_egl_there_is_one_clear_line():
    code = """
import sys
sys.modules["mujoco.egl"] = None
import mujoco
from icpi_ros.sim.camera import SimulatedCamera
from icpi_ros.sim.camera_settings import CameraSettings
from icpi_ros.sim.offscreen import CameraUnavailable
model = mujoco.MjModel.from_xml_string(
    "<mujoco><worldbody><camera name='a'/><geom size='.1'/></worldbody></mujoco>"
)
try:
    SimulatedCamera(model, "", CameraSettings())
except CameraUnavailable as exc:
    print(exc)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600)
    assert done.stdout.startswith("camera images cannot be rendered: "), done.stderr
    assert "apt" in done.stdout
    assert "icpi doctor" in done.stdout
    assert done.stdout.count("\n") == 1
