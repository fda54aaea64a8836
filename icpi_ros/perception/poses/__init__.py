"""Poses of tracking systems: what their messages mean, and when they are no measurement; no ROS."""
