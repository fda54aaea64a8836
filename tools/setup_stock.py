"""The route with stock ROS 2 under /opt/ros: apt by rosdep, the rest by pip, colcon build."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from setup_installer import Installer
from setup_steps import SetupError, Steps

from icpi_ros.core import system_packages as system

PIP_KEYS = ("python3-mujoco-pip", "python3-openai-pip")
"""rosdep keys that `.venv` provides; rosdep would install them into the system with pip."""
HELD_BACK = ("numpy", "scipy", "matplotlib")
"""Packages that ROS 2 and other Python packages of the distribution were built against."""
PYTEST = "pytest<8.4"
"""The newest that starts beside launch_testing, whose plug-in ends 8.4 and later at once."""

LAUNCHER = """\
#!/bin/bash
# Made by tools/setup_env.py: runs icpi inside the colcon overlay, nothing needs to be sourced.
source {ros}/setup.bash
source {install}/local_setup.bash
exec {python} -m icpi_ros.cli.main "$@"
"""


def install_packages(
    steps: Steps, installer: Installer, repo: Path, groups: tuple[str, ...]
) -> None:
    """Install apt packages by rosdep, and what the distribution lacks into `.venv`.

    The distribution's versions count, so what is installed is named, not locked.
    """
    lacking = [name for name in ("rosdep", "colcon") if shutil.which(name) is None]
    if lacking:
        command = system.apt_command(system.STOCK_PACKAGES)
        raise SetupError(f"missing: {', '.join(lacking)}; run `{command}` and then this again")
    _rosdep(steps, repo)
    constraints = _held_back(steps, steps.state / "constraints.txt")
    wanted = [group for group in groups if group != "ros"]
    files = [part for name in wanted for part in ("-r", str(repo / f"requirements/{name}.in"))]
    if wanted == ["weights"]:  # what it depends on would be compiled, and nothing uses it
        files.append("--no-deps")
    with steps.step(" and ".join(wanted), "installing the packages that the distribution lacks"):
        installer.add(steps, "-c", str(constraints), *files)


def _rosdep(steps: Steps, repo: Path) -> None:
    """Install the dependencies of both packages; only root may."""
    paths = ["--from-paths", str(repo), str(repo / "icpi_msgs"), "--ignore-src"]
    options = [*paths, "--rosdistro", "jazzy", f"--skip-keys={' '.join(PIP_KEYS)}"]
    install = ["rosdep", "install", "-y", *options]
    if os.geteuid() == 0:
        steps.say("installing dependencies with rosdep")
        steps.run("rosdep", ["rosdep", "update", "--rosdistro", "jazzy"])
        steps.run("rosdep", install)
        return
    try:
        steps.run("rosdep", ["rosdep", "check", *options])
    except SetupError:
        raise SetupError(
            f"ROS dependencies are missing; run `{shlex.join(install)}` and then this again"
        ) from None


def _held_back(steps: Steps, path: Path) -> Path:
    """Write a constraints file with the distribution's versions, and what works with them."""
    script = (
        "import importlib.metadata as m\n"
        f"for name in {HELD_BACK!r}:\n"
        "    try: print(f'{name}=={m.version(name)}')\n"
        "    except m.PackageNotFoundError: pass\n"
    )
    pins = steps.output(["/usr/bin/python3", "-c", script])
    path.write_text(f"numpy<2\n{PYTEST}\n{pins}\n", encoding="utf-8")
    return path


def build(steps: Steps, repo: Path, venv: Path, ros: Path, check: str) -> None:
    """Build both packages into install/ with the interpreter of `.venv`; write the launcher."""
    with steps.step("packages of ROS", "building icpi_msgs and icpi_ros with colcon"):
        _build(steps, repo, venv, ros)
    overlays = (ros / "setup.bash", repo / "install" / "local_setup.bash")
    overlay = " && ".join(f"source {shlex.quote(str(path))}" for path in overlays)
    command = shlex.join([str(venv / "bin" / "python"), "-c", check])
    steps.run("check", ["bash", "-c", f"{overlay} && {command}"])


def _build(steps: Steps, repo: Path, venv: Path, ros: Path) -> None:
    python = venv / "bin" / "python"
    colcon = [str(python), "-m", "colcon", "build", "--base-paths", ".", "icpi_msgs"]
    cmake = [f"-DPython3_EXECUTABLE={python}", "-DBUILD_TESTING=OFF"]
    command = shlex.join([*colcon, "--symlink-install", "--cmake-args", *cmake])
    sourced = f"source {shlex.quote(str(ros / 'setup.bash'))} && {command}"
    steps.run("colcon", ["bash", "-c", sourced])
    install = shlex.quote(str(repo / "install"))
    launcher = venv / "bin" / "icpi"
    text = LAUNCHER.format(
        ros=shlex.quote(str(ros)), install=install, python=shlex.quote(str(python))
    )
    launcher.write_text(text, encoding="utf-8")
    launcher.chmod(0o755)
