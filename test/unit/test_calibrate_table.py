"""Where the camera stands, from points and markers whose truth is known."""

import dataclasses

import numpy as np
import pytest
from rendering import TRUTH, angle, look, marker_table

from icpi_ros.core.errors import CalibrationFailed, InvalidValue, UnknownName
from icpi_ros.perception.calibration.camera_pose import locate
from icpi_ros.perception.calibration.known_points import KnownPoints
from icpi_ros.perception.calibration.markers import Marker, find_markers
from icpi_ros.testing.synthetic_images import overhead

CAMERA = look([0.5, -0.25, 0.65], [0.5, 0.2, 0.0])
FLAT = np.array(
    [[0.15, -0.05, 0], [0.85, -0.05, 0], [0.95, 0.6, 0], [0.05, 0.6, 0], [0.5, 0.1, 0],
     [0.5, 0.5, 0]]
)  # fmt: skip
STEPPED = FLAT + np.array([[0, 0, z] for z in (0.0, 0.0, 0.04, 0.0, 0.15, 0.08)])
UP = np.array([0.0, 0.0, 1.0])
TABLE = np.array([[x, y, 0.0] for x in (0.2, 0.5, 0.8) for y in (0.0, 0.2, 0.4)])


def points(positions, camera=CAMERA, noise=0.0, seed=0):
    pixels = camera.project(positions) + np.random.default_rng(seed).normal(
        0, noise, (len(positions), 2)
    )
    return KnownPoints(pixels, positions, tuple(f"p{i}" for i in range(len(positions))))


def table_error(found, truth=CAMERA):
    """Largest error of where pixels are on the table [mm]."""
    seen = found.on_plane(truth.project(TABLE), UP, 0.0)
    return 1e3 * np.linalg.norm(seen - TABLE, axis=1).max()


@pytest.mark.parametrize("positions", [FLAT, STEPPED])
def test_six_points_with_noise_give_the_camera_back(positions):
    trials = [locate(TRUTH, points(positions, noise=0.1, seed=seed)) for seed in range(40)]
    assert np.quantile([table_error(r.camera) for r in trials], 0.95) < 0.5
    assert np.median([angle(r.camera, CAMERA) for r in trials]) < 0.05
    off = [1e3 * np.linalg.norm(r.camera.position - CAMERA.position) for r in trials]
    assert np.median(off) < 0.5
    assert 0.5 < np.mean([r.spread_mm for r in trials]) / np.sqrt(np.mean(np.square(off))) < 2.0
    assert 0.03 < np.mean([r.rms_px for r in trials]) < 0.15


@pytest.mark.parametrize("positions", [FLAT, STEPPED, FLAT[:4], STEPPED[:4]])
def test_exact_points_give_the_exact_camera(positions):
    found = locate(TRUTH, points(positions), "left_optical")
    assert np.abs(found.camera.position - CAMERA.position).max() < 1e-6
    assert angle(found.camera, CAMERA) < 1e-4
    assert found.rms_px < 1e-4
    assert found.camera.frame == "left_optical"


@pytest.mark.parametrize("height", [0.7, 1.0, 1.5])
def test_a_camera_that_looks_straight_down_works(height):
    down = look([0.5, 0.2001, height], [0.5, 0.2, 0.0])
    wide = FLAT * [0.5, 0.5, 1.0] + np.array([0.25, 0.075, 0.0])
    for seed in range(5):
        found = locate(TRUTH, points(wide, down, 0.1, seed)).camera
        assert table_error(found, down) < 1.0


def test_points_on_a_wall_seen_from_the_side_work():
    wall = np.array([[0.2, 0.6, 0.1], [0.8, 0.6, 0.1], [0.8, 0.6, 0.5], [0.2, 0.6, 0.5],
                     [0.4, 0.6, 0.3]])  # fmt: skip
    side = look([0.3, -0.5, 0.35], [0.5, 0.6, 0.3])
    found = locate(TRUTH, points(wall, side, 0.1))
    assert 1e3 * np.linalg.norm(found.camera.position - side.position) < 5.0
    assert found.rms_mm < 1.0


