"""The simulated graph: `ros2 launch icpi_ros sim_launch.py`; see ros/bringup/description.py."""

from icpi_ros.ros.bringup.launch_file import launch_description
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and the nodes."""
    return launch_description("sim")
