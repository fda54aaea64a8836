"""The camera of node ``mujoco_arm``: renders in a thread of its own and publishes.

Topics ``camera/image_raw`` (rgb8, stamped with the middle of the exposure) and, before every
image and with its stamp, ``camera/camera_info``: recorders and rectifiers pair the two by stamp,
and a subscriber that starts late or a bag that is cut needs no older message.

The simulation thread only copies joint positions.  In real time it never waits for an image: one
that the renderer has no time for is left out and counted.  A free-running simulation would outrun
any renderer, so with a camera it goes as fast as it can render, up to :data:`FREE_PERIOD`.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

import mujoco
from sensor_msgs.msg import CameraInfo, Image

from icpi_ros.core.errors import IcpiError
from icpi_ros.core.types import Array
from icpi_ros.perception.camera import Camera
from icpi_ros.ros.base import qos
from icpi_ros.ros.base.convert import time_msg
from icpi_ros.ros.base.spin import IcpiNode
from icpi_ros.ros.base.topics import CAMERA_IMAGE, CAMERA_INFO
from icpi_ros.ros.perception.images import ImageBuffer, camera_info_msg
from icpi_ros.ros.sim.pacer import Sparing
from icpi_ros.sim.camera import SimulatedCamera
from icpi_ros.sim.camera_settings import NUMBERS, CameraSettings
from icpi_ros.sim.shutter import Exposure, Shutter
from icpi_ros.tasks.camera_target import Target

WAITING = 3
"""Exposures that may wait for the renderer."""
RENDER_LIMIT = 2.0
"""Longest real time that a free-running simulation waits for one image [s]."""
START_LIMIT = 20.0
"""Longest time to open a rendering context; software renderers compile shaders [s]."""
FREE_PERIOD = 1.0 / 120.0
"""Least real time per image of a free-running simulation [s], less where the camera's own period
is: who perceives and records must keep pace, on two busy cores too."""
POLL = 0.1
"""Time between two looks of a waiting thread whether the node ends [s]."""


def settings_of(values: Mapping[str, Any]) -> CameraSettings:
    """Return the settings that the parameters ask for.

    Raises:
        InvalidValue: names the setting, its value and what is allowed.
    """
    given = {name: values[f"camera_{name}"] for name in NUMBERS}
    distortion = values["camera_distortion"]
    if distortion:
        given["distortion"] = tuple(distortion)
    return CameraSettings(**given)


class CameraPort:
    """Publisher of a simulated camera's images; :meth:`see` is for the simulation thread."""

    def __init__(
        self,
        node: IcpiNode,
        model: mujoco.MjModel,
        name: str,
        settings: CameraSettings,
        wait: bool,
        target: Target | None = None,
    ) -> None:
        """Open the camera, the topics and the rendering thread.

        Args:
            node: that publishes, and that fails if rendering does.
            model: the scene.
            name: of the camera in it; empty = its first.
            settings: what the camera is like.
            target: what the tracked object is painted like; None = as the scene has it.
            wait: True if the simulation waits for the renderer, False if images are left out.

        Raises:
            UsageError: the scene has no such camera, or its lens cannot be rendered.
            CameraUnavailable: images cannot be rendered on this machine.
        """
        self._node, self._wait = node, wait
        self._shutter = Shutter(settings)
        self._queue: queue.Queue[Exposure] = queue.Queue(WAITING)
        self._end = threading.Event()
        self._sent = self._missed = 0
        self._reported = (0, 0)
        self._image_out = node.create_publisher(Image, CAMERA_IMAGE, qos.IMAGE_EVERY)
        self._info_out = node.create_publisher(CameraInfo, CAMERA_INFO, qos.IMAGE)
        opened: Future[Camera] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(model, name, settings, target, opened), daemon=True
        )
        self._thread.start()
        try:
            self.camera = opened.result(START_LIMIT)
        except TimeoutError:
            raise IcpiError(
                f"camera images cannot be rendered: no answer within {START_LIMIT:g} s; "
                "see `icpi doctor`"
            ) from None

    def see(self, ns: int, qpos: Array) -> None:
        """Note the joint positions ``(nq,)`` of the scene at simulated time ``ns``."""
        self._shutter.see(ns, qpos)

    def release(self, ns: int) -> None:
        """Hand the exposures that are due at simulated time ``ns`` to the renderer."""
        for exposure in self._shutter.due(ns):
            if self._wait:
                self._put_waiting(exposure)
            else:
                self._put_now(exposure)
                time.sleep(0.0)  # offers the renderer the interpreter, which OpenGL soon gives back

    def close(self) -> None:
        """End rendering; also lets go a simulation thread that waits for it."""
        self._end.set()
        self._thread.join(1.0)

    def health(self) -> tuple[str | None, dict[str, str]]:
        """Return what is wrong since the last call (None = nothing), and values."""
        sent, missed = self._sent, self._missed
        new_sent, new_missed = sent - self._reported[0], missed - self._reported[1]
        self._reported = (sent, missed)
        values = {
            "images published": str(sent),
            "images lost by setting": str(self._shutter.dropped),
            "images not rendered in time": str(missed),
        }
        if not new_missed:
            return None, values
        asked = new_missed + new_sent
        return f"{new_missed} of {asked} images were not rendered in time", values

    def _put_now(self, exposure: Exposure) -> None:
        try:
            self._queue.put_nowait(exposure)
        except queue.Full:
            with contextlib.suppress(queue.Empty):
                self._queue.get_nowait()  # the oldest: a late image is worth less than a new one
                self._missed += 1
            self._queue.put_nowait(exposure)

    def _put_waiting(self, exposure: Exposure) -> None:
        for _ in range(round(RENDER_LIMIT / POLL)):
            if self._end.is_set():
                return
            with contextlib.suppress(queue.Full):
                self._queue.put(exposure, timeout=POLL)
                return
        self._missed += 1

    # --- rendering thread -----------------------------------------------------------------

    def _run(
        self,
        model: mujoco.MjModel,
        name: str,
        settings: CameraSettings,
        target: Target | None,
        opened: Future[Camera],
    ) -> None:
        try:
            with SimulatedCamera(model, name, settings, target) as camera:
                opened.set_result(camera.camera)
                self._render(camera)
        except Exception as exc:
            if not opened.done():
                opened.set_exception(exc)
            elif not self._end.is_set():
                self._node.fail(exc)

    def _render(self, camera: SimulatedCamera) -> None:
        intrinsics, frame = camera.camera.intrinsics, camera.camera.frame
        info = camera_info_msg(0, camera.camera)
        buffer = ImageBuffer(intrinsics.width, intrinsics.height, frame)
        pace = Sparing(min(FREE_PERIOD, 1.0 / camera.settings.rate))
        while not self._end.is_set():
            try:
                exposure = self._queue.get(timeout=POLL)
            except queue.Empty:
                continue
            image = camera.expose(exposure)
            if self._end.is_set():
                return
            info.header.stamp = time_msg(exposure.ns)
            self._info_out.publish(info)
            self._image_out.publish(buffer.fill(exposure.ns, image))
            self._sent += 1
            if self._wait:
                now = time.monotonic()
                pace.sent(now)
                self._end.wait(pace.wait(now))
