"""The graph of a real arm, with the simulated arm as somebody else's driver."""

import os
import signal
import subprocess
import threading

import pytest
import warm
from sensor_msgs.msg import JointState

from icpi_msgs.msg import OperatorRequest
from icpi_ros.cli.main import main
from icpi_ros.learn.dataset.execution import Backend
from icpi_ros.ros.base import qos
from icpi_ros.ros.base.topics import JOINT_STATES
from icpi_ros.ros.bringup.description import NodeSpec
from icpi_ros.ros.bringup.environment import environment
from icpi_ros.ros.clients.improve_client import Callbacks, ImproveRequest
from icpi_ros.runs.store.store import TrialStore

from .command_line import continue_with, icpi
from .conftest import HANG, NAMESPACE, RunningGraph
from .faulty_arm import begun_in_time
from .person import ASKED

SILENCE = 4.0
ARM = "fr3"
"""Seven joints, so that nothing takes six for granted, and too weak for half of the strikes."""


@pytest.fixture(scope="module")
def real(tmp_path_factory, domain):
    """A real graph beside a driver that, as a real one, tells nothing but joint states."""
    task, arm = "slide", ARM
    folder = tmp_path_factory.mktemp(arm)
    values = {"task": task, "arm": arm, "controller_status": False, "real_time_factor": 2.0}
    driver = warm.Popen(
        NodeSpec("mujoco_arm", f"/{NAMESPACE}", values).command(),
        env=environment(),
        stdout=(folder / "driver.log").open("w"),
        stderr=subprocess.STDOUT,
    )
    # When a motion began is only searched for within 0.1 s where no controller says it: on a busy
    # machine it seems to be off its path.
    nodes = {"executor": {"joint_state_timeout": SILENCE, "tracking_tolerance": 0.5}}
    rules = {
        "nodes": nodes,
        "use_sim_time": "true",
        "arm": arm,
        "mix": "true",  # the shipped examples are those of a UR5e
        "ramp_trials": 1,
        "speed_scale": 1.0,
    }
    try:
        rules["store"] = folder / "trials.sqlite"
        with RunningGraph(folder, graph="real", task=task, ramp_scale=0.9, **rules) as graph:
            graph.driver = driver
            yield graph
    finally:
        driver.send_signal(signal.SIGINT)
        assert driver.wait(HANG) == 0


class Approver(threading.Thread):
    """Approves everything that is asked."""

    def __init__(self, person):
        super().__init__(daemon=True)
        self.person, self.kinds, self.end = person, [], threading.Event()

    def run(self):
        last = None
        while not self.end.wait(0.02):
            waiting = self.person.requests[-1] if self.person.requests else None
            if (
                waiting is None
                or waiting.request_id == last
                or waiting.kind == OperatorRequest.NONE
            ):
                continue
            last = waiting.request_id
            self.kinds.append(waiting.kind)
            assert self.person.decide(waiting, ASKED.APPROVE).accepted


def test_a_run_on_somebody_else_s_arm_with_a_person_beside_it(real, client, person, capsys):
    client.connect(HANG, real.death)
    hand = Approver(person)
    hand.start()
    trials = []

    def run():
        trials.clear()
        hand.kinds.clear()
        request = ImproveRequest("slide", "ridge", budget=2, seed=11)
        return client.improve(request, Callbacks(on_trial=trials.append))

    result = begun_in_time(run)
    hand.end.set()
    hand.join(HANG)
    assert (result.error_code, result.error_msg) == (0, "")
    assert [trial.status.value for trial in trials] == ["done", "done"]
    motion, scene = OperatorRequest.MOTION, OperatorRequest.SCENE
    assert hand.kinds == [motion, scene, motion, scene]
    assert set(real.pids()) == {"perception", "executor", "policy_improver", "viewer"}
    with TrialStore(real.store) as store:
        record = store.run(result.run_id)
    way = record.execution
    assert record.config.dataset_arm == "ur5e"
    assert (way.backend, way.arm, way.namespace) == (Backend.REAL, ARM, f"/{NAMESPACE}")
    assert way.controller == "unknown"  # the policy_improver is not told which one it is
    resumed = ["run", "--resume", result.run_id, "--store", str(real.store)]
    assert main(resumed) == 2
    assert f"on the real graph in namespace /{NAMESPACE} with {ARM}" in capsys.readouterr().err


def test_the_printed_command_goes_on_with_the_real_arm(real, person):
    motion = OperatorRequest.MOTION
    asked = person.requests[-1].request_id if person.requests else None
    given = "run --attach --task slide --improver ridge --trials 1 --seed 11"
    first = icpi([*given.split(), "--namespace", NAMESPACE, "--store", real.store])
    person.decide(person.question(motion, asked), ASKED.REJECT, comment="not yet")
    out, error = first.communicate(timeout=HANG)
    assert (first.returncode, "not yet" in error) == (1, True), error
    hand = Approver(person)
    hand.start()

    def pasted():
        again = icpi(continue_with(out))
        again.error_msg = again.communicate(timeout=HANG)[1]
        return again

    done = begun_in_time(pasted)
    hand.end.set()
    hand.join(HANG)
    assert done.returncode == 0, done.error_msg
    assert motion in hand.kinds  # it was asked again
    with TrialStore(real.store) as store:
        run = next(run for run in store.runs() if run.run_id == continue_with(out)[2])
        assert (run.state, run.execution.backend) == ("finished", Backend.REAL)
        assert set(store.executions(run.run_id)) == {run.execution}
        first, *later = store.trials(run.run_id, all_attempts=True)
        assert all(trial.theta.tolist() == first.theta.tolist() for trial in later)


def moves(state):
    return max(map(abs, state.velocity)) > 0.02


def test_a_driver_that_dies_ends_the_trial_with_the_reason(real, observer, person):
    states = observer.record(JointState, JOINT_STATES, qos.SENSOR)
    _, result = observer.start([0.8, 0.0], trial_id="dead/0")
    asked = person.question(OperatorRequest.MOTION)
    states.clear()
    person.decide(asked)
    # A phase is announced before its motion is sent: the arm itself says that it was.
    observer.wait(lambda: result.done() or any(map(moves, states)), "a moving arm")
    os.kill(real.driver.pid, signal.SIGSTOP)
    try:
        answer = observer.reply(result).result
    finally:
        os.kill(real.driver.pid, signal.SIGCONT)
    assert f"no joint state for {SILENCE:g} s" in answer.error_msg
    assert "not seen to stand" in answer.error_msg
