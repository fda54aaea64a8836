"""Pose of a camera in frame ``base``, from points that are known in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from icpi_ros.core.errors import CalibrationFailed
from icpi_ros.core.types import Array
from icpi_ros.perception.calibration.known_points import KnownPoints, check, flattest, plane_of
from icpi_ros.perception.camera import DISTORTION, Camera, Intrinsics
from icpi_ros.perception.lens import EQUIDISTANT, straight

MAX_RESIDUAL = 0.01
"""Largest residual that can still be called a fit, as a share of the image's diagonal."""
PIXEL_NOISE = 0.1
"""Noise of pixels that is assumed at least [px]."""
MIN_RIVAL_FACTOR = 2.0
"""A second pose must fit so many times worse, or the points do not tell which one is true."""
SAME_POSE_ANGLE = 1.0
"""Poses whose rotations differ by less are the same [deg]."""
MAX_DISTANCE = 20.0
"""A camera farther from the points than this means other units [m]: the fit is as good in all."""
_REFINEMENT = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-12)


@dataclass(frozen=True)
class CameraPoseResult:
    """A camera's pose and how good it is.

    Attributes:
        camera: with its pose.
        points: that it was made from.
        reprojected: ``(n, 2)`` where the camera sees the known positions [px].
        residuals_px: ``(n,)`` distance of seen and reprojected points.
        residuals_mm: ``(n,)`` the same on the plane of the points [mm]; on the horizontal plane
            through each point if they have no common plane.
        left_out_mm: ``(n,)`` the same for a pose made without the point [mm]; NaN if the others
            do not determine one.
        without_px: ``(n,)`` root mean square residual of the others in that pose [px].
        rms_px: root mean square of ``residuals_px`` [px].
        rms_mm: root mean square of ``residuals_mm`` [mm].
        spread_mm: standard deviation of the camera's position, norm over the axes [mm].
        spread_deg: standard deviation of its rotation, norm over the axes [deg].
    """

    camera: Camera
    points: KnownPoints
    reprojected: Array
    residuals_px: Array
    residuals_mm: Array
    left_out_mm: Array
    without_px: Array
    rms_px: float
    rms_mm: float
    spread_mm: float
    spread_deg: float


def locate(
    intrinsics: Intrinsics, points: KnownPoints, frame: str = "camera_optical"
) -> CameraPoseResult:
    """Return the camera that sees ``points`` where they were seen.

    Raises:
        CalibrationFailed: fewer than four points, collinear or equal ones, two poses fit equally
            well, no pose fits, or the camera would be below the table or far away.
    """
    camera = _pose(intrinsics, points, frame)
    _check_side(camera, points)
    _check_distance(camera, points)
    reprojected = camera.project(points.positions)
    off_px = np.linalg.norm(reprojected - points.pixels, axis=1)
    off_mm = _millimetres(camera, points, range(len(points.names)))
    spread_mm, spread_deg = _spread(camera, points, off_px)
    left_out, without = _left_out(intrinsics, points, frame)
    return CameraPoseResult(
        camera=camera,
        points=points,
        reprojected=reprojected,
        residuals_px=off_px,
        residuals_mm=off_mm,
        left_out_mm=left_out,
        without_px=without,
        rms_px=_rms(off_px),
        rms_mm=_rms(off_mm),
        spread_mm=spread_mm,
        spread_deg=spread_deg,
    )


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _pose(intrinsics: Intrinsics, points: KnownPoints, frame: str) -> Camera:
    check(intrinsics, points)
    fits = _candidates(intrinsics, points, frame)
    if not fits:
        raise CalibrationFailed("no pose of the camera sees the points: check their order")
    (best, camera), others = fits[0], fits[1:]
    _check_fit(camera, points)
    limit = MIN_RIVAL_FACTOR * max(best, PIXEL_NOISE)
    rivals = [other for error, other in others if error < limit]
    if rivals:
        raise CalibrationFailed(
            f"two poses of the camera, {_angle(camera, rivals[0]):.0f} deg apart, fit equally "
            f"well ({best:.2f} px): use points farther apart, or one above the table"
        )
    return camera


def _candidates(
    intrinsics: Intrinsics, points: KnownPoints, frame: str
) -> list[tuple[float, Camera]]:
    """Return refined poses that differ, with their errors [px], the best first."""
    plane, (pixels, distortion) = plane_of(points.positions), _as_polynomial(intrinsics, points)
    starts: list[tuple[int, Array]] = [(cv2.SOLVEPNP_SQPNP, points.positions)]
    if plane is not None:
        normal, offset = plane
        flat = points.positions - np.outer(points.positions @ normal - offset, normal)
        starts.append((cv2.SOLVEPNP_IPPE, flat))
    fits = list[tuple[float, Camera]]()
    for method, positions in starts:
        turns, shifts = cv2.solvePnPGeneric(
            positions, pixels, intrinsics.matrix, distortion, flags=method
        )[1:3]
        for turn, shift in zip(turns, shifts, strict=True):
            if not (np.isfinite(turn).all() and np.isfinite(shift).all()):
                continue  # OpenCV finds NaN for some exact points
            camera = _refined(intrinsics, points, turn, shift, frame)
            off = camera.project(points.positions) - points.pixels
            if np.isfinite(off).all():
                fits.append((_rms(np.linalg.norm(off, axis=1)), camera))
    fits.sort(key=lambda fit: fit[0])
    apart = list[tuple[float, Camera]]()
    for fit in fits:
        if all(_angle(fit[1], other) > SAME_POSE_ANGLE for _, other in apart):
            apart.append(fit)
    return apart


