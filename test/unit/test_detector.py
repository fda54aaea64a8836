import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icpi_ros.core.errors import InvalidValue, UsageError
from icpi_ros.perception.camera import Camera, Intrinsics
from icpi_ros.perception.detector import Detector
from icpi_ros.perception.imaging.images import Frame
from icpi_ros.perception.targets import outline, tracked_target
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.camera_target import RED, Contrast, Target
from icpi_ros.tasks.plane import Plane
from icpi_ros.tasks.roll import BALL
from icpi_ros.tasks.slide import PUCK, Slide
from icpi_ros.testing.synthetic_images import draw, expose, overhead, paint, scene

SIZES = {240: overhead(320, 240), 480: overhead(640, 480)}
RED_PAINT = (0.9, 0.1, 0.1)


def distorted():
    ideal = overhead(320, 240)
    lens = np.array([-0.25, 0.08, 1e-3, -5e-4, 0.0])
    inside = Intrinsics(320, 240, ideal.intrinsics.matrix, lens)
    return Camera(inside, ideal.rotation, ideal.translation)


def oblique():
    tilt = np.deg2rad(35.0)
    down = np.diag([1.0, -1.0, -1.0])
    c, s = np.cos(tilt), np.sin(tilt)
    rotation = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]).T @ down
    eye = np.array([0.6, 0.25, 0.0]) - 1.5 * rotation[2]
    return Camera(Intrinsics.pinhole(320, 240, np.deg2rad(45.0)), rotation, -rotation @ eye)


def found_at(camera, watched, detection):
    plane = watched.plane
    return camera.on_plane(detection.pixel[np.newaxis], plane.normal, plane.offset)[0]


def errors(camera, task, noise, count=40, seed=0, blur=0.0, target=None):
    """Distances [m] of what is found from the truth; every one must be found."""
    watched, rng = tracked_target(TASKS.get(task)), np.random.default_rng(seed)
    target = target or watched.target
    detector, result = Detector(target, camera, watched.plane), []
    for _ in range(count):
        place = watched.plane.lift(np.array([rng.uniform(0.15, 1.05), rng.uniform(-0.2, 0.7)]))
        image = draw(camera, target, watched.plane, place)
        if blur:
            image = cv2.GaussianBlur(image, (0, 0), blur)
        best = detector.detect(Frame(expose(image, rng, noise), "rgb8"))[0]
        result.append(np.linalg.norm(found_at(camera, watched, best) - place))
    return np.array(result)


@pytest.mark.parametrize("task", ["slide", "roll-gc"])
@pytest.mark.parametrize("height", SIZES)
def test_a_puck_and_a_ball_are_found_to_a_tenth_of_a_millimetre(task, height):
    off = errors(SIZES[height], task, noise=0.0)
    assert np.median(off) < 1e-4
    assert off.max() < 2.5e-4


@pytest.mark.parametrize("task", ["slide", "roll-gc"])
@pytest.mark.parametrize(("noise", "blur"), [(8.0, 0.0), (8.0, 1.0)])
def test_noise_and_blur_cost_little(task, noise, blur):
    off = errors(SIZES[240], task, noise, blur=blur)
    assert np.median(off) < 2e-4
    assert np.percentile(off, 95) < 5e-4


@pytest.mark.parametrize("camera", [distorted(), oblique()], ids=["distorted", "oblique"])
@pytest.mark.parametrize("task", ["slide", "roll-gc"])
def test_lens_and_view_are_taken_into_account(camera, task):
    off = errors(camera, task, noise=4.0)
    assert np.median(off) < 3e-4
    assert off.max() < 1e-3


def test_perspective_matters():
    """The centroid itself is off by millimetres for a puck, so the correction is not idle."""
    camera, plane = SIZES[240], Plane.level(0.01)
    tall = Target("tin", RED, 0.03, PUCK.shape, height=0.08)
    place = np.array([1.05, 0.6, 0.01])
    moments = cv2.moments(outline(tall, camera, plane, place).astype(np.float32))
    centroid = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
    raw = camera.on_plane(centroid[np.newaxis], plane.normal, plane.offset)[0]
    assert np.linalg.norm(raw - place) > 1e-3
    image = draw(camera, tall, plane, place)
    best = Detector(tall, camera, plane).detect(Frame(expose(image), "rgb8"))[0]
    off = camera.on_plane(best.pixel[np.newaxis], plane.normal, plane.offset)[0] - place
    assert np.linalg.norm(off) < 3e-4


