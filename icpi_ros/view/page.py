"""The page of one run: scene, panels and upper edge together."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import viser
from numpy.typing import NDArray

from icpi_ros.core.types import Array, Trial
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.robots.base import Arm
from icpi_ros.runs.verdict import verdict
from icpi_ros.tasks.base import Task
from icpi_ros.view.colours import ARM, PAST
from icpi_ros.view.controls import BarState, Controls
from icpi_ros.view.cost_curve import cost_curve
from icpi_ros.view.drawing import ArmDrawing, ProposalDrawing, SceneDrawing
from icpi_ros.view.gate import Gate
from icpi_ros.view.panels import QuestionPanel, trials_table
from icpi_ros.view.playback import Clip, Playback, motion_of
from icpi_ros.view.question import WaitingQuestion, drawn_motion
from icpi_ros.view.rules import LOOPBACK
from icpi_ros.view.shapes import surroundings

if TYPE_CHECKING:
    from icpi_ros.bags.joint_states import JointPath

PROPOSED = "proposed"
"""Name of the motion that waits for a person."""
FULL_SPEED = (
    "Commands of past trials are drawn at full speed: the first of a run may have been slower."
)
"""Remark on motions that the executor may have slowed: a trial does not say by how much."""


@dataclass(frozen=True)
class PageAddress:
    """Address of a page.

    Attributes:
        host: to bind.
        port: to bind; 0 = any that is free.
        operate: it may do more than show and stop.
        framed_by: origins of the pages that may show it inside them; none where it operates.
    """

    host: str = LOOPBACK
    port: int = 0
    operate: bool = False
    framed_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Subject:
    """Subject of a page: title, task, arm, goal ``(g,)`` [units of the goal space].

    Attributes:
        live: the joints of the arm itself are shown, and motions beside it as a ghost.
    """

    title: str
    task: Task
    arm: Arm
    goal: Array
    live: bool = False


class RunPage:
    """Page of one run, open from its making on; every method may be called from any thread."""

    def __init__(
        self, subject: Subject, address: PageAddress, controls: Controls | None = None
    ) -> None:
        """Open the page.

        Args:
            subject: what it shows.
            address: where.
            controls: what its buttons reach; None = nothing can be stopped.

        Raises:
            UsageError: the address cannot be bound.
        """
        self._subject, self._lock = subject, threading.RLock()
        task, arm = subject.task, subject.arm
        self._bar: dict[str, str | bool] = {"line": subject.title, "warning": "", "stopped": False}
        self._trials: list[Trial] = []
        self._motions: dict[bytes, JointTrajectory | None] = {}  # by theta
        self._image: viser.GuiImageHandle | None = None
        self._clips: dict[str, Clip] = {}
        self._question: WaitingQuestion | None = None
        self._asked: JointTrajectory | None = None
        self._closed = threading.Event()
        self._gate = Gate(
            address.host,
            address.port,
            controls,
            address.operate,
            subject.title,
            address.framed_by,
        )
        server = self._gate.server
        server.gui.configure_theme(control_width="large", show_logo=False, show_share_button=False)
        server.gui.main_panel.dock_right()
        server.gui.set_panel_label(subject.title)
        server.scene.configure_default_lights(cast_shadow=False)  # of the time of a picture, half
        at = surroundings(task, arm)
        self._look_at(at.start)
        self._scene = SceneDrawing(server, task, subject.goal, at)
        self._arm = ArmDrawing(server, "/arm", arm, ARM)
        self._ghost = ArmDrawing(server, "/ghost", arm, PAST, 0.3)
        self._ghost.show(False)
        self._proposal = ProposalDrawing(server, arm)
        self._questions = QuestionPanel(
            server.gui, controls if self._gate.operate else None, task.space
        )
        with server.gui.add_folder("cost", order=1):  # first: on a phone there is room for little
            self._costs = server.gui.add_html("")
        with server.gui.add_folder("motion", order=2):
            self._playback = Playback(server.gui, self._place, self._move_object)
            if task.scalable:
                server.gui.add_markdown(FULL_SPEED)
        with server.gui.add_folder("trials", order=3):
            self._table = server.gui.add_html("")
        self._show_bar()

    @property
    def link(self) -> str:
        """Address that opens the page, with its token."""
        return self._gate.door.link

    @property
    def stop_link(self) -> str:
        """Address of the page with the stop alone."""
        return self._gate.door.stop_link

    def close(self) -> None:
        """Close the page: the link is dead, its sockets are closed, no button reaches anything."""
        self._closed.set()
        self._questions.disable()
        self._playback.close()
        self._gate.close()

    @property
    def closed(self) -> bool:
        """True once it was closed."""
        return self._closed.is_set()

    def beat(self) -> None:
        """Note that what is shown is up to date; once noted, a page that is not says so."""
        self._gate.beat()

    def show_trials(
        self,
        trials: Sequence[Trial],
        budget: int = 0,
        play: bool = False,
        seen: Mapping[int, JointPath] = MappingProxyType({}),
    ) -> None:
        """Show the trials of the run so far, by number; ``play``: the newest one moves.

        Args:
            trials: last attempt of each.
            budget: number of trials in all; 0 = not known.
            play: move arm and object as in the newest trial.
            seen: recorded joints of the arm by the number of the trial.
        """
        task, arm = self._subject.task, self._subject.arm
        with self._lock:
            # By theta: a store makes new objects of the same trials.
            thetas = {trial.theta.tobytes(): trial.theta for trial in trials}
            known = self._motions
            self._motions = {
                key: known[key] if key in known else motion_of(task, arm, theta)
                for key, theta in thetas.items()
            }
            self._trials = list(trials)
            self._clips = {
                f"trial {trial.number}": Clip(
                    self._motions[trial.theta.tobytes()], trial.trajectory, seen.get(trial.number)
                )
                for trial in reversed(self._trials)
            }
            self._scene.show_paths(self._trials)
            self._costs.content = cost_curve(self._trials)
            self._table.content = trials_table(self._trials, task.space)
            self._offer()
        self.say(progress_line(trials, budget))
        if play:
            self._playback.play()

    def show_joints(self, q: Array) -> None:
        """Show the arm as it is, ``(n,)`` [rad]."""
        self._arm.place(q)

    def show_object(self, position: Array) -> None:
        """Show the object as it is, ``(3,)``, frame ``base`` [m]; NaN = not seen."""
        self._scene.move_object(position)

    def show_image(self, pixels: NDArray[np.uint8]) -> None:
        """Show an image of the camera, ``(h, w, 3)`` red, green, blue."""
        with self._lock:
            if self._image is None:
                with self._gate.server.gui.add_folder("camera", order=4):
                    self._image = self._gate.server.gui.add_image(pixels)
            else:
                self._image.image = pixels

    def show_question(self, question: WaitingQuestion | None) -> None:
        """Show what waits for a person, and its motion as a ghost; None = nothing does.

        The motion is drawn, and can be approved, only if it is the one that was checked.
        """
        with self._lock:
            before = self._question
            if question is before or (question and before and question.key == before.key):
                return
            self._questions.close()  # first: nothing of the last one is pressed meanwhile
            self._question, self._asked = question, None
            asked, undrawn = None if question is None else question.motion, ""
            task, arm = self._subject.task, self._subject.arm
            if question and asked and not question.undecidable(task.space.dim):
                self._asked, undrawn = drawn_motion(task, arm, asked)
            self._proposal.show(asked, self._asked is not None)
            self._offer()
            self._questions.show(question, undrawn)

    def show_goal(self, goal: Array) -> None:
        """Show the goal ``(g,)`` of the run [units of the goal space]."""
        self._scene.show_goal(goal)

    def say(self, line: str) -> None:
        """Show one line in the upper edge, where nothing more urgent stands there."""
        self._show_bar(line=line)

    def show_status(self, stopped: bool, warning: str) -> None:
        """Show at once whether the stop is latched and what is to be known before any other."""
        self._show_bar(stopped=stopped, warning=warning)

    def show_stopped(self, stopped: bool) -> None:
        """Show whether the stop is latched."""
        self._show_bar(stopped=stopped)

    def _show_bar(self, **changes: str | bool) -> None:
        with self._lock:
            self._bar = self._bar | changes
            line = str(self._bar["warning"] or self._bar["line"])
            self._gate.show(BarState(line, bool(self._bar["stopped"])))

    def _offer(self) -> None:
        """Offer the motions of the trials, and first the one that waits for a person."""
        clips = dict(self._clips)
        if self._asked is not None:
            clips = {PROPOSED: Clip(self._asked, None)} | clips
        self._playback.offer(clips, next(iter(clips), ""))
        if self._subject.live:  # a motion of the past is looked at when somebody asks for it
            self._ghost.show(False)

    def _place(self, name: str, q: Array | None, seen: Array | None) -> None:
        """Put the arm of a motion at ``q``: a ghost beside an arm that is shown as it is, or was.

        Args:
            name: of the motion.
            q: ``(n,)`` [rad] as commanded; None = not known.
            seen: ``(n,)`` [rad] as recorded; None = not known.
        """
        beside = self._subject.live or self._question is not None
        if seen is not None and not beside:
            self._arm.place(seen)
            beside = True
        if q is None:
            self._ghost.show(False)
        elif name == PROPOSED:
            self._proposal.arm.place(q)
            self._ghost.show(False)
        elif beside:
            self._ghost.place(q)
            self._ghost.show(True)
        else:
            self._arm.place(q)

    def _move_object(self, position: Array) -> None:
        """Put the object where a motion has it; one that is shown as it is stays there."""
        if not self._subject.live:
            self._scene.move_object(position)

    def _look_at(self, start: Array) -> None:
        """Let pages begin with a look at the arm and the object from the side."""
        arm = self._subject.arm
        points = np.stack([*arm.links(arm.home)[:, :3, 3], arm.tool_pose(arm.home)[0], start])
        low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
        middle, size = 0.5 * (low + high), float(np.linalg.norm(high - low))
        camera = self._gate.server.initial_camera
        camera.look_at = tuple(middle)
        camera.position = tuple(middle + max(size, 0.5) * np.array([0.85, -1.0, 0.6]))


def progress_line(trials: Sequence[Trial], budget: int = 0) -> str:
    """Return the verdict on the trials so far, and how many of a budget they are."""
    if not trials:
        return "no trial yet"
    of = f" of {budget}" if budget else ""
    return f"{verdict(trials)} {len(trials)}{of} trial{'s' if max(len(trials), budget) > 1 else ''}"
