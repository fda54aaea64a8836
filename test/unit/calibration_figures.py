"""The figures of docs/calibration.md: PYTHONPATH=. python test/unit/calibration_figures.py."""

import dataclasses

import numpy as np
from rendering import TRUTH, angle, board_images, look, marker_table

from icpi_ros.perception.calibration.board import Board
from icpi_ros.perception.calibration.camera_pose import locate
from icpi_ros.perception.calibration.intrinsics import calibrate
from icpi_ros.perception.calibration.known_points import KnownPoints
from icpi_ros.perception.calibration.markers import Marker, find_markers
from icpi_ros.perception.calibration.views import see
from icpi_ros.perception.camera import Camera, Intrinsics

HALF = Intrinsics(
    320, 240, np.array([[305.0, 0, 165], [0, 303.5, 114], [0, 0, 1]]), TRUTH.distortion
)
FLAT = np.array(
    [[0.15, -0.05, 0], [0.85, -0.05, 0], [0.95, 0.6, 0], [0.05, 0.6, 0], [0.5, 0.1, 0],
     [0.5, 0.5, 0]]
)  # fmt: skip
TABLE = np.array([[x, y, 0.0] for x in (0.2, 0.5, 0.8) for y in (0.0, 0.2, 0.4)])
SEEDS = 10


def bend(intrinsics, truth):
    v, u = np.mgrid[0 : truth.height : 10, 0 : truth.width : 10]
    rays = Camera(truth, np.eye(3), np.zeros(3)).rays(np.column_stack([u.ravel(), v.ravel()]) * 1.0)
    straight = dataclasses.replace(intrinsics, distortion=np.zeros(5))
    bent, plain = (Camera(i, np.eye(3), np.zeros(3)).project(rays) for i in (intrinsics, straight))
    return bent - plain


def say(what, rows, names):
    middle, worst = np.median(rows, axis=0), np.max(rows, axis=0)
    text = ", ".join(f"{n} {m:.3f} / {w:.3f}" for n, m, w in zip(names, middle, worst, strict=True))
    print(f"{what} (median / worst of {len(rows)}): {text}")


def cameras(truth, number):
    rows = []
    for seed in range(SEEDS):
        views = [see(Board(), image, "") for image in board_images(Board(), number, truth, seed)]
        found = calibrate(Board(), [view for view in views if view])
        off = found.intrinsics.matrix - truth.matrix
        focal = 100 * np.abs(np.diag(off)[:2] / np.diag(truth.matrix)[:2]).max()
        lens = np.linalg.norm(bend(found.intrinsics, truth) - bend(truth, truth), axis=1).max()
        rows.append([found.rms, found.residual_mm, focal, np.abs(off[:2, 2]).max(), lens])
    names = ("residual px", "residual mm", "focal %", "centre px", "distortion px")
    say(f"{truth.width} x {truth.height}, {number} views", rows, names)


def table(what, camera, known):
    rows = []
    for points in known:
        found = locate(camera.intrinsics, points)
        seen = found.camera.on_plane(camera.project(TABLE), np.array([0.0, 0.0, 1.0]), 0.0)
        place = 1e3 * np.linalg.norm(found.camera.position - camera.position)
        off = 1e3 * np.linalg.norm(seen - TABLE, axis=1).max()
        rows.append([found.rms_px, off, angle(found.camera, camera), place])
    say(what, rows, ("residual px", "on the table mm", "rotation deg", "camera mm"))


def clicked(camera, noise):
    for seed in range(100):
        off = np.random.default_rng(seed).normal(0, noise, (6, 2))
        yield KnownPoints(camera.project(FLAT) + off, FLAT, tuple("abcdef"))


def tagged(camera, count):
    places = ((0.25, 0.0), (0.75, 0.4), (0.75, 0.0), (0.25, 0.4))[:count]
    tags = [Marker.flat(n, 0.06, np.array([x, y, 0.0])) for n, (x, y) in enumerate(places)]
    for seed in range(SEEDS):
        image = marker_table(tags, "apriltag_36h11", camera, seed=seed)
        yield find_markers([image], tags, "apriltag_36h11")


if __name__ == "__main__":
    for truth in (TRUTH, HALF):
        for number in (10, 20):
            cameras(truth, number)
    for truth in (TRUTH, HALF):
        eye = look([0.5, -0.25, 0.65], [0.5, 0.2, 0.0], truth)
        size = f"{truth.width} x {truth.height}"
        table(f"{size}, 6 points, 0.1 px", eye, clicked(eye, 0.1))
        table(f"{size}, 6 points, 0.5 px", eye, clicked(eye, 0.5))
        table(f"{size}, 4 tags of 60 mm", eye, tagged(eye, 4))
        table(f"{size}, 2 tags of 60 mm", eye, tagged(eye, 2))