def test_the_tip_of_a_rope_is_found_from_the_side():
    rotation = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    camera = Camera(
        Intrinsics.pinhole(320, 240, np.deg2rad(45.0)), rotation, -rotation @ [0, -4, 0.2]
    )
    watched, rng = tracked_target(TASKS.get("rope-swing")), np.random.default_rng(0)
    detector, off = Detector(watched.target, camera, watched.plane), []
    for _ in range(40):
        place = watched.plane.lift(rng.uniform([-0.5, -0.8], [1.2, 1.2]))
        image = draw(camera, watched.target, watched.plane, place)
        best = detector.detect(Frame(expose(image, rng, 8.0), "rgb8"))[0]
        off.append(np.linalg.norm(found_at(camera, watched, best) - place))
    assert np.median(off) < 2e-3
    assert max(off) < 8e-3


@pytest.mark.parametrize("encoding", ["bgr8", "mono8", "bayer_rggb8", "bayer_gbrg8"])
@pytest.mark.parametrize("camera", SIZES.values(), ids=["240", "480"])
def test_every_encoding_gives_the_same_place(encoding, camera):
    watched, place = tracked_target(TASKS.get("slide")), np.array([0.71, 0.13, 0.01])
    image = expose(draw(camera, watched.target, watched.plane, place))
    if encoding == "bgr8":
        pixels = np.ascontiguousarray(image[..., ::-1])
    elif encoding == "mono8":
        pixels = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    else:
        pixels = image[..., 1].copy()
        red = (0, 0) if encoding == "bayer_rggb8" else (1, 0)
        pixels[red[0] :: 2, red[1] :: 2] = image[red[0] :: 2, red[1] :: 2, 0]
        blue = (1 - red[0], 1 - red[1])
        pixels[blue[0] :: 2, blue[1] :: 2] = image[blue[0] :: 2, blue[1] :: 2, 2]
    detector = Detector(watched.target, camera, watched.plane)
    for arguments in ((), (camera.project(place[np.newaxis])[0] + 3.0, 12.0)):
        best = detector.detect(Frame(pixels, encoding), *arguments)[0]
        assert np.linalg.norm(found_at(camera, watched, best) - place) < 1e-3


def test_a_bright_ball_is_found_without_colours():
    camera, plane = SIZES[240], Plane.level(0.03)
    ball = Target("ball", RED, 0.03, contrast=Contrast.BRIGHT, colour=(0.9, 0.9, 0.9))
    place = np.array([0.4, 0.5, 0.03])
    image = expose(draw(camera, ball, plane, place, scene(camera, (0.3, 0.3, 0.3))))
    detector = Detector(ball, camera, plane)
    best = detector.detect(Frame(np.ascontiguousarray(image[..., 0]), "mono8"))[0]
    off = camera.on_plane(best.pixel[np.newaxis], plane.normal, plane.offset)[0] - place
    assert np.linalg.norm(off) < 5e-4


@settings(deadline=None, max_examples=30)
@given(
    x=st.floats(0.2, 1.0), y=st.floats(-0.1, 0.6), du=st.floats(-8.0, 8.0), dv=st.floats(-8.0, 8.0)
)
def test_a_search_around_a_prediction_finds_the_same(x, y, du, dv):
    camera, watched = SIZES[240], tracked_target(TASKS.get("roll-gc"))
    place = watched.plane.lift(np.array([x, y]))
    frame = Frame(expose(draw(camera, watched.target, watched.plane, place)), "rgb8")
    detector = Detector(watched.target, camera, watched.plane)
    pixel = camera.project(place[np.newaxis])[0]
    near = detector.detect(frame, pixel + np.array([du, dv]), 12.0)
    everywhere = detector.detect(frame)
    assert len(near) == len(everywhere) == 1
    np.testing.assert_allclose(near[0].pixel, everywhere[0].pixel, atol=0.02)
    assert not detector.detect(frame, pixel + 60.0, 12.0)


