"""Images of a printed page by a camera that is known exactly."""

from functools import lru_cache

import cv2
import numpy as np

from icpi_ros.perception.calibration.board import INCH, MARGIN, dictionary, texture
from icpi_ros.perception.camera import Camera, Intrinsics

DPI = 254  # 10 px per mm
TRUTH = Intrinsics(
    640,
    480,
    np.array([[610.0, 0.0, 331.0], [0.0, 607.0, 228.0], [0.0, 0.0, 1.0]]),
    np.array([-0.22, 0.08, 0.0012, -0.0008, 0.0]),
)
SAMPLES = 2  # per pixel and axis


def rotation(roll, pitch, yaw):
    """From rotations about x, y, z [deg]."""
    parts = [
        cv2.Rodrigues(np.radians(angle) * axis)[0]
        for angle, axis in zip((roll, pitch, yaw), np.eye(3), strict=True)
    ]
    return parts[2] @ parts[1] @ parts[0]


def optical_rays(intrinsics):
    """Directions ``(samples, height, width, 3)`` in the optical frame of all samples."""
    values = *intrinsics.matrix.ravel(), *intrinsics.distortion
    return _rays(intrinsics.width, intrinsics.height, values)


@lru_cache(maxsize=2)
def _rays(width, height, values):
    matrix, distortion = np.array(values[:9]).reshape(3, 3), np.array(values[9:])
    intrinsics = Intrinsics(width, height, matrix, distortion)
    steps = (np.arange(SAMPLES) + 0.5) / SAMPLES - 0.5
    v, u = np.mgrid[0 : intrinsics.height, 0 : intrinsics.width].astype(float)
    alone = Camera(intrinsics, np.eye(3), np.zeros(3))
    return np.array(
        [
            alone.rays(np.column_stack([(u + du).ravel(), (v + dv).ravel()])).reshape(*u.shape, 3)
            for du in steps
            for dv in steps
        ],
        dtype=np.float32,
    )


def render(page, scale, origin, camera, noise=1.5, blur=0.6, seed=0):
    """See a page that lies in z = 0: ``scale`` [px/m], ``origin`` of the base in it [m]."""
    rays = optical_rays(camera.intrinsics)
    spread = 0.25 * scale * np.linalg.norm(camera.position) / camera.intrinsics.matrix[0, 0]
    page = cv2.GaussianBlur(page, (0, 0), spread)
    turn, centre = camera.rotation.astype(np.float32), camera.position.astype(np.float32)
    down = rays @ turn[:, 2]
    with np.errstate(divide="ignore"):
        reach = -centre[2] / down
    reach[~((reach > 0) & (np.abs(down) > 1e-6))] = np.nan
    shift = (centre[:2] + origin.astype(np.float32)) * np.float32(scale) - np.float32(0.5)
    total = np.zeros(rays.shape[1:3], np.float32)
    for one, far in zip(rays, np.float32(scale) * reach, strict=True):
        columns = (far * (one @ axis) + s for axis, s in zip(turn[:, :2].T, shift, strict=True))
        at = [np.nan_to_num(column, nan=-1e4).clip(-1e4, 1e5) for column in columns]
        total += cv2.remap(page, *at, cv2.INTER_LINEAR, borderValue=128)
    image = cv2.GaussianBlur(total / np.float32(len(rays)), (0, 0), blur)
    image = image + np.random.default_rng(seed).normal(0.0, noise, image.shape)
    return np.clip(image * 0.85 + 15, 0, 255).astype(np.uint8)


def look(position, target, intrinsics=TRUTH):
    """Camera at a position that looks at a target, upright [m in base]."""
    ahead = np.subtract(target, position) / np.linalg.norm(np.subtract(target, position))
    right = np.cross(ahead, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    turn = np.array([right, np.cross(ahead, right), ahead])
    return Camera(intrinsics, turn, -turn @ np.asarray(position))


def angle(one, other):
    """Between the rotations of two cameras [deg]."""
    cosine = (np.trace(one.rotation @ other.rotation.T) - 1.0) / 2.0
    return np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))


def marker_table(markers, family, camera, **how):
    """Image of markers that lie flat; their yaw must be 0; 1 px per mm."""
    page = np.full((1200, 1200), 200, np.uint8)  # row r is y = (r + 0.5) mm - 0.4 m
    for m in markers:
        x, y = m.position[:2] + np.array([0.1, 0.4])
        for size, ink in ((1.3 * m.size, None), (m.size, True)):
            low = np.round((np.array([x, y]) - size / 2) * 1000).astype(int)
            high = np.round((np.array([x, y]) + size / 2) * 1000).astype(int)
            image = 255
            if ink:
                image = dictionary(family).generateImageMarker(m.number, int(high[0] - low[0]))
                image = image[::-1]  # y goes up
            page[low[1] : high[1], low[0] : high[0]] = image
    return render(page, 1000.0, np.array([0.1, 0.4]), camera, **how)


def poses(board, intrinsics, number, rng, tilt=35.0):
    """Cameras that see the board somewhere, tilted up to ``tilt`` [deg] each way."""
    middle = np.append(np.array(board.size) / 2, 0.0)
    found = []
    while len(found) < number:
        turn = rotation(*rng.uniform(-tilt, tilt, 2), rng.uniform(-15, 15))
        distance = (
            rng.uniform(0.9, 1.6) * board.size[0] * intrinsics.matrix[0, 0] / intrinsics.width
        )
        side = rng.uniform(-0.32, 0.32, 2) * distance
        centre = np.array([side[0], side[1] * 0.75, distance])
        found.append(Camera(intrinsics, turn, centre - turn @ middle))
    return found


def board_images(board, number=16, intrinsics=TRUTH, seed=0, **how):
    """Rendered views of a board, of a random pose each."""
    rng = np.random.default_rng(seed)
    page = texture(board, DPI)
    cameras = poses(board, intrinsics, number, rng, how.pop("tilt", 35.0))
    origin = np.array([MARGIN, MARGIN])
    return [
        render(page, DPI / INCH, origin, camera, seed=seed + i, **how)
        for i, camera in enumerate(cameras)
    ]
