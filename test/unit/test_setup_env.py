"""The set-up script: routes, stamp, lock, and what a failing step says."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

import setup_env  # noqa: E402
import setup_steps  # noqa: E402
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


def test_keys_change_with_what_they_stand_for(monkeypatch, tmp_path):
    names = (*setup_env.LOCKS, *setup_env.SELF, *setup_env.PACKAGING, "icpi_msgs/msg/A.msg")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(setup_env, "REPO", tmp_path)
    before = setup_env._keys("wheels")
    assert setup_env._keys("wheels") == before
    assert setup_env._keys("stock")["base"] != before["base"]
    (tmp_path / "icpi_msgs/msg/A.msg").write_text("changed")
    after = setup_env._keys("wheels")
    assert {key for key in after if after[key] != before[key]} == {"messages"}
    (tmp_path / setup_env.LOCKS[0]).write_text("changed")
    assert setup_env._keys("wheels")["base"] != before["base"]


def test_a_current_environment_runs_nothing(monkeypatch, tmp_path):
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/icpi").touch()
    monkeypatch.setattr(setup_env, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(setup_env, "STATE", tmp_path)
    setup_steps.write_stamp(tmp_path / "stamp", setup_env._keys("wheels"))
    monkeypatch.setattr(setup_env, "Steps", None)
    setup_env.set_up("wheels", force=False)
    with pytest.raises(TypeError):
        setup_env.set_up("wheels", force=True)


def test_an_environment_of_another_place_or_a_broken_one_is_not_usable(monkeypatch, tmp_path):
    venv = tmp_path / ".venv"
    monkeypatch.setattr(setup_env, "VENV", venv)
    assert not setup_env._usable(False)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    assert not setup_env._usable(False)
    (venv / "bin/pip").write_text(f"#!{venv}/bin/python\n")
    assert setup_env._usable(False)
    assert not setup_env._usable(True)
    (venv / "bin/pip").write_text("#!/elsewhere/.venv/bin/python\n")
    assert not setup_env._usable(False)


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
    thread.join(10)
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
