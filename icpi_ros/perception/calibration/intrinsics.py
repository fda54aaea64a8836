"""Intrinsics of a camera from views of a printed board: Zhang's method, by OpenCV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from icpi_ros.core.errors import CalibrationFailed
from icpi_ros.core.types import Array
from icpi_ros.perception.calibration.board import Board
from icpi_ros.perception.calibration.views import View, coverage, diverse
from icpi_ros.perception.camera import DISTORTION, Camera, Intrinsics

MIN_VIEWS = 8
"""Fewer views leave distortion and centre to chance."""
MAX_VIEWS = 40
"""More views cost time and change little."""
MIN_TILT = 15.0
"""Smallest angle between the two most different tilts [deg]: parallel boards add nothing."""
MIN_COVERAGE = 0.35
"""Share of the image's cells that must hold a corner."""
GOOD_COVERAGE = 0.7
"""Share of cells from which on the coverage is called good."""
MAX_FOCAL_STD = 0.01
"""Largest standard deviation of a focal length, as a share of it."""
OUTLIER_FACTOR = 3.0
"""A view whose residual is so many times the median of all, and above ``NOISE``, is bad."""
ALWAYS_ALLOWED_RESIDUAL = 0.3
"""Residual that a view may always have [px]."""
MAX_REJECTED = 0.25
"""Share of bad views above which something else is wrong."""
K3_STDS = 5.0
"""Distance of k3 from zero from which it is used, in its standard deviations."""
FOLDS = 3
"""Parts of the hold-out check: each is predicted by a calibration of the others."""


@dataclass(frozen=True)
class IntrinsicsResult:
    """A calibration and how good it is.

    Attributes:
        intrinsics: of the camera.
        views: that were used.
        residuals: ``(v,)`` root mean square reprojection error of each used view [px].
        residual_mm: root mean square error of all corners on the board [mm].
        rms: root mean square reprojection error of all corners [px].
        hold_out: the same where each view is predicted by a calibration without it [px].
        deviations: ``(9,)`` standard deviations of fx, fy, cx, cy [px], k1, k2, p1, p2, k3.
        rejected: names of bad views and their residuals [px].
        coverage: share of the image's cells that hold a corner, 0 to 1.
        tilt: largest angle between two boards [deg].
        poses: camera of each used view; its base is the board frame.
    """

    intrinsics: Intrinsics
    views: tuple[View, ...]
    residuals: Array
    residual_mm: float
    rms: float
    hold_out: float
    deviations: Array
    rejected: tuple[tuple[str, float], ...]
    coverage: float
    tilt: float
    poses: tuple[Camera, ...]


@dataclass(frozen=True)
class _IntrinsicsFit:
    intrinsics: Intrinsics
    poses: list[Camera]
    deviations: Array
    residuals: Array


def calibrate(board: Board, views: Sequence[View]) -> IntrinsicsResult:
    """Return the intrinsics that explain ``views`` of ``board`` best.

    Raises:
        CalibrationFailed: sizes differ, too few or too similar views, too little of the image is
            covered, the board is never tilted, or the views contradict each other.
    """
    _check_sizes(views)
    chosen = diverse(views, MAX_VIEWS)
    if len(chosen) < MIN_VIEWS:
        raise CalibrationFailed(
            f"the board is seen in {len(views)} image(s), at {len(chosen)} different place(s), at "
            f"least {MIN_VIEWS} are needed: move and tilt the board between views"
        )
    covered = coverage(chosen)
    if covered < MIN_COVERAGE:
        raise CalibrationFailed(
            f"the views cover {covered:.0%} of the image, at least {MIN_COVERAGE:.0%} are needed: "
            "bring the board closer and into all corners of the image"
        )
    kept, fit, rejected = _without_bad(board, chosen)
    tilt = _tilt(fit.poses)
    _check(fit, tilt)
    return IntrinsicsResult(
        intrinsics=fit.intrinsics,
        views=tuple(kept),
        residuals=fit.residuals,
        residual_mm=_millimetres(board, kept, fit.poses),
        rms=_rms(fit.residuals, kept),
        hold_out=_hold_out(board, kept),
        deviations=fit.deviations,
        rejected=tuple(rejected),
        coverage=coverage(kept),
        tilt=tilt,
        poses=tuple(fit.poses),
    )


def _check_sizes(views: Sequence[View]) -> None:
    sizes = {view.size: view.name for view in views}
    if len(sizes) > 1:
        (one, a), (two, b) = list(sizes.items())[:2]
        raise CalibrationFailed(
            f"images differ in size: {a} is {one[0]} x {one[1]} px, {b} {two[0]} x {two[1]} px: "
            "use images of one camera at one resolution"
        )


