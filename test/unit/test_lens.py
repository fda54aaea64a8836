from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from icpi_ros.core.errors import CalibrationFileError, InvalidValue
from icpi_ros.perception.calibration.camera_pose import locate
from icpi_ros.perception.calibration.file import Calibration, load, save
from icpi_ros.perception.calibration.known_points import KnownPoints
from icpi_ros.perception.camera import Camera, Intrinsics
from icpi_ros.perception.image_source import ImageSource
from icpi_ros.perception.lens import lens_of
from icpi_ros.sim.scene_camera import intrinsics_from, scene_camera
from icpi_ros.tasks.slide import SLIDE

MATRIX = np.array([[600.0, 0.0, 320.0], [0.0, 610.0, 235.0], [0.0, 0.0, 1.0]])
RATIONAL = [0.4, -0.2, 1e-4, -2e-4, 0.05, 0.6, -0.25, 0.02]
"""As an Azure Kinect's."""
FISHEYE = [-0.02, 0.01, -0.008, 0.002]
LENSES = {
    "plumb_bob": ("plumb_bob", [-0.12, 0.04, 5e-4, -5e-4, 0.0]),
    "rational": ("rational_polynomial", RATIONAL),
    "rational of 12": ("rational_polynomial", [*RATIONAL, 1e-4, 0.0, 2e-4, 0.0]),
    "equidistant": ("equidistant", FISHEYE),
}
OVERHEAD = np.diag([1.0, -1.0, -1.0])


def info(model="plumb_bob", d=(), size=(640, 480), k=MATRIX, **more):
    """A CameraInfo, as of a bag or live."""
    fields = {"width": size[0], "height": size[1], "k": k.ravel().tolist(), **more}
    return SimpleNamespace(distortion_model=model, d=list(d), **fields)


def region(left, top, width, height):
    return SimpleNamespace(x_offset=left, y_offset=top, width=width, height=height)


def above(lens):
    return Camera(intrinsics_from(info(*lens)), OVERHEAD, np.array([0.0, 0.0, 1.2]))


@pytest.mark.parametrize(
    ("model", "values", "expected"),
    [
        ("plumb_bob", [0.1, 0.2, 0.3, 0.4, 0.5], ("plumb_bob", [0.1, 0.2, 0.3, 0.4, 0.5])),
        ("plumb_bob", [0.1, 0.2, 0.3, 0.4], ("plumb_bob", [0.1, 0.2, 0.3, 0.4, 0.0])),
        ("plumb_bob", [0.1] * 5 + [0.0] * 3, ("plumb_bob", [0.1] * 5)),
        ("plumb_bob", [], ("plumb_bob", [0.0] * 5)),
        ("", [0.0], ("plumb_bob", [0.0] * 5)),
        ("none", [], ("plumb_bob", [0.0] * 5)),
        ("rational_polynomial", RATIONAL, ("rational_polynomial", RATIONAL)),
        ("rational_polynomial", [0.1] * 5, ("rational_polynomial", [0.1] * 5 + [0.0] * 3)),
        ("rational_polynomial", [*RATIONAL] + [0.0] * 6, ("rational_polynomial", RATIONAL)),
        ("equidistant", FISHEYE, ("equidistant", FISHEYE)),
        ("fisheye", [*FISHEYE, 0.0], ("equidistant", FISHEYE)),
    ],
)
def test_the_coefficients_of_drivers_are_those_of_their_model(model, values, expected):
    name, full = lens_of(model, values)
    assert (name, full.tolist()) == expected


@pytest.mark.parametrize(
    ("model", "values", "words"),
    [
        ("plumb_bob", RATIONAL, "plumb_bob has 5: with 8 it is rational_polynomial"),
        ("equidistant", [0.1] * 5, "'equidistant' with 5 values: equidistant has 4"),
        ("rational_polynomial", [0.1] * 15, "8 or 12 or 14"),
        ("rational_polynomial", [0.0] * 15, "15 values"),
        ("division", [0.1], "'division': must be one of plumb_bob, rational_poly"),
    ],
)
def test_coefficients_of_no_known_lens_are_refused(model, values, words):
    with pytest.raises(InvalidValue, match=words):
        lens_of(model, values)


@pytest.mark.parametrize("name", LENSES)
def test_a_pixel_is_where_its_ray_meets_the_table(name):
    camera = above(LENSES[name])
    points = np.array([[x, y, 0.0] for x in (-0.5, 0.0, 0.4) for y in (-0.35, 0.1, 0.3)])
    pixels = camera.project(points)
    assert np.ptp(pixels, axis=0).min() > 200.0
    found = camera.on_plane(pixels, np.array([0.0, 0.0, 1.0]), 0.0)
    np.testing.assert_allclose(found, points, rtol=0.0, atol=1e-6)


def test_a_fisheye_lens_shows_the_angle_from_its_axis():
    camera = above(("equidistant", [0.0] * 4))
    x = np.array([0.1, 0.8, 2.0])  # 59 degrees off the axis
    pixels = camera.project(np.column_stack([x, 0.0 * x, 0.0 * x]))
    np.testing.assert_allclose(pixels[:, 0], 320.0 + 600.0 * np.arctan(x / 1.2), atol=1e-6)


