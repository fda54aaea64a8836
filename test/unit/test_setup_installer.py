"""The installers, real uv and real pip, against a registry on this machine and its faults."""

import base64
import hashlib
import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
import zipfile
from functools import partial
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

import setup_installer as installers  # noqa: E402
from setup_steps import SetupError, Steps  # noqa: E402

pytestmark = pytest.mark.slow

WHEEL = "tiny_thing-1.0-py3-none-any.whl"
ANSWER = 1


class Registry(http.server.ThreadingHTTPServer):
    """A package registry with one package; serves as a proxy as well."""

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.wheel = make_wheel(folder)
        self.asked = []

    @property
    def port(self):
        return self.server_address[1]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers for any host, so that it may be asked as a proxy."""

    def do_GET(self):
        self.server.asked.append(self.path)
        if self.path.endswith(".whl"):
            self._answer(self.server.wheel.read_bytes(), "application/octet-stream")
        elif self.path.rstrip("/").endswith("/simple/tiny-thing"):
            self._answer(f'<a href="/files/{WHEEL}">{WHEEL}</a>'.encode(), "text/html")
        else:
            self.send_error(404)

    def do_HEAD(self):
        self.do_GET()

    def _answer(self, body, kind):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *args):
        pass


def make_wheel(folder):
    """Write a wheel with one module."""
    info = "tiny_thing-1.0.dist-info"
    files = {
        "tiny_thing.py": "HERE = True\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: tiny-thing\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={digest_of(text)},{len(text)}\n" for name, text in files.items()
    )
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    return folder / WHEEL


def digest_of(text):
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def registry(tmp_path):
    with Registry(tmp_path) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def lock(tmp_path, registry):
    path = tmp_path / "lock.txt"
    pinned = hashlib.sha256(registry.wheel.read_bytes()).hexdigest()
    path.write_text(f"tiny-thing==1.0 --hash=sha256:{pinned}\n")
    return path


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine without any setting of pip or uv; returns how to set pip's in its file."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    config = tmp_path / "pip.conf"
    config.touch()
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{Path(sys.prefix, 'bin')}:/usr/bin:/bin")

    def pip_says(**settings):
        rows = "".join(f"{name.replace('_', '-')} = {v}\n" for name, v in settings.items())
        config.write_text(f"[global]\n{rows}")

    return pip_says


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folder of one environment of each installer: pip's takes three seconds to make."""
    return tmp_path_factory.mktemp("made")


@pytest.fixture
def install(tmp_path, lock, made):
    """Installation of what ``lock`` names in an environment; tells whether it can be imported."""
    return partial(_install, tmp_path, lock, made)


def _install(tmp_path, lock, made, asked="uv"):
    steps, venv = Steps(tmp_path / "state", dict(os.environ)), tmp_path / "venv"
    installer = installers.choose(steps, venv, tmp_path / "uv.txt", asked)
    assert installer.name.startswith(asked)
    if not (made / asked).exists():
        installer.make(steps, made / asked, system_site=False)
    shutil.copytree(made / asked, venv, symlinks=True)
    installer.add(steps, "--no-deps", "--require-hashes", "-r", str(lock))
    code = "import tiny_thing; print(tiny_thing.HERE)"
    done = subprocess.run([venv / "bin/python", "-c", code], capture_output=True, text=True)
    assert installers.installed(venv)[0] >= 1
    return done.stdout.strip() == "True"


@pytest.mark.parametrize("asked", ["uv", "pip"])
def test_the_index_and_hosts_of_pip_count_for_both(machine, install, registry, asked):
    index = f"http://127.0.0.1:{registry.port}/mirror/simple"
    machine(index_url=index, trusted_host=f"127.0.0.1:{registry.port}")
    assert install(asked)
    assert registry.asked[0] == "/mirror/simple/tiny-thing/"


def test_pips_variables_count_more_than_its_file(machine, install, registry, monkeypatch):
    machine(index_url="http://nowhere.invalid/simple")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{registry.port}/simple")
    assert install()


def test_a_second_index_and_a_folder_of_wheels_count(tmp_path, install, machine, registry):
    folder = tmp_path / "wheels"
    folder.mkdir()
    registry.wheel.rename(folder / WHEEL)
    machine(index_url=f"http://127.0.0.1:{registry.port}/none", find_links=folder)
    assert install()


def test_a_proxy_is_gone_through(machine, install, registry):
    machine(index_url="http://mirror.invalid/simple", proxy=f"http://127.0.0.1:{registry.port}")
    assert install()
    assert registry.asked[0] == "http://mirror.invalid/simple/tiny-thing/"


