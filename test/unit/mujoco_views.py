"""A board as a textured plane of MuJoCo, seen by its camera: python mujoco_views.py FILE.npz.

A process of its own: MuJoCo chooses its way of rendering when it is imported.
"""

import os
import sys

os.environ["MUJOCO_GL"] = "egl"

import cv2
import mujoco
import numpy as np

from icpi_ros.perception.calibration.board import INCH, Board, texture

DPI = 127
XML = """<mujoco>
  <visual>
    <global offwidth="640" offheight="480"/>
    <headlight ambient="1 1 1" diffuse="0 0 0" specular="0 0 0"/>
  </visual>
  <asset>
    <texture name="board" type="2d" file="board.png"/>
    <material name="board" texture="board" specular="0" shininess="0" texrepeat="1 1"/>
  </asset>
  <worldbody>
    <geom type="plane" size="{x} {y} 1" material="board"/>
    <camera name="eye" fovy="{fovy}"/>
  </worldbody>
</mujoco>"""


def images(board, number, fovy):
    """Images from random places above the board; ``fovy`` [deg]."""
    page = texture(board, DPI)
    y, x = (side / DPI * INCH / 2 for side in page.shape)
    png = cv2.imencode(".png", page)[1].tobytes()
    model = mujoco.MjModel.from_xml_string(XML.format(x=x, y=y, fovy=fovy), {"board.png": png})
    data, rng = mujoco.MjData(model), np.random.default_rng(0)
    with mujoco.Renderer(model, 480, 640) as renderer:
        return [_image(model, data, renderer, rng) for _ in range(number)]


def _image(model, data, renderer, rng):
    place = np.array([*rng.uniform(-0.16, 0.16, 2), rng.uniform(0.3, 0.42)])
    back = place - [*rng.uniform(-0.12, 0.12, 2), 0.0]
    back /= np.linalg.norm(back)
    right = np.cross(rng.normal(0.0, 0.2, 3) + np.array([0.0, 1.0, 0.0]), back)
    right /= np.linalg.norm(right)
    turn = np.array([right, np.cross(back, right), back]).T
    model.cam_pos[0] = place
    mujoco.mju_mat2Quat(model.cam_quat[0], turn.ravel())
    mujoco.mj_forward(model, data)
    renderer.update_scene(data, camera="eye")
    return cv2.cvtColor(renderer.render(), cv2.COLOR_RGB2GRAY)


if __name__ == "__main__":
    np.savez(sys.argv[1], images=np.array(images(Board(), 16, 45.0)))
