"""Picture of a run: cost of every trial, path of the object, and the last millimetres."""

from icpi_ros.runs.picture.costs import draw_costs
from icpi_ros.runs.picture.figure import draw
from icpi_ros.runs.picture.goal import draw_goal, near_goal
from icpi_ros.runs.picture.paths import draw_paths

__all__ = ["draw", "draw_costs", "draw_goal", "draw_paths", "near_goal"]
