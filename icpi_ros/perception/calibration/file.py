"""A calibrated camera as YAML, written by `icpi calibrate` and loaded by the node.

The upper keys are those of ROS's ``camera_info_manager`` (``camera_calibration_parsers``), so that
camera drivers load the file too, and a file of ROS's own calibrator gives the intrinsics here. The
block ``icpi`` is ours: schema, pose of the camera, residuals, date, and how it was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from icpi_ros.core.errors import CalibrationFileError, InvalidValue
from icpi_ros.core.types import Array
from icpi_ros.core.yaml_files import FileKind, number, read_yaml, shown, unknown_key, write_yaml
from icpi_ros.perception.camera import Camera, Intrinsics
from icpi_ros.perception.lens import PLUMB_BOB, lens_of

SCHEMA = 1
KEYS = ("schema", "intrinsics", "pose")
"""Of our own block."""
CALIBRATION_FILE = FileKind(
    CalibrationFileError,
    name="calibration ",
    remedy="; make one with `icpi calibrate camera`",
    invalid="{path} is no YAML",
)
"""Only keys in our own block are checked: other programs have more of theirs."""


@dataclass(frozen=True)
class CalibrationOrigin:
    """Provenance of a calibration's numbers, and how good they are.

    Attributes:
        how: one line, for example the board and the source of images.
        date: ISO 8601, UTC.
        samples: views (intrinsics) or points (pose) that were used.
        residual_px: root mean square distance of seen and reprojected points [px].
        residual_mm: the same on the board or table [mm].
        worst_px: largest such distance: of a view's mean square (intrinsics), a point (pose) [px].
    """

    how: str
    date: str
    samples: int
    residual_px: float
    residual_mm: float
    worst_px: float


@dataclass(frozen=True)
class Calibration:
    """Content of a camera's file.

    Attributes:
        intrinsics: of the camera.
        made: of the intrinsics; None if another program made them.
        camera: with its pose; None before `icpi calibrate table`.
        placed: of the pose.
    """

    intrinsics: Intrinsics
    made: CalibrationOrigin | None = None
    camera: Camera | None = None
    placed: CalibrationOrigin | None = None


def load_camera(path: Path) -> Camera:
    """Return a camera with its pose.

    Raises:
        CalibrationFileError: see :func:`load`, or the file has no pose.
    """
    camera = load(path).camera
    if camera is None:
        raise CalibrationFileError(
            f"{path} does not say where the camera stands: run `icpi calibrate table --camera "
            f"{path} --out {path}` first"
        )
    return camera


def require_size(intrinsics: Intrinsics, width: int, height: int, where: str) -> None:
    """Refuse images [px] of another size than the camera was calibrated with.

    Raises:
        CalibrationFileError: names both sizes and ``where`` the images come from.
    """
    if (width, height) != (intrinsics.width, intrinsics.height):
        raise CalibrationFileError(
            f"{where} is {width} x {height} px, the camera was calibrated with "
            f"{intrinsics.width} x {intrinsics.height} px: calibrate it at this size"
        )


def save(path: Path, calibration: Calibration) -> None:
    """Write a calibration; the file is whole or not there at all."""
    intrinsics = calibration.intrinsics
    if calibration.camera is not None:
        intrinsics = calibration.camera.intrinsics
    ours: dict[str, Any] = {"schema": SCHEMA}
    if calibration.made:
        ours["intrinsics"] = vars(calibration.made).copy()
    if calibration.camera:
        ours["pose"] = _pose_block(calibration.camera, calibration.placed)
    content = {
        "image_width": intrinsics.width,
        "image_height": intrinsics.height,
        "camera_name": calibration.camera.frame if calibration.camera else "camera",
        "camera_matrix": _matrix(intrinsics.matrix),
        "distortion_model": intrinsics.model,
        "distortion_coefficients": _matrix(intrinsics.distortion[np.newaxis]),
        "rectification_matrix": _matrix(np.eye(3)),
        "projection_matrix": _matrix(np.column_stack([intrinsics.matrix, np.zeros(3)])),
        "icpi": ours,
    }
    write_yaml(path, content)


def _matrix(values: Array) -> dict[str, Any]:
    rows, columns = values.shape
    return {"rows": rows, "cols": columns, "data": [float(v) for v in values.ravel()]}


def _pose_block(camera: Camera, placed: CalibrationOrigin | None) -> dict[str, Any]:
    block: dict[str, Any] = {
        "from": "base",
        "to": camera.frame,
        "rotation": _matrix(camera.rotation),
        "translation_m": [float(v) for v in camera.translation],
        "camera_position_in_base_m": [float(v) for v in camera.position],
    }
    return block | (vars(placed) if placed else {})


def load(path: Path) -> Calibration:
    """Return what a file holds.

    Raises:
        CalibrationFileError: one line: missing, damaged, newer schema, another distortion model,
            values that are not finite, a matrix that cannot be inverted, a pose that is not one.
    """
    content = _read(path)
    try:
        ours = content.get("icpi", {})
        if not isinstance(ours, dict):
            raise InvalidValue("icpi is not a block of keys")
        _check_schema(ours)
        intrinsics = _intrinsics(content)
        made = _origin(ours["intrinsics"], "icpi.intrinsics") if "intrinsics" in ours else None
        if "pose" not in ours:
            return Calibration(intrinsics, made)
        camera, placed = _pose(intrinsics, ours["pose"])
        return Calibration(intrinsics, made, camera, placed)
    except InvalidValue as exc:
        raise CalibrationFileError(f"{path} is not a usable calibration: {exc}") from exc


def _read(path: Path) -> Mapping[str, Any]:
    content = read_yaml(path, CALIBRATION_FILE)
    if not isinstance(content, dict):
        raise CalibrationFileError(f"{path} is not a calibration: expected keys like image_width")
    return content


def _check_schema(ours: Mapping[str, Any]) -> None:
    if not ours:
        return
    schema = _integer(ours, "schema", "icpi.schema")
    if schema > SCHEMA:
        raise InvalidValue(
            f"its schema {schema} is newer than this program's ({SCHEMA}): update icpi_ros"
        )
    if unknown := unknown_key(ours, KEYS):
        key, hint = unknown
        raise InvalidValue(f"icpi: unknown key {shown(key)}: allowed are {', '.join(KEYS)}{hint}")


def _intrinsics(content: Mapping[str, Any]) -> Intrinsics:
    model = content.get("distortion_model", PLUMB_BOB)
    if not isinstance(model, str):
        raise InvalidValue(f"distortion_model {shown(model)} is not the name of a model")
    name, distortion = lens_of(model, _read_row(content, "distortion_coefficients"))
    return Intrinsics(
        width=_integer(content, "image_width", "image_width"),
        height=_integer(content, "image_height", "image_height"),
        matrix=_read_matrix(content, "camera_matrix", (3, 3)),
        distortion=distortion,
        model=name,
    )


def _pose(intrinsics: Intrinsics, block: Any) -> tuple[Camera, CalibrationOrigin | None]:
    if not isinstance(block, dict):
        raise InvalidValue("icpi.pose is not a block of keys")
    if block.get("from", "base") != "base":
        raise InvalidValue(f"icpi.pose.from is {shown(block['from'])}: must be 'base'")
    rotation = _read_matrix(block, "rotation", (3, 3))
    translation = _floats(block.get("translation_m"), "icpi.pose.translation_m", 3)
    frame = block.get("to", "camera_optical")
    if not isinstance(frame, str) or not frame:
        raise InvalidValue("icpi.pose.to is not the name of a frame")
    placed = _origin(block, "icpi.pose") if "how" in block else None
    return Camera(intrinsics, rotation, translation, frame), placed


def _origin(block: Any, name: str) -> CalibrationOrigin:
    if not isinstance(block, dict):
        raise InvalidValue(f"{name} is not a block of keys")
    residuals = [block.get(key) for key in ("residual_px", "residual_mm", "worst_px")]
    px, mm, worst = _floats(residuals, f"the residuals of {name}", 3)
    return CalibrationOrigin(
        how=str(block.get("how", "")),
        date=str(block.get("date", "")),
        samples=_integer(block, "samples", f"{name}.samples"),
        residual_px=float(px),
        residual_mm=float(mm),
        worst_px=float(worst),
    )


def _read_matrix(content: Mapping[str, Any], key: str, shape: tuple[int, int]) -> Array:
    """Return a matrix of ROS's form ``{rows, cols, data}``."""
    block = content.get(key)
    if not isinstance(block, dict):
        raise InvalidValue(f"{key} is missing or not a block of rows, cols, data")
    return _floats(block.get("data"), f"{key}.data", shape[0] * shape[1]).reshape(shape)


