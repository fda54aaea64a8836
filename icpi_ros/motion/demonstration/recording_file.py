"""Recordings of joints as CSV: ``time,<joint>,...`` in s and rad, one sample a line."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from icpi_ros.core.errors import InvalidValue, Kind, Refusal
from icpi_ros.core.files import replacing
from icpi_ros.core.types import Array
from icpi_ros.core.yaml_files import FileKind, read_text, shown
from icpi_ros.motion.demonstration.recording import JointRecording, recording_of
from icpi_ros.robots.base import Arm

TIME = "time"
FORM = f"{TIME},<joint>,<joint>,..."
RECORDING_FILE = FileKind(
    InvalidValue, max_bytes=50_000_000, name="recording ", invalid="{path}: no CSV"
)


def read_csv(path: Path, arm: Arm) -> JointRecording:
    """Return the recording of the arm's joints in a file.

    Raises:
        InvalidValue: one line: see :func:`recording_of`; or the file is missing, too large, or
            no CSV of that form.
    """
    rows = _rows(path)
    header = [name.strip() for name in rows[0][1]] if rows else []
    if len(header) < 2 or header[0] != TIME:
        found = shown(",".join(header))
        raise _bad(path, f"its first line must be {FORM}, is {found}")
    table = np.empty((len(rows) - 1, len(header)))
    for at, (line, row) in enumerate(rows[1:]):
        table[at] = _numbers(path, line, row, header)

    def line_of(sample: int) -> str:
        return f"line {rows[sample + 1][0]}"

    return recording_of(header[1:], table[:, 0], table[:, 1:], arm, str(path), line_of)


def write_csv(path: Path, recording: JointRecording) -> None:
    """Write a recording so that :func:`read_csv` gives the same numbers again."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((TIME, *recording.joints))
        for time, q in zip(recording.times, recording.positions, strict=True):
            writer.writerow([repr(float(value)) for value in (time, *q)])


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return the number and the cells of every line that is not empty."""
    text = read_text(path, RECORDING_FILE).removeprefix("\ufeff")
    reader = csv.reader(io.StringIO(text))
    try:
        return [(reader.line_num, row) for row in reader if row]
    except csv.Error as exc:
        raise _bad(path, f"line {reader.line_num} is no CSV: {exc}") from None


def _numbers(path: Path, line: int, row: list[str], header: list[str]) -> Array:
    if len(row) != len(header):
        raise _bad(path, f"line {line} has {len(row)} values, the header {len(header)}")
    for name, text in zip(header, row, strict=True):
        try:
            float(text if text.isascii() and "_" not in text else "")
        except ValueError:
            raise _bad(path, f"line {line}: {name} is {shown(text)}, not a number") from None
    return np.array(row, dtype=np.float64)


def _bad(path: Path, text: str) -> InvalidValue:
    return InvalidValue(Refusal(f"{path}: {text}", Kind.FORM, "recording"))
