"""Settings: ROS parameters, launch arguments, options of commands and RunConfig, from one table."""
