"""launch/sim_launch.py under the real ROS 2 launch; test/graph covers the same without it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

launch_pytest = pytest.importorskip("launch_pytest")
pytest.importorskip("launch_ros")

from ament_index_python.packages import PackageNotFoundError, get_package_prefix  # noqa: E402
from launch.actions import IncludeLaunchDescription  # noqa: E402
from launch.launch_description_sources import PythonLaunchDescriptionSource  # noqa: E402
from launch_pytest.actions import ReadyToTest  # noqa: E402
from own_domain import own_domain  # noqa: E402

from icpi_ros.core.resources import share_path  # noqa: E402
from icpi_ros.ros.bringup.description import GRAPHS, graph  # noqa: E402
from launch import LaunchDescription  # noqa: E402

LAUNCH_FILE = share_path("launch", "sim_launch.py")
NODES = {s.executable for n in GRAPHS for s in graph(n, {"bag": "b"} if n == "replay" else {})}
LIMIT = 60.0
SCRIPT = """\
#!/bin/sh
exec {python} -m icpi_ros.ros.nodes.{name} "$@"
"""
"""What stands for an installed executable; the node keeps the pid."""


@pytest.fixture(scope="module", autouse=True)
def installed(tmp_path_factory):
    """The package where launch looks for it: in the ament index, or in one of the test."""
    try:
        get_package_prefix("icpi_ros")
    except (PackageNotFoundError, OSError):  # OSError: no AMENT_PREFIX_PATH
        prefix = tmp_path_factory.mktemp("prefix")
    else:
        yield
        return
    marker = prefix / "share/ament_index/resource_index/packages/icpi_ros"
    marker.parent.mkdir(parents=True)
    marker.touch()
    folder = prefix / "lib/icpi_ros"
    folder.mkdir(parents=True)
    for name in NODES:
        script = folder / name
        script.write_text(SCRIPT.format(python=sys.executable, name=name))
        script.chmod(0o755)
    before = os.environ.get("AMENT_PREFIX_PATH")
    paths = [str(prefix), *filter(None, [before])]
    os.environ["AMENT_PREFIX_PATH"] = os.pathsep.join(paths)
    yield
    del os.environ["AMENT_PREFIX_PATH"]
    if before is not None:
        os.environ["AMENT_PREFIX_PATH"] = before


@pytest.fixture(scope="module")
def domain():
    yield from own_domain()


@launch_pytest.fixture
def sim(domain, tmp_path):
    source = PythonLaunchDescriptionSource(str(LAUNCH_FILE))
    arguments = {"namespace": "launched", "real_time_factor": "0", "store": str(tmp_path / "t.db")}
    included = IncludeLaunchDescription(source, launch_arguments=arguments.items())
    return LaunchDescription([included, ReadyToTest()])


@pytest.mark.launch(fixture=sim)
def test_the_launched_graph_carries_out_a_run():
    from icpi_ros.ros.clients.improve_client import ImproveClient, ImproveRequest

    with ImproveClient("launched") as client:
        client.connect(30.0)
        result = client.improve(ImproveRequest("slide", budget=2, seed=3))
    assert (result.error_code, result.error_msg, result.trials) == (0, "", 2)


@pytest.mark.parametrize("name", ["sim", "real", "replay"])
def test_the_launch_file_declares_the_arguments_of_the_description(name):
    file = share_path("launch", f"{name}_launch.py")
    source = PythonLaunchDescriptionSource(str(file))
    description = source.try_get_launch_description_without_context()
    declared = {a.name: a for a in description.get_launch_arguments()}
    assert list(declared) == [argument.name for argument in GRAPHS[name]]
    assert all(declared[a.name].description.startswith(a.description) for a in GRAPHS[name])


LAUNCHER = """\
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
file, *given = sys.argv[1:]
source = PythonLaunchDescriptionSource(file)
pairs = [tuple(word.split(":=")) for word in given]
service = LaunchService()
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(source, launch_arguments=pairs)])
)
sys.exit(service.run())
"""
"""What `ros2 launch` does."""


def children(pid):
    """Processes whose parent is ``pid``."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            fields = stat.read_text().rsplit(")", 1)[1].split()
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(stat.parent.name))
    return found


def until(condition, what):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"waited {LIMIT} s for {what}"
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("ready", [True, False], ids=["running", "starting"])
def test_no_node_outlives_its_launcher(domain, tmp_path, number, ready):
    given = ["namespace:=ended", "real_time_factor:=0", f"store:={tmp_path / 't.db'}"]
    command = [sys.executable, "-c", LAUNCHER, str(LAUNCH_FILE), *given]
    log = tmp_path / "launch.log"
    with log.open("wb") as out:
        launcher = subprocess.Popen(
            command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        until(lambda: len(children(launcher.pid)) == 4, "four nodes")
        nodes = children(launcher.pid)
        if ready:
            until(lambda: b"simulating slide" in log.read_bytes(), "a running arm")
        launcher.send_signal(number)
        launcher.wait(LIMIT)
        until(lambda: not any(Path(f"/proc/{pid}/fd").exists() for pid in nodes), "their end")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(launcher.pid, signal.SIGKILL)