def test_residuals_in_millimetres_are_distances_on_the_table():
    known = points(FLAT)
    found = locate(TRUTH, known)
    moved = known.pixels.copy()
    place = CAMERA.project(FLAT[4:5] + np.array([0.002, 0.0, 0.0]))[0]
    moved[4] = place
    bent = locate(TRUTH, dataclasses.replace(known, pixels=moved))
    assert found.residuals_mm.max() < 1e-3
    assert bent.left_out_mm[4] == pytest.approx(2.0, abs=0.01)
    assert bent.without_px.argmin() == 4  # the others agree as soon as it is gone
    assert bent.without_px[4] < 1e-3 < found.rms_px + 0.1 < bent.rms_px


def small(seed):
    high = look([0.5, -0.6, 1.3], [0.5, 0.2, 0.0])
    return points(FLAT * 0.05 + np.array([0.475, 0.19, 0.0]), high, 0.3, seed)


def test_points_that_do_not_tell_the_tilt_are_refused():
    said = []
    for seed in range(10):
        try:
            locate(TRUTH, small(seed))
        except CalibrationFailed as exc:
            said.append(str(exc))
    assert len(said) >= 8
    assert all("two poses" in text and "farther apart" in text for text in said)


def replaced(index, pixel=None, position=None):
    known = points(FLAT)
    pixels, positions = known.pixels.copy(), known.positions.copy()
    if pixel is not None:
        pixels[index] = pixel
    if position is not None:
        positions[index] = position
    return KnownPoints(pixels, positions, known.names)


def line(number):
    return points(np.array([[0.2 + 0.1 * i, 0.1 + 0.05 * i, 0.0] for i in range(number)]))


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (points(FLAT[:3]), "3 points are too few: at least 4"),
        (line(5), "on a line"),
        (replaced(0, position=FLAT[1]), "p0 and p1 have the same positions"),
        (replaced(0, pixel=points(FLAT).pixels[3]), "p0 and p3 have the same pixels"),
        (replaced(2, pixel=[700.0, 100.0]), "p2 at 700, 100 px is outside the image of 640 x 480"),
        (replaced(3, position=[0.6, 0.05, 0.0]), "do not fit.*worst p"),
        (KnownPoints(points(FLAT).pixels, FLAT[:, [1, 0, 2]], tuple("abcdef")), "below the table"),
        (KnownPoints(points(FLAT).pixels, FLAT * [-1, 1, 1], tuple("abcdef")), "below the table"),
    ],
)
def test_degenerate_points_are_refused(known, words):
    with pytest.raises(CalibrationFailed, match=words) as caught:
        locate(TRUTH, known)
    assert "\n" not in str(caught.value)


def test_points_that_are_no_numbers_are_refused():
    with pytest.raises(InvalidValue, match=r"p2 is not finite"):
        replaced(2, pixel=[float("nan"), 1.0])
    with pytest.raises(InvalidValue, match=r"must be"):
        KnownPoints(np.zeros((4, 2)), np.zeros((5, 3)), tuple("abcd"))


# --- markers ----------------------------------------------------------------------------------

PLACES = {0: (0.25, 0.0), 5: (0.75, 0.0), 7: (0.75, 0.4), 9: (0.25, 0.4)}


def lying(size=0.06):
    return [Marker.flat(n, size, np.array([x, y, 0.0])) for n, (x, y) in PLACES.items()]


@pytest.mark.parametrize("family", ["apriltag_36h11", "4x4_50"])
def test_markers_give_the_camera_back(family):
    image = marker_table(lying(), family, CAMERA)
    known = find_markers([image], lying(), family)
    assert np.linalg.norm(known.pixels - CAMERA.project(known.positions), axis=1).max() < 0.25
    found = locate(TRUTH, known)
    assert table_error(found.camera) < 0.5
    assert angle(found.camera, CAMERA) < 0.05
    assert 1e3 * np.linalg.norm(found.camera.position - CAMERA.position) < 1.0


