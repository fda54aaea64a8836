"""Arm, scene, goal and paths in viser's scene."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import viser
import viser.transforms

from icpi_ros.core.pictures.style import rgb
from icpi_ros.core.types import Array, Trial
from icpi_ros.robots.base import Arm
from icpi_ros.runs.picture.paths import goal_plane
from icpi_ros.tasks.base import Task
from icpi_ros.view.colours import GHOST, GOAL, RELEASE, SLOW, Colour, shades
from icpi_ros.view.question import AskedMotion
from icpi_ros.view.shapes import Surroundings, pieces

GOAL_RADIUS = 0.02
"""Least radius of the ring around the goal [m]; it is never hidden by the object."""
END_RADIUS = 0.006
"""Radius of the ball at the end of a path [m]."""
RELEASE_RADIUS = 0.015
"""Radius of the ball where the gripper lets go [m]."""
SKIN = 0.0015
"""Growth of an arm that is seen through: where it is at the arm's own place, it is seen at all."""
MAX_PATHS = 40
"""Most paths that are drawn, the newest ones."""
MAX_POINTS = 400
"""Most points of a path that are sent."""


class ArmDrawing:
    """Arm made of its collision geometry; only its links' frames move."""

    def __init__(
        self, server: viser.ViserServer, root: str, arm: Arm, colour: Colour, opacity: float = 1.0
    ) -> None:
        """Draw it at home.

        Args:
            server: whose scene it is in.
            root: name of its node.
            arm: to draw.
            colour: of all of it.
            opacity: 0 to 1.
        """
        self._server, self._arm = server, arm
        scene, solid = server.scene, opacity == 1.0
        self._root = scene.add_frame(root, show_axes=False)
        self._links = [
            scene.add_frame(f"{root}/link_{i}", show_axes=False) for i in range(len(arm.joints) + 1)
        ]
        for number, (link, vertices, faces) in enumerate(pieces(arm, 0.0 if solid else SKIN)):
            if link == 0 and not solid:
                continue  # it stands where the arm's own does
            scene.add_mesh_simple(
                f"{root}/link_{link}/piece_{number}",
                vertices,
                faces,
                color=colour,
                opacity=None if solid else opacity,
                cast_shadow=solid,
            )
        self.place(arm.home)

    def place(self, q: Array) -> None:
        """Put it at joint positions ``(n,)`` [rad]."""
        frames = self._arm.links(q)
        turns = viser.transforms.SO3.from_matrix(frames[:, :3, :3]).wxyz
        with self._server.atomic():
            for link, frame, turn in zip(self._links, frames, turns, strict=True):
                link.position = frame[:3, 3]
                link.wxyz = turn

    def show(self, visible: bool) -> None:
        """Show or hide it."""
        self._root.visible = visible


class ProposalDrawing:
    """Motion that waits for a person: ghost of the arm, and its tool's paths as it was checked.

    Attributes:
        arm: the ghost.
    """

    def __init__(self, server: viser.ViserServer, arm: Arm) -> None:
        """Draw nothing yet."""
        self._scene = server.scene
        self.arm = ArmDrawing(server, "/proposed", arm, GHOST, 0.45)
        self.arm.show(False)
        self._handles: list[Any] = []

    def show(self, asked: AskedMotion | None, ghost: bool) -> None:
        """Draw the paths of a motion in the place of the last ones; None = none.

        Args:
            asked: that waits.
            ghost: its ghost is shown, too.
        """
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self.arm.show(ghost)
        if asked is None:
            return
        lines = [("stroke", asked.path, GHOST, 4.0)]
        lines += [(f"slow_{n}", path, SLOW, 2.0) for n, path in enumerate(asked.slow)]
        for name, path, colour, width in lines:
            path = path[np.isfinite(path).all(axis=1)]
            if len(path) > 1:
                self._handles.append(
                    self._scene.add_line_segments(
                        f"/asked/{name}",
                        np.stack([path[:-1], path[1:]], axis=1),
                        np.array(colour, dtype=np.uint8),
                        thickness=width,
                        thickness_units="screen",
                    )
                )
        if asked.release is not None and np.isfinite(asked.release).all():
            ball = self._scene.add_icosphere(
                "/asked/release", RELEASE_RADIUS, color=RELEASE, position=asked.release
            )
            self._handles.append(ball)


