"""Picture of a calibration: seen and reprojected points over an image, as PNG.

matplotlib is imported at the first call only, and without a display.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from icpi_ros.core.files import replacing
from icpi_ros.core.pictures import style
from icpi_ros.core.pictures.labels import label_points
from icpi_ros.core.types import Array
from icpi_ros.perception.calibration.board import Board, Gray
from icpi_ros.perception.calibration.camera_pose import CameraPoseResult
from icpi_ros.perception.calibration.intrinsics import IntrinsicsResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SEEN_COLOUR, _BACK_COLOUR = style.PREDICTED, style.CATEGORIES[0]
_MAX_LABELS = 12
"""Up to so many points get their own label."""
_NAME = np.array([36.0, 14.0])
"""Room for the name of a line [px of the image]."""
_MAX_ARROW = 0.06
"""Length of the largest residual's arrow, as a share of the image's width."""


def save_camera_picture(path: Path, board: Board, result: IntrinsicsResult, image: Gray) -> None:
    """Draw the worst view over its image, and the residuals of all views, magnified.

    Args:
        path: PNG to write.
        board: that was seen.
        result: of the calibration.
        image: of the view with the largest residual.
    """
    with style.settings():
        _camera_picture(path, board, result, image)


def _camera_picture(path: Path, board: Board, result: IntrinsicsResult, image: Gray) -> None:
    worst = int(result.residuals.argmax())
    view, pose = result.views[worst], result.poses[worst]
    figure, (left, right) = _figure(2, image)
    left.imshow(image, cmap="gray", vmin=0, vmax=255)
    _points(left, view.pixels, pose.project(board.corners[view.ids]))
    _frame(left, image)
    figure.legend(loc="outside lower center", ncols=2)
    left.set_title(f"worst view: {view.name}, {result.residuals[worst]:.2f} px")
    seen = np.vstack([one.pixels for one in result.views])
    back = np.vstack(
        [p.project(board.corners[v.ids]) for v, p in zip(result.views, result.poses, strict=True)]
    )
    _arrows(right, seen, back, image)
    right.set_title(
        f"{len(result.views)} views, {len(seen)} corners: {result.rms:.2f} px, "
        f"{result.residual_mm:.2f} mm on the board"
    )
    _save(figure, path)


def save_table_picture(path: Path, result: CameraPoseResult, image: Gray | None) -> None:
    """Draw known points, where they were seen, and the axes of ``base``, over an image if any."""
    with style.settings():
        _table_picture(path, result, image)


def _table_picture(path: Path, result: CameraPoseResult, image: Gray | None) -> None:
    intrinsics = result.camera.intrinsics
    canvas = np.full((intrinsics.height, intrinsics.width), 235, dtype=np.uint8)
    shown = canvas if image is None else image
    figure, (axes,) = _figure(1, shown)
    axes.imshow(shown, cmap="gray", vmin=0, vmax=255)
    _grid(axes, result)
    _points(axes, result.points.pixels, result.reprojected)
    _frame(axes, shown)
    figure.legend(loc="outside lower center", ncols=2)
    axes.set_title(
        f"{len(result.points.names)} points: {result.rms_px:.2f} px, {result.rms_mm:.2f} mm; "
        f"camera at {', '.join(f'{v:.3f}' for v in result.camera.position)} m"
    )
    if len(result.points.names) <= _MAX_LABELS:
        _labels(axes, result)
    _save(figure, path)


def _figure(panels: int, image: Gray) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    height, width = image.shape
    size = (8.0 * panels, 8.0 * height / width + 0.9)
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False)
    for one in axes[0]:
        one.set(xlabel="u [px]", ylabel="v [px]")
        one.grid(visible=False)
    return figure, axes[0]


def _points(axes: Axes, seen: Array, back: Array) -> None:
    axes.plot(*seen.T, "o", mfc="none", mec=_SEEN_COLOUR, mew=1.6, ms=11, label="seen")
    axes.plot(*back.T, "+", color=_BACK_COLOUR, mew=1.4, ms=9, label="reprojected")


def _arrows(axes: Axes, seen: Array, back: Array, image: Gray) -> None:
    width = image.shape[1]
    off = back - seen
    longest = max(float(np.linalg.norm(off, axis=1).max()), 1e-9)
    factor = _round_down(_MAX_ARROW * width / longest)
    axes.quiver(
        *seen.T, *(factor * off).T, angles="xy", scale_units="xy", scale=1.0, color=_BACK_COLOUR,
        width=0.002,
    )  # fmt: skip
    axes.plot(*seen.T, ".", color=_SEEN_COLOUR, ms=3)
    _frame(axes, image)
    axes.set_aspect("equal")
    axes.text(
        0.01, 0.015, f"arrows: residuals x {factor:g}; largest {longest:.2f} px",
        transform=axes.transAxes, bbox={"facecolor": "white", "alpha": 0.85, "lw": 0},
    )  # fmt: skip


def _frame(axes: Axes, image: Gray) -> None:
    """Show the whole image and nothing beside it."""
    axes.set_xlim(-0.5, image.shape[1] - 0.5)
    axes.set_ylim(image.shape[0] - 0.5, -0.5)


def _round_down(value: float) -> float:
    """Return the next smaller of 1, 2, 5, 10, 20, 50 ..."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(max(step for step in (1.0, 2.0, 5.0) if step * power <= value * 1.0001) * power)


