"""A calibrated camera: its lens (:mod:`.lens`), and where it stands.

OpenCV's conventions (docs, "Camera Calibration and 3D Reconstruction"), those of
``sensor_msgs/CameraInfo``: optical frame x right, y down, z forward (REP-103); pixel (0, 0) is the
centre of the upper left pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import Array
from icpi_ros.perception import lens

DISTORTION = lens.COEFFICIENTS[lens.PLUMB_BOB][0]
"""Coefficients k1, k2, p1, p2, k3 of the model ``plumb_bob``."""
MAX_ROUND_TRIP = 0.25
"""Largest distance of a pixel from the projection of its ray [px]: a distortion that folds the
image has no ray for some pixels, and the search for one ends anywhere."""
NOWHERE = (np.nan, np.nan, np.nan)
"""Point of a plane that is not seen."""
GRID = 33
"""Pixels across and down at which a camera is tested for that; folds begin at the edges."""


@dataclass(frozen=True)
class Intrinsics:
    """Projection of rays to pixels.

    Attributes:
        width: of the image [px].
        height: of the image [px].
        matrix: ``(3, 3)`` camera matrix K [px].
        distortion: ``(d,)`` coefficients of the model, 5 for ``plumb_bob``.
        model: of the lens, one of :data:`icpi_ros.perception.lens.COEFFICIENTS`.
    """

    width: int
    height: int
    matrix: Array
    distortion: Array
    model: str = lens.PLUMB_BOB

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InvalidValue: a wrong shape, a value that is not finite, or a matrix that cannot be
                inverted.
        """
        if self.width < 1 or self.height < 1:
            raise InvalidValue(f"image size {self.width} x {self.height} px: must be positive")
        counts = lens.COEFFICIENTS.get(self.model, ())
        if self.matrix.shape != (3, 3) or self.distortion.shape not in [(n,) for n in counts]:
            raise InvalidValue(
                f"camera matrix {self.matrix.shape} and distortion {self.distortion.shape} of "
                f"{self.model}: must have shapes (3, 3) and "
                f"{' or '.join(f'({n},)' for n in counts)}"
            )
        if not (np.isfinite(self.matrix).all() and np.isfinite(self.distortion).all()):
            raise InvalidValue("camera matrix or distortion is not finite")
        if not (self.matrix[0, 0] > 0.0 and self.matrix[1, 1] > 0.0):
            raise InvalidValue(
                f"focal lengths {self.matrix[0, 0]:g}, {self.matrix[1, 1]:g} px: must be positive"
            )
        if np.linalg.cond(self.matrix) > 1e9:
            raise InvalidValue("the camera matrix cannot be inverted")
        used = self.matrix * [[1, 0, 1], [0, 1, 1], [0, 0, 0]] + np.diag([0.0, 0.0, 1.0])
        if not np.allclose(self.matrix, used, rtol=0.0, atol=1e-9):  # OpenCV would ignore the rest
            raise InvalidValue(
                f"camera matrix {self.matrix.tolist()}: must be [fx, 0, cx], [0, fy, cy], [0, 0, 1]"
            )

    @classmethod
    def pinhole(cls, width: int, height: int, fovy: float) -> Intrinsics:
        """Return an ideal camera with square pixels and a vertical field of view ``fovy`` [rad]."""
        focal = 0.5 * height / np.tan(0.5 * fovy)
        centre = 0.5 * (width - 1), 0.5 * (height - 1)
        matrix = np.array([[focal, 0.0, centre[0]], [0.0, focal, centre[1]], [0.0, 0.0, 1.0]])
        return cls(width, height, matrix, np.zeros(DISTORTION))


