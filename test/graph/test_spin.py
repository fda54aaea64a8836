"""Nodes under the executor that they get: time while idle, failing callbacks, old rclpy, an end."""

import sys

import pytest
import warm

PROGRAM = """
import ctypes, resource, sys, threading
import rclpy
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from icpi_ros.ros.base import spin

if "old" in sys.argv:
    sys.modules["rclpy.experimental"] = None


class Patient(spin.IcpiNode):
    def __init__(self):
        super().__init__("patient")
        self.left = 20
        self.create_timer(0.05, self.tick, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def close(self):
        if "fails" in sys.argv:
            done = threading.Event()
            self.executor.create_task(done.set)
            print("closed with replies" if done.wait(4.0) else "closed alone", flush=True)
        else:
            print("all is written")

    def destroy_node(self):
        if "hangs" in sys.argv:
            ctypes.PyDLL(None).sleep(600)  # with the interpreter's lock: no thread runs on
        elif "toils" in sys.argv:
            sum(range(10**12))  # likewise
        super().destroy_node()

    def tick(self):
        self.left -= 1
        if "fails" in sys.argv:
            raise ValueError("a fault of ours")
        if not self.left:
            used = resource.getrusage(resource.RUSAGE_THREAD)
            print(f"spun {used.ru_utime + used.ru_stime:.3f}")
            print(type(self.executor).__name__)
            self.stopping.set()


if "toils" in sys.argv:
    spin.TEAR_DOWN_LIMIT, spin.TEAR_DOWN_WORK = 600.0, 0.1
code = spin.run(Patient)
print("ended")
sys.exit(code)
"""


def spun(*arguments):
    return warm.run([sys.executable, "-c", PROGRAM, *arguments])


@pytest.mark.parametrize("arguments", [(), ("old",)])
def test_an_idle_node_sleeps(arguments):
    done = spun(*arguments)
    assert done.returncode == 0, done.stderr
    seconds = float(done.stdout.split()[1])
    assert seconds < 0.5  # of the second that it spun; one that never sleeps takes all of it
    assert ("Single" in done.stdout) == bool(arguments)


@pytest.mark.parametrize("arguments", [("fails",), ("fails", "old")])
def test_a_failing_callback_ends_the_node_with_its_reason(arguments):
    done = spun(*arguments)
    assert done.returncode == 1
    assert "a callback failed: ValueError: a fault of ours" in done.stderr
    assert "Traceback" not in done.stderr
    assert "closed with replies" in done.stdout  # the stop of an arm needs the executor


@pytest.mark.parametrize(
    ("arguments", "code"), [(("hangs",), 0), (("hangs", "fails"), 1), (("toils",), 0)]
)
def test_a_middleware_that_hangs_with_the_interpreters_lock_does_not_keep_a_node(arguments, code):
    done = spun(*arguments)
    assert done.returncode == code, done.stderr
    assert "ended" not in done.stdout
    assert ("closed with replies" if code else "all is written") in done.stdout


def test_a_node_that_has_ended_leaves_its_process_alive():
    assert spun().stdout.split()[-1] == "ended"
