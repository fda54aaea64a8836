"""What makes `.venv` and installs packages into it: uv, or pip where uv cannot be had.

Both take the same arguments, so that there is one way through the set-up.  uv does not read
pip's configuration, which is all that many a company's machine has: index, mirror, trusted
hosts, proxy and certificates are handed on to it.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from setup_steps import SetupError, Steps, digest

OLDEST_UV = (0, 5)
"""Older ones do not know all variables that are set below."""
ANSWER = 30
"""Seconds that a registry has for its answer, unless pip's configuration says otherwise."""
PIP_VARIABLES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "no-index": "UV_NO_INDEX",
    "keyring-provider": "UV_KEYRING_PROVIDER",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "proxy": "HTTPS_PROXY",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
}
"""Names of pip's settings, and the variables by which uv is told the same."""


@dataclass(frozen=True)
class Installer:
    """One program that installs packages.

    Attributes:
        name: "uv" or "pip", with its version.
        venv: command that makes an environment in the folder added to it.
        install: command that installs what is added to it into `.venv`.
        env: variables that both need.
    """

    name: str
    venv: tuple[str, ...]
    install: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)

    def make(self, steps: Steps, folder: Path, *, system_site: bool) -> None:
        """Make the virtual environment ``folder``."""
        flags = ["--system-site-packages"] if system_site else []
        steps.run("venv", [*self.venv, *flags, str(folder)], self.env)

    def add(self, steps: Steps, *arguments: str) -> None:
        """Install packages; ``arguments`` mean the same to both programs."""
        steps.run("packages", [*self.install, *arguments], self.env, show=True)


def choose(steps: Steps, venv: Path, lock: Path, asked: str) -> Installer:
    """Return the installer: ``asked`` is "uv", "pip", or "auto" for pip where uv fails.

    Raises:
        SetupError: uv was asked for and cannot be had, or the network is the reason that it
            cannot, which pip would meet as well.
    """
    settings = pip_settings(steps)
    if asked != "pip":
        try:
            program = _found(steps, venv) or _fetched(steps, lock, settings)
            return _uv(steps, venv, program, settings)
        except SetupError as error:
            if asked == "uv" or error.remote:
                raise
            steps.say(f"uv cannot be had ({error}); pip installs instead, which takes longer")
    return _pip(venv, settings)


def _pip(venv: Path, settings: Mapping[str, str]) -> Installer:
    python = str(venv / "bin" / "python")
    make = (_interpreter(), "-m", "venv")
    install = (python, "-m", "pip", "install", "--no-input")
    return Installer("pip", make, install, pip_variables(settings))


def _uv(steps: Steps, venv: Path, program: str, settings: Mapping[str, str]) -> Installer:
    version = steps.output([program, "--version"]).removeprefix("uv ").split(" ")[0]
    make = (program, "venv", "--quiet", "--no-project", "--python", _interpreter())
    install = (program, "pip", "install", "--python", str(venv / "bin" / "python"))
    return Installer(f"uv {version}", make, install, uv_variables(settings, steps.env))


def _interpreter() -> str:
    """Return the interpreter below `.venv`'s: not that of another environment."""
    inside = sys.prefix != sys.base_prefix
    return os.path.realpath(sys.executable) if inside else sys.executable


def _found(steps: Steps, venv: Path) -> str | None:
    """Return the uv on the PATH, outside of ``venv``, if it is new enough."""
    places = steps.env.get("PATH", os.defpath).split(os.pathsep)
    path = os.pathsep.join(place for place in places if Path(place) != venv / "bin")
    program = shutil.which("uv", path=path)
    if program is None:
        return None
    try:
        found = re.search(r"(\d+)\.(\d+)", steps.output([program, "--version"]))
    except SetupError:
        return None
    return program if found and tuple(map(int, found.groups())) >= OLDEST_UV else None


