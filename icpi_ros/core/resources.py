"""Paths of the shared files that are not Python code: scenes, launch files, configuration."""

from __future__ import annotations

from pathlib import Path

from icpi_ros.core.errors import IcpiError

FOLDERS = ("launch", "config", "sim", "icpi_msgs/msg")


def share_path(*parts: str) -> Path:
    """Return the path of a shared file, for example ``share_path("sim", "slide.xml")``.

    Looks in the source checkout that holds this package, then in ``share/icpi_ros`` of every
    prefix above it (a virtual environment, a colcon install space).

    Args:
        *parts: folder, one of :data:`FOLDERS`, and file name below it.

    Raises:
        IcpiError: no such file; the message names it and the places that were searched.
    """
    return find_shared(Path(__file__).resolve().parents[1], *parts)


def find_shared(package: Path, *parts: str) -> Path:
    """Return the shared file ``parts`` that belongs to the package folder ``package``."""
    roots = _roots(package)
    for root in roots:
        candidate = root.joinpath(*parts)
        if candidate.exists():
            return candidate
    wanted = "/".join(parts)
    searched = ", ".join(str(root) for root in roots) or "nothing"
    raise IcpiError(
        f"cannot find {wanted} of icpi_ros: looked below {searched}; "
        "run `make setup` in a checkout or install the package again"
    )


def _roots(package: Path) -> list[Path]:
    """Return the existing folders that may hold the shared files, nearest first."""
    checkout = package.parent
    roots = [checkout] if (checkout / "package.xml").is_file() else []
    # colcon --symlink-install and editable installs resolve to a checkout (or to build/<package>,
    # which links to it); everything else has a prefix somewhere above site-packages.
    roots += [above / "share" / "icpi_ros" for above in package.parents]
    return [root for root in roots if root.is_dir()]
