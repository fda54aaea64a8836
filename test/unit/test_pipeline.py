"""Films of a struck puck, painted with known truth, through the whole of perception."""

import cv2
import numpy as np
import pytest
from icpi_benchmarks.speed.perception import measure
from struck_path import StruckPath

from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import SECOND
from icpi_ros.perception.image_tracker import ImageTracker
from icpi_ros.perception.imaging.images import Frame
from icpi_ros.perception.targets import tracked_target
from icpi_ros.perception.tracking_types import Rejection
from icpi_ros.tasks import TASKS
from icpi_ros.testing.synthetic_images import draw, expose, overhead, paint

CAMERA, WATCH = overhead(320, 240), tracked_target(TASKS.get("slide"))
START = 5 * SECOND
RATE = 60
PATH = StruckPath(speed=1.2)
LENGTH = 1.8


def picture(time, rng, path=PATH, blur=0.0, extra=None):
    """The image of an exposure of ``blur`` [s] that ends at ``time`` [s]: several in one."""
    places = path.at(time + np.linspace(-0.5, 0.5, 5) * blur) if blur else [path.at(time)]
    images = [draw(CAMERA, WATCH.target, WATCH.plane, WATCH.plane.lift(p)) for p in places]
    image = np.mean(images, axis=0) if blur else images[0]
    if extra is not None:
        extra(image, time)
    return Frame(expose(image, rng, 8.0), "rgb8")