def _read_row(content: Mapping[str, Any], key: str) -> list[float]:
    """Return the numbers of a matrix of one row or column, as many as there are."""
    block = content.get(key)
    if not isinstance(block, dict) or not isinstance(data := block.get("data"), list):
        raise InvalidValue(f"{key} is missing or not a block of rows, cols, data")
    return [float(value) for value in _floats(data, f"{key}.data", len(data))]


def _floats(values: Any, name: str, count: int) -> Array:
    """Return ``count`` numbers; NaN is one, finiteness is the camera's rule."""
    if not isinstance(values, list) or len(values) != count:
        found = f"{len(values)} values" if isinstance(values, list) else "nothing"
        raise InvalidValue(f"{name} must have {count} numbers, has {found}")
    numbers = [number(value) for value in values]
    if not all(_is_number(value) for value in numbers):
        raise InvalidValue(f"{name} holds something that is not a number")
    return np.array(numbers, dtype=np.float64)


def _integer(content: Mapping[str, Any], key: str, name: str) -> int:
    """Return a whole number that is not negative."""
    value = number(content.get(key))
    if not (_is_number(value) and 0 <= value <= 1_000_000 and value == int(value)):
        raise InvalidValue(f"{name} is {shown(value)}: must be an integer from 0 to 1000000")
    return int(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
