"""Thin ROS nodes; the only package here that imports ROS."""
