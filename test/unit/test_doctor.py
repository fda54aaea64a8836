"""The doctor tells what is there, what is not, and the exact command that mends it."""

import importlib.metadata
import os
import sys

import mujoco
import numpy as np
import pytest

from icpi_ros.cli import doctor
from icpi_ros.cli.doctor import Check
from icpi_ros.core import system_packages


def test_apt_command_names_the_packages_and_asks_for_sudo_only_without_root():
    assert system_packages.apt_command(["a", "b"], root=True) == (
        "apt-get update && apt-get install -y a b"
    )
    assert system_packages.apt_command(["a"], root=False) == (
        "sudo apt-get update && sudo apt-get install -y a"
    )


def test_missing_lists_only_what_the_probes_do_not_find():
    there = system_packages.SystemNeed("there", ("x",), "", True, lambda: True)
    gone = system_packages.SystemNeed("gone", ("y",), "", True, lambda: False)
    assert system_packages.missing([there, gone]) == [gone]


def test_compiler_is_looked_up_on_the_path(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert system_packages.compiler() is None
    check = doctor.check_compiler()
    assert not check.ok
    assert "apt-get install -y g++" in check.remedy
    program = tmp_path / "g++"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert system_packages.compiler() == str(program)


def test_required_failures_decide_and_notes_do_not():
    good = Check("a", True, "fine")
    note = Check("b", False, "absent", "do this", required=False)
    bad = Check("c", False, "absent", "do that")
    assert doctor.healthy([good, note])
    assert not doctor.healthy([good, note, bad])
    text = doctor.render([good, note, bad])
    assert "-> do this" in text
    assert "-> do that" in text
    assert text.endswith("not ready: c")
    assert doctor.render([good, note]).endswith("ready")


def test_without_ros_it_says_what_runs_all_the_same():
    ros = [Check(name, False, "absent") for name in ("rclpy", "icpi_msgs")]
    assert "--in-process" in doctor.render([Check("a", True, "fine"), *ros])
    assert "--in-process" not in doctor.render([Check("a", False, "absent"), *ros])


@pytest.mark.parametrize("value", ["0", "101", ""])
def test_valid_domain(monkeypatch, value):
    monkeypatch.setenv("ROS_DOMAIN_ID", value)
    assert doctor.check_domain().ok


@pytest.mark.parametrize("value", ["102", "-1", "x", "1.5", "٣"])
def test_invalid_domain_names_value_and_range(monkeypatch, value):
    monkeypatch.setenv("ROS_DOMAIN_ID", value)
    check = doctor.check_domain()
    assert not check.ok
    assert value in check.detail
    assert "0 to 101" in check.remedy


def test_the_key_is_reported_but_never_shown(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    check = doctor.check_key()
    assert "is set" in check.detail
    assert "sk-secret" not in doctor.render([check])
    monkeypatch.delenv("OPENAI_API_KEY")
    assert "not set" in doctor.check_key().detail
    assert doctor.check_key().ok


def test_store_in_a_folder_that_does_not_exist_yet(tmp_path):
    assert doctor.check_store(tmp_path / "new" / "runs.sqlite").ok


def test_store_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    check = doctor.check_store(tmp_path / "file" / "runs.sqlite")
    assert not check.ok
    assert "ICPI_STORE" in check.remedy


def test_store_on_a_full_disk(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "MIN_DISK", 1e30)
    check = doctor.check_store(tmp_path / "runs.sqlite")
    assert not check.ok
    assert "MB free" in check.detail


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_store_in_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    assert not doctor.check_store(tmp_path / "runs.sqlite").ok


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o666, 0o604])
def test_a_store_that_others_may_open_is_said_to_be_one(tmp_path, mode):
    path = tmp_path / "runs.sqlite"
    path.touch()
    path.chmod(mode)
    check = doctor.check_store(path)
    assert check.ok
    assert ("chmod 600" in check.detail) == (mode != 0o600)


def test_a_module_that_is_missing_gives_one_line_and_a_remedy():
    check = doctor.check_import("thing", "no_such_module")
    assert not check.ok
    assert check.detail == "ModuleNotFoundError: No module named 'no_such_module'"
    assert check.remedy


def test_a_crashing_child_is_reported():
    assert "signal" in doctor.run_child("import os; os.kill(os.getpid(), 11)")


def test_a_hanging_child_is_reported(monkeypatch):
    monkeypatch.setattr(doctor, "CHILD_LIMIT", 0.3)
    assert "no answer" in doctor.run_child("import time; time.sleep(30)")


def test_an_egl_failure_names_the_apt_packages(monkeypatch):
    monkeypatch.setattr(doctor, "run_child", lambda code, env=None: "ImportError: no libEGL")
    check = doctor.check_egl()
    assert not check.ok
    assert not check.required
    assert "libegl1" in check.remedy


def test_this_machine_gets_a_complete_report():
    checks = doctor.run_checks()
    names = [check.name for check in checks]
    assert len(set(names)) == len(names) >= 10
    assert {"Python", "EGL", "rclpy", "icpi_msgs", "trial store"} <= set(names)
    assert all("\n" not in check.detail + check.remedy for check in checks)
    python = next(check for check in checks if check.name == "Python")
    assert sys.executable in python.detail


def test_environment_says_what_is_not_installed(monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    assert doctor.environment()["rclpy"] == "not installed"


def test_environment_names_versions():
    found = doctor.environment()
    assert (found["mujoco"], found["numpy"]) == (mujoco.__version__, np.__version__)
    assert found["python"].startswith("3.")