def blob(image, camera, at, radius, colour=RED_PAINT, stretch=1.0):
    """Paint an ellipse of ``radius`` [m] on the table."""
    turn = np.linspace(0.0, 2.0 * np.pi, 60, endpoint=False)
    ring = np.stack([stretch * np.cos(turn), np.sin(turn), np.zeros(60)], axis=1)
    paint(image, camera.project(np.array([*at, 0.02]) + radius * ring), colour)


@pytest.mark.parametrize(
    ("radius", "stretch", "colour"),
    [
        (0.055, 1.0, RED_PAINT),
        (0.012, 1.0, RED_PAINT),
        (0.017, 3.2, RED_PAINT),
        (0.03, 1.0, (0.1, 0.2, 0.9)),
        (0.03, 1.0, (0.5, 0.5, 0.5)),
        (0.03, 1.0, (0.75, 0.6, 0.55)),
    ],
    ids=["too large", "too small", "long", "blue", "grey", "pale"],
)
@pytest.mark.parametrize("camera", SIZES.values(), ids=["240", "480"])
def test_look_alikes_are_not_the_puck(camera, radius, stretch, colour):
    watched, place = tracked_target(TASKS.get("slide")), np.array([0.6, 0.1, 0.01])
    image = draw(camera, watched.target, watched.plane, place)
    blob(image, camera, (0.9, 0.4), radius, colour, stretch)
    seen = Detector(watched.target, camera, watched.plane).detect(Frame(expose(image), "rgb8"))
    assert len(seen) == 1
    assert np.linalg.norm(found_at(camera, watched, seen[0]) - place) < 5e-4


@pytest.mark.parametrize("colour", [(0.55, 0.6, 0.65), (0.05, 0.05, 0.05), (0.2, 0.3, 0.8)])
def test_a_hidden_part_lowers_the_score_and_raises_the_std(colour):
    camera, watched, place = (
        SIZES[240],
        tracked_target(TASKS.get("slide")),
        np.array([0.6, 0.25, 0.01]),
    )
    detector = Detector(watched.target, camera, watched.plane)
    last_score, last_std = 1.01, 0.0
    for edge in (-0.033, -0.01, 0.0):
        image = draw(camera, watched.target, watched.plane, place)
        wall = np.array([[-0.2, -0.2], [edge, -0.2], [edge, 0.2], [-0.2, 0.2]]) + place[:2]
        corners = np.column_stack([wall, np.full(4, 0.02)])
        paint(image, camera.project(corners), colour)
        (seen,) = detector.detect(Frame(expose(image), "rgb8"))
        off = np.linalg.norm(seen.pixel - camera.project(place[np.newaxis])[0])
        assert seen.score < last_score
        assert seen.std > last_std
        assert off < 3.0 * seen.std
        last_score, last_std = seen.score, seen.std


def test_motion_blur_lowers_the_score_and_raises_the_std_but_keeps_the_place():
    camera, watched, place = (
        SIZES[240],
        tracked_target(TASKS.get("slide")),
        np.array([0.6, 0.25, 0.01]),
    )
    image = draw(camera, watched.target, watched.plane, place)
    streak = cv2.filter2D(image, -1, np.full((1, 9), 1.0 / 9.0))
    detector = Detector(watched.target, camera, watched.plane)
    (sharp,), (blurred,) = (detector.detect(Frame(expose(i), "rgb8")) for i in (image, streak))
    assert blurred.score < sharp.score - 0.1
    assert blurred.std > sharp.std
    assert np.linalg.norm(blurred.pixel - sharp.pixel) < 0.1


