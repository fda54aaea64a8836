"""Description of the graph and its processes; imports no ROS but for the launch file."""
