"""Defaults of the executor that protect people beside an arm; a simulated graph has others."""

from icpi_ros.settings.table import ARGUMENTS

CAREFUL = {setting.name: setting.default for setting in ARGUMENTS if setting.loosened_by}
