"""The graph around a real arm: `ros2 launch icpi_ros real_launch.py`; see docs/real_robot.md."""

from icpi_ros.ros.bringup.launch_file import launch_description
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and the nodes."""
    return launch_description("real")
