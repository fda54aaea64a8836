"""Calibration of camera and table."""
