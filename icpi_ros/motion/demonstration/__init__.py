"""Motions from demonstrations: recordings of joints, their geometry, families of motions."""

from icpi_ros.motion.demonstration.family import DemonstratedMotion
from icpi_ros.motion.demonstration.recording_file import read_csv, write_csv

__all__ = ["DemonstratedMotion", "read_csv", "write_csv"]
