"""A camera's YAML: what is written is read; what is damaged is one clear line."""

import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from icpi_ros.core.errors import CalibrationFileError
from icpi_ros.perception.calibration.file import (
    Calibration,
    CalibrationOrigin,
    load,
    load_camera,
    require_size,
    save,
)
from icpi_ros.perception.camera import Camera, Intrinsics

ORIGIN = CalibrationOrigin(
    "a test: 'quoted', ünicode # no comment", "2026-01-02T03:04:05Z", 7, 0.1, 0.2, 0.3
)


def some(pose=True):
    intrinsics = Intrinsics(
        640,
        480,
        np.array([[601.5, 0.0, 320.1], [0.0, 599.5, 240.2], [0.0, 0.0, 1.0]]),
        np.array([-0.2, 0.05, 1e-5, -1e-7, 0.0]),
    )
    camera = Camera(intrinsics, cv2.Rodrigues(np.array([2.0, 0.3, -0.1]))[0], np.array([0.1, 0, 1]))
    return Calibration(intrinsics, ORIGIN, camera if pose else None, ORIGIN if pose else None)


def same(one, other):
    return (
        (one.width, one.height) == (other.width, other.height)
        and (one.matrix == other.matrix).all()
        and (one.distortion == other.distortion).all()
    )


@settings(max_examples=30, deadline=None)
@given(
    size=st.tuples(st.integers(1, 20000), st.integers(1, 20000)),
    focal=st.tuples(st.floats(1.0, 1e5), st.floats(1.0, 1e5)),
    centre=st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)),
    distortion=st.lists(st.floats(-10, 10), min_size=5, max_size=5),
    turn=st.lists(st.floats(-3, 3), min_size=3, max_size=3),
    shift=st.lists(st.floats(-1e3, 1e3), min_size=3, max_size=3),
    how=st.text(max_size=50),
)
def test_every_camera_comes_back_bit_by_bit(size, focal, centre, distortion, turn, shift, how):
    matrix = np.array([[focal[0], 0, centre[0]], [0, focal[1], centre[1]], [0, 0, 1.0]])
    try:
        intrinsics = Intrinsics(*size, matrix, np.array(distortion))
    except Exception:
        return
    rotation = np.asarray(cv2.Rodrigues(np.array(turn))[0])
    camera = Camera(intrinsics, rotation, np.array(shift), "left_optical")
    origin = CalibrationOrigin(how, "2026-01-02T03:04:05Z", 7, 0.1, 0.2, 0.3)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.yaml"
        save(path, Calibration(intrinsics, origin, camera, origin))
        found = load(path)
    assert same(found.intrinsics, intrinsics)
    assert (found.camera.rotation == rotation).all()
    assert (found.camera.translation == camera.translation).all()
    assert found.camera.frame == "left_optical"
    assert found.made.how == found.placed.how
    assert found.made.residual_px == 0.1


def test_what_is_written_comes_back(tmp_path):
    path = tmp_path / "c.yaml"
    save(path, some())
    found = load(path)
    assert found.made == ORIGIN
    assert found.placed == ORIGIN
    assert (load_camera(path).rotation == some().camera.rotation).all()
    assert list(tmp_path.iterdir()) == [path]


def test_the_keys_are_those_of_ros(tmp_path):
    """camera_calibration_parsers/src/parse_yml.cpp reads these and no others."""
    path = tmp_path / "c.yaml"
    save(path, some())
    content = yaml.safe_load(path.read_text())
    assert content["image_width"] == 640
    assert content["image_height"] == 480
    assert content["distortion_model"] == "plumb_bob"
    assert isinstance(content["camera_name"], str)
    shapes = {
        "camera_matrix": (3, 3),
        "distortion_coefficients": (1, 5),
        "rectification_matrix": (3, 3),
        "projection_matrix": (3, 4),
    }
    for key, (rows, cols) in shapes.items():
        assert (content[key]["rows"], content[key]["cols"]) == (rows, cols)
        assert len(content[key]["data"]) == rows * cols
        assert all(isinstance(value, float) for value in content[key]["data"])


def test_a_file_of_ros_gives_the_intrinsics(tmp_path):
    """As image_pipeline's camera_calibration writes it; yaml-cpp spells numbers as 1e-05."""
    path = tmp_path / "ost.yaml"
    path.write_text(
        "image_width: 640\nimage_height: 480\ncamera_name: narrow_stereo\n"
        "camera_matrix:\n  rows: 3\n  cols: 3\n  data: [600., 0., 320., 0., 6e2, 240., 0, 0, 1]\n"
        "distortion_model: plumb_bob\ndistortion_coefficients:\n  rows: 1\n  cols: 5\n"
        "  data: [-0.2, 0.1, 1e-05, -2e-05, 0.0]\n"
    )
    found = load(path)
    assert found.made is None
    assert found.camera is None
    assert found.intrinsics.distortion[2] == 1e-5
    assert found.intrinsics.matrix[1, 1] == 600.0
    with pytest.raises(CalibrationFileError, match="icpi calibrate table"):
        load_camera(path)