@pytest.mark.parametrize("level", [0, 3, 128, 255])
@pytest.mark.parametrize("encoding", ["rgb8", "mono8", "bayer_bggr8"])
def test_an_empty_image_holds_nothing(level, encoding):
    shape = (240, 320, 3) if encoding == "rgb8" else (240, 320)
    rng = np.random.default_rng(0)
    noisy = np.clip(level + 8.0 * rng.standard_normal(shape), 0, 255).astype(np.uint8)
    detector = Detector(PUCK, SIZES[240], Plane.level(0.01))
    for pixels in (np.full(shape, level, np.uint8), noisy):
        assert detector.detect(Frame(pixels, encoding)) == []


def test_random_pixels_hold_nothing():
    pixels = np.random.default_rng(0).integers(0, 256, (240, 320, 3)).astype(np.uint8)
    for target in (PUCK, BALL):
        assert Detector(target, SIZES[240], Plane.level(0.01)).detect(Frame(pixels, "rgb8")) == []


@pytest.mark.parametrize("at", [np.array([np.nan, 3.0]), np.array([1e9, 0.0]), np.array([-50, -9])])
def test_a_prediction_outside_the_image_finds_nothing(at):
    frame = Frame(np.zeros((240, 320, 3), np.uint8), "rgb8")
    assert Detector(PUCK, SIZES[240], Plane.level(0.01)).detect(frame, at, 5.0) == []


def test_a_wrong_size_a_camera_on_the_table_and_a_wrong_target_are_refused():
    detector = Detector(PUCK, SIZES[240], Plane.level(0.01))
    with pytest.raises(InvalidValue, match=r"640 x 480 px.*320 x 240 px"):
        detector.detect(Frame(np.zeros((480, 640, 3), np.uint8), "rgb8"))
    with pytest.raises(InvalidValue, match=r"0\.000 m from the plane"):
        Detector(PUCK, SIZES[240], Plane.level(1.5))
    with pytest.raises(InvalidValue, match="hues"):
        Target("puck", ((20.0, 10.0),), 0.03)
    with pytest.raises(InvalidValue, match="radius"):
        Target("puck", RED, -0.03)
    with pytest.raises(InvalidValue, match="saturation"):
        Target("puck", RED, 0.03, saturation=float("nan"))


def test_every_task_has_a_target_but_those_whose_object_leaves_its_plane():
    flying = {"edge-gc", "hit-gc", "throw-gc", "toss-gc"}  # on no one plane
    assert {name for name in TASKS.built_in if TASKS.get(name).camera_target is None} == flying
    seen = [TASKS.get(name) for name in TASKS.built_in if name not in flying]
    assert all(tracked_target(task).target.radius > 0.0 for task in seen)


def test_a_task_without_a_target_says_so():
    class Unseen(Slide):
        name, camera_target = "unseen", None

    with pytest.raises(UsageError, match="task 'unseen' has no camera target: give its class"):
        tracked_target(Unseen())


@pytest.mark.parametrize("k1", [-0.6, -1.0])
def test_a_lens_that_folds_the_image_gives_no_position_where_it_does(k1):
    ideal, plane = overhead(320, 240), tracked_target(TASKS.get("roll-gc")).plane
    bent = np.array([k1, 0.0, 0.0, 0.0, 0.0])
    lens = Intrinsics(320, 240, ideal.intrinsics.matrix, bent)
    camera = Camera(lens, ideal.rotation, ideal.translation)
    pixels = np.array([[160.0, 120.0], [5.0, 5.0], [319.0, 239.0]])
    places = camera.on_plane(pixels, plane.normal, plane.offset)
    assert np.isnan(places[1:]).all()
    np.testing.assert_allclose(camera.project(places[:1]), pixels[:1], atol=1e-6)


@pytest.mark.parametrize(
    "rows",
    [
        [[300, 0, 160], [0, 300, 120], [0, 0, 2]],
        [[300, 0, 160], [0, 300, 120], [0.1, 0, 1]],
        [[300, 50, 160], [0, 300, 120], [0, 0, 1]],
    ],
)
def test_a_camera_matrix_that_opencv_would_read_only_in_part_is_refused(rows):
    with pytest.raises(InvalidValue, match=r"must be \[fx, 0, cx\]"):
        Intrinsics(320, 240, np.array(rows, dtype=np.float64), np.zeros(5))
