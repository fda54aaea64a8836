"""Contract of the parts that installed packages and $ICPI_PLUGINS add, for pytest --pyargs."""

from __future__ import annotations

import pytest

from icpi_ros.core.plugins import load_all
from icpi_ros.testing.contract import ContractCheck, checks

load_all()


@pytest.mark.parametrize("check", tuple(checks()), ids=lambda check: f"{check.part}: {check.what}")
def test_contract(check: ContractCheck) -> None:
    """Every part from outside passes the checks of those that come with the package."""
    check.run()