def _fetched(steps: Steps, lock: Path, settings: Mapping[str, str]) -> str:
    """Return the uv that ``lock`` names, fetched as a wheel into the state folder."""
    folder = steps.state / f"uv-{digest([lock], sys.version)}"
    program = folder / "bin" / "uv"
    if not program.exists():
        steps.say("uv: fetching the installer, 25 MB")
        draft = steps.state / "uv-draft"
        shutil.rmtree(draft, ignore_errors=True)
        options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", str(lock)]
        steps.run(
            "uv",
            [*_any_pip(steps), "install", "--quiet", "--target", str(draft), *options],
            pip_variables(settings),
        )
        draft.rename(folder)  # whole or not at all
    return str(program)


def _any_pip(steps: Steps) -> list[str]:
    """Return a command that runs some pip: the interpreter's, or one of an environment of ours."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    folder = steps.state / "pip"
    if not (folder / "bin" / "pip").exists():
        shutil.rmtree(folder, ignore_errors=True)
        steps.run("venv", [_interpreter(), "-m", "venv", str(folder)])
    return [str(folder / "bin" / "python"), "-m", "pip"]


def pip_settings(steps: Steps) -> dict[str, str]:
    """Return pip's settings by name, from its files and from the environment.

    Without any pip at hand only the environment counts.
    """
    for command in ([sys.executable, "-m", "pip"], ["pip3"], ["pip"]):
        with_pip = len(command) == 1 or importlib.util.find_spec("pip") is not None
        if with_pip and shutil.which(command[0], path=steps.env.get("PATH")):
            try:
                return read_settings(steps.output([*command, "config", "list"]))
            except SetupError:
                continue
    prefix = "PIP_"
    named = {name: value for name, value in steps.env.items() if name.startswith(prefix)}
    return {n.removeprefix(prefix).lower().replace("_", "-"): v for n, v in named.items()}


def read_settings(text: str) -> dict[str, str]:
    """Return the settings in the output of `pip config list`; the nearer section counts."""
    sections = ("global", "install", ":env:")
    found: dict[str, str] = {}
    for section in sections:
        for line in text.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(f"{section}.") and value:
                found[name.removeprefix(f"{section}.")] = _unquoted(value)
    return found


def _unquoted(value: str) -> str:
    try:
        return str(ast.literal_eval(value))
    except (SyntaxError, ValueError):
        return value


def pip_variables(settings: Mapping[str, str]) -> dict[str, str]:
    """Return variables for pip itself: how long it waits, unless its ``settings`` say that."""
    told = {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if not {"timeout", "default-timeout"} & set(settings):
        told["PIP_TIMEOUT"] = str(ANSWER)
    if "retries" not in settings:
        told["PIP_RETRIES"] = "1"
    return told


def uv_variables(settings: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that tell uv what pip's ``settings`` say; ``env`` has precedence."""
    told = {"UV_HTTP_TIMEOUT": str(ANSWER), "UV_HTTP_RETRIES": "1", "UV_PYTHON_DOWNLOADS": "never"}
    if ssl.get_default_verify_paths().cafile:
        told |= {"UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1"}  # the second is its former name
    for name, variable in PIP_VARIABLES.items():
        values = settings.get(name, "").split()
        if values:
            told[variable] = ("," if name == "find-links" else " ").join(values)
    if "UV_INDEX" in told:
        told["UV_INDEX_STRATEGY"] = "unsafe-best-match"  # as pip does it; hashes are checked
    if "HTTPS_PROXY" in told:
        told["HTTP_PROXY"] = told["HTTPS_PROXY"]
    return {
        name: value for name, value in told.items() if name not in env and name.lower() not in env
    }


def locked(lock: Path) -> int:
    """Return how many packages a lock file names, those for other platforms included."""
    return len(re.findall(r"^[\w.\[\],-]+==", lock.read_text(encoding="utf-8"), re.MULTILINE))


def installed(venv: Path) -> tuple[int, int]:
    """Return how many packages are in ``venv``, and their size [byte], from their own lists."""
    records = list(venv.glob("lib/python3*/site-packages/*.dist-info/RECORD"))
    size = 0
    for record in records:
        for line in record.read_text(encoding="utf-8", errors="replace").splitlines():
            last = line.rpartition(",")[2]
            size += int(last) if last.isdigit() else 0
    return len(records), size
