"""Video of a run: arm and object of the first and of the best trial side by side, GIF or MP4.

Rendered without a display.  Pillow writes the GIF, OpenCV the MP4: no other program is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from icpi_ros.core.errors import UsageError
from icpi_ros.core.files import replacing
from icpi_ros.core.pictures import style
from icpi_ros.core.types import Array, Trial, TrialStatus
from icpi_ros.core.units import millimetres
from icpi_ros.learn.dataset.execution import UNKNOWN
from icpi_ros.robots import ARMS, find_arm
from icpi_ros.runs.picture.paths import goal_plane
from icpi_ros.runs.store.records import RunRecord
from icpi_ros.sim.film import Filming, Take, take, view_of
from icpi_ros.sim.offscreen import Image
from icpi_ros.sim.world import World
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

VIDEO_FORMATS = (".gif", ".mp4")
WIDTH, HEIGHT = 400, 340
"""Of one trial's picture [px]; a strip of text stands above it."""
STRIP = 46
RATE = 20.0
"""Pictures per second."""
SLOWER = 2.0
"""Seconds of video per second of the trial."""
HOLD = 2.0
"""Time for which the end is shown [s]."""
_GIF_COLOURS = 96
_SHADES = (style.SEQUENCE[0], style.SEQUENCE[8])
"""Of the first and of the best trial."""


@dataclass(frozen=True)
class _Scene:
    """One trial of the video: its number, words, colour and states."""

    words: str
    result: str
    colour: str
    shot: Take


def save_video(
    path: Path, record: RunRecord, task: Task, trials: Sequence[Trial], goal: Array
) -> None:
    """Write the video of a run, whole or not at all.

    Args:
        path: GIF or MP4.
        record: of the run; its arm, its world and its seed are simulated.
        task: of the run.
        trials: of the run.
        goal: ``(g,)`` of the run.

    Raises:
        UsageError: another format, no trial to show, no scene, or the file cannot be written.
        CameraUnavailable: pictures cannot be rendered on this machine.
    """
    if path.suffix.lower() not in VIDEO_FORMATS:
        raise UsageError(f"cannot film {path}: allowed endings are {' and '.join(VIDEO_FORMATS)}")
    frames = _frames(record, task, trials, goal)
    try:
        with replacing(path) as temporary:
            _write(temporary, path.suffix.lower(), frames)
    except OSError as exc:
        raise UsageError(f"cannot write the video {path}: {exc.strerror or exc}") from exc


def _frames(record: RunRecord, task: Task, trials: Sequence[Trial], goal: Array) -> list[Picture]:
    chosen = _chosen(trials)
    known = record.execution.world not in ("", UNKNOWN)
    scene = TASKS.get(record.execution.world) if known else task
    _ = scene.required_scene
    named = record.execution.arm
    arm = find_arm(named) if named != UNKNOWN else ARMS.get(task.arm)
    world = World(scene, arm, scene.seeded_physics(record.config.seed))
    place = task.goal_point(goal)
    shots = [
        _Scene(
            f"{'first attempt' if trial is chosen[0] else 'best'}, trial {trial.number}",
            millimetres(trial.cost),
            shade,
            take(task, world, arm, trial.theta, trial.trajectory, 1.0 / RATE / SLOWER),
        )
        for trial, shade in zip(chosen, _SHADES, strict=False)
        if trial.trajectory is not None  # _chosen takes no others
    ]
    points = [arm.links(arm.home)[:, :3, 3], *(shot.shot.path for shot in shots)]
    points += [] if place is None else [place[np.newaxis]]
    upright = 2 in goal_plane(task)
    view = view_of(np.vstack(points), upright, WIDTH / HEIGHT)
    filming = Filming(world.model, view, WIDTH, HEIGHT)
    try:
        count = max(len(shot.shot.times) for shot in shots)
        return [
            _side_by_side(
                [_panel(filming, shot, min(n, len(shot.shot.times) - 1), place) for shot in shots]
            )
            for n in range(count)
        ]
    finally:
        filming.close()


