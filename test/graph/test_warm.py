"""A warm process is what a cold one would be."""

import os
import signal
import subprocess
import sys

import pytest
import warm

TELLS = """
import atexit, os, sys
atexit.register(print, "goodbye", file=sys.stderr)
print(sys.argv, os.environ["COLOUR"], os.getcwd(), __name__, os.getppid(), sys.stdin.read())
print("no such camera", file=sys.stderr)
sys.exit(7)
"""
PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}


@pytest.mark.parametrize("way", ["-c", "-m", "file"])
def test_it_does_what_a_cold_one_does(tmp_path, way):
    file = tmp_path / "tells.py"
    file.write_text(TELLS)
    begin = {"-c": ["-c", TELLS], "-m": ["-m", "tells"], "file": [file]}[way]
    command, env = [sys.executable, *begin, "a word"], {**os.environ, "COLOUR": "green"}
    found = []
    for start in (subprocess.Popen, warm.Popen):
        with start(command, cwd=tmp_path, env=env, text=True, **PIPES) as process:
            found.append((*process.communicate("typed", timeout=warm.HANG), process.returncode))
    assert found[1] == found[0]
    assert found[0][0].split()[-2:] == [str(os.getpid()), "typed"]  # ours, not its own parent's


def test_it_finds_modules_where_a_cold_one_finds_them(tmp_path):
    (tmp_path / "here.py").write_text("WHERE = 'here'")
    paths = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-c", "import here, mujoco, sys; print(here.WHERE, sys.path[1])"]
    done = warm.run(command, env=os.environ | {"PYTHONPATH": paths})
    assert done.stdout == f"here {tmp_path}\n", done.stderr


def test_it_is_ended_by_signals_and_by_who_waits_for_it():
    sleeps = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
    for number, code in ((signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)):
        with warm.Popen(sleeps, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "up\n"
            process.send_signal(number)
            assert process.wait(warm.HANG) == code


def test_what_counts_at_the_start_of_a_python_starts_one(monkeypatch):
    shown = [sys.executable, "-c", "import sys; print(sys.flags.optimize, 'mujoco' in sys.modules)"]
    more = os.pathsep.join([*warm.STAND_INS, os.environ.get("LD_LIBRARY_PATH", "")])
    for env, words in (
        ({}, "0 True\n"),
        ({"LD_LIBRARY_PATH": more}, "0 True\n"),
        ({"LD_LIBRARY_PATH": "/elsewhere"}, "0 False\n"),
        ({"PYTHONOPTIMIZE": "1"}, "1 False\n"),
    ):
        assert warm.run(shown, env={**os.environ, **env}).stdout == words
    monkeypatch.setattr(warm, "PATH", "a folder that others no longer have")
    assert warm.run(shown, env=os.environ).stdout == "0 False\n"
