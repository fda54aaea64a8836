"""The set-up script: routes, stamp, lock, and what a failing step says."""

import contextlib
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

import setup_env  # noqa: E402
import setup_interfaces  # noqa: E402
import setup_steps  # noqa: E402
from setup_failures import failure_of  # noqa: E402
from setup_steps import SetupError, Steps  # noqa: E402


@pytest.fixture
def steps(tmp_path):
    return Steps(tmp_path / "state", {"PATH": "/usr/bin:/bin"})


def test_stock_ros_is_taken_where_it_is_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(setup_env, "ROS_PREFIX", tmp_path)
    with pytest.raises(SetupError, match=r"setup\.bash"):
        setup_env._route("stock")
    (tmp_path / "setup.bash").touch()
    assert setup_env._route("auto") == "stock"
    assert setup_env._route("stock") == "stock"


def test_wheels_need_x86_linux(monkeypatch, tmp_path):
    monkeypatch.setattr(setup_env, "ROS_PREFIX", tmp_path)
    monkeypatch.setattr(setup_env.platform, "machine", lambda: "x86_64")
    assert setup_env._route("auto") == "wheels"
    monkeypatch.setattr(setup_env.platform, "machine", lambda: "aarch64")
    with pytest.raises(SetupError, match="aarch64"):
        setup_env._route("auto")


def test_the_wheels_route_hides_another_ros(monkeypatch):
    monkeypatch.setenv("AMENT_PREFIX_PATH", "/opt/ros/humble")
    monkeypatch.setenv("PYTHONPATH", "/opt/ros/humble/lib")
    env = setup_env._environment("wheels")
    assert "AMENT_PREFIX_PATH" not in env
    assert "PYTHONPATH" not in env


@pytest.fixture
def repo(monkeypatch, tmp_path):
    """A folder with the files that a set-up looks at, and its state."""
    names = [*setup_env.SELF, *setup_env.PACKAGING, "icpi_msgs/msg/A.msg"]
    names += ["benchmarks/pyproject.toml"]
    names += [f"test/stand_ins/{name}/msg/B.msg" for name in ("control_msgs", "tf2_msgs")]
    groups = ("uv", "runtime", "ros", "view", "bench", "local-llm", "weights", "docs", "dev")
    names += [f"requirements/{group}.txt" for group in groups]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"# {name}\n")
    monkeypatch.setattr(setup_env, "REPO", tmp_path)
    monkeypatch.setattr(setup_env, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(setup_env, "STATE", tmp_path / ".setup")
    monkeypatch.setattr(setup_env.system, "missing", list)
    return tmp_path


class Killed(BaseException):
    """As if by kill -9: nothing tidies up."""


class Machine:
    """What the steps of a set-up call, in one: notes what is done, dies where it is told to."""

    name = "an installer"

    def __init__(self):
        self.done, self.killed_in = [], ""

    def make(self, steps, folder, *, system_site):
        (folder / "bin").mkdir(parents=True)
        (folder / "pyvenv.cfg").touch()
        self._note("environment")

    def add(self, steps, *arguments):
        if arguments[-2:] == ("--editable", str(setup_env.REPO / "benchmarks")):
            self._note("benchmarks")
        elif "--editable" in arguments:
            self._note("package")
            (setup_env.VENV / "bin/icpi").touch()
        else:
            names = [Path(a).stem for a in arguments if a.endswith(".txt")]
            self._note("packages" if "runtime" in names else names[0])

    def interfaces(self, name):
        source = setup_env.REPO / setup_env.INTERFACES[name]
        made = setup_interfaces.Interfaces(source, "python")
        made.provide = lambda steps, venv: self._note(name)
        return made

    def _note(self, name):
        self.done.append(name)
        if name == self.killed_in:
            raise Killed


@pytest.fixture
def machine(repo, monkeypatch):
    made = Machine()
    monkeypatch.setattr(setup_env, "_package_of", made.interfaces)
    monkeypatch.setattr(setup_env.installers, "choose", lambda *_: made)
    monkeypatch.setattr(Steps, "run", lambda *_: None)  # tries what was installed
    return made


@pytest.fixture
def steps_of(machine):
    def run(extra=None, killed_in="", force=False):
        """Run a set-up; return the steps that it took."""
        machine.done, machine.killed_in = [], killed_in
        with contextlib.suppress(Killed):
            setup_env.Setup("wheels", "auto", extra).run(force=force)
        return machine.done

    return run


DEMO = ["environment", "packages", "icpi_msgs", "package"]
TEST = [
    *("environment", "packages", "view", "bench", "local-llm", "docs", "dev", "benchmarks"),
    *("icpi_msgs", "control_msgs", "tf2_msgs", "package"),
]


def test_a_second_set_up_does_nothing_and_tests_add_their_own(steps_of):
    assert steps_of() == DEMO
    assert steps_of() == []
    assert steps_of("bench") == ["bench", "benchmarks"]
    assert steps_of("view") == ["view"]
    assert steps_of("local-llm") == ["local-llm", "weights"]
    assert steps_of("test") == ["docs", "dev", "control_msgs", "tf2_msgs"]
    assert steps_of("test") == steps_of("bench") == steps_of() == []
    assert steps_of(force=True) == DEMO


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ("requirements/runtime.txt", TEST),
        ("requirements/dev.txt", ["dev"]),
        ("requirements/weights.txt", []),
        ("icpi_msgs/msg/A.msg", ["icpi_msgs"]),
        ("setup.py", ["package"]),
        ("benchmarks/pyproject.toml", ["benchmarks"]),
        ("tools/setup_env.py", TEST),
    ],
)
def test_what_changed_is_done_again(repo, steps_of, changed, again):
    steps_of("test")
    (repo / changed).write_text("changed")
    assert steps_of("test") == again