def film(seed=0, drops=0.0, stop=LENGTH + 0.1, path=PATH, blur=0.0, extra=None, rate=RATE):
    rng = np.random.default_rng(seed)
    tracker = ImageTracker(CAMERA, WATCH.target, WATCH.plane)
    states = []
    for k in range(int(stop * rate)):
        if rng.random() >= drops:
            frame = picture(k / rate, rng, path, blur, extra)
            states.append(tracker.update(START + k * SECOND // rate, frame))
    return tracker, states


def wall(image, time):
    """An arm that covers the puck's way for 0.3 s."""
    if 0.6 <= time < 0.9:
        box = np.array([[0.3, -0.2], [0.9, -0.2], [0.9, 0.7], [0.3, 0.7]])
        paint(image, CAMERA.project(np.column_stack([box, np.full(4, 0.1)])), (0.55, 0.6, 0.65))


def twin(image, time):
    """A second puck of the same colour, a little smaller."""
    near = WATCH.plane.lift(np.array([0.75, 0.2]))
    draw(CAMERA, WATCH.target, WATCH.plane, near, image)


def off(trajectory, path=PATH):
    truth = path.at(trajectory.times)
    return np.linalg.norm(trajectory.positions[:, :2] - truth, axis=1)


@pytest.mark.parametrize(
    ("drops", "blur", "median", "most"), [(0.0, 0.0, 1e-4, 1e-3), (0.05, 0.006, 2e-4, 4e-3)]
)
def test_a_film_gives_the_path(drops, blur, median, most):
    tracker, _ = film(drops=drops, blur=blur)
    trajectory, quality = tracker.trajectory(START, START + int(LENGTH * SECOND), 0.01)
    assert len(trajectory.times) == 181
    assert quality.good
    assert quality.coverage > 0.95
    assert quality.rate == pytest.approx(RATE * (1.0 - drops), rel=0.1)
    distance = off(trajectory)
    assert np.nanmedian(distance) < median
    assert np.nanmax(distance) < most
    assert distance[-1] < 5e-4


def test_the_smoothed_path_has_a_covariance_at_every_measured_frame():
    tracker, states = film(stop=0.5)
    path = tracker.smoothed(START, START + SECOND // 2)
    assert path is not None
    assert path.covariances.shape == (len(states), 2, 2) == (30, 2, 2)


def test_nothing_is_invented_while_an_arm_hides_the_puck():
    tracker, states = film(extra=wall)
    times = np.array([(s.stamp_ns - START) / SECOND for s in states])
    hidden = (times >= 0.6) & (times < 0.9)
    assert not any(s.measured for s, h in zip(states, hidden, strict=True) if h)
    trajectory, quality = tracker.trajectory(START, START + int(LENGTH * SECOND), 0.01)
    inside = (trajectory.times > 0.605) & (trajectory.times < 0.88)
    assert np.isnan(trajectory.positions[inside]).all()
    assert quality.good
    assert 0.28 < quality.longest_gap < 0.37
    seen = np.isfinite(trajectory.positions[:, 0])
    assert off(trajectory)[seen].max() < 2e-3


@pytest.mark.parametrize("hide", [False, True], ids=["seen", "hidden"])
def test_a_twin_next_to_the_way_is_not_taken_for_the_puck(hide):
    def both(image, time):
        twin(image, time)
        if hide and 0.7 <= time < 1.0:
            box = np.array([[0.45, -0.2], [0.69, -0.2], [0.69, 0.7], [0.45, 0.7]])
            paint(image, CAMERA.project(np.column_stack([box, np.full(4, 0.05)])), (0.5, 0.5, 0.5))

    rng = np.random.default_rng(0)
    tracker = ImageTracker(CAMERA, WATCH.target, WATCH.plane)
    tracker.reset(near=WATCH.plane.lift(PATH.start))
    for k in range(110):
        tracker.update(START + k * SECOND // RATE, picture(k / RATE, rng, extra=both))
    trajectory, quality = tracker.trajectory(START, START + int(1.7 * SECOND), 0.01)
    distance = off(trajectory)
    assert quality.coverage > 0.7
    assert np.nanmax(distance) < 3e-3


@pytest.mark.parametrize(
    ("level", "why"), [(0, Rejection.DARK), (255, Rejection.WHITE), (130, Rejection.NOTHING)]
)
def test_a_black_white_or_empty_image_is_named(level, why):
    tracker, _ = film(stop=0.2)
    blank = Frame(np.full((240, 320, 3), level, np.uint8), "rgb8")
    state = tracker.update(START + SECOND, blank)
    assert (state.measured, state.rejected) == (False, why)
    assert np.isnan(state.position).all()


@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_bayer_image_of_one_colour_is_not_black(place):
    tracker = ImageTracker(CAMERA, WATCH.target, WATCH.plane)
    pixels = np.zeros((240, 320), np.uint8)
    pixels[place[0] :: 2, place[1] :: 2] = 200
    frame = Frame(pixels, "bayer_bggr8")
    assert tracker.update(START, frame).rejected is not Rejection.DARK


def test_a_lens_cap_for_the_whole_trial_is_poor():
    tracker = ImageTracker(CAMERA, WATCH.target, WATCH.plane)
    cap = Frame(np.random.default_rng(0).integers(0, 6, (240, 320, 3)).astype(np.uint8), "rgb8")
    for k in range(60):
        assert tracker.update(START + k * SECOND // RATE, cap).rejected is Rejection.DARK
    trajectory, quality = tracker.trajectory(START, START + SECOND, 0.01)
    assert np.isnan(trajectory.positions).all()
    assert "never seen" in quality.reason


def test_a_clock_that_jumps_back_forgets_what_was_seen():
    tracker, _ = film(stop=0.5)
    rng = np.random.default_rng(0)
    assert tracker.update(0, picture(0.0, rng)).rejected is Rejection.CLOCK
    assert tracker.update(SECOND // RATE, picture(0.0, rng)).measured
    _, quality = tracker.trajectory(START, START + SECOND // 2, 0.01)
    assert not quality.good


def test_frames_from_the_future_and_out_of_order_leave_no_trace():
    tracker, _ = film(stop=0.5)
    before, _ = tracker.trajectory(START, START + SECOND // 2, 0.01)
    now = tracker.newest
    frame = picture(0.0, np.random.default_rng(0))
    assert tracker.update(now + 60 * SECOND, frame, now).rejected is Rejection.FUTURE
    assert tracker.update(now - SECOND // 100, frame, now).rejected is Rejection.ORDER
    after, _ = tracker.trajectory(START, START + SECOND // 2, 0.01)
    np.testing.assert_array_equal(before.positions, after.positions)


@pytest.mark.slow
def test_ten_times_the_frame_rate_gives_the_same_path():
    tracker, states = film(stop=0.95, rate=600)
    assert sum(s.measured for s in states) > 0.97 * len(states)
    trajectory, quality = tracker.trajectory(START, START + int(0.9 * SECOND), 0.01)
    assert quality.good
    assert off(trajectory).max() < 1e-3


def test_a_frame_of_another_size_and_a_window_backwards_are_refused():
    tracker = ImageTracker(CAMERA, WATCH.target, WATCH.plane)
    with pytest.raises(InvalidValue, match="640 x 480"):
        tracker.update(START, Frame(np.zeros((480, 640, 3), np.uint8), "rgb8"))
    with pytest.raises(InvalidValue, match="window"):
        tracker.trajectory(START, START - 1, 0.01)
    with pytest.raises(InvalidValue, match="period"):
        tracker.trajectory(START, START + 1, 0.0)


def test_the_benchmark_measures_every_frame():
    timing = measure(320, 240, 20)
    assert len(timing.both) == len(timing.detector) == 20
    assert timing.missed == 0
    assert cv2.getNumThreads() > 0