def test_a_frame_of_another_size_is_refused():
    require_size(some().intrinsics, 640, 480, "image")
    with pytest.raises(CalibrationFileError, match=r"image is 320 x 240 px.*640 x 480"):
        require_size(some().intrinsics, 320, 240, "image")


def change(path, *where, value):
    content = yaml.safe_load(path.read_text())
    block = content
    for key in where[:-1]:
        block = block[key]
    if value is None:
        del block[where[-1]]
    else:
        block[where[-1]] = value
    path.write_text(yaml.safe_dump(content))


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("where", "value", "words"),
    [
        (("camera_matrix", "data"), [NAN, 0, 1, 0, 1, 1, 0, 0, 1], "not finite"),
        (("camera_matrix", "data"), [INF, 0, 1, 0, 1, 1, 0, 0, 1], "camera matrix|not a number"),
        (("camera_matrix", "data"), [5, 0, 1, 0, 5, 1, 0, 0, 0], "inverted"),
        (("camera_matrix", "data"), [-5, 0, 1, 0, 5, 1, 0, 0, 1], "focal"),
        (("camera_matrix", "data"), [1.0, 2.0], "9 numbers, has 2 values"),
        (("camera_matrix", "data"), "600", "9 numbers"),
        (("camera_matrix", "data"), ["a"] * 9, "not a number"),
        (("camera_matrix", "data"), [[1]] * 9, "not a number"),
        (("camera_matrix",), None, "camera_matrix is missing"),
        (("distortion_coefficients", "data"), [0.1] * 15, "15 values: plumb_bob has 5"),
        (("distortion_coefficients", "data"), [0.0, 0, NAN, 0, 0], "not finite"),
        (("distortion_model",), "division", "'division': must be one of plumb_bob"),
        (("image_width",), 0, "0 x 480"),
        (("image_width",), "wide", "wide"),
        (("image_height",), None, "image_height"),
        (("image_height",), 480.5, "480.5"),
        (("icpi",), "no", "icpi"),
        (("icpi", "schema"), 2, "newer.*update"),
        (("icpi", "schema"), None, "icpi.schema"),
        (("icpi", "pose"), [1], "icpi.pose"),
        (("icpi", "pose", "from"), "world", "world"),
        (("icpi", "pose", "to"), "", "frame"),
        (("icpi", "pose", "translation_m"), [0, 0], "3 numbers"),
        (("icpi", "pose", "translation_m"), [0, 0, NAN], "not finite"),
        (("icpi", "pose", "rotation", "data"), [0.0] * 9, "rotation"),
        (("icpi", "pose", "rotation", "data"), [1.0, 0, 0, 0, 1, 0, 0, 0, -1], "rotation"),
        (("icpi", "pose", "samples"), "many", "many"),
        (("icpi", "intrinsics", "residual_px"), "small", "residuals"),
    ],
)
def test_a_damaged_value_is_one_clear_line(tmp_path, where, value, words):
    path = tmp_path / "c.yaml"
    save(path, some())
    change(path, *where, value=value)
    with pytest.raises(CalibrationFileError, match=words) as caught:
        load(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\xff\xfe", b"- 1\n- 2\n", b"a: [1, 2", b"just text", b"\x89PNG\r\n", b"[" * 50_000,
     b"a: &a [*a]", b"x: " + b"y" * 2_000_000],
)  # fmt: skip
def test_what_is_no_calibration_is_refused(tmp_path, content):
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(CalibrationFileError) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_cut_file_is_refused_wherever_it_is_cut_or_loses_only_its_end(tmp_path):
    path, cut = tmp_path / "c.yaml", tmp_path / "cut.yaml"
    save(path, some())
    text = path.read_text()
    for end in range(0, len(text) - 2, 23):
        cut.write_text(text[:end])
        try:
            found = load(cut)
        except CalibrationFileError:
            continue
        assert same(found.intrinsics, some().intrinsics)
        assert found.camera is None or np.allclose(found.camera.rotation, some().camera.rotation)


def test_a_missing_file_or_a_folder_is_refused(tmp_path):
    with pytest.raises(CalibrationFileError, match="icpi calibrate camera"):
        load(tmp_path / "none.yaml")
    with pytest.raises(CalibrationFileError, match="cannot read"):
        load(tmp_path)
