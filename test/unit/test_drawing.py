"""Pictures of what the tracker made of a frame."""

import cv2
import numpy as np
import pytest

from icpi_ros.core.types import SECOND
from icpi_ros.perception.drawing import CANDIDATE, OBJECT, STRIP, caption, draw
from icpi_ros.perception.image_tracker import ImageTracker
from icpi_ros.perception.imaging.images import CHANNELS, Frame
from icpi_ros.perception.targets import tracked_target
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.slide import PUCK
from icpi_ros.testing.synthetic_images import draw as paint
from icpi_ros.testing.synthetic_images import expose, overhead

CAMERA, WATCH = overhead(320, 240), tracked_target(TASKS.get("slide"))
HERE, AWAY = np.array([0.6, 0.2, 0.01]), np.array([0.3, 0.45, 0.01])


def frame(*points):
    image = None
    for point in points:
        image = paint(CAMERA, PUCK, WATCH.plane, point, image)
    return Frame(expose(paint(CAMERA, PUCK, WATCH.plane, HERE) if image is None else image), "rgb8")


def followed(*frames, period=1 / 60):
    tracker = ImageTracker.of(WATCH, CAMERA)
    for number, one in enumerate(frames):
        tracker.update(round(number * period * SECOND), one)
    return draw(frames[-1], tracker.last_frame, tracker), tracker


def coloured(picture, colour):
    """Mean place (column, row) of pixels of about this colour; None if there are fewer than 10."""
    near = np.abs(picture[:-STRIP].astype(int) - colour).max(axis=2) < 40
    rows, columns = np.nonzero(near)
    return (columns.mean(), rows.mean()) if len(rows) >= 10 else None


def place(point):
    return 2.0 * CAMERA.project(point[np.newaxis])[0] + 0.5


def test_the_object_is_outlined_where_it_is():
    picture, tracker = followed(frame(HERE), frame(HERE))
    assert picture.shape == (480 + STRIP, 640, 3)
    assert coloured(picture, OBJECT) == pytest.approx(place(HERE), abs=2.0)
    assert coloured(picture, CANDIDATE) is None
    assert caption(tracker.last_frame).startswith("0.017 s  at 600.")
    assert "not taken" not in caption(tracker.last_frame)


def test_what_was_not_taken_is_outlined_in_another_colour():
    jump = [frame(HERE)] * 20 + [frame(AWAY)] * 2
    picture, tracker = followed(*jump)
    for one in range(1, 20):  # until the whole image is searched again
        if tracker.last_frame.detections:
            break
        tracker.update(round((21 + one) / 60 * SECOND), jump[-1])
        picture = draw(jump[-1], tracker.last_frame, tracker)
    assert coloured(picture, OBJECT) is None
    assert coloured(picture, CANDIDATE) == pytest.approx(place(AWAY), abs=8.0)
    assert caption(tracker.last_frame).endswith("1 not taken")
    assert "no position: too far from where the object can be" in caption(tracker.last_frame)


def test_an_image_without_the_object_says_why():
    _, tracker = followed(Frame(np.zeros((240, 320, 3), np.uint8), "rgb8"))
    assert caption(tracker.last_frame) == "0.000 s  no position: image is black"


@pytest.mark.parametrize("encoding", CHANNELS)
def test_every_encoding_is_drawn(encoding):
    shape = (240, 320, 3) if CHANNELS[encoding] == 3 else (240, 320)
    picture, _ = followed(Frame(np.full(shape, 90, np.uint8), encoding))
    assert picture.shape == (480 + STRIP, 640, 3)
    assert (picture[:480] == 90).all()


def test_a_large_image_keeps_its_size():
    camera = overhead(1280, 960)
    tracker = ImageTracker.of(WATCH, camera)
    image = Frame(expose(paint(camera, PUCK, WATCH.plane, HERE)), "rgb8")
    before = image.pixels.copy()
    tracker.update(0, image)
    assert draw(image, tracker.last_frame, tracker).shape == (960 + STRIP, 1280, 3)
    np.testing.assert_array_equal(image.pixels, before)  # the frame itself stays clean


def test_a_long_line_is_written_smaller_rather_than_cut():
    _, tracker = followed(frame(HERE, AWAY))
    text = caption(tracker.last_frame)
    assert "several candidates" in text
    assert text.isascii()
    assert cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.5, 1)[0][0] < 640 / 0.6
