"""Every registered arm must pass these; what each checks stands in icpi_ros/testing/arms.py."""

import pytest

from icpi_ros.robots import ARMS
from icpi_ros.testing import arms


@pytest.mark.parametrize("name", ARMS.built_in)
@pytest.mark.parametrize("check", arms.CHECKS, ids=lambda check: check.__name__)
def test_contract(name, check):
    check(ARMS.get(name))