def _chosen(trials: Sequence[Trial]) -> list[Trial]:
    """Return the first and the best trial of those whose path was seen; one if they are the same.

    Raises:
        UsageError: there is none.
    """
    done = [t for t in trials if t.status is TrialStatus.DONE and t.trajectory is not None]
    if not done:
        raise UsageError("no trial of the run was observed: there is nothing to film")
    best = min(done, key=lambda trial: trial.cost)
    return [done[0]] if best is done[0] else [done[0], best]


def _panel(filming: Filming, scene: _Scene, n: int, goal: Array | None) -> Image:
    """Return the picture of one trial with its words above it."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    shot = scene.shot
    drawn = filming.show(shot.states[n], goal, shot.path[: n + 1], [style.GOAL, scene.colour])
    panel = Pillow.new("RGB", (WIDTH, HEIGHT + STRIP), style.PAPER)
    panel.paste(Pillow.fromarray(drawn), (0, STRIP))
    pen = ImageDraw.Draw(panel)
    pen.ellipse((14, 17, 26, 29), fill=scene.colour)
    pen.text((34, 12), scene.words, fill=style.INK, font=_font(17))
    ended = n == len(shot.times) - 1
    text = f"{scene.result} off" if ended else f"{shot.times[n]:.2f} s"
    colour = style.INK if ended else style.QUIET
    pen.text((WIDTH - 14, 12), text, fill=colour, font=_font(17, bold=ended), anchor="ra")
    if not shot.simulated:
        pen.text((14, HEIGHT + STRIP - 22), "object as seen, arm as planned", fill=style.QUIET,
                 font=_font(12))  # fmt: skip
    return np.asarray(panel)


def _side_by_side(panels: Sequence[Image]) -> Picture:
    from PIL import Image as Pillow

    gap = np.full((panels[0].shape[0], 4, 3), 255, np.uint8)
    joined = [part for panel in panels for part in (gap, panel)][1:]
    return Pillow.fromarray(np.hstack(joined))


def _font(size: int, bold: bool = False) -> Any:
    """Return matplotlib's own font, which is there wherever matplotlib is."""
    from matplotlib import get_data_path
    from PIL import ImageFont

    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(get_data_path(), "fonts", "ttf", name)), size)


def _write(path: Path, ending: str, frames: list[Picture]) -> None:
    if ending == ".gif":
        _write_gif(path, frames)
    else:
        _write_mp4(path, frames)


def _write_gif(path: Path, frames: list[Picture]) -> None:
    """Write all frames in the colours of the last one, and of what is small in it."""
    from PIL.Image import Dither

    palette = _with_swatches(frames[-1]).quantize(_GIF_COLOURS)
    small = [frame.quantize(palette=palette, dither=Dither.NONE) for frame in frames]
    times = [round(1000.0 / RATE)] * (len(small) - 1) + [round(1000.0 * HOLD)]
    small[0].save(
        path, format="GIF", save_all=True, append_images=small[1:], duration=times, loop=0,
        optimize=True,
    )  # fmt: skip


def _with_swatches(frame: Picture) -> Picture:
    """Return a picture with large areas of our colours below it, so that a palette has them."""
    from PIL import Image as Pillow

    colours = (style.GOAL, *_SHADES, style.INK, style.PAPER)
    wide, high = frame.width // len(colours), frame.height // 4
    larger = Pillow.new("RGB", (frame.width, frame.height + high), style.PAPER)
    larger.paste(frame, (0, 0))
    for n, colour in enumerate(colours):
        larger.paste(colour, (n * wide, frame.height, (n + 1) * wide, frame.height + high))
    return larger


def _write_mp4(path: Path, frames: list[Picture]) -> None:
    import cv2

    named = path.with_name(path.name + ".mp4")  # OpenCV takes the format from the ending
    code = cv2.VideoWriter.fourcc(*"mp4v")
    out = cv2.VideoWriter(str(named), code, RATE, frames[0].size)
    try:
        if not out.isOpened():
            raise UsageError("this build of OpenCV cannot write MP4: write a GIF instead")
        for frame in [*frames, *[frames[-1]] * round(HOLD * RATE)]:
            out.write(np.asarray(frame)[:, :, ::-1])
        out.release()
        named.replace(path)
    finally:
        out.release()
        named.unlink(missing_ok=True)
