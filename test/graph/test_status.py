"""`icpi up real` says what it waits for until a run can begin, and `icpi status` says the same."""

import json
import os
import re
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
import warm

from icpi_ros.ros.bringup import parent
from icpi_ros.ros.bringup.checklist import REPORTED_BY
from icpi_ros.ros.bringup.description import NodeSpec
from icpi_ros.ros.bringup.environment import environment

from .command_line import icpi
from .conftest import HANG, NAMESPACE, RunningGraph, parameters

ARM = "fr3"
IN_FRONT = r"\d\d:\d\d:\d\d checklist +\| "
"""What `icpi up` puts in front of each line of this node."""


def start(command, log):
    RunningGraph.logs.append(log)
    with log.open("wb") as out:
        return warm.Popen(
            command,
            env=environment() | {parent.VARIABLE: str(os.getpid())},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )


@pytest.fixture(scope="module")
def up(tmp_path_factory, domain):
    """`icpi up real` with nothing around it; ``drive`` starts the arm and the sensor."""
    folder = tmp_path_factory.mktemp("up")
    file, limits = parameters(folder / "params.yaml", {}), folder / "limits.yaml"
    limits.write_text("tool_speed: 1.4\n")
    store, log = folder / "trials.sqlite", folder / "up.log"
    given = ["task:=slide", f"arm:={ARM}", f"namespace:={NAMESPACE}", "use_sim_time:=true"]
    given += [f"params_file:={file}", f"limits:={limits}", f"store:={store}", "viewer:=false"]
    graph = start([sys.executable, "-m", "icpi_ros.cli.main", "up", "real", *given], log)
    values = {"task": "slide", "arm": ARM, "controller_status": False, "real_time_factor": 1.0}
    command = NodeSpec("mujoco_arm", f"/{NAMESPACE}", values).command()
    drivers = []
    yield SimpleNamespace(
        graph=graph,
        log=log,
        store=store,
        drive=lambda: drivers.append(start(command, folder / "driver.log")),
    )
    for process in (graph, *drivers):
        process.send_signal(signal.SIGINT)
    assert [process.wait(HANG) for process in (graph, *drivers)] == [0] * (1 + len(drivers))


def said(up):
    """What the checklist of `icpi up` has printed, without what stands in front."""
    lines = up.log.read_text(errors="replace").splitlines()
    return [re.sub(IN_FRONT, "", line) for line in lines if re.match(IN_FRONT, line)]


def status(*options):
    """Return exit code, output and errors of `icpi status`."""
    process = icpi(["status", "--namespace", NAMESPACE, "--timeout", HANG, *options])
    out, errors = process.communicate(timeout=2 * HANG)
    return process.returncode, out, errors


def test_lines_go_green_until_a_run_can_begin(up, observer, person):
    begun = lambda: "not ready: " in "\n".join(said(up)) or up.graph.poll() is not None  # noqa: E731
    observer.wait(begun, "all nodes to report")
    assert any(line.startswith("waiting  joint states") for line in said(up)), said(up)
    limits = r"ok +limits +fr3: .*limits.yaml \(sha256 \w{12}\); .*fr3.yaml \(sha256 \w{12}\)"
    assert any(re.match(limits, x) for x in said(up)), said(up)
    assert any(
        re.match(r"ok +mode +motions MOVE THE ARM; approval by a person is on", x) for x in said(up)
    )
    code, out, _ = status()
    assert code == 1
    assert re.search(
        r"^waiting  joint states +no joint state .*driver running\? its joint_states must",
        out,
        re.M,
    )
    assert re.search(r"^waiting  controller +no node takes motions at joint_traj", out, re.M)
    up.drive()
    ready = f"ready: icpi run --attach --task slide --namespace {NAMESPACE} --store {up.store}"
    observer.wait(lambda: ready in said(up) or up.graph.poll() is not None, "the line ready")
    green = {m[1] for x in said(up) if (m := re.match(r"(?:ok|warn) +((?:\w+ )?\w+)  ", x))}
    assert green == set(REPORTED_BY)
    code, out, _ = status("--json", "-", "--wait", HANG)
    assert code == 0, out
    found = json.loads(out)
    assert (found["ready"], found["dry_run"], f"ready: {found['command']}") == (True, False, ready)
    lines = {check["name"]: check for check in found["checks"]}
    assert re.match(r"\d+ Hz, 7 joints", lines["joint states"]["detail"])
    assert "its parameters allow motions" in lines["controller"]["detail"]
    assert re.match(r"object_pose at \d", lines["sensor"]["detail"])
    assert "in its place" in lines["object"]["detail"]
    assert said(up).count(ready) == 1


def test_a_latched_stop_is_not_ready_until_it_is_released(up, person):
    person.stop()
    code, out, _ = status()
    assert code == 1
    reset = f"icpi stop --reset --namespace {NAMESPACE}"
    assert re.search(rf"^failed   stop +the software stop is latched; {reset}$", out, re.M), out
    assert "not ready: " in out
    person.reset()
    code, out, _ = status("--wait", HANG)
    assert code == 0, out
    assert out.splitlines()[-1].startswith("ready: icpi run --attach")


def test_no_graph_is_one_line(domain):
    process = icpi(["status", "--namespace", "nobody", "--timeout", 1])
    out, errors = process.communicate(timeout=HANG)
    assert (process.returncode, out, errors.count("\n")) == (2, "", 1)
    assert "no graph reports in namespace /nobody and ROS domain" in errors
