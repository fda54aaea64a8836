"""docs/arms.md: its example is a sound arm that can be simulated and strikes."""

import re
from pathlib import Path

import numpy as np
import pytest

from icpi_ros.robots import find_arm
from icpi_ros.robots.arm_check import check_arm
from icpi_ros.sim.world import World
from icpi_ros.tasks.reach import reach
from icpi_ros.tasks.slide import SLIDE

DOC = Path(__file__).resolve().parents[2] / "docs" / "arms.md"


@pytest.fixture(scope="module")
def arm(tmp_path_factory):
    (text,) = re.findall(r"```yaml\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path_factory.mktemp("doc") / "my_arm.yaml"
    file.write_text(text, encoding="utf-8")
    return find_arm(str(file))


def test_the_example_is_sound(arm):
    assert [finding for finding in check_arm(arm) if not finding.sound] == []


def test_the_example_can_do_strokes_and_be_simulated(arm):
    assert reach(SLIDE, arm, 5).possible > 5
    world = World(SLIDE, arm, np.array([0.2, 0.2, 0.0]))
    np.testing.assert_allclose(world.data.site("tool").xpos, arm.tool_pose(arm.home)[0], atol=1e-9)
