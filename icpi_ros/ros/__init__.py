"""ROS graph: nodes, ports, clients; the one room that imports ROS."""
