"""Interface packages on the wheels route: built once per content, copied to where they belong."""

from __future__ import annotations

import shutil
from pathlib import Path

from setup_steps import Steps, digest

TOOLS = Path(__file__).resolve().parent
BUILDER = TOOLS / "build_interfaces.py"
LOCK = TOOLS.parent / "requirements" / "ros.txt"
STAND_INS = ("control_msgs", "tf2_msgs")
"""The tests' stand-ins for ROS 2's own: each goes into a prefix of its own, which only nodes of the
tests get to see."""
INTERFACES = {"icpi_msgs": "icpi_msgs", **{name: f"test/stand_ins/{name}" for name in STAND_INS}}
"""Name and folder."""


class Interfaces:
    """One interface package.

    Args:
        source: its folder.
        interpreter: version and place of the Python that it is built for.
    """

    def __init__(self, source: Path, interpreter: str) -> None:
        """Take the key from everything that the build depends on."""
        self._source = source
        files = sorted(path for path in source.rglob("*") if path.is_file())
        self.key = digest([*files, BUILDER, LOCK], interpreter)
        self._count = sum(path.suffix in (".action", ".msg", ".srv") for path in files)

    def provide(self, steps: Steps, venv: Path) -> None:
        """Build the package unless the same was built before, and put it into place."""
        name = self._source.name
        built = steps.state / "interfaces" / f"{name}-{self.key}"
        if built.exists():
            steps.say(f"{name}: {self._count} interfaces, unchanged since they were built")
        else:
            with steps.step(name, f"building {self._count} interfaces for rclpy") as found:
                draft = built.with_name(f"{name}-draft")
                python = str(venv / "bin" / "python")
                steps.run(name, [python, str(BUILDER), str(self._source), str(draft)])
                draft.rename(built)  # whole or not at all
                size = sum(path.stat().st_size for path in built.rglob("*") if path.is_file())
                found.append(f"{size / 1e6:.1f} MB")
        if name in STAND_INS:
            link = steps.state / name
            _remove(link)
            link.symlink_to(built, target_is_directory=True)
            return
        for old in [*venv.glob(f"lib/python3*/site-packages/{name}"), venv / "share" / name]:
            _remove(old)
        shutil.copytree(built, venv, dirs_exist_ok=True)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
