"""Nodes, one file each, for `ros2 run icpi_ros`."""
