"""Report of `icpi calibrate` on its result."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np

from icpi_ros.perception.calibration.camera_pose import CameraPoseResult
from icpi_ros.perception.calibration.intrinsics import GOOD_COVERAGE, IntrinsicsResult

POOR_PX = 0.5
"""A residual above this means blur, a bent board or a wrong description [px]."""
POOR_HOLD_OUT = 1.5
"""Hold-out residual in residuals above which the views are too few."""
STICKS_OUT = 3.0
"""A point without which the others fit so many times better may be measured wrongly."""
MATTERS_PX = 0.3
"""Residuals below this are as good as they get [px]."""


def now() -> str:
    """Return the date as the file states it: ISO 8601, UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def camera_text(result: IntrinsicsResult, looked_at: int) -> str:
    """Return the intrinsics with their uncertainty, the residuals, and what could be better."""
    intrinsics, spread = result.intrinsics, result.deviations
    matrix = intrinsics.matrix
    values = matrix[0, 0], matrix[1, 1], matrix[0, 2], matrix[1, 2]
    named = zip(("fx", "fy", "cx", "cy"), values, spread, strict=False)
    bent = zip(("k1", "k2", "p1", "p2", "k3"), intrinsics.distortion, spread[4:], strict=True)
    lines = [
        f"image {intrinsics.width} x {intrinsics.height} px; {len(result.views)} views used of "
        f"{looked_at} images, {len(result.rejected)} rejected; {result.coverage:.0%} of the image "
        f"covered, tilts differ by up to {result.tilt:.0f} deg",
        "  ".join(f"{name} {value:.2f} +- {std:.2f} px" for name, value, std in named),
        "  ".join(f"{name} {value:.5f} +- {std:.5f}" for name, value, std in bent),
        f"residual {result.rms:.3f} px = {result.residual_mm:.3f} mm on the board; worst view "
        f"{result.residuals.max():.3f} px; held-out views {result.hold_out:.3f} px",
    ]
    lines += [f"rejected: {name}, {off:.2f} px" for name, off in result.rejected]
    return "\n".join(lines + [f"better: {hint}" for hint in _hints(result)])


def camera_json(result: IntrinsicsResult) -> dict[str, Any]:
    """Return the same for programs, in the units of :class:`IntrinsicsResult`."""
    intrinsics = result.intrinsics
    return {
        "width": intrinsics.width,
        "height": intrinsics.height,
        "matrix": intrinsics.matrix,
        "distortion": intrinsics.distortion,
        "deviations": result.deviations,
        "views": [view.name for view in result.views],
        "residuals_px": result.residuals,
        "rms_px": result.rms,
        "residual_mm": result.residual_mm,
        "hold_out_px": result.hold_out,
        "rejected": dict(result.rejected),
        "coverage": result.coverage,
        "tilt_deg": result.tilt,
        "hints": _hints(result),
    }


def _hints(result: IntrinsicsResult) -> list[str]:
    found = []
    if result.rms > POOR_PX:
        found.append("the residual is high: is the board flat, sharp, still, and as described?")
    if result.hold_out > POOR_HOLD_OUT * result.rms:
        found.append("held-out views fit worse: take more views")
    if result.coverage < GOOD_COVERAGE:
        found.append(
            "take views with the board in the image's corners: distortion is a guess there"
        )
    return found


def table_text(result: CameraPoseResult) -> str:
    """Return the pose with its uncertainty and the residual of every point."""
    width = max(len(name) for name in result.points.names)
    position = ", ".join(f"{value:.4f}" for value in result.camera.position)
    lines = [f"{'point':{width}s}  residual [px]  on the plane [mm]  left out [mm]"]
    lines += [
        f"{name:{width}s}  {px:13.3f}  {mm:17.3f}  {_number(left):>13s}"
        for name, px, mm, left in zip(
            result.points.names,
            result.residuals_px,
            result.residuals_mm,
            result.left_out_mm,
            strict=True,
        )
    ]
    lines.append(f"residual {result.rms_px:.3f} px = {result.rms_mm:.3f} mm on the plane")
    lines.append(
        f"camera at {position} m in base, +- {result.spread_mm:.2f} mm, "
        f"+- {result.spread_deg:.3f} deg"
    )
    return "\n".join(lines + _suspects(result))


def table_json(result: CameraPoseResult) -> dict[str, Any]:
    """Return the same for programs, in the units of :class:`CameraPoseResult`."""
    names = ("residuals_px", "residuals_mm", "left_out_mm", "without_px")
    sizes = ("rms_px", "rms_mm", "spread_mm", "spread_deg")
    return {
        "points": list(result.points.names),
        "camera_position": result.camera.position,
        **{name: getattr(result, name) for name in (*names, *sizes)},
        "hints": _suspects(result),
    }


def _number(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "-"


def _suspects(result: CameraPoseResult) -> list[str]:
    """Name the point that does not fit to the others, if one sticks out."""
    without = result.without_px
    if len(without) < 6 or not np.isfinite(without).any():
        return []
    worst = int(np.nanargmin(without))
    if result.rms_px < max(STICKS_OUT * without[worst], MATTERS_PX):
        return []
    return [
        f"better: without {result.points.names[worst]} the others fit to {without[worst]:.2f} px, "
        f"and it is {result.left_out_mm[worst]:.1f} mm off: measure it again"
    ]