def _grid(axes: Axes, result: CameraPoseResult) -> None:
    """Draw lines on the plane z = 0 every 0.1 m around the points, named at two edges."""
    low = np.floor(result.points.positions[:, :2].min(axis=0) * 10.0 - 0.01) / 10.0
    high = np.ceil(result.points.positions[:, :2].max(axis=0) * 10.0 + 0.01) / 10.0
    for axis, colour in ((0, style.GOAL), (1, style.GOOD)):
        step = 0.1 * max(1, round((high[axis] - low[axis]) / 0.8))
        for value in np.arange(low[axis], high[axis] + 0.01, step):
            line = np.zeros((60, 3))
            line[:, 1 - axis] = np.linspace(low[1 - axis], high[1 - axis], 60)
            line[:, axis] = value
            pixels = result.camera.project(line)
            axes.plot(*pixels.T, "-", color=colour, lw=0.8, alpha=0.8)
            _name_line(axes, f"{'xy'[axis]} {value:.1f}", colour, pixels, result)


def _name_line(axes: Axes, text: str, colour: str, pixels: Array, result: CameraPoseResult) -> None:
    """Write a line's name where it comes into the image."""
    size = np.array([result.camera.intrinsics.width, result.camera.intrinsics.height])
    inside = ((pixels > 0.03 * size) & (pixels < 0.97 * size)).all(axis=1)
    if inside.any():
        # x further on than y: lines of both begin at the same corner
        first = int(inside.argmax()) + (4 if text[0] == "x" else 0)
        free = [place for place in pixels[first:] if _is_free(axes, place)]
        u, v = free[0] if free else pixels[min(first, len(pixels) - 1)]
        axes.text(
            u, v, text, color=colour, fontsize=8, ha="center", va="center",
            bbox={"facecolor": "white", "alpha": 0.8, "lw": 0, "pad": 0.8},
        )  # fmt: skip


def _is_free(axes: Axes, place: Array) -> bool:
    """Tell whether no name of another line stands at a place [px]."""
    apart = [np.abs(np.array(text.get_position()) - place) for text in axes.texts]
    return all(bool((off > _NAME).any()) for off in apart)


def _labels(axes: Axes, result: CameraPoseResult) -> None:
    """Write name and residual of every point beside it."""
    pairs = zip(result.points.names, result.residuals_mm, strict=True)
    label_points(
        axes, result.points.pixels, [f"{name}: {off:.2f} mm" for name, off in pairs], fontsize=9,
        color=style.INK, bbox={"facecolor": style.PAPER, "alpha": 0.85, "lw": 0, "pad": 1.5},
    )  # fmt: skip


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")
