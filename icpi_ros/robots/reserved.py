"""Names of the arms that come with the package: no other file may describe an arm by one.

A limits file, a log or a trial that says ``ur5e`` must mean that arm, not one with its name.
"""

from __future__ import annotations

import contextlib
from functools import cache

from icpi_ros.core.errors import DescriptionError, Kind, Refusal
from icpi_ros.core.resources import share_path
from icpi_ros.core.yaml_files import parse_yaml, read_text
from icpi_ros.robots import ARMS
from icpi_ros.robots.description.fields import ARM_FILE
from icpi_ros.robots.hashed_file import HashedFile


def check_name(name: str, file: HashedFile) -> None:
    """Refuse a description whose name belongs to an arm of the package.

    The package's own files keep theirs, and so does a copy of one, byte for byte.

    Raises:
        DescriptionError: the name is taken; the message lists the names that are.
    """
    shipped = _shipped()
    taken = {*ARMS.built_in, *shipped}
    if name in taken and shipped.get(name) != file.sha256:
        text = (
            f"{file.path}: name is {name!r}: must be another than those of the arms that come with "
            f"icpi_ros, {', '.join(sorted(taken))}, for example {name}_lab"
        )
        raise DescriptionError(Refusal(text, Kind.DUPLICATE, "name", value=name, field="name"))


@cache
def _shipped() -> dict[str, str]:
    """Return the names of the arms in ``config/arms`` with the hashes of their files."""
    found = {}
    for path in sorted(share_path("config", "arms").glob("*.y*ml")):
        with contextlib.suppress(DescriptionError):  # somebody else's file, or a draft
            text = read_text(path, ARM_FILE)
            content = parse_yaml(text, path, ARM_FILE)
            if isinstance(content, dict) and isinstance(name := content.get("name"), str):
                found[name] = HashedFile.of(path, text.encode()).sha256
    return found
