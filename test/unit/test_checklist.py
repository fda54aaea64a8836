"""The checklist of a graph: its lines, what is said of it when, and `icpi status`."""

import json
from dataclasses import replace
from types import SimpleNamespace

import outsider
import pytest

from icpi_ros.cli import status
from icpi_ros.cli.json_output import JsonOutput
from icpi_ros.core import plugins
from icpi_ros.ros.bringup.checklist import (
    FACTS,
    REPORTED_BY,
    REPORTERS,
    STALE,
    Announcer,
    Checklist,
    Line,
    Reports,
    State,
    in_namespace,
)

GOOD = tuple(Line(name, State.OK, f"{name} is as needed") for name in REPORTED_BY)


def checklist(*changed, **fields):
    """All lines good but those that are given."""
    other = {line.name: line for line in changed}
    return Checklist(tuple(other.get(line.name, line) for line in GOOD), task="slide", **fields)


def reports(names=REPORTERS, namespace="/lab", at=0.0, **facts):
    found = Reports(namespace)
    for node in names:
        found.take(node, GOOD, facts, at)
    return found


def test_every_line_and_fact_has_a_node_that_reports_it():
    assert set(REPORTED_BY.values()) | set(FACTS.values()) == set(REPORTERS)


def test_what_all_nodes_report_is_ready_with_the_whole_command():
    facts = {"task": "slide-gc", "store": "/my lab/t.sqlite", "dry run": "false", "other": "x"}
    facts["improver"] = "knn"
    found = reports(**facts).checklist(1.0)
    assert found.ready
    command = "icpi run --attach --task slide-gc --improver knn --namespace lab"
    command += " --store '/my lab/t.sqlite'"
    assert found.verdict == f"ready: {command}"
    assert [line.name for line in found.lines] == list(REPORTED_BY)


def test_the_root_and_the_usual_store_are_left_out_of_the_command():
    assert checklist().verdict == "ready: icpi run --attach --task slide"


@pytest.mark.parametrize("state", [State.WAITING, State.FAILED])
def test_one_open_line_is_not_ready(state):
    open_line = Line("stop", state, "the software stop is latched", "icpi stop --reset")
    found = checklist(open_line)
    assert not found.ready
    assert found.verdict == f"not ready: 1 of {len(REPORTED_BY)} lines open"
    assert f"{state.value:<8} stop" in found.text
    assert "latched; icpi stop --reset" in found.text


def test_a_warning_lets_a_run_begin():
    assert checklist(Line("controller", State.WARN, "goal_time is 0")).ready


def test_a_dry_run_says_so_in_the_verdict():
    assert checklist(dry_run=True).verdict.startswith(
        "ready (DRY RUN: nothing will move): icpi run"
    )
    assert reports(**{"dry run": "true"}).checklist(0.0).dry_run
    stopped = checklist(Line("stop", State.FAILED, "latched"), dry_run=True)
    assert stopped.verdict.startswith("not ready (DRY RUN: nothing will move): 1 of")


def test_json_has_what_the_text_has():
    found = checklist(Line("stop", State.FAILED, "latched", "reset it"), namespace="/lab")
    told = json.loads(json.dumps(found.as_json()))
    assert (told["ready"], told["dry_run"], told["namespace"]) == (False, False, "/lab")
    assert told["command"] == found.command
    shown = {check["name"]: check for check in told["checks"]}
    assert list(shown) == list(REPORTED_BY)
    assert shown["stop"]["state"] == "failed"
    assert shown["stop"]["remedy"] == "reset it"


def test_a_node_that_has_not_reported_is_waited_for():
    found = reports(("executor", "policy_improver"))
    assert not found.complete
    lines = {line.name: line for line in found.checklist(0.0).lines}
    assert lines["sensor"].state is State.WAITING
    assert "perception has not reported yet" in lines["sensor"].detail
    assert lines["stop"].state is State.OK


def test_a_node_that_fell_silent_is_not_believed():
    found = reports(at=10.0)
    assert found.checklist(10.0 + STALE).ready
    late = found.checklist(10.1 + STALE)
    assert not late.ready
    assert all("reported nothing for 5 s" in line.detail for line in late.lines)