@pytest.mark.parametrize("name", LENSES)
def test_the_pose_of_a_camera_is_found_through_its_lens(name, tmp_path):
    camera = above(LENSES[name])
    points = np.array(
        [[x, y, z] for x in (-0.5, 0.1, 0.5) for y in (-0.3, 0.3) for z in (0.0, 0.2)]
    )
    names = tuple(str(n) for n in range(len(points)))
    known = KnownPoints(camera.project(points), points, names)
    found = locate(camera.intrinsics, known).camera
    np.testing.assert_allclose(found.position, camera.position, rtol=0.0, atol=1e-4)
    save(tmp_path / "c.yaml", Calibration(found.intrinsics, None, found))
    kept = load(tmp_path / "c.yaml").intrinsics
    assert kept.model == LENSES[name][0]
    np.testing.assert_array_equal(kept.distortion, camera.intrinsics.distortion)


def test_a_file_with_the_coefficients_of_another_lens_is_refused(tmp_path):
    save(tmp_path / "c.yaml", Calibration(above(LENSES["equidistant"]).intrinsics))
    text = (tmp_path / "c.yaml").read_text()
    for model, words in {"plumb_bobs": "must be one of", "[1]": "not the name of a model"}.items():
        (tmp_path / "d.yaml").write_text(text.replace("equidistant", model))
        with pytest.raises(CalibrationFileError, match=words):
            load(tmp_path / "d.yaml")


@pytest.mark.parametrize("binning", [0, 1, 2, 4])
@pytest.mark.parametrize("cut", [None, region(0, 0, 0, 0), region(64, 32, 512, 256)])
def test_the_region_and_binning_of_a_camera_are_obeyed(cut, binning):
    """What a point's pixel is in the whole picture says where it is in the part of it."""
    more = {"roi": cut, "binning_x": binning, "binning_y": binning}
    part = intrinsics_from(info("plumb_bob", LENSES["plumb_bob"][1], **more))
    whole = intrinsics_from(info("plumb_bob", LENSES["plumb_bob"][1]))
    left, top, width, height = (64, 32, 512, 256) if cut and cut.width else (0, 0, 640, 480)
    size = max(1, binning)
    assert (part.width, part.height) == (width // size, height // size)
    # Every pixel of the whole picture has its own number in it; the camera averages blocks.
    across = np.tile(np.arange(640.0), (480, 1))[top : top + height, left : left + width]
    small = cv2.resize(across, (part.width, part.height), interpolation=cv2.INTER_AREA)
    points = np.array([[0.02, -0.03, 1.0], [0.1, 0.05, 1.0]])
    ideal = Camera(whole, np.eye(3), np.zeros(3)).project(points)
    pixels = Camera(part, np.eye(3), np.zeros(3)).project(points)
    shown = [np.interp(u, np.arange(part.width), small[0]) for u in pixels[:, 0]]
    np.testing.assert_allclose(shown, ideal[:, 0], rtol=0.0, atol=1e-6)


@pytest.mark.parametrize(
    "cut", [region(200, 0, 512, 100), region(0, 400, 100, 100), region(0, 0, 100, 0)]
)
def test_a_region_that_is_none_is_refused(cut):
    with pytest.raises(InvalidValue, match=r"region of interest .*must lie in the sensor of 640 x"):
        intrinsics_from(info(roi=cut))


def test_a_matrix_of_zeros_is_no_calibration_whatever_the_lens():
    with pytest.raises(InvalidValue, match="not calibrated"):
        intrinsics_from(info("equidistant", FISHEYE, k=np.zeros((3, 3))))
    with pytest.raises(InvalidValue, match=r"of equidistant: must have shapes \(3, 3\) and \(4,\)"):
        Intrinsics(64, 48, MATRIX, np.zeros(5), "equidistant")


@pytest.mark.parametrize(
    ("topic", "d", "used"),
    [
        ("/cam/image_rect", (0.1, 0.0, 0.0, 0.0, 0.0), False),
        ("/cam/image_rect_color", (0.1, 0.0, 0.0, 0.0, 0.0), False),
        ("/cam/rectified/image", (0.1, 0.0, 0.0, 0.0, 0.0), False),
        ("/cam/image_rect_raw", (), True),  # a driver that rectifies tells no lens
        ("/direct/image_raw", (0.1, 0.0, 0.0, 0.0, 0.0), True),
    ],
)
def test_rectified_images_are_not_seen_through_the_lens_of_the_raw_ones(topic, d, used):
    source = ImageSource(SLIDE, camera=partial(scene_camera, SLIDE))
    message = info(header=SimpleNamespace(frame_id="camera"))
    message.k, message.d = MATRIX.ravel(), np.array(d)
    with nullcontext() if used else pytest.raises(InvalidValue, match="are rectified: give the"):
        source.learn(message, topic)
    assert (source.tracker is not None) == used
