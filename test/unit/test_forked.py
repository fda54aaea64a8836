"""Nodes that are forks of a process which has imported everything: a child for each test."""

import os
import signal
import subprocess
import sys

import pytest

STARTER = """
import os, sys
from icpi_ros.ros.bringup.forked import ForkedNode, preload
preload(["no_such_module", "thing"])
node = ForkedNode([sys.executable, "-m", "thing", "a word"], {**os.environ, "COLOUR": "green"})
sys.stdout.write(node.stdout.read().decode())
print("code", node.wait(), node.wait())
"""


def start(folder, body):
    """Run a module that was imported before and forked then; return what came out."""
    (folder / "thing.py").write_text(f"import os, signal, sys\n\n{body}\n")
    env = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", STARTER]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.splitlines()


def test_it_is_what_its_command_line_would_be(tmp_path):
    body = """
def main():
    comm = open("/proc/self/comm").read().strip()
    print(sys.argv, os.environ["COLOUR"], comm, os.getsid(0) == os.getpid())
    print("to stderr", file=sys.stderr)
    return 7
"""
    assert start(tmp_path, body) == [
        "['thing', 'a word'] green thing True",
        "to stderr",
        "code 7 7",
    ]


@pytest.mark.parametrize(
    ("body", "said", "code"),
    [
        ("raise OSError('no such camera')", "OSError: no such camera", 1),
        ("def main():\n    raise OSError('no such camera')", "OSError: no such camera", 1),
        ("def main():\n    sys.exit(3)", None, 3),
        ("def main():\n    sys.exit('no such camera')", "no such camera", 1),
        ("def main():\n    sys.exit()", None, 0),
        ("def main():\n    return None", None, 0),
        ("def main():\n    os.kill(os.getpid(), signal.SIGTERM)", None, -signal.SIGTERM),
        ("def main():\n    signal.raise_signal(signal.SIGINT)", "KeyboardInterrupt", 1),
    ],
)
def test_how_it_ends_is_told(tmp_path, body, said, code):
    lines = start(tmp_path, body)
    assert lines[-1] == f"code {code} {code}"
    if said is not None:
        assert lines[-2] == said


@pytest.mark.parametrize("runs", [True, False, None])
def test_what_python_does_at_its_end_is_done(tmp_path, runs):
    """Also where ROS is shut down, or was never there; taken apart is only what is not."""
    body = f"""
import atexit, threading, types

class Kept:
    def __del__(self, write=os.write):
        write(1, b"taken apart\\n")

sys.kept = Kept()
held = threading.Event()
atexit.register(print, "goodbye")
if {runs} is not None:
    sys.modules["rclpy"] = types.SimpleNamespace(ok=lambda: {runs})

def main():
    threading.Thread(target=lambda: held.wait(60) and print("a thread ends")).start()
    threading.Timer(0.05, held.set).start()
    sys.stdout = open(1, "w", 4096, closefd=False)  # written when it is flushed
    print("hello")
    return 3
"""
    said = ["hello", "a thread ends", "goodbye", *["taken apart"] * bool(runs), "code 3 3"]
    assert start(tmp_path, body)[: len(said)] == said  # its starter ends after it


@pytest.mark.parametrize("raised", ["KeyboardInterrupt", "SystemError"])
def test_what_is_raised_at_its_end_lets_it_not_go_on_as_its_starter(tmp_path, raised):
    """A second Ctrl-C, say, while it waits for its threads."""
    body = f"""
import threading

def shutdown():
    raise {raised}

def main():
    threading._shutdown = shutdown
    print("hello")
    return 3
"""
    assert start(tmp_path, body) == ["hello", "code 3 3"]


def test_no_file_of_its_starter_is_open_in_it(tmp_path):
    body = """
held = open(os.devnull)

def main():
    try:
        os.fstat(held.fileno())
    except OSError:
        print("closed")
    return 0
"""
    assert start(tmp_path, body)[0] == "closed"


def test_a_signal_to_its_group_reaches_it_however_early(tmp_path):
    starter = STARTER.replace("sys.stdout.write", "os.killpg(node.pid, 15); sys.stdout.write")
    (tmp_path / "thing.py").write_text("import time\n\ndef main():\n    time.sleep(300)\n")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    for _ in range(10):
        done = subprocess.run(
            [sys.executable, "-c", starter], env=env, capture_output=True, text=True, timeout=300
        )
        assert (done.stdout, done.stderr) == ("code -15 -15\n", "")


GRAPH = """
import signal, sys
from types import SimpleNamespace
from icpi_ros.ros.bringup.processes import run_graph
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
node = SimpleNamespace(
    name="thing", executable="thing", parameters={}, command=lambda: [sys.executable, "-m", "thing"]
)
sys.exit(run_graph([node]))
"""


def test_a_graph_whose_starter_ignores_ended_children_ends_with_its_node(tmp_path):
    (tmp_path / "thing.py").write_text("def main():\n    return 7\n")
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    command = [sys.executable, "-c", GRAPH]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 7, done.stderr
    assert "node thing ended" in done.stderr