def test_a_node_speaks_of_its_own_lines_alone():
    found = Reports("/")
    found.take("perception", [replace(line, detail="forged") for line in GOOD], {"task": "x"}, 0.0)
    made = found.checklist(0.0)
    assert [line.name for line in made.lines if line.detail == "forged"] == ["sensor"]
    assert made.task == ""
    found.take("stranger", GOOD, {}, 0.0)
    found.take("executor", [], {}, 0.0)
    assert not found.complete


def test_texts_of_messages_cannot_repaint_the_terminal():
    found = checklist(Line("person", State.FAILED, "a\x1b[2Jb\nok   stop", "c\u202e"))
    assert "\x1b" not in found.text
    assert "\u202e" not in found.text
    assert len(found.text.splitlines()) == len(REPORTED_BY) + 1
    forged = replace(found, task="x\nready: now")
    assert len(forged.verdict.splitlines()) == 1


def test_lines_are_said_as_they_turn_green_and_ready_once():
    announcer = Announcer()
    waiting = checklist(
        Line("joint states", State.WAITING, "none", "start the driver"),
        Line("person", State.WAITING, "a question waits", "icpi approve"),
    )
    partial = Reports("/")
    assert announcer.news(partial.checklist(0.0), False) == []  # nodes are only starting
    partial.take("executor", waiting.lines, {}, 0.0)
    first = announcer.news(partial.checklist(0.0), False)
    assert any(line.startswith("ok       stop") for line in first)
    assert not any("joint states" in line or "sensor" in line for line in first)
    second = announcer.news(waiting, True)
    assert any(
        line.startswith("waiting  joint states") and "start the driver" in line for line in second
    )
    assert second[-1].startswith("not ready: 2 of")
    assert not any("stop" in line.split() for line in second)  # said already
    assert announcer.news(waiting, True) == []
    third = announcer.news(checklist(), True)
    assert [line.split()[0] for line in third] == ["ok", "ok", "ready:"]
    assert announcer.news(checklist(), True) == []


def test_after_ready_changes_are_said_but_not_what_every_run_has():
    announcer = Announcer()
    announcer.news(checklist(), True)
    asked = checklist(Line("person", State.WAITING, "a question waits", "icpi approve"))
    assert announcer.news(asked, True) == []
    stopped = checklist(Line("stop", State.FAILED, "latched", "icpi stop --reset"))
    assert [line.split()[:2] for line in announcer.news(stopped, True)] == [["failed", "stop"]]
    assert [line.split()[:2] for line in announcer.news(checklist(), True)] == [["ok", "stop"]]


def test_another_remedy_of_an_open_line_is_said():
    announcer = Announcer()
    announcer.news(checklist(Line("controller", State.WAITING, "is asked")), True)
    absent = checklist(Line("controller", State.WAITING, "nobody is there", "start it"))
    assert len(announcer.news(absent, True)) == 1


def test_the_command_has_the_plugins_that_the_graph_has_loaded(tmp_path):
    push, _ = outsider.write_files(tmp_path)
    with outsider.forgotten():
        plugins.load([str(push)])
        assert Checklist((), task="push").command.endswith(f"--task push --plugin {push}")


def test_commands_carry_the_namespace():
    assert in_namespace("icpi approve", "/lab/left") == "icpi approve --namespace lab/left"
    assert in_namespace("icpi approve", "/") == "icpi approve"


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (checklist(), 0),
        (checklist(Line("stop", State.FAILED, "the software stop is latched")), 1),
        (checklist(Line("controller", State.FAILED, "it is inactive and takes no motion")), 1),
    ],
)
def test_the_exit_code_says_whether_a_run_can_begin(found, code, tmp_path, capsys):
    file = tmp_path / "status.json"
    assert status.show(found, SimpleNamespace(json=JsonOutput(str(file)))) == code
    assert capsys.readouterr().out == f"{found.text}\n"
    assert json.loads(file.read_text()) == found.as_json()
    output = JsonOutput("-")
    with output.alone():
        assert status.show(found, SimpleNamespace(json=output)) == code
    assert json.loads(capsys.readouterr().out) == found.as_json()
