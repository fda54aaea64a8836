"""The line about a camera's images."""

import pytest

from icpi_ros.perception.tracking_types import Rejection
from icpi_ros.ros.perception import camera_health
from icpi_ros.ros.perception.camera_health import MANY, MAX_KINDS, CameraHealth


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 0.0

        @classmethod
        def monotonic(cls):
            return cls.now

    monkeypatch.setattr(camera_health, "time", Clock)
    return Clock


def images(health, clock, why=Rejection.NO, count=60, length=1.0):
    for number in range(count):
        health.image(number, why, None)
    clock.now += length


def test_good_images_are_no_trouble(clock):
    health = CameraHealth(print)
    images(health, clock)
    assert health.take() == (
        None,
        {"images per second": "60.0", "share seen": "1.00", "latency [s]": "-"},
    )


def test_an_object_that_is_hidden_now_and_then_is_no_trouble(clock):
    health = CameraHealth(print)
    images(health, clock, Rejection.NOTHING, 20, 0.0)
    images(health, clock, count=40)
    assert health.take()[0] is None
    images(health, clock, Rejection.DARK, 40, 0.0)
    images(health, clock, count=20)
    text, values = health.take()
    assert text == "not seen: image is black"
    assert values["not seen: image is black"] == "40"


def test_a_jump_of_the_clock_is_told_among_good_images_and_problems(clock):
    health = CameraHealth(print)
    health.image(0, Rejection.CLOCK, None)
    health.problem("bad")
    images(health, clock)
    assert health.take()[0] == "bad; clock jumped backwards: track dropped"
    images(health, clock)
    assert health.take()[0] is None


def test_ten_times_the_rate_is_told(clock):
    health = CameraHealth(print)
    images(health, clock, count=600)
    assert health.take()[0] == "600 images per second, at most 300 expected"


def test_problems_are_logged_once_and_their_kinds_are_bounded(clock):
    said = []
    health = CameraHealth(said.append)
    for number in range(1000):
        for _ in range(2):
            health.problem(f"image of {number} B")
    assert len(said) == MAX_KINDS + 1
    assert said[-1] == MANY
    text, values = health.take()
    assert text == MANY
    assert len(values) < MAX_KINDS + 10


def test_the_latency_of_the_last_image_is_shown(clock):
    health = CameraHealth(print)
    health.image(1_000_000_000, Rejection.NO, 1_005_000_000)
    assert health.take()[1]["latency [s]"] == "0.0050"
