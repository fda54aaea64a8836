"""Check that everything this package needs is there.

Nothing heavy and no ROS is imported at the top: what may be missing or may hang is tried in a
child process with a deadline.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from icpi_ros.core import system_packages as system

CHILD_LIMIT = 60.0
"""Longest time for one check in a child process [s]."""
MIN_DISK = 200e6
"""Free space below which the store is reported as full [byte]; a run takes about 1e5."""
MAX_DOMAIN = 101
"""Largest ROS_DOMAIN_ID whose ports stay below the ephemeral ports of Linux."""
KEY_VARIABLE = "OPENAI_API_KEY"
SET_UP = "run `make setup` in a checkout"
LLAMA = "xllamacpp"
SET_UP_LLAMA = "run `make setup SETUP_FLAGS=--with=local-llm` in a checkout"
OF_GRAPHS = ("rclpy", "icpi_msgs")
"""Checks of what graphs alone need."""

RENDER = """
import mujoco
xml = "<mujoco><worldbody><light pos='0 0 1'/><geom size='.1'/></worldbody></mujoco>"
model = mujoco.MjModel.from_xml_string(xml)
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
renderer = mujoco.Renderer(model, 64, 64)
renderer.update_scene(data)
image = renderer.render()
assert image.max() > 0, "the rendered image is black"
renderer.close()
"""


def run(args: argparse.Namespace) -> int:
    """Print every check; 0 only if all that is required is there."""
    checks = run_checks()
    print(render(checks))
    if args.json:
        args.json.write([asdict(check) for check in checks])
    return 0 if healthy(checks) else 1


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes:
        name: what was looked at.
        ok: True if it is as needed.
        detail: what was found, one line.
        remedy: what to do, one line; empty if nothing.
        required: False if icpi works without it (it is reported, but does not fail).
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    required: bool = True


def run_checks() -> list[Check]:
    """Run all checks, in the order in which they should be mended (a few seconds)."""
    checks: tuple[Callable[[], Check], ...] = (
        check_python,
        check_compiler,
        check_headers,
        check_mujoco,
        check_egl,
        lambda: check_import(OF_GRAPHS[0], "rclpy"),
        lambda: check_import(OF_GRAPHS[1], "icpi_msgs.action"),
        check_domain,
        check_store,
        check_key,
        check_local_model,
    )
    return [check() for check in checks]


def healthy(checks: Sequence[Check]) -> bool:
    """Tell whether everything required is there."""
    return all(check.ok for check in checks if check.required)


def render(checks: Sequence[Check]) -> str:
    """Return the findings as text: a line each, remedies below, a verdict at the end."""
    width = max((len(check.name) for check in checks), default=0)
    lines = []
    for check in checks:
        mark = "ok     " if check.ok else "MISSING" if check.required else "note   "
        lines.append(f"{mark}  {check.name:<{width}}  {check.detail}")
        if check.remedy:
            lines.append(f"{'':9}{'':<{width}}  -> {check.remedy}")
    failed = [check.name for check in checks if check.required and not check.ok]
    lines.append(f"not ready: {', '.join(failed)}" if failed else "ready")
    if failed and set(failed) <= set(OF_GRAPHS):
        lines[-1] += "; what runs without ROS is: icpi run --in-process"
    return "\n".join(lines)


def check_python() -> Check:
    """Python 3.11 or newer."""
    ok = sys.version_info >= (3, 11)
    detail = f"{platform.python_version()} at {sys.executable}"
    return Check("Python", ok, detail, "" if ok else "make setup PYTHON=python3.11 or newer")


def check_compiler() -> Check:
    """A C++ compiler; needed only to build icpi_msgs again."""
    path = system.compiler()
    remedy = "" if path else system.apt_command(system.COMPILER.packages)
    return Check("C++ compiler", path is not None, path or "none found", remedy, required=False)


def check_headers() -> Check:
    """Python.h; needed only to build icpi_msgs again."""
    path = system.python_header()
    ok = path.is_file()
    remedy = "" if ok else system.apt_command(system.HEADERS.packages)
    return Check("Python headers", ok, f"{path}{'' if ok else ' missing'}", remedy, required=False)


def check_mujoco() -> Check:
    """MuJoCo is installed and its library loads."""
    failure = run_child("import mujoco")
    if failure:
        return Check("MuJoCo", False, failure, SET_UP)
    return Check("MuJoCo", True, importlib.metadata.version("mujoco"))


def check_egl() -> Check:
    """Camera images can be rendered without a display (tried, not guessed)."""
    failure = run_child(RENDER, {"MUJOCO_GL": "egl", "PYOPENGL_PLATFORM": "egl"})
    if not failure:
        return Check("EGL", True, "renders without a display", required=False)
    remedy = system.apt_command(system.EGL.packages)
    detail = f"camera images cannot be rendered: {failure}"
    return Check("EGL", False, detail, remedy, required=False)


def check_import(name: str, module: str) -> Check:
    """``module`` can be imported by this interpreter, in a fresh process."""
    failure = run_child(f"import {module}")
    return Check(name, not failure, failure or "importable", SET_UP if failure else "")


def check_domain() -> Check:
    """ROS_DOMAIN_ID is unset or valid on Linux."""
    value = os.environ.get("ROS_DOMAIN_ID", "")
    ok = not value or (re.fullmatch(r"[0-9]+", value) is not None and int(value) <= MAX_DOMAIN)
    detail = f"ROS_DOMAIN_ID={value}" if value else "ROS_DOMAIN_ID not set (0)"
    remedy = "" if ok else f"set ROS_DOMAIN_ID to a number from 0 to {MAX_DOMAIN}"
    return Check("ROS domain", ok, detail, remedy)


def check_store(path: Path | None = None) -> Check:
    """Check that the folder of the trial store (None: default) can be written and has room."""
    if path is None:
        from icpi_ros.runs.store.store import default_path

        path = default_path()
    remedy = "choose another store with --store FILE or ICPI_STORE"
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"icpi")
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return Check("trial store", False, f"cannot write {path.parent}: {error.strerror}", remedy)
    if path.exists() and not os.access(path, os.W_OK):
        return Check("trial store", False, f"{path} is read-only", remedy)
    if free < MIN_DISK:
        detail = f"{path.parent}: only {free / 1e6:.0f} MB free, {MIN_DISK / 1e6:.0f} MB needed"
        return Check("trial store", False, detail, f"free some space or {remedy}")
    detail = f"{path} ({free / 1e9:.1f} GB free)"
    if path.exists() and path.stat().st_mode & 0o077:  # of an older version, or wanted
        detail += f"; other users may open it, if that is not wanted: chmod 600 {path}"
    return Check("trial store", True, detail)


def check_key() -> Check:
    """Check that a key for the improver `llm` is set; its value is never shown."""
    present = bool(os.environ.get(KEY_VARIABLE))
    detail = f"{KEY_VARIABLE} is {'set' if present else 'not set'} (only the improver llm reads it)"
    return Check("API key", True, detail, required=False)


def check_local_model() -> Check:
    """llama.cpp is there and loads, for `icpi serve --weights`."""
    name = "local models"
    try:
        version = importlib.metadata.version(LLAMA)
    except importlib.metadata.PackageNotFoundError:
        detail = f"{LLAMA} is not installed (only `icpi serve --weights` needs it)"
        return Check(name, True, detail, required=False)
    failure = run_child(f"import {LLAMA}")
    detail = failure or f"{LLAMA} {version}"
    return Check(name, not failure, detail, SET_UP_LLAMA if failure else "", required=False)


def run_child(code: str, env: dict[str, str] | None = None) -> str:
    """Run Python ``code`` in a fresh process; return "" or one line that says why it failed."""
    command = [sys.executable, "-c", code]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CHILD_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {CHILD_LIMIT:.0f} s"
    except OSError as error:
        return f"cannot run {sys.executable}: {error.strerror}"
    if done.returncode == 0:
        return ""
    if done.returncode < 0:
        return f"the process was killed by signal {-done.returncode}"
    return first_cause(done.stderr)


def first_cause(stderr: str) -> str:
    """Return the line of the first exception in a traceback, or the last line of ``stderr``.

    A text from outside: what another process printed.
    """
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
    return (errors or lines[-1:] or ["it failed and said nothing"])[0]


def environment() -> dict[str, str]:
    """Return what a bug report should name: interpreter, platform, versions."""
    names = ("icpi_ros", "mujoco", "numpy", "scipy", "openai", "rclpy")
    versions = {}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return {"python": platform.python_version(), "platform": sysconfig.get_platform(), **versions}
