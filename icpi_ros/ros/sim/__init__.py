"""Simulated arm, controller and cameras as ROS nodes."""
