"""The simulated graph for `ros2 launch icpi_ros sim_launch.py`; see icpi_ros.graph.description."""

from launch.actions import DeclareLaunchArgument, EmitEvent, OpaqueFunction
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from icpi_ros.graph.description import PACKAGE, SIM_ARGUMENTS, sim_graph
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity


def nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Turn the description into launch actions; one dead node ends the graph."""
    values = {a.name: LaunchConfiguration(a.name).perform(context) for a in SIM_ARGUMENTS}
    return [
        Node(
            package=PACKAGE,
            executable=spec.executable,
            name=spec.name,
            namespace=spec.namespace,
            parameters=[dict(spec.parameters), *([spec.params_file] if spec.params_file else [])],
            remappings=list(spec.remappings),
            arguments=["--ros-args", "--log-level", spec.log_level],
            output="screen",
            on_exit=EmitEvent(event=Shutdown(reason=f"node {spec.name} ended")),
        )
        for spec in sim_graph(values)
    ]


def generate_launch_description() -> LaunchDescription:
    """Declare the arguments of the description and start its nodes."""
    declared = [
        DeclareLaunchArgument(
            a.name, default_value=a.default, description=a.description, choices=a.choices or None
        )
        for a in SIM_ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=nodes)])