@dataclass(frozen=True)
class Camera:
    """Intrinsics and pose.

    Attributes:
        intrinsics: of the camera.
        rotation: ``(3, 3)`` from frame ``base`` to the optical frame.
        translation: ``(3,)`` origin of ``base`` in the optical frame [m].
        frame: name of the optical frame.
    """

    intrinsics: Intrinsics
    rotation: Array
    translation: Array
    frame: str = "camera_optical"

    def __post_init__(self) -> None:
        """Check the pose.

        Raises:
            InvalidValue: not finite, or the rotation is not a rotation matrix.
        """
        if self.rotation.shape != (3, 3) or self.translation.shape != (3,):
            raise InvalidValue("a camera's rotation must be (3, 3) and its translation (3,)")
        if not (np.isfinite(self.rotation).all() and np.isfinite(self.translation).all()):
            raise InvalidValue("the camera's pose is not finite")
        off = np.abs(self.rotation @ self.rotation.T - np.eye(3)).max()
        if off > 1e-6 or np.linalg.det(self.rotation) < 0.0:
            raise InvalidValue("the camera's rotation is not a rotation matrix")

    @cached_property
    def position(self) -> Array:
        """``(3,)`` optical centre in frame ``base`` [m]."""
        centre = np.asarray(-self.rotation.T @ self.translation)
        centre.setflags(write=False)
        return centre

    def project(self, points: Array) -> Array:
        """Return pixels ``(n, 2)`` of points ``(n, 3)`` [m] in ``base``; NaN if behind it."""
        optical = points @ self.rotation.T + self.translation
        pixels, depths = self._seen(optical), optical[:, 2]
        if not (depths.size and depths.min() > 0.0):
            pixels[~(depths > 0.0)] = np.nan
        return pixels

    def _seen(self, optical: Array) -> Array:
        """Return pixels ``(n, 2)`` of points ``(n, 3)`` [m] in the optical frame."""
        used = self.intrinsics
        return lens.seen(used.model, optical, used.matrix, used.distortion)

    def rays(self, pixels: Array) -> Array:
        """Return directions ``(n, 3)`` in ``base`` of pixels ``(n, 2)``, not normalised.

        NaN where the lens shows nothing: the distortion has no inverse there.
        """
        optical = self._straight(pixels)
        if self._folds:
            optical[self._astray(optical, pixels)] = np.nan
        return np.asarray(optical @ self.rotation)

    @cached_property
    def _folds(self) -> bool:
        """True if some pixels of the image have no ray; looked for once, on a grid to its edges."""
        size = self.intrinsics.width - 1.0, self.intrinsics.height - 1.0
        axes = (np.linspace(0.0, last, GRID) for last in size)
        pixels = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
        return bool(self._astray(self._straight(pixels), pixels).any())

    def _astray(self, optical: Array, pixels: Array) -> NDArray[np.bool_]:
        """Return which directions ``(n, 3)`` are not seen at ``pixels`` ``(n, 2)``."""
        off = np.abs(self._seen(optical) - pixels).max(axis=1)
        return np.asarray(~(off <= MAX_ROUND_TRIP), dtype=np.bool_)

    def _straight(self, pixels: Array) -> Array:
        """Return directions ``(n, 3)`` in the optical frame of pixels; right or wrong."""
        used = self.intrinsics
        straight = lens.straight(used.model, pixels, used.matrix, used.distortion)
        optical: Array = np.ones((len(straight), 3))
        optical[:, :2] = straight
        return optical

    def on_plane(self, pixels: Array, normal: Array, offset: float) -> Array:
        """Return where the rays of pixels ``(n, 2)`` meet a plane, ``(n, 3)`` [m] in ``base``.

        Args:
            pixels: ``(n, 2)``.
            normal: ``(3,)`` of the plane, of length 1.
            offset: the plane holds the points p with ``normal @ p = offset`` [m].

        NaN where a ray does not meet the plane in front of the camera, or where there is no ray.
        """
        rays, eye = self.rays(pixels), self.position
        away, slopes = float(offset - normal @ eye), (rays @ normal).tolist()
        # Plain floats: in every frame there are a few points, for which numpy takes three times
        # as long.
        reaches = [away / slope if slope else np.nan for slope in slopes]
        x, y, z = eye.tolist()
        found = [
            (x + reach * u, y + reach * v, z + reach * w) if 0.0 < reach < np.inf else NOWHERE
            for reach, (u, v, w) in zip(reaches, rays.tolist(), strict=True)
        ]
        return np.array(found, dtype=np.float64).reshape(-1, 3)
