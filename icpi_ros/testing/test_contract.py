"""``pytest --pyargs icpi_ros.testing``: what installed packages and $ICPI_PLUGINS add."""

from __future__ import annotations

import pytest

from icpi_ros.core.plugins import load_all
from icpi_ros.testing.contract import ContractCheck, checks

load_all()


@pytest.mark.parametrize("check", tuple(checks()), ids=lambda check: f"{check.part}: {check.what}")
def test_contract(check: ContractCheck) -> None:
    """Every part from outside does what those that come with the package do."""
    check.run()
