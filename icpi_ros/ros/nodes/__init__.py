"""Nodes, one file each: what `ros2 run icpi_ros` starts."""
