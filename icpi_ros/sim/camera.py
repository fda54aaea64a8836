"""Camera in the simulated scene: images as a real one would give them, and its calibration."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import mujoco
import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.errors import InvalidValue, UnknownName, UsageError
from icpi_ros.core.types import Array
from icpi_ros.perception.camera import Camera, Intrinsics
from icpi_ros.sim.camera_settings import CameraSettings
from icpi_ros.sim.offscreen import Image, Offscreen
from icpi_ros.sim.shutter import Exposure
from icpi_ros.tasks.camera_target import Target

SHARP, FAST = 0.1, 3.0
"""Motion during an exposure below which it is not drawn, and above which it is fast [px]."""
INSTANTS, FAST_INSTANTS = 4, 8
"""Pictures that a blurred image is the mean of."""
NOISE_FRAMES = 4
"""Images' worth of noise that is drawn once; every image begins at another place of it."""
ROUND_TRIP = 0.02
"""Largest error of a pixel that is undistorted and distorted again [px]."""
MAX_STRETCH = 2.0
"""Largest width and height of the ideal picture, in those of the image."""
MARGIN = 2
"""Pixels around the ideal picture for interpolation."""
_NOISE, _PLACES = 0x2015E, 0x91ACE
"""Second entropy words of the noise and of the places where images begin in it."""


def snapshot(data: mujoco.MjData) -> Array:
    """Return all that a picture depends on ``(nq,)``, as a copy; takes about 1 us."""
    return np.array(data.qpos)


def camera_name(model: mujoco.MjModel, name: str = "") -> str:
    """Return the name of a camera of the scene; empty = its first.

    Raises:
        UsageError: the scene has no such camera, or none.
    """
    names = [model.camera(i).name for i in range(model.ncam)]
    if not names:
        raise UsageError("the scene has no camera: add a <camera> to its MJCF")
    if name and name not in names:
        raise UnknownName("camera", name, names)
    return name or names[0]


def true_camera(model: mujoco.MjModel, name: str, settings: CameraSettings) -> Camera:
    """Return the calibration that a perfect calibration would find; needs no rendering.

    Raises:
        UsageError: the scene has no such camera, or it does not stand still.
    """
    number = model.camera(camera_name(model, name)).id
    if model.cam_bodyid[number] != 0:
        raise UsageError(f"camera {name!r} is mounted on a moving body: it must stand still")
    intrinsics = Intrinsics.pinhole(
        settings.width, settings.height, float(np.deg2rad(model.cam_fovy[number]))
    )
    data = mujoco.MjData(model)
    mujoco.mj_kinematics(model, data)
    mujoco.mj_camlight(model, data)
    # MuJoCo's cameras look along -z with y up, an optical frame along +z with y down.
    rotation = np.diag([1.0, -1.0, -1.0]) @ data.cam_xmat[number].reshape(3, 3).T
    return Camera(
        Intrinsics(
            settings.width,
            settings.height,
            intrinsics.matrix,
            np.array(settings.distortion, dtype=np.float64),
        ),
        rotation,
        -rotation @ data.cam_xpos[number],
    )


