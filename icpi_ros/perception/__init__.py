"""Object paths from images and poses, without ROS: detection, tracking, calibration."""