class SceneDrawing:
    """Table, object, goal and the paths of all trials."""

    def __init__(
        self, server: viser.ViserServer, task: Task, goal: Array, at: Surroundings
    ) -> None:
        """Draw all that does not move."""
        self._server, self._task, self._at = server, task, at
        self._paths: list[Any] = []
        scene = server.scene
        for i, solid in enumerate(at.fixed):
            scene.add_mesh_simple(
                f"/scene/{i}",
                solid.vertices,
                solid.faces,
                color=solid.colour,
                opacity=solid.opacity if solid.opacity < 1.0 else None,
                flat_shading=True,
                cast_shadow=False,
            )
        self._object = scene.add_frame("/object", show_axes=False)
        for i, solid in enumerate(at.moved):
            scene.add_mesh_simple(
                f"/object/{i}", solid.vertices, solid.faces, color=solid.colour, flat_shading=False
            )
        self.move_object(at.start)
        self.show_goal(goal)

    def move_object(self, position: Array) -> None:
        """Put the object at a position ``(3,)``, frame ``base`` [m]; NaN hides it."""
        known = bool(np.isfinite(position).all())
        self._object.visible = known
        if known:
            self._object.position = position

    def show_paths(self, trials: Sequence[Trial]) -> None:
        """Draw the paths of trials, the last one broad."""
        count = len(trials)
        colours = shades(count)
        numbered = list(enumerate(trials))[-MAX_PATHS:]
        seen = [(i, trial, path) for i, trial in numbered if len(path := _path(trial)) > 1]
        with self._server.atomic():
            for handle in self._paths:
                handle.remove()
            self._paths = []
            for i, trial, path in seen:
                self._paths += self._path(trial.number, path, rgb(colours[i]), i + 1 == count)

    def _path(self, number: int, path: Array, colour: Colour, newest: bool) -> list[Any]:
        scene = self._server.scene
        lines = np.stack([path[:-1], path[1:]], axis=1)
        return [
            scene.add_line_segments(
                f"/paths/{number}",
                lines,
                np.array(colour, dtype=np.uint8),
                thickness=4.0 if newest else 2.0,
                thickness_units="screen",
            ),
            scene.add_icosphere(f"/ends/{number}", END_RADIUS, color=colour, position=path[-1]),
        ]

    def show_goal(self, goal: Array) -> None:
        """Draw a ring around a goal ``(g,)``, in the plane that the goal names."""
        centre = self._task.goal_point(goal)
        if centre is None:
            return
        flat = goal_plane(self._task)
        size = max(float(np.linalg.norm(s.vertices[:, flat], axis=1).max()) for s in self._at.moved)
        angles = np.linspace(0.0, 2.0 * np.pi, 49)
        ring = np.tile(centre, (len(angles), 1))
        radius = max(GOAL_RADIUS, 1.4 * size)
        ring[:, flat] += radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        cross = np.tile(centre, (2, 2, 1))
        for line, axis in zip(cross, flat, strict=True):
            line[:, axis] += [-0.4 * GOAL_RADIUS, 0.4 * GOAL_RADIUS]
        self._server.scene.add_line_segments(
            "/goal",
            np.concatenate([np.stack([ring[:-1], ring[1:]], axis=1), cross]),
            np.array(GOAL, dtype=np.uint8),
            thickness=4.0,
            thickness_units="screen",
        )


def _path(trial: Trial) -> Array:
    """Return the seen positions of a trial ``(K, 3)`` [m], thinned out."""
    if trial.trajectory is None:
        return np.zeros((0, 3))
    seen = trial.trajectory.positions
    seen = seen[np.isfinite(seen).all(axis=1)]
    if len(seen) <= MAX_POINTS:
        return np.asarray(seen)
    return np.asarray(seen[np.linspace(0, len(seen) - 1, MAX_POINTS).round().astype(int)])