@pytest.mark.parametrize("step", TEST)
def test_after_a_kill_in_the_middle_of_a_step_nothing_half_made_counts(steps_of, step):
    """Packages may be half written, which looks whole: then all is made anew."""
    before = steps_of("test", killed_in=step)
    assert before == TEST[: TEST.index(step) + 1]
    assert steps_of("test")[0] == "environment"
    assert steps_of("test") == []


@pytest.mark.parametrize(
    ("step", "first"), [("dev", "environment"), ("control_msgs", "control_msgs")]
)
def test_a_kill_while_tests_are_added_keeps_what_was_not_being_written(steps_of, step, first):
    steps_of()
    steps_of("test", killed_in=step)
    assert steps_of("test")[0] == first


def test_the_routes_do_not_share_an_environment(repo):
    keys = [setup_env.Setup(r, "auto", None)._wanted()["packages"] for r in ("wheels", "stock")]
    assert keys[0] != keys[1]


def test_a_folder_that_is_no_environment_is_left_alone(repo):
    (repo / ".venv").mkdir()
    (repo / ".venv/mine").touch()
    with pytest.raises(SetupError, match="not a virtual environment: move it away"):
        setup_env.Setup("wheels", "pip", None).run(force=False)
    assert (repo / ".venv/mine").exists()


def test_interfaces_are_built_once_per_content(monkeypatch, tmp_path, capsys):
    source, venv = tmp_path / "some_msgs", tmp_path / "venv"
    (source / "msg").mkdir(parents=True)
    (source / "msg/A.msg").write_text("int32 a  # count\n")
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").symlink_to(sys.executable)
    builder = tmp_path / "builder.py"
    builder.write_text(
        "import sys, pathlib\n"
        "out = pathlib.Path(sys.argv[2]) / 'share/some_msgs'; out.mkdir(parents=True)\n"
        "(out / 'made').write_text(pathlib.Path(sys.argv[1], 'msg/A.msg').read_text())\n"
    )
    monkeypatch.setattr(setup_interfaces, "BUILDER", builder)
    monkeypatch.setattr(setup_interfaces, "LOCK", builder)
    steps = Steps(tmp_path / "state", {"PATH": "/usr/bin:/bin"})
    made = venv / "share/some_msgs/made"
    for text, expected in (("int32 a", "built"), ("int64 a", "built"), ("int32 a", "unchanged")):
        (source / "msg/A.msg").write_text(text)
        made.with_name("stale").parent.mkdir(parents=True, exist_ok=True)
        made.with_name("stale").touch()
        setup_interfaces.Interfaces(source, "python").provide(steps, venv)
        assert made.read_text() == text
        assert not made.with_name("stale").exists()
        assert ("building" in capsys.readouterr().out) == (expected == "built")


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
def test_a_damaged_stamp_counts_as_none(tmp_path, content):
    (tmp_path / "stamp").write_text(content)
    assert setup_steps.read_stamp(tmp_path / "stamp") == {}


def test_a_failing_step_shows_the_end_of_its_log_and_names_it(steps, capsys):
    steps.env["PATH"] = "/usr/bin:/bin"
    with pytest.raises(SetupError, match="exit code 3") as error:
        steps.run("noisy", ["sh", "-c", "seq 1 100; echo the reason; exit 3"])
    shown = capsys.readouterr().err
    assert "the reason" in shown
    assert "| 2\n" not in shown
    log = steps.logs / "noisy.log"
    assert str(log) in str(error.value)
    assert "\n2\n" in log.read_text()


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("fatal error: Python.h: No such file or directory", "headers of Python"),
        ("sh: 1: c++: not found", "compiler does not work"),
        ("error: failed to write to file: No space left on device (os error 28)", "disk is full"),
        ("error: dns error: failed to lookup address information", "cannot be reached"),
        ("ERROR: Could not find a version; No matching distribution found", "lacks a package"),
        ("g++: fatal error: Killed signal terminated program cc1plus", "compiler|memory"),
        ("ssl.SSLCertVerificationError: CERTIFICATE_VERIFY_FAILED", "certificate"),
    ],
)
def test_a_known_reason_is_named_with_its_remedy(steps, output, reason):
    with pytest.raises(SetupError, match=reason) as error:
        steps.run("some", ["sh", "-c", f"echo '{output}'; exit 1"])
    assert failure_of(output).remedy in str(error.value)


