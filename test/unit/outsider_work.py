"""Work for other processes, which import this file and not all that a test needs."""

import numpy as np

from icpi_ros.core.types import ObjectTrajectory
from icpi_ros.tasks import TASKS


def error_of(item):
    """The error of an outsider's task, which is looked up where the work is done."""
    task = TASKS.get("push")
    return float(task.error(ObjectTrajectory(np.zeros(1), np.full((1, 3), item)), np.zeros(1))[0])


def cost_of(task, item):
    return task.cost(np.array([float(item)]))
