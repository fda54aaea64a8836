"""The parts of other people: the files of docs/own_task.md and docs/own_improver.md, and a package.

The package is a real distribution with entry points: a task, an improver and an arm's description.
"""

import re
from contextlib import contextmanager
from pathlib import Path

import pytest
from other_arms import long_arm

from icpi_ros.core import plugins
from icpi_ros.improvers import IMPROVERS
from icpi_ros.robots import ARMS
from icpi_ros.tasks import TASKS

DOCS = Path(__file__).resolve().parents[1] / "docs"
ENTRY_POINTS = """
[icpi_ros.tasks]
push = stranger.push
[icpi_ros.improvers]
nearby = stranger.nearby:Nearby
[icpi_ros.arms]
lab_ur10e = stranger:ARM
"""
ARM_ONLY = "[icpi_ros.arms]\nlab_ur10e = stranger:ARM\n"


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


def install(folder, name="stranger", entry_points=ENTRY_POINTS):
    """Install the package in a folder that stands on the path of imports."""
    package, info = folder / name, folder / f"{name}-1.0.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    write_files(package)
    arm = long_arm(package)
    (package / "__init__.py").write_text(
        f"from pathlib import Path\nARM = Path(__file__).with_name({arm.name!r})\n"
    )
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entry_points)


@contextmanager
def forgotten():
    """Know what comes with icpi_ros in the block, and after it what was known before."""
    with pytest.MonkeyPatch.context() as patch:
        for registry in (TASKS, IMPROVERS, ARMS):
            ours = {n: item for n, item in registry._loaded.items() if n in registry.built_in}
            patch.setattr(registry, "_loaded", ours)
            patch.setitem(vars(registry), "_points", {})
            del vars(registry)["_points"]  # read anew, and as it was after the block
        patch.setattr(plugins, "_loaded", [])
        patch.delenv(plugins.VARIABLE, raising=False)
        yield patch
