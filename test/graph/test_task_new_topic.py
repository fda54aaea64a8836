"""`icpi task new` from a live topic: recorded until the arm has moved and rests again."""

import contextlib
import sys
from pathlib import Path

import numpy as np
import pytest
import warm
import yaml

from icpi_ros.motion.demonstration import read_csv, write_csv
from icpi_ros.motion.demonstration.demonstration import demonstration_of
from icpi_ros.robots import find_arm
from icpi_ros.testing.demonstrations import pushed

HERE = Path(__file__).parent
ARM = find_arm("ur5e")
SHOWN = pushed(ARM, 2)
PATIENT = """
import sys
from icpi_ros.cli.main import main
from icpi_ros.ros.clients import joint_client
joint_client.STATE_TIMEOUT = float(sys.argv.pop(1))  # that two processes meet may take seconds
sys.exit(main())
"""


def icpi(patience, *words):
    return warm.run([sys.executable, "-c", PATIENT, patience, "task", "new", *words])


@contextlib.contextmanager
def guided_arm(folder, topic):
    write_csv(folder / "shown.csv", SHOWN)
    process = warm.Popen([sys.executable, HERE / "joint_publisher.py", folder / "shown.csv", topic])
    try:
        yield
    finally:
        process.kill()
        process.wait(120)


def test_a_shown_motion_becomes_a_task(observer, tmp_path):
    with guided_arm(tmp_path, "/guided/joint_states"):
        done = icpi(
            "120", "shove", "--topic", "/guided/joint_states", "--parameters", "speed",
            "--out", tmp_path / "new", "--timeout", "120",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    task = yaml.safe_load((tmp_path / "new" / "shove.yaml").read_text())
    assert task["motion"]["demonstration"] == "shove.csv"
    found = demonstration_of([read_csv(tmp_path / "new" / "shove.csv", ARM)], ARM)
    shown = demonstration_of([SHOWN], ARM)
    assert found.length == pytest.approx(shown.length, abs=0.003)
    ends = [ARM.tool_pose(one.positions[[0, -1]])[0] for one in (found, shown)]
    np.testing.assert_allclose(*ends, atol=0.003)


def test_a_topic_without_joint_states_is_one_line(observer, tmp_path):
    done = icpi("1", "shove", "--topic", "/nowhere", "--out", tmp_path)
    assert done.returncode == 1
    assert "no joint state of arm ur5e on /nowhere" in done.stderr
    assert "joint states are on no topic" in done.stderr
    assert not list(tmp_path.iterdir())
