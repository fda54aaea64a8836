"""The simulated controller's action, as a client that knows nothing of this project meets it."""

import json
import os
import sys
from pathlib import Path

import pytest
import warm
from action_msgs.msg import GoalStatus

from .controllers import with_control_msgs
from .faulty_arm import graph_of

CLIENT = Path(__file__).with_name("action_client.py")


@pytest.fixture(scope="module")
def answers(tmp_path_factory, domain):
    """What the client got, by scenario."""
    folder = tmp_path_factory.mktemp("action")
    with graph_of(folder, "action", status=False, real_time_factor=1):
        done = warm.run(
            [sys.executable, str(CLIENT)], env={**os.environ, **with_control_msgs()}, timeout=300
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("scenario", ["moving_end", "empty"])
def test_a_goal_that_a_controller_rejects_is_rejected(answers, scenario):
    assert answers[scenario] is False


def test_a_goal_is_reached_and_shown_on_its_way(answers):
    assert answers["done"] == [GoalStatus.STATUS_SUCCEEDED, 0, ""]
    assert answers["feedback"] > 5


def test_a_goal_is_cancelled(answers):
    assert answers["cancelled"][0] == GoalStatus.STATUS_CANCELED


def test_a_new_goal_preempts_the_old_one(answers):
    assert answers["preempted"][:2] == [GoalStatus.STATUS_ABORTED, -1]
    assert answers["preempting"][:2] == [GoalStatus.STATUS_SUCCEEDED, 0]


def test_a_path_tolerance_of_the_goal_is_kept(answers):
    status, code, reason = answers["tight"]
    assert (status, code) == (GoalStatus.STATUS_ABORTED, -4)
    assert "off its path" in reason
