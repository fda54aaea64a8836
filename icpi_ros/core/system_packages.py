"""Needs of the operating system: probes for them, and the apt packages that provide them.

The one place for apt package names; used by :mod:`icpi_ros.cli.doctor` and by
``tools/setup_env.py``, which runs before anything is installed: standard library only.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import sys
import sysconfig
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class SystemNeed:
    """One thing that the operating system must provide.

    Attributes:
        name: short name, as `icpi doctor` shows it.
        packages: Debian and Ubuntu packages that provide it.
        reason: purpose of it.
        required: False if only some functions need it.
        present: probe; True if it is there.
    """

    name: str
    packages: tuple[str, ...]
    reason: str
    required: bool
    present: Callable[[], bool]


def compiler() -> str | None:
    """Return the path of a C++ compiler, or None."""
    chosen = os.environ.get("CXX", "").split(" ")[0]
    candidates = (chosen, "c++", "g++", "clang++")
    return next((path for name in candidates if name and (path := shutil.which(name))), None)


def browser() -> str | None:
    """Return the path of a Chromium, or None."""
    candidates = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in candidates if (path := shutil.which(name))), None)


def python_header() -> Path:
    """Return the path at which Python.h of the running interpreter should be."""
    return Path(sysconfig.get_path("include")) / "Python.h"


def egl_loads() -> bool:
    """Return whether the libraries for rendering without a display can be loaded."""
    return _loads("libEGL.so.1") and (_loads("libOpenGL.so.0") or _loads("libGL.so.1"))


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _has_venv() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in ("venv", "ensurepip"))


COMPILER = SystemNeed(
    "C++ compiler", ("g++",), "builds icpi_msgs", True, lambda: compiler() is not None
)
HEADERS = SystemNeed(
    "Python headers",
    (f"{PYTHON}-dev",),
    "builds icpi_msgs",
    True,
    lambda: python_header().is_file(),
)
VENV = SystemNeed("venv", (f"{PYTHON}-venv",), "makes .venv", True, _has_venv)
EGL = SystemNeed(
    "EGL",
    ("libegl1", "libgl1", "libopengl0", "libgl1-mesa-dri"),
    "renders camera images without a display",
    False,
    egl_loads,
)
CHROMIUM = SystemNeed(
    "Chromium",
    ("chromium",),
    "tests and measures the live page",
    False,
    lambda: browser() is not None,
)
"""Only for `make test-browser` and `icpi bench view`: no set-up installs it, no user needs it."""
NEEDS = (COMPILER, HEADERS, VENV, EGL)
STOCK_PACKAGES = ("python3-rosdep", "python3-colcon-common-extensions")
"""Tools that the route with stock ROS 2 needs besides ROS 2 itself."""


def missing(needs: Iterable[SystemNeed] = NEEDS) -> list[SystemNeed]:
    """Return the needs that the probes do not find."""
    return [need for need in needs if not need.present()]


def apt_command(packages: Iterable[str], root: bool | None = None) -> str:
    """Return the shell command that installs ``packages``; with sudo unless ``root``."""
    if root is None:
        root = os.geteuid() == 0
    sudo = "" if root else "sudo "
    return f"{sudo}apt-get update && {sudo}apt-get install -y {' '.join(packages)}"
