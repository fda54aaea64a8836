"""The core runs without ROS; where imports may point, `make lint` says (pyproject.toml)."""

import pkgutil
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import icpi_ros

PACKAGE = Path(icpi_ros.__file__).resolve().parent
ROS = re.compile(
    r"(rclpy|launch|launch_ros|ament_index_python|ros2\w*|tf2_ros|\w+_(msgs|srvs|interfaces))$"
)
BRINGUP = re.compile(r"icpi_ros\.ros\.bringup(\.\w+)?")
LAUNCH = "icpi_ros.ros.bringup.launch_file"

BLOCKED = """
import importlib, re, sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if re.match({pattern!r}, name.split(".")[0]):
            raise ModuleNotFoundError("No module named " + repr(name) + " (blocked)", name=name)
sys.meta_path.insert(0, Blocker())
for name in {modules!r}:
    importlib.import_module(name)
"""


def core_modules() -> list[str]:
    found = pkgutil.walk_packages([str(PACKAGE)], "icpi_ros.", onerror=lambda name: None)
    names = [module.name for module in found]
    return [
        name
        for name in names
        if not name.startswith("icpi_ros.ros.") or (BRINGUP.fullmatch(name) and name != LAUNCH)
    ]


@pytest.mark.slow
def test_every_core_module_imports_where_ros_cannot_be_imported():
    modules = core_modules()
    assert len(modules) > 10
    code = textwrap.dedent(BLOCKED.format(pattern=ROS.pattern, modules=modules))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_package_root_imports_nothing_heavy():
    code = "import sys, icpi_ros; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True
    )
    loaded = set(done.stdout.split())
    assert not loaded & {
        "numpy",
        "scipy",
        "mujoco",
        "matplotlib",
        "pyarrow",
        "openai",
        "rclpy",
        "jinja2",
    }