def test_the_reason_of_an_earlier_run_is_not_this_ones(steps):
    with pytest.raises(SetupError, match="disk is full"):
        steps.run("some", ["sh", "-c", "echo No space left on device; exit 1"])
    with pytest.raises(SetupError, match="failed with exit code 4"):
        steps.run("some", ["sh", "-c", "exit 4"])


def test_at_a_terminal_a_program_shows_its_own_progress_and_the_log_keeps_it(steps):
    """``show`` hands a terminal on; the program sees one on its standard error."""
    script = (
        f"import sys; sys.path[:0] = {[str(TOOLS), str(TOOLS.parent)]!r}\n"
        "from pathlib import Path\n"
        "from setup_steps import Steps\n"
        f"steps = Steps(Path({str(steps.state)!r}), {{'PATH': '/usr/bin:/bin'}})\n"
        "steps.run('live', ['sh', '-c', 'test -t 2 && echo progress >&2'], show=True)\n"
    )
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", script], stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):
        while data := os.read(ours, 4096):
            shown += data
    os.close(ours)
    assert process.wait(300) == 0, shown
    assert b"progress" in shown
    assert "progress" in (steps.logs / "live.log").read_text()


def test_a_step_without_its_program(steps):
    with pytest.raises(SetupError, match="cannot run no-such-program"):
        steps.run("gone", ["no-such-program"])


def test_two_setups_do_not_run_at_once(monkeypatch, tmp_path, capsys):
    order: list[str] = []

    def second() -> None:
        with setup_steps.exclusive(tmp_path / "lock"):
            order.append("second")

    with setup_steps.exclusive(tmp_path / "lock"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.5)
        order.append("first")
    thread.join(300)
    assert order == ["first", "second"]
    assert "waiting" in capsys.readouterr().out
    monkeypatch.setattr(setup_steps, "LOCK_WAIT", 0.1)
    with (
        setup_steps.exclusive(tmp_path / "lock"),
        pytest.raises(SetupError, match="another set-up"),
        setup_steps.exclusive(tmp_path / "lock"),
    ):
        pass


def test_wrong_usage_has_exit_code_2():
    done = subprocess.run(
        [sys.executable, str(TOOLS / "setup_env.py"), "--route", "x"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "wheels" in done.stderr


def fake_apt_get(folder: Path, monkeypatch, *, code: int) -> Path:
    """Put an apt-get on the path that notes its arguments and ends with ``code``."""
    calls = folder / "calls"
    program = folder / "apt-get"
    program.write_text(f'#!/bin/sh\necho "$@" >> {calls}\nexit {code}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(setup_env.os, "geteuid", lambda: 0)
    return calls


def needs(monkeypatch, *, required: bool, installed_by: Path | None = None) -> None:
    def present() -> bool:
        if installed_by is None or not installed_by.exists():
            return False
        return "install" in installed_by.read_text()

    need = setup_env.system.SystemNeed("thing", ("libthing",), "shows", required, present)
    monkeypatch.setattr(setup_env.system, "missing", lambda: [n for n in [need] if not n.present()])


def test_root_gets_missing_packages_installed(monkeypatch, tmp_path):
    calls = fake_apt_get(tmp_path, monkeypatch, code=0)
    needs(monkeypatch, required=True, installed_by=calls)
    setup_env._system_packages(Steps(tmp_path / "state", setup_env._environment("wheels")))
    lines = calls.read_text().splitlines()
    assert lines == ["update", "install -y --no-install-recommends libthing"]


@pytest.mark.parametrize("required", [True, False])
def test_apt_without_network_stops_only_for_required_packages(
    monkeypatch, tmp_path, capsys, required
):
    fake_apt_get(tmp_path, monkeypatch, code=100)
    needs(monkeypatch, required=required)
    steps = Steps(tmp_path / "state", setup_env._environment("wheels"))
    if required:
        with pytest.raises(SetupError, match="'apt' failed"):
            setup_env._system_packages(steps)
    else:
        setup_env._system_packages(steps)
        assert "missing: thing (shows)" in capsys.readouterr().out


def test_others_are_told_the_command(monkeypatch, tmp_path):
    needs(monkeypatch, required=True)
    monkeypatch.setattr(setup_env.os, "geteuid", lambda: 1000)
    with pytest.raises(SetupError, match="sudo apt-get install -y libthing"):
        setup_env._system_packages(Steps(tmp_path / "state", {}))
