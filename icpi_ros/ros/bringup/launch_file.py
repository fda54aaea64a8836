"""Launch description of a graph, made from its description; imported by launch files alone."""

from __future__ import annotations

import os

from launch.actions import DeclareLaunchArgument, EmitEvent, ExecuteProcess, OpaqueFunction
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from icpi_ros.ros.bringup import parent
from icpi_ros.ros.bringup.description import GRAPHS, PACKAGE, page_command
from icpi_ros.ros.bringup.files import checked_graph
from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity


def launch_description(name: str) -> LaunchDescription:
    """Declare the arguments of graph ``name`` and start its nodes; one dead node ends it.

    Nodes end with the process that launches them, as under `icpi up`, however it ends: a launcher
    that is asked to end while it starts them, or that is killed, passes nothing on.
    """
    given: dict[str, str] = {}

    def note(context: LaunchContext) -> None:
        """Note what the user gave, before the arguments are declared and get their defaults."""
        given.clear()
        for argument in GRAPHS[name]:
            if argument.name in context.launch_configurations:
                given[argument.name] = LaunchConfiguration(argument.name).perform(context)

    def nodes(context: LaunchContext) -> list[LaunchDescriptionEntity]:
        specs = checked_graph(name, given)
        page = page_command(name, given)
        beside = {parent.VARIABLE: str(os.getpid())}
        return [
            *([ExecuteProcess(cmd=page, additional_env=beside, output="screen")] if page else []),
        ] + [
            Node(
                package=PACKAGE,
                executable=spec.executable,
                name=spec.name,
                namespace=spec.namespace,
                parameters=[
                    dict(spec.parameters),
                    *([spec.params_file] if spec.params_file else []),
                ],
                remappings=list(spec.remappings),
                arguments=["--ros-args", "--log-level", spec.log_level],
                additional_env=beside,
                output="screen",
                on_exit=EmitEvent(event=Shutdown(reason=f"node {spec.name} ended")),
            )
            for spec in specs
        ]

    declared = [
        DeclareLaunchArgument(
            a.name,
            default_value=a.default,
            description=a.description,
            choices=a.choices if isinstance(a.choices, tuple) and a.choices else None,
        )
        for a in GRAPHS[name]  # names that a plug-in may add are checked once it is loaded
    ]
    return LaunchDescription(
        [OpaqueFunction(function=note), *declared, OpaqueFunction(function=nodes)]
    )
