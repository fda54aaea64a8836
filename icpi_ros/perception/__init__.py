"""From images to object paths, without ROS: cameras, detection, tracking, calibration."""
