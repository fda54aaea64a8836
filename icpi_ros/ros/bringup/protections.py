"""Protections of an arm beside which people stand."""

from __future__ import annotations

from collections.abc import Mapping

from icpi_ros.settings.table import ARGUMENTS

CAREFUL: Mapping[str, bool | int | float | str] = {
    setting.name: setting.default for setting in ARGUMENTS if setting.loosened_by
}
"""Defaults of the executor's own parameters; a simulated graph gives it others."""