def test_one_large_marker_is_enough():
    marker = Marker.flat(3, 0.2, np.array([0.5, 0.1, 0.0]))
    image = marker_table([marker], "4x4_50", CAMERA)
    found = locate(TRUTH, find_markers([image, image], [marker], "4x4_50"))
    assert 1e3 * np.linalg.norm(found.camera.position - CAMERA.position) < 10.0
    assert found.rms_mm < 0.5


def test_yaw_turns_a_marker():
    straight, turned = Marker.flat(1, 0.1, np.zeros(3)), Marker.flat(1, 0.1, np.zeros(3), np.pi / 2)
    assert np.allclose(straight.corners[0], [-0.05, 0.05, 0.0])  # upper left, seen from above
    assert np.allclose(turned.corners[0], [-0.05, -0.05, 0.0])


def test_markers_that_are_not_as_described_are_refused():
    image = marker_table(lying(), "4x4_50", CAMERA)
    black = np.zeros_like(image)
    other = [*lying(), Marker.flat(11, 0.06, np.array([0.5, 0.2, 0.0]))]
    twice = marker_table(
        [Marker.flat(2, 0.06, np.array([x, 0.2, 0.0])) for x in (0.3, 0.7)], "4x4_50", CAMERA
    )
    cases = [
        ([image], other, "4x4_50", r"marker 11 .* not seen in 1 image.*seen: 0, 5, 7, 9"),
        ([black], lying(), "4x4_50", "seen: none"),
        ([twice], [Marker.flat(2, 0.06, np.zeros(3))], "4x4_50", "seen twice"),
        ([image, np.roll(image, 9, axis=1)], lying(), "4x4_50", "moves by"),
    ]
    for images, markers, family, words in cases:
        with pytest.raises(CalibrationFailed, match=words):
            find_markers(images, markers, family)
    with pytest.raises(InvalidValue, match=r"more than once"):
        find_markers([image], lying() * 2, "4x4_50")
    with pytest.raises(InvalidValue, match=r"0 to 49"):
        find_markers([image], [Marker.flat(50, 0.1, np.zeros(3))], "4x4_50")
    with pytest.raises(InvalidValue, match=r"no marker"):
        find_markers([image], [], "4x4_50")
    with pytest.raises(UnknownName, match=r"5x5_9"):
        find_markers([image], lying(), "5x5_9")
    for size, place in ((0.0, 0.0), (float("nan"), 0.0), (0.1, float("nan"))):
        with pytest.raises(InvalidValue, match=r"marker 1"):
            Marker.flat(1, size, np.full(3, place))


def test_millimetres_in_place_of_metres_are_refused():
    known = points(STEPPED)
    wrong = KnownPoints(known.pixels, 1e3 * known.positions, known.names)
    with pytest.raises(CalibrationFailed, match=r"m from the points.*millimetres"):
        locate(TRUTH, wrong)


@pytest.mark.parametrize("mirror", [[1, -1, 1], [-1, 1, 1]])
def test_a_mirrored_table_is_refused_also_with_a_point_above_it(mirror):
    camera = look([0.6, 0.25, 1.5], [0.6, 0.2501, 0.0])
    raised = np.array(
        [[0.3, 0, 0], [0.9, 0, 0], [0.9, 0.5, 0], [0.3, 0.5, 0], [0.6, 0.25, 0], [0.4, 0.4, 0.1]]
    )
    known = points(raised, camera)
    with pytest.raises(CalibrationFailed, match="below the table"):
        locate(TRUTH, KnownPoints(known.pixels, raised * mirror, known.names))


@pytest.mark.slow
def test_points_without_noise_straight_below_work():
    camera = overhead(640, 480)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        flat = np.column_stack([rng.uniform(0.3, 0.9, 10), rng.uniform(0.0, 0.5, 10), np.zeros(10)])
        found = locate(camera.intrinsics, points(flat, camera))
        np.testing.assert_allclose(found.camera.position, camera.position, atol=1e-6)