class SimulatedCamera:
    """Camera of the scene that renders images; a context manager.

    All calls, the constructor's too, must come from the same thread (OpenGL).  The model may be
    simulated by another thread meanwhile: states come in as copies, see :func:`snapshot`.

    Attributes:
        camera: the true calibration.
        settings: of the camera.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        name: str,
        settings: CameraSettings,
        target: Target | None = None,
    ) -> None:
        """Open a rendering context.

        Args:
            model: the scene.
            name: of the camera in it; empty = its first.
            settings: of the camera.
            target: the tracked object is painted like this; None = as the scene has it.

        Raises:
            UsageError: the scene has no such camera, or its distortion cannot be rendered.
            CameraUnavailable: images cannot be rendered on this machine.
        """
        self.settings = settings
        self.camera = true_camera(model, name, settings)
        self._model = model
        self._lens = Lens.of(self.camera.intrinsics) if any(settings.distortion) else None
        number = model.camera(camera_name(model, name)).id
        width, height = settings.width, settings.height
        fovy = float(np.deg2rad(model.cam_fovy[number]))
        if self._lens is not None:
            width, height, fovy = self._lens.width, self._lens.height, self._lens.fovy
        self._noise = _noise(settings)
        self._rendered = 0
        self._drawing = Offscreen(model, number, width, height, fovy, target)

    def render(self, data: mujoco.MjData) -> Image:
        """Return an image ``(h, w, 3)`` rgb of the present state, without motion blur."""
        self._rendered += 1
        return self._develop(self._drawing.picture(snapshot(data)), self._rendered)

    def expose(self, exposure: Exposure) -> Image:
        """Return the image ``(h, w, 3)`` rgb of an exposure.

        Motion blur is the mean of pictures at equal intervals: about a pixel of motion apart,
        further where something moves more than 8 px.
        """
        count = self._count(exposure)
        if count == 1:
            picture = self._drawing.picture(self._state(exposure, exposure.ns))
        else:
            states = [self._state(exposure, ns) for ns in exposure.instants(count)]
            picture = self._drawing.average(states)
        return self._develop(picture, exposure.number)

    def close(self) -> None:
        """Give the rendering context back."""
        self._drawing.close()

    def __enter__(self) -> SimulatedCamera:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _develop(self, picture: Image, number: int) -> Image:
        image = cv2.flip(picture, 0) if self._lens is None else self._lens.bend(picture)
        if self.settings.gain != 1.0:
            image = cv2.convertScaleAbs(image, alpha=self.settings.gain)
        if self._noise is None:
            return np.asarray(image, dtype=np.uint8)
        places = np.random.default_rng([self.settings.seed, _PLACES, number])
        begin = int(places.integers(len(self._noise) - image.size))
        grain = self._noise[begin : begin + image.size].reshape(image.shape)
        return np.asarray(cv2.add(image, grain, dtype=cv2.CV_8U), dtype=np.uint8)

    def _state(self, exposure: Exposure, ns: float) -> Array:
        before, after, share = exposure.around(ns)
        change = np.empty(self._model.nv)
        mujoco.mj_differentiatePos(self._model, change, 1.0, before, after)
        state = before.copy()
        mujoco.mj_integratePos(self._model, state, change, share)
        return state

    def _count(self, exposure: Exposure) -> int:
        if exposure.length == 0 or exposure.still:
            return 1
        ends = (exposure.ns - 0.5 * exposure.length, exposure.ns + 0.5 * exposure.length)
        first, last = (self._marks(self._state(exposure, ns)) for ns in ends)
        motion = float(np.nanmax(np.linalg.norm(last - first, axis=1), initial=0.0))
        if motion < SHARP:
            return 1
        return FAST_INSTANTS if motion > FAST else INSTANTS

    def _marks(self, qpos: Array) -> Array:
        """Return the places of all geoms and sites in the image ``(n, 2)`` [px]."""
        self._drawing.place(qpos)
        data = self._drawing.data
        return self.camera.project(np.vstack([data.geom_xpos, data.site_xpos]))


def _noise(settings: CameraSettings) -> np.ndarray[tuple[int], np.dtype[np.int16]] | None:
    if settings.noise == 0.0:
        return None
    rng = np.random.default_rng([settings.seed, _NOISE])
    count = NOISE_FRAMES * settings.width * settings.height * 3
    grain = settings.noise * rng.standard_normal(count, dtype=np.float32)
    return np.round(grain).astype(np.int16)


@dataclass(frozen=True)
class Lens:
    """Distorting lens: map from a larger ideal picture to the image.

    Attributes:
        width, height: of the ideal picture [px].
        fovy: its vertical field of view [rad].
        columns, rows: ``(h, w)`` place of each pixel of the image in the ideal picture, lowest
            row first [px].
    """

    width: int
    height: int
    fovy: float
    columns: NDArray[np.float32]
    rows: NDArray[np.float32]

    @classmethod
    def of(cls, intrinsics: Intrinsics) -> Lens:
        """Return the lens of a camera with square pixels and a centred axis.

        Raises:
            InvalidValue: the distortion has no inverse in the image, or needs too wide a view.
        """
        ideal = _undistorted(intrinsics)
        focal = float(intrinsics.matrix[1, 1])
        reach = focal * np.abs(ideal).max(axis=(0, 1))
        width, height = (2 * (int(np.ceil(r)) + MARGIN) for r in reach)
        if width > MAX_STRETCH * intrinsics.width or height > MAX_STRETCH * intrinsics.height:
            raise InvalidValue(
                f"distortion {_text(intrinsics.distortion)} needs a view of {width} x {height} px "
                f"for an image of {intrinsics.width} x {intrinsics.height} px: "
                f"at most {MAX_STRETCH:g} times as large"
            )
        columns = focal * ideal[..., 0] + 0.5 * (width - 1)
        rows = 0.5 * (height - 1) - focal * ideal[..., 1]  # OpenGL's lowest row comes first
        fovy = 2.0 * float(np.arctan(0.5 * height / focal))
        return cls(width, height, fovy, columns.astype(np.float32), rows.astype(np.float32))

    def bend(self, picture: Image) -> Image:
        """Return the image ``(h, w, 3)`` of an ideal picture, lowest row first."""
        bent = cv2.remap(picture, self.columns, self.rows, cv2.INTER_LINEAR)
        return np.asarray(bent, dtype=np.uint8)


def _undistorted(intrinsics: Intrinsics) -> Array:
    """Return ideal image coordinates ``(h, w, 2)`` at distance 1 of all pixels."""
    camera = Camera(intrinsics, np.eye(3), np.zeros(3))
    columns, rows = np.meshgrid(np.arange(intrinsics.width), np.arange(intrinsics.height))
    pixels = np.column_stack([columns.ravel(), rows.ravel()]).astype(np.float64)
    rays = camera.rays(pixels)
    off = np.abs(camera.project(rays) - pixels).max() if np.isfinite(rays).all() else np.inf
    if not off <= ROUND_TRIP:
        raise InvalidValue(
            f"distortion {_text(intrinsics.distortion)} folds the image: it has no inverse there"
        )
    return np.asarray(rays[:, :2].reshape(intrinsics.height, intrinsics.width, 2))


def _text(distortion: Array) -> str:
    return "[" + ", ".join(f"{value:g}" for value in distortion) + "]"
