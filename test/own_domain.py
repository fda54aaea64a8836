"""A ROS domain that no other test process has; from here on the environment names it."""

import os

from icpi_ros.ros.bringup.environment import environment
from icpi_ros.ros.bringup.instance import reserve_domain


def own_domain():
    """Yield its number; the body of a fixture."""
    number, held = reserve_domain()
    os.environ.update(environment())
    os.environ["ROS_DOMAIN_ID"] = str(number)
    yield number
    held.release()
