"""A bag replayed: `ros2 launch icpi_ros replay_launch.py bag:=FOLDER`."""

from icpi_ros.ros.bringup.launch_file import launch_description
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and the nodes."""
    return launch_description("replay")
