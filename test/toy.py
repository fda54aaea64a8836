"""The improvers' playground, by the name that tests know it by."""

from icpi_ros.testing.toy import *  # noqa: F403
