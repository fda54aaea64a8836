"""The parts of other people: the files of docs/own_task.md and docs/own_improver.md, and a package.

The package is a real distribution with entry points: a task, an improver and an arm's description.
"""

import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from other_arms import long_arm
from uv import find_uv_bin

from icpi_ros.core import plugins
from icpi_ros.improvers import IMPROVERS
from icpi_ros.perception.sources import SOURCES
from icpi_ros.robots import ARMS
from icpi_ros.tasks import TASKS

DOCS = Path(__file__).resolve().parents[1] / "docs"
PROJECT = """
[build-system]
requires = ["uv_build"]
build-backend = "uv_build"
[project]
name = "{name}"
version = "1.0"
dependencies = ["icpi_ros"]
[tool.uv.build-backend]
module-root = ""
{entry_points}
"""
ENTRY_POINTS = {
    "tasks": {"push": "stranger.push"},
    "improvers": {"nearby": "stranger.nearby:Nearby"},
    "arms": {"lab_ur10e": "stranger:ARM"},
}
OFFLINE = ("--offline", "--no-deps", "--no-build-isolation", "--no-cache", "--quiet")


def block(document, language):
    """Return the one code block of a language in a document."""
    text = (DOCS / document).read_text(encoding="utf-8")
    (found,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return found


def write_files(folder):
    """Write the plug-ins push.py and nearby.py; return their paths."""
    (folder / "push.xml").write_text(block("own_task.md", "xml"), encoding="utf-8")
    (folder / "push.py").write_text(block("own_task.md", "python"), encoding="utf-8")
    (folder / "nearby.py").write_text(block("own_improver.md", "python"), encoding="utf-8")
    return folder / "push.py", folder / "nearby.py"


def write_package(folder, name, entry_points):
    """Write the sources of the package as its author has them."""
    package = folder / name
    package.mkdir(parents=True)
    write_files(package)
    arm = long_arm(package)
    (package / "__init__.py").write_text(
        f"from pathlib import Path\nARM = Path(__file__).with_name({arm.name!r})\n"
    )
    lines = [
        line
        for kind, entries in entry_points.items()
        for line in (
            f'[project.entry-points."icpi_ros.{kind}"]',
            *(f'{entry} = "{value}"' for entry, value in entries.items()),
        )
    ]
    text = PROJECT.format(name=name, entry_points="\n".join(lines))
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")


def install(site, name="stranger", entry_points=ENTRY_POINTS):
    """Build the package from its sources, and install it in a folder on the path of imports.

    uv does what pip does, with a build backend of its own: 0.1 s, and no network.
    """
    sources = site.parent / f"{site.name}-{name}-sources"
    write_package(sources, name, entry_points)
    command = [find_uv_bin(), "pip", "install", *OFFLINE, "--python", sys.executable]
    subprocess.run([*command, "--target", site, sources], check=True)


@contextmanager
def forgotten():
    """Know what comes with icpi_ros in the block, and after it what was known before."""
    with pytest.MonkeyPatch.context() as patch:
        for registry in (TASKS, IMPROVERS, ARMS, SOURCES):
            ours = {n: item for n, item in registry._loaded.items() if n in registry.built_in}
            patch.setattr(registry, "_loaded", ours)
            patch.setitem(vars(registry), "_points", {})
            del vars(registry)["_points"]  # read anew, and as it was after the block
        patch.setattr(plugins, "_loaded", [])
        patch.delenv(plugins.VARIABLE, raising=False)
        yield patch