def _refined(
    intrinsics: Intrinsics, points: KnownPoints, turn: object, shift: object, frame: str
) -> Camera:
    pixels, distortion = _as_polynomial(intrinsics, points)
    turn, shift = cv2.solvePnPRefineLM(
        points.positions,
        pixels,
        intrinsics.matrix,
        distortion,
        np.array(turn, dtype=np.float64),
        np.array(shift, dtype=np.float64),
        _REFINEMENT,
    )
    rotation = np.asarray(cv2.Rodrigues(turn)[0], dtype=np.float64)
    return Camera(intrinsics, rotation, np.asarray(shift, dtype=np.float64).ravel(), frame)


def _as_polynomial(intrinsics: Intrinsics, points: KnownPoints) -> tuple[Array, Array]:
    """Return pixels ``(n, 2)`` and coefficients of the polynomial lens, all that OpenCV solves.

    Those of a fisheye lens are what a lens without distortion would show.
    """
    if intrinsics.model != EQUIDISTANT:
        return points.pixels, intrinsics.distortion
    ideal = straight(intrinsics.model, points.pixels, intrinsics.matrix, intrinsics.distortion)
    focal = np.diag(intrinsics.matrix)[:2]
    return ideal * focal + intrinsics.matrix[:2, 2], np.zeros(DISTORTION)


def _angle(one: Camera, other: Camera) -> float:
    """Return the angle between two rotations [deg]."""
    cosine = 0.5 * (float(np.trace(one.rotation @ other.rotation.T)) - 1.0)
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def _check_fit(camera: Camera, points: KnownPoints) -> None:
    off = np.linalg.norm(camera.project(points.positions) - points.pixels, axis=1)
    diagonal = float(np.hypot(camera.intrinsics.width, camera.intrinsics.height))
    if _rms(off) > MAX_RESIDUAL * diagonal:
        worst = int(off.argmax())
        raise CalibrationFailed(
            f"the points do not fit: residual {_rms(off):.1f} px, worst {points.names[worst]} with "
            f"{off[worst]:.1f} px: check their order, signs and units (metres)"
        )


def _check_side(camera: Camera, points: KnownPoints) -> None:
    """Refuse a camera below the table: mirrored axes of points on it give a perfect fit there.

    With some points above the table the fit is not perfect, but may pass for one.
    """
    middle, normal = flattest(points.positions)
    if normal[2] < 0.9:
        return
    if normal @ (camera.position - middle) < 0.0:
        raise CalibrationFailed(
            "the camera would be below the table: x and y of the points, or their order, are "
            "swapped; base has x, y on the table and z up"
        )


def _check_distance(camera: Camera, points: KnownPoints) -> None:
    away = float(np.linalg.norm(camera.position - points.positions.mean(axis=0)))
    if away > MAX_DISTANCE:
        raise CalibrationFailed(
            f"the camera would be {away:.0f} m from the points, at most {MAX_DISTANCE:g} m are "
            "believed: positions are in metres, these may be millimetres"
        )


def _millimetres(camera: Camera, points: KnownPoints, which: Sequence[int] | range) -> Array:
    """Return how far from the known positions the seen points are on their plane [mm]."""
    plane, found = plane_of(points.positions), []
    for number in which:
        position = points.positions[number]
        normal = plane[0] if plane else np.array([0.0, 0.0, 1.0])
        seen = camera.on_plane(points.pixels[number : number + 1], normal, normal @ position)
        found.append(1e3 * np.linalg.norm(seen[0] - position))
    return np.array(found)


def _left_out(intrinsics: Intrinsics, points: KnownPoints, frame: str) -> tuple[Array, Array]:
    """Return ``left_out_mm`` and ``without_px`` of :class:`CameraPoseResult`."""
    found, without = np.full(len(points.names), np.nan), np.full(len(points.names), np.nan)
    for number in range(len(found)):
        keep = np.arange(len(found)) != number
        names = tuple(n for n, k in zip(points.names, keep, strict=True) if k)
        rest = KnownPoints(points.pixels[keep], points.positions[keep], names)
        try:
            camera = _pose(intrinsics, rest, frame)
        except CalibrationFailed:
            continue
        found[number] = _millimetres(camera, points, [number])[0]
        off = camera.project(rest.positions) - rest.pixels
        without[number] = _rms(np.linalg.norm(off, axis=1))
    return found, without


def _spread(camera: Camera, points: KnownPoints, off: Array) -> tuple[float, float]:
    """Return standard deviations of position [mm] and rotation [deg] by the fit's curvature."""
    turn = cv2.Rodrigues(camera.rotation)[0]
    intrinsics = camera.intrinsics
    jacobian = cv2.projectPoints(
        points.positions,
        turn,
        camera.translation,
        intrinsics.matrix,
        _as_polynomial(intrinsics, points)[1],
    )[1]
    slopes = np.asarray(jacobian, dtype=np.float64)[:, :6]
    freedom = 2 * len(off) - 6
    variance = max(float((off**2).sum()) / freedom, 1e-12)
    covariance = variance * np.linalg.pinv(slopes.T @ slopes)
    to_position = np.column_stack([_position_slopes(camera), -camera.rotation.T])
    position = to_position @ covariance @ to_position.T
    return (
        float(1e3 * np.sqrt(np.trace(position))),
        float(np.degrees(np.sqrt(np.trace(covariance[:3, :3])))),
    )


def _position_slopes(camera: Camera) -> Array:
    """Return the derivative of the camera's position by its rotation vector, ``(3, 3)``."""
    turn = np.asarray(cv2.Rodrigues(camera.rotation)[0], dtype=np.float64).ravel()
    step, columns = 1e-6, []
    for axis in np.eye(3):
        there = np.asarray(cv2.Rodrigues(turn + step * axis)[0], dtype=np.float64)
        columns.append((-there.T @ camera.translation - camera.position) / step)
    return np.column_stack(columns)
