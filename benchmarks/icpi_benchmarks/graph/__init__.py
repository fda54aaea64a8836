"""Measurements on a running ROS graph."""