@pytest.mark.parametrize("asked", ["uv", "pip"])
def test_an_altered_package_is_refused(machine, registry, lock, install, asked):
    machine(index_url=f"http://127.0.0.1:{registry.port}/simple")
    lock.write_text(f"tiny-thing==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(SetupError, match="not the one that was locked") as error:
        install(asked)
    assert not error.value.remote


def test_a_registry_that_does_not_answer_is_one_line_with_the_remedy(machine, install):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        machine(index_url=f"http://127.0.0.1:{silent.getsockname()[1]}/simple", timeout=ANSWER)
        with pytest.raises(SetupError, match=r"did not answer in time.*PIP_INDEX_URL") as error:
            install()
    assert "\n" not in str(error.value)


def test_a_registry_that_is_not_there_is_one_line_with_the_remedy(machine, install):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    machine(index_url=f"http://127.0.0.1:{port}/simple")
    with pytest.raises(SetupError, match=r"cannot be reached.*HTTPS_PROXY"):
        install()


def test_a_package_that_a_mirror_lacks(machine, registry, lock, install):
    machine(index_url=f"http://127.0.0.1:{registry.port}/simple")
    lock.write_text(lock.read_text().replace("tiny-thing", "other-thing"))
    with pytest.raises(SetupError, match="lacks a package"):
        install()


# --- which installer ----------------------------------------------------------------------------


@pytest.fixture
def without_uv(machine, monkeypatch):
    monkeypatch.setattr(installers, "_found", lambda steps, venv: None)


def test_uv_is_fetched_once_where_there_is_none(tmp_path, without_uv, machine, monkeypatch):
    calls = []

    def fetch(self, name, command, env=None, *, show=False):
        if name == "venv":  # where this interpreter has no pip
            return
        calls.append(command)
        target = Path(command[command.index("--target") + 1]) / "bin"
        target.mkdir(parents=True)
        shutil.copy(shutil.which("uv"), target / "uv")

    monkeypatch.setattr(Steps, "run", fetch)
    (tmp_path / "uv.txt").write_text("uv==1\n")
    steps = Steps(tmp_path / "state", dict(os.environ))
    for _ in range(2):
        made = installers.choose(steps, tmp_path / "venv", tmp_path / "uv.txt", "auto")
        assert made.install[0].startswith(str(tmp_path / "state"))
    assert len(calls) == 1
    assert "--require-hashes" in calls[0]


@pytest.mark.parametrize(("asked", "remote"), [("auto", False), ("auto", True), ("uv", False)])
def test_pip_takes_over_where_uv_cannot_be_had(tmp_path, without_uv, monkeypatch, asked, remote):
    """A network that is away stops pip as well: then the reason is told at once."""

    def fail(self, name, command, env=None, *, show=False):
        raise SetupError("no uv for this machine", remote=remote)

    monkeypatch.setattr(Steps, "run", fail)
    (tmp_path / "uv.txt").touch()
    steps = Steps(tmp_path / "state", dict(os.environ))
    if asked == "uv" or remote:
        with pytest.raises(SetupError, match="no uv for this machine"):
            installers.choose(steps, tmp_path / "venv", tmp_path / "uv.txt", asked)
    else:
        made = installers.choose(steps, tmp_path / "venv", tmp_path / "uv.txt", asked)
        assert made.name == "pip"


@pytest.mark.parametrize("version", ["uv 0.4.30", "uv", ""])
def test_an_old_or_broken_uv_on_the_path_is_not_taken(tmp_path, machine, version):
    program = tmp_path / "uv"
    program.write_text(f"#!/bin/sh\necho '{version}'\n")
    program.chmod(0o755)
    steps = Steps(tmp_path / "state", {"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert installers._found(steps, tmp_path / "venv") is None


def test_what_uv_is_told_yields_to_what_it_was_told_already():
    settings = installers.read_settings(
        "global.index-url='http://a/simple'\nglobal.extra-index-url='\\nhttp://b\\nhttp://c'\n"
        "install.trusted-host='a b'\n:env:.timeout='5'\nglobal.timeout='7'\n"
    )
    told = installers.uv_variables(settings, {"UV_DEFAULT_INDEX": "http://mine/simple"})
    assert "UV_DEFAULT_INDEX" not in told
    assert told["UV_INDEX"] == "http://b http://c"
    assert told["UV_INSECURE_HOST"] == "a b"
    assert told["UV_HTTP_TIMEOUT"] == "5"


@pytest.mark.parametrize("name", ["timeout", "default-timeout"])
def test_pips_own_patience_is_left_as_it_is_set(name):
    assert installers.pip_variables({})["PIP_TIMEOUT"] == str(installers.ANSWER)
    told = installers.pip_variables({name: "180", "retries": "7"})
    assert not {"PIP_TIMEOUT", "PIP_RETRIES"} & set(told)
