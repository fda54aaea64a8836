"""In-Context Policy Improvement (ICPI, arXiv 2508.15021) for ROS 2.

The package root imports nothing heavy: import the module that you need.
"""

__version__ = "0.1.0"
