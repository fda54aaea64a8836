"""Pictures of a scene without a display: MuJoCo's rasteriser on an EGL context of its own.

``mujoco.Renderer`` takes the kind of context from ``MUJOCO_GL`` as it was when mujoco was first
imported, which a node cannot rely on; and it copies every image once more.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import cv2
import mujoco
import numpy as np
from numpy.typing import NDArray

from icpi_ros.core import system_packages
from icpi_ros.core.errors import IcpiError
from icpi_ros.core.types import Array
from icpi_ros.tasks.camera_target import Target

Image = NDArray[np.uint8]
MAX_GEOMS = 1000
JITTER = ((-0.125, -0.375), (0.375, -0.125), (0.125, 0.375), (-0.375, 0.125))
"""Places in a pixel at which successive pictures sample it [px]: the mean of four has smooth edges,
on which the centre of a small object depends."""
FINE = 2
"""A single picture is drawn this much larger in both directions and reduced: centres of small
objects to 0.02 to 0.03 px rms in each direction; 3 gives 0.015 px, and takes twice the time."""
AMBIENT, FROM_CAMERA, FROM_LIGHTS = 0.5, 0.3, 0.2
"""Shares of the light; together 1, so that no colour is overexposed at gain 1."""


OBJECT = "object"
"""Name of the tracked site in every scene."""
MARKER = 0.01
"""A tracked site at least this large is a marker to look at [m]."""


class CameraUnavailable(IcpiError):
    """Failure to render images on this machine; the message names the packages to install."""


class Offscreen:
    """Renderer of one camera's picture: ideal pinhole, no shadows, no reflections.

    Everything is a copy: the model that is given may be simulated by another thread meanwhile.
    All calls, the constructor's too, must come from the same thread (OpenGL).
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        camera: int,
        width: int,
        height: int,
        fovy: float,
        target: Target | None = None,
    ) -> None:
        """Open a context.

        Args:
            model: the scene.
            camera: number of the camera in the model, which gives the pose.
            width: of the picture [px].
            height: of the picture [px].
            fovy: vertical field of view [rad], whatever the model has.
            target: the tracked object is painted like this; None = as the scene has it.

        Raises:
            CameraUnavailable: no EGL, or it cannot render.
        """
        self._model = copy.copy(model)
        _light(self._model)
        if target is not None:
            _paint(self._model, target)
        self._model.cam_fovy[camera] = np.rad2deg(fovy)
        self._model.cam_sensorsize[camera] = 0.0
        visual = self._model.vis
        visual.quality.offsamples = 0
        visual.global_.offwidth, visual.global_.offheight = FINE * width, FINE * height
        self.data = mujoco.MjData(self._model)
        self._rect = mujoco.MjrRect(0, 0, width, height)
        self._fine = mujoco.MjrRect(0, 0, FINE * width, FINE * height)
        self._image = np.empty((height, width, 3), np.uint8)
        self._fine_image = np.empty((FINE * height, FINE * width, 3), np.uint8)
        self._option = mujoco.MjvOption()
        self._scene = mujoco.MjvScene(self._model, maxgeom=MAX_GEOMS)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            self._scene.flags[flag] = False
        self._camera = mujoco.MjvCamera()
        self._camera.type, self._camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, camera
        self._open(FINE * width, FINE * height)

    def _open(self, width: int, height: int) -> None:
        try:
            # Imported here: without the EGL library the import itself fails.
            from mujoco.egl import GLContext

            self._gl = GLContext(width, height)
            self._gl.make_current()
            self._context = mujoco.MjrContext(
                self._model, mujoco.mjtFontScale.mjFONTSCALE_100.value
            )
        except Exception as exc:  # OpenGL and EGL raise classes of their own, AttributeError too
            reason = " ".join(str(exc).split()) or type(exc).__name__
            remedy = system_packages.apt_command(system_packages.EGL.packages)
            raise CameraUnavailable(
                f"camera images cannot be rendered: {reason[:200]}; {remedy}, then `icpi doctor`"
            ) from exc
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self._context)

    def place(self, qpos: Array) -> None:
        """Put everything at ``qpos`` ``(nq,)``; positions in :attr:`data` follow."""
        self.data.qpos[:] = qpos
        mujoco.mj_kinematics(self._model, self.data)

    def picture(self, state: Array) -> Image:
        """Return the picture of a state ``(nq,)``, ``(h, w, 3)``, lowest row first."""
        self._gl.make_current()
        self._update(state)
        self._read(self._fine, self._fine_image)
        size = (self._rect.width, self._rect.height)
        image = cv2.resize(self._fine_image, size, interpolation=cv2.INTER_AREA)
        return np.asarray(image, dtype=np.uint8)

    def average(self, states: Sequence[Array]) -> Image:
        """Return the mean of one picture of each state ``(nq,)``, ``(h, w, 3)``, lowest row first.

        Pictures sample the pixels as in ``JITTER``: the number of states is a multiple of four.
        """
        self._gl.make_current()
        total = np.zeros(self._image.shape, np.float32)
        for i, state in enumerate(states):
            self._update(state)
            self._shift(*JITTER[i % len(JITTER)])
            self._read(self._rect, self._image)
            cv2.accumulate(self._image, total)
        return np.asarray(cv2.convertScaleAbs(total, alpha=1.0 / len(states)), dtype=np.uint8)

    def _update(self, state: Array) -> None:
        self.place(state)
        mujoco.mj_camlight(self._model, self.data)
        mujoco.mjv_updateScene(
            self._model,
            self.data,
            self._option,
            None,
            self._camera,
            mujoco.mjtCatBit.mjCAT_ALL.value,
            self._scene,
        )

    def _shift(self, right: float, up: float) -> None:
        """Move the picture that is drawn next by a part of a pixel."""
        for eye in self._scene.camera:  # two, for stereo; their mean is drawn
            pixel = (eye.frustum_top - eye.frustum_bottom) / self._rect.height
            eye.frustum_center += right * pixel
            eye.frustum_bottom += up * pixel
            eye.frustum_top += up * pixel

    def _read(self, rect: mujoco.MjrRect, image: Image) -> None:
        mujoco.mjr_render(rect, self._scene, self._context)
        mujoco.mjr_readPixels(image, None, rect, self._context)

    def close(self) -> None:
        """Give the context back; afterwards nothing can be drawn."""
        self._gl.make_current()
        self._context.free()
        self._gl.free()


def _light(model: mujoco.MjModel) -> None:
    head = model.vis.headlight
    head.ambient[:], head.diffuse[:], head.specular[:] = AMBIENT, FROM_CAMERA, 0.0
    model.light_ambient[:] = model.light_specular[:] = 0.0
    model.light_diffuse[:] = FROM_LIGHTS / max(1, model.nlight)


def _paint(model: mujoco.MjModel, target: Target) -> None:
    """Give the tracked object the colour that its detector looks for; physics stays the same.

    A marker, as at a rope's tip, is the tracked site itself; else the geoms of its body are it.
    """
    site = model.site(OBJECT).id
    if model.site_size[site, 0] >= MARKER:
        model.site_rgba[site, :3] = target.colour
        model.site_size[site, 0] = target.radius
        return
    for geom in np.flatnonzero(model.geom_bodyid == model.site_bodyid[site]):
        model.geom_rgba[geom, :3] = target.colour
        model.geom_matid[geom] = -1
