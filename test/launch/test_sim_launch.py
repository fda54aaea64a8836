"""launch/sim_launch.py under the real ROS 2 launch; test/graph covers the same without it."""

import os

import pytest

launch_pytest = pytest.importorskip("launch_pytest")
pytest.importorskip("launch_ros")

from ament_index_python.packages import PackageNotFoundError, get_package_prefix  # noqa: E402
from launch.actions import IncludeLaunchDescription  # noqa: E402
from launch.launch_description_sources import PythonLaunchDescriptionSource  # noqa: E402
from launch_pytest.actions import ReadyToTest  # noqa: E402

from icpi_ros.graph.description import GRAPHS  # noqa: E402
from icpi_ros.graph.instance import reserve_domain  # noqa: E402
from icpi_ros.graph.processes import environment  # noqa: E402
from icpi_ros.resources import share_path  # noqa: E402
from launch import LaunchDescription  # noqa: E402

LAUNCH_FILE = share_path("launch", "sim_launch.py")
try:
    get_package_prefix("icpi_ros")
except (PackageNotFoundError, OSError):  # OSError: no AMENT_PREFIX_PATH
    pytest.skip("icpi_ros is not in the ament index: colcon build it", allow_module_level=True)


@pytest.fixture(scope="module")
def domain():
    number, held = reserve_domain()
    os.environ.update(environment())
    os.environ["ROS_DOMAIN_ID"] = str(number)
    yield number
    held.release()


@launch_pytest.fixture
def sim(domain, tmp_path):
    source = PythonLaunchDescriptionSource(str(LAUNCH_FILE))
    arguments = {"namespace": "launched", "real_time_factor": "0", "store": str(tmp_path / "t.db")}
    included = IncludeLaunchDescription(source, launch_arguments=arguments.items())
    return LaunchDescription([included, ReadyToTest()])


@pytest.mark.launch(fixture=sim)
def test_the_launched_graph_carries_out_a_run():
    from icpi_ros.nodes.improve_client import ImproveClient, Request

    with ImproveClient("launched") as client:
        client.connect(30.0)
        result = client.improve(Request("slide", budget=2, seed=3))
    assert (result.error_code, result.error_msg, result.trials) == (0, "", 2)


@pytest.mark.parametrize("name", ["sim", "real", "replay"])
def test_the_launch_file_declares_the_arguments_of_the_description(name):
    file = share_path("launch", f"{name}_launch.py")
    source = PythonLaunchDescriptionSource(str(file))
    description = source.try_get_launch_description_without_context()
    declared = {a.name: a for a in description.get_launch_arguments()}
    assert list(declared) == [argument.name for argument in GRAPHS[name]]
    assert all(declared[a.name].description.startswith(a.description) for a in GRAPHS[name])