def _without_bad(
    board: Board, views: Sequence[View]
) -> tuple[list[View], _IntrinsicsFit, list[tuple[str, float]]]:
    """Fit; leave the worst view out as long as it sticks out; fit again."""
    kept, rejected = list(views), list[tuple[str, float]]()
    while True:
        fit = _fit(board, kept)
        worst = int(fit.residuals.argmax())
        limit = max(ALWAYS_ALLOWED_RESIDUAL, OUTLIER_FACTOR * float(np.median(fit.residuals)))
        if fit.residuals[worst] <= limit:
            return kept, fit, rejected
        rejected.append((kept.pop(worst).name, float(fit.residuals[worst])))
        if len(rejected) > MAX_REJECTED * len(views) or len(kept) < MIN_VIEWS:
            raise CalibrationFailed(
                f"{len(rejected)} of {len(views)} views contradict the others (worst: "
                f"{rejected[0][0]}, {rejected[0][1]:.1f} px): hold the board flat and still, and "
                "check that it is the board that was described"
            )


def _fit(board: Board, views: Sequence[View]) -> _IntrinsicsFit:
    """Fit; k3 only if the views determine it: otherwise it bends the image's corners."""
    fit = _solve(board, views, 0)
    if abs(fit.intrinsics.distortion[4]) < K3_STDS * fit.deviations[8]:
        return _solve(board, views, cv2.CALIB_FIX_K3)
    return fit


def _solve(board: Board, views: Sequence[View], flags: int) -> _IntrinsicsFit:
    size = views[0].size
    try:
        _, matrix, distortion, turns, shifts, deviations, _, residuals = (
            cv2.calibrateCameraExtended(
                [board.corners[view.ids].astype(np.float32) for view in views],
                [view.pixels.astype(np.float32).reshape(-1, 1, 2) for view in views],
                size,
                np.eye(3),
                np.zeros(DISTORTION),
                flags=flags,
            )
        )
    except cv2.error as exc:
        raise CalibrationFailed(
            "the views do not determine a camera: move and tilt the board between views"
        ) from exc
    values = np.asarray(matrix, dtype=np.float64)
    std = np.asarray(deviations, dtype=np.float64).ravel()[: 4 + DISTORTION]
    if not (np.isfinite(values).all() and values[0, 0] > 0.0 and np.isfinite(std).all()):
        raise CalibrationFailed(
            "the views give no sensible camera: move and tilt the board between views"
        )
    bent = np.asarray(distortion, dtype=np.float64).ravel()[:DISTORTION]
    intrinsics = Intrinsics(*size, values, bent)
    poses = [_camera(intrinsics, t, s) for t, s in zip(turns, shifts, strict=True)]
    return _IntrinsicsFit(intrinsics, poses, std, np.asarray(residuals, dtype=np.float64).ravel())


def _camera(intrinsics: Intrinsics, turn: object, shift: object) -> Camera:
    rotation = np.asarray(cv2.Rodrigues(np.asarray(turn, dtype=np.float64))[0], dtype=np.float64)
    return Camera(intrinsics, rotation, np.asarray(shift, dtype=np.float64).ravel())


def _tilt(poses: Sequence[Camera]) -> float:
    """Return the largest angle between two boards' normals [deg]."""
    normals = np.array([pose.rotation[:, 2] for pose in poses])
    return float(np.degrees(np.arccos(np.clip(normals @ normals.T, -1.0, 1.0)).max()))


def _check(fit: _IntrinsicsFit, tilt: float) -> None:
    if tilt < MIN_TILT:
        raise CalibrationFailed(
            f"the boards are tilted against each other by {tilt:.0f} deg at most, at least "
            f"{MIN_TILT:.0f} are needed to tell focal length from distance: tilt the board"
        )
    focal = np.diag(fit.intrinsics.matrix)[:2]
    std = float((fit.deviations[:2] / focal).max())
    if std > MAX_FOCAL_STD:
        raise CalibrationFailed(
            f"the focal length is uncertain by {std:.1%} (at most {MAX_FOCAL_STD:.0%}): "
            "take more views, closer to the camera and tilted by 20 to 40 deg in all directions"
        )


def _rms(residuals: Array, views: Sequence[View]) -> float:
    weights = [len(view.ids) for view in views]
    return float(np.sqrt(np.average(residuals**2, weights=weights)))


def _millimetres(board: Board, views: Sequence[View], poses: Sequence[Camera]) -> float:
    """Return the root mean square distance of seen and true corners on the board [mm]."""
    normal = np.array([0.0, 0.0, 1.0])
    off = [
        pose.on_plane(view.pixels, normal, 0.0) - board.corners[view.ids]
        for view, pose in zip(views, poses, strict=True)
    ]
    return float(1e3 * np.sqrt((np.vstack(off) ** 2).sum(axis=1).mean()))


def _hold_out(board: Board, views: Sequence[View]) -> float:
    """Return the residual of views under calibrations that do not know them [px].

    A view's pose is still fitted to it: only the intrinsics are tested.
    """
    squares, count = 0.0, 0
    for fold in range(FOLDS):
        known = [view for number, view in enumerate(views) if number % FOLDS != fold]
        intrinsics = _fit(board, known).intrinsics
        for view in views[fold::FOLDS]:
            corners = board.corners[view.ids]
            _, turn, shift = cv2.solvePnP(
                corners, view.pixels, intrinsics.matrix, intrinsics.distortion
            )
            off = _camera(intrinsics, turn, shift).project(corners) - view.pixels
            squares, count = squares + float((off**2).sum()), count + len(off)
    return float(np.sqrt(squares / count))
