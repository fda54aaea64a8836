"""Which nodes make a graph, and starting them without ROS launch."""
