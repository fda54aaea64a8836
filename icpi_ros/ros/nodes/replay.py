"""Node ``replay``: plays a bag into perception, and publishes what an improver would propose now.

In: ``object_trajectory`` as perception cuts it from what is played, ``recorded/trials``.  Out:
the bag's sensors, trial windows and ``/clock``; ``trials`` with error and cost of what is seen
now; ``proposals`` for the trial after each.  Nothing is ever executed: there is no executor, no
action, and recorded motions only appear under ``recorded/``.

With ``player`` false it plays nothing: stock ``ros2 bag play --clock`` does.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from icpi_msgs.msg import ObjectTrajectory as PathMsg
from icpi_msgs.msg import Proposal as ProposalMsg
from icpi_msgs.msg import Trial as TrialMsg
from icpi_ros.bags.parameters import recorded_setup
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.topics import read_mapping
from icpi_ros.bags.trial_message import trial_from
from icpi_ros.bags.trials import split_id
from icpi_ros.core.errors import BudgetSpent, IcpiError, ObservationMissing
from icpi_ros.core.types import TrialStatus
from icpi_ros.core.units import millimetres
from icpi_ros.improvers import IMPROVERS
from icpi_ros.improvers.options import parse_options
from icpi_ros.learn.dataset.dataset import check_arm, load
from icpi_ros.learn.dataset.mixing import ArmId
from icpi_ros.ros.bags.player import PREFIX, Player
from icpi_ros.ros.base import convert, diagnostics, qos
from icpi_ros.ros.base.parameters import declare
from icpi_ros.ros.base.spin import IcpiNode, run
from icpi_ros.ros.base.topics import OBJECT_TRAJECTORY, PROPOSALS, TRIALS
from icpi_ros.runs.run import Run
from icpi_ros.runs.setup import MAX_BUDGET, find_examples
from icpi_ros.tasks import TASKS

MAX_WAITING = 64
"""Paths and trials that may wait for each other, and trials for the improver."""

Key = tuple[str, int]


class Replay(IcpiNode):
    """Node that replays a bag; improvers are asked in a thread of their own."""

    def __init__(self) -> None:
        """Open the bag and the topics, and begin to play once perception listens."""
        super().__init__("replay")
        values = declare(self, "replay")
        names = ("model", "base_url", "key_variable")
        named = {name: values[name] for name in names if values[name]}
        task = TASKS.get(values["task"])
        file = values["dataset"]
        self._task, self._improver = task, values["improver"]
        self._dataset = load(Path(file).expanduser(), task) if file else None
        self._begin = partial(
            Run,
            task,
            improver=values["improver"],
            trials=MAX_BUDGET,
            seed=values["seed"],
            dataset=self._dataset,
            options=parse_options(values["options"])
            | IMPROVERS.get(values["improver"]).taken(named),
            max_step=values["max_step"],
            mix=True,
        )
        self._begin()  # wrong options show before playing
        self._runs: dict[str, Run] = {}
        self._last: dict[str, int] = {}
        self._paths: OrderedDict[Key, PathMsg] = OrderedDict()
        self._waiting: OrderedDict[Key, TrialMsg] = OrderedDict()
        self._work: queue.Queue[tuple[TrialMsg, PathMsg]] = queue.Queue(MAX_WAITING)
        self._seen, self._missed, self._end = 0, 0, threading.Event()
        self._ended = False
        self._trials = self.create_publisher(TrialMsg, TRIALS, qos.RECORD)
        self._proposals = self.create_publisher(ProposalMsg, PROPOSALS, qos.RECORD)
        self.create_subscription(PathMsg, OBJECT_TRAJECTORY, self._on_path, qos.EVENT)
        self.create_subscription(TrialMsg, PREFIX + TRIALS, self._on_trial, qos.RECORD)
        self._thread = threading.Thread(target=self._improve, daemon=True)
        self._thread.start()
        self._player: Player | None = None
        if values["player"]:
            self.hold(self.resolve_topic_name("/clock"), "a clock that is published")
            mapping = read_mapping(Path(values["mapping"])) if values["mapping"] else {}
            bag = Bag(Path(values["bag"]).expanduser(), mapping)
            self._check_examples(bag, values["mix"])
            self._player = Player(self, bag, values["rate"], self._on_end)
            self._player.start()
        diagnostics.Diagnostics(self, self._health)

    def close(self) -> None:
        """End playing and asking."""
        self._end.set()
        if self._player is not None:
            self._player.close()
        self._thread.join(1.0)

    def _check_examples(self, bag: Bag, mix: bool) -> None:
        """Refuse examples of another arm than that of the recording, unless mixing is meant."""
        task, setup = self._task, recorded_setup(bag)
        examples = find_examples(task, self._improver, self._dataset)
        others = check_arm(examples, ArmId.of_way(setup.way(task)), mix or setup.mix)
        if others:
            self.get_logger().info(f"the examples are of arm {others}, as mix allows")

    # --- callbacks ------------------------------------------------------------------------

    def _on_path(self, msg: PathMsg) -> None:
        key = split_id(msg.trial_id)
        self._paths[key] = msg
        self._pair(key)

    def _on_trial(self, msg: TrialMsg) -> None:
        if msg.status != TrialStatus.DONE.value:
            return
        if msg.task != self._task.name:
            self.get_logger().error(
                f"trial {msg.trial} of run {msg.run_id} is of task {msg.task}: start the replay "
                f"with task:={msg.task}"
            )
            return
        key = (msg.run_id, int(msg.trial))
        self._waiting[key] = msg
        self._pair(key)

    def _pair(self, key: Key) -> None:
        if key in self._paths and key in self._waiting:
            try:
                self._work.put_nowait((self._waiting.pop(key), self._paths.pop(key)))
            except queue.Full:
                self._miss(key, "the improver is too slow")
        while len(self._waiting) > MAX_WAITING:
            self._miss(self._waiting.popitem(last=False)[0], "it was not seen")
        while len(self._paths) > MAX_WAITING:
            self._paths.popitem(last=False)

    def _miss(self, key: Key, reason: str) -> None:
        self._missed += 1
        self.get_logger().error(f"run {key[0]} trial {key[1]} is left out: {reason}")

    def _on_end(self) -> None:
        self._ended = True
        self.get_logger().info("the bag has ended; Ctrl-C ends the graph")

    # --- thread of the improver -----------------------------------------------------------

    def _improve(self) -> None:
        while not self._end.is_set():
            try:
                trial, path = self._work.get(timeout=0.1)
            except queue.Empty:
                continue
            try:
                self._redo(trial, path)
            except BudgetSpent as exc:
                self.get_logger().warning(f"run {trial.run_id}: {exc}")
            except IcpiError as exc:
                self._miss((trial.run_id, int(trial.trial)), str(exc))
            except Exception as exc:
                if not self._end.is_set():
                    self.fail(exc)
                return

    def _redo(self, msg: TrialMsg, path: PathMsg) -> None:
        recorded = trial_from(msg)
        if not path.times:
            raise ObservationMissing(path.reason)
        again = self._runs.get(msg.run_id)
        if again is None or recorded.number <= self._last[msg.run_id]:  # or another one of its id
            again = self._begin(goal=np.array(msg.goal))
            self._runs[msg.run_id] = again
        self._last[msg.run_id] = recorded.number
        trajectory = convert.object_trajectory_from(path)
        trial = again.take(recorded, trajectory, note="seen again in a replay")
        task, now = self._task, self.get_clock().now().nanoseconds
        self._seen += 1
        self._trials.publish(convert.trial_msg(now, task, trial))
        self.get_logger().info(
            f"run {msg.run_id} trial {trial.number}: cost {millimetres(trial.cost)} now, "
            f"{millimetres(recorded.cost)} recorded"
        )
        proposed = again.preview(recorded.number + 1)
        named = replace(proposed, origin=replace(proposed.origin, run_id=msg.run_id))
        self._proposals.publish(convert.proposal_msg(task, named))

    def _health(self) -> diagnostics.Health:
        played = 0 if self._player is None else self._player.played
        values = {"messages": str(played), "trials": str(self._seen), "missed": str(self._missed)}
        state = "the bag has ended" if self._ended else "replaying"
        level = diagnostics.WARN if self._missed else diagnostics.OK
        return diagnostics.Health(level, state, values)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run(Replay, argv)


if __name__ == "__main__":
    sys.exit(main())
