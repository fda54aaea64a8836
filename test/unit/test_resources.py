"""Shared files are found in a checkout, in a virtual environment and in an install space."""

import pytest

from icpi_ros.core.errors import IcpiError
from icpi_ros.core.resources import find_shared, share_path


def test_a_scene_of_this_checkout():
    assert share_path("sim", "slide.xml").is_file()


def test_a_missing_file_is_named():
    with pytest.raises(IcpiError, match=r"cannot find sim/nothing\.xml"):
        share_path("sim", "nothing.xml")


@pytest.mark.parametrize(
    "library", ["lib/python3.11/site-packages", "local/lib/python3.12/dist-packages"]
)
def test_an_installed_prefix(tmp_path, library):
    package = tmp_path / library / "icpi_ros"
    package.mkdir(parents=True)
    scene = tmp_path / "share" / "icpi_ros" / "sim" / "a.xml"
    scene.parent.mkdir(parents=True)
    scene.touch()
    assert find_shared(package, "sim", "a.xml") == scene


def test_a_checkout_wins_over_a_prefix_above_it(tmp_path):
    checkout = tmp_path / "repo"
    for root in (checkout, tmp_path / "share" / "icpi_ros"):
        (root / "sim").mkdir(parents=True)
        (root / "sim" / "a.xml").touch()
    (checkout / "package.xml").touch()
    (checkout / "icpi_ros").mkdir()
    assert find_shared(checkout / "icpi_ros", "sim", "a.xml") == checkout / "sim" / "a.xml"
