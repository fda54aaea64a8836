"""The commands that open a page: `icpi view` and `icpi run --view`."""

import builtins
import importlib.util
import json
import socket
import stat
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
from bag_data import header, make, write
from run_bag import messages, simulate
from view_client import Viewer, heard, upper_edge
from websockets.sync.client import connect

from icpi_ros.cli import view, view_run
from icpi_ros.cli.json_output import JsonOutput
from icpi_ros.cli.main import main
from icpi_ros.core.types import TrialStatus
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.view.following import Follower

RUN = ["run", "--task", "slide", "--in-process", "--improver", "random", "--trials", "2"]


def link_in(text):
    return next(word for word in text.split() if word.startswith("http"))


@pytest.fixture
def once(monkeypatch, capsys):
    """Let a page be looked at by a function, then end as with Ctrl-C."""
    seen = []

    def look_with(look):
        def instead_of_waiting(_):
            seen.append(look(link_in(capsys.readouterr().err)))
            raise KeyboardInterrupt

        monkeypatch.setattr(view.time, "sleep", instead_of_waiting)
        return seen

    return look_with


def shown(link):
    with Viewer(link) as viewer, upper_edge(link) as news:
        viewer.until(lambda v: "<circle" in v.text() and "motion" in v.parts)
        return news()["line"], viewer.parts["motion"]["options"]


def test_a_stored_run_is_shown(tmp_path, once, capsys):
    path = tmp_path / "t.sqlite"
    assert main([*RUN, "--store", str(path)]) == 0
    with TrialStore(path) as store:
        run_id = store.runs()[0].run_id
    capsys.readouterr()
    seen = once(shown)
    assert main(["view", run_id, "--store", str(path)]) == 0
    line, motions = seen[0]
    assert "2 of 2 trials" in line
    assert motions == ["trial 1", "trial 0"]


def test_a_run_under_way_is_shown_anew_when_its_trial_ends(tmp_path, monkeypatch):
    path = tmp_path / "t.sqlite"
    assert main([*RUN, "--store", str(path)]) == 0
    with TrialStore(path) as store:
        record = store.run(store.runs()[0].run_id)
        first, last = store.trials(record.run_id)
    running = replace(last, status=TrialStatus.RUNNING, trajectory=None)
    stages, drawn, looks = iter([[first, running], [first, last]]), [], iter([None])
    monkeypatch.setattr(TrialStore, "run", lambda *_: replace(record, state="open"))
    monkeypatch.setattr(TrialStore, "trials", lambda *_: next(stages))
    monkeypatch.setattr(
        "icpi_ros.view.page.RunPage.show_trials",
        lambda _, trials, budget, play=False: drawn.append((trials[-1].status, play)),
    )

    def wait(_):
        if next(looks, "end") == "end":
            raise KeyboardInterrupt

    monkeypatch.setattr(view.time, "sleep", wait)
    assert main(["view", record.run_id, "--store", str(path)]) == 0
    assert drawn == [(TrialStatus.RUNNING, False), (TrialStatus.DONE, True)]


def with_joints(found, joints):
    """Add what a driver says of an arm that stands, with a prefix, in every window."""
    names = [f"left_{name}" for name in joints]
    rows = []
    for ns in {ns for topic, _, ns, _ in found if topic == "/trial_window"}:
        state = make(
            "sensor_msgs/msg/JointState",
            header=header(ns),
            name=names,
            position=np.array(list(joints.values())),
            velocity=np.zeros(0),
            effort=np.zeros(0),
        )
        rows.append(("/joint_states", "JointState", ns, state))
    return sorted([*found, *rows], key=lambda row: row[2])


PAIR = ("arm", "ghost")


def ends(link):
    with Viewer(link) as viewer:
        viewer.all_of("/arm/link_6", "/ghost/link_6")
        viewer.until(lambda v: all((f"/{n}/link_6", "SetPositionMessage") in v.moved for n in PAIR))
        places = [viewer.moved[f"/{n}/link_6", "SetPositionMessage"]["position"] for n in PAIR]
        viewer.until(
            lambda v: any(m.get("visible") for (n, _), m in v.moved.items() if n == "/ghost")
        )
        return viewer.parts["motion"]["options"], places


def test_a_bag_shows_the_arm_as_it_was_recorded_and_its_command_as_a_ghost(tmp_path, once):
    run = simulate(tmp_path, improver="random", trials=2)
    q = UR5E.home + 0.1
    found = with_joints(messages(run), dict(zip(UR5E.joints, q, strict=True)))
    seen = once(ends)
    file = tmp_path / "page.json"
    bag = write(tmp_path / "bag", found)
    assert main(["view", str(bag), "--json", str(file)]) == 0
    options, (arm, ghost) = seen[0]
    assert options == ["trial 1", "trial 0"]
    commanded = run.task.motion(run.trials[1].theta, UR5E).trajectory.positions[-1]
    np.testing.assert_allclose(arm, UR5E.links(q)[6, :3, 3], atol=1e-6)
    np.testing.assert_allclose(ghost, UR5E.links(commanded)[6, :3, 3], atol=1e-6)
    told = json.loads(file.read_text())
    assert told["page"].startswith("http://127.0.0.1:")
    assert told["stop"] is None


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["view", "--topics", "t.yaml"], "--topics and --store are about a stored run or a bag"),
        (["view", "RUN", "--operate"], "--operate is for a graph that is up"),
        (["view", "RUN", "--namespace", "lab"], "--namespace is that of a graph"),
        (["view", "RUN", "--camera"], "--camera is that of a graph"),
        (["view", "RUN", "--run", "x"], "about bags"),
        (["view", "RUN"], "no run 'RUN'"),
        ([*RUN, "--operate"], "--operate lets the page of --view decide"),
        ([*RUN, "--view", "--operate"], "in a run through a graph"),
        ([*RUN, "--view", "--frame-ancestor", "*"], "is not the origin of a page"),
        (["view", "RUN", "--frame-ancestor", "*"], "is not the origin of a page"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, capsys, words, text):
    path = tmp_path / "t.sqlite"
    TrialStore(path).close()
    assert main([*words, "--store", str(path)]) == 2
    assert text in capsys.readouterr().err


@pytest.mark.parametrize("words", [["view", "RUN"], [*RUN, "--view"]])
def test_without_viser_it_says_what_to_install(monkeypatch, tmp_path, capsys, words):
    found, path = importlib.util.find_spec, tmp_path / "t.sqlite"
    TrialStore(path).close()
    monkeypatch.setattr(
        "icpi_ros.view.find_spec", lambda name: None if name == "viser" else found(name)
    )
    monkeypatch.setitem(sys.modules, "icpi_ros.cli.view_graph", None)  # it cannot be imported
    for given in ([*words, "--store", str(path)], ["view"]):
        assert main(given) == 2
        assert "pip install 'icpi_ros[view]'" in capsys.readouterr().err


def test_a_run_is_followed_and_stopped_from_its_page(tmp_path, monkeypatch, capsys):
    """STOP after the first trial, without the token: the run ends before the second."""
    pressed = threading.Event()
    say = builtins.print

    def show(*texts, **more):
        say(*texts, **more)
        if not pressed.is_set() and str(texts[0]).startswith("trial 0"):
            link = link_in(capsys.readouterr().err)
            root = "/".join(link.split("/")[:3])
            with connect(f"{root.replace('http', 'ws')}/stop", proxy=None) as line:
                line.send("stop")
                heard(line)
            pressed.set()

    monkeypatch.setattr("icpi_ros.cli.run.print", show, raising=False)
    path = tmp_path / "t.sqlite"
    assert main([*RUN, "--view", "--store", str(path)]) == 1
    with TrialStore(path) as store:
        record = store.run(store.runs()[0].run_id)
        assert len(store.trials(record.run_id)) == 1
    assert (record.state, record.note) == ("cancelled", "STOP was pressed on the page")


def test_a_page_that_fails_does_not_end_the_run(tmp_path, monkeypatch, capsys):
    def broken(*_, **__):
        raise RuntimeError("no such colour")

    monkeypatch.setattr("icpi_ros.view.page.RunPage.show_trials", broken)
    assert main([*RUN, "--view", "--store", str(tmp_path / "t.sqlite")]) == 0
    told = capsys.readouterr().err
    assert told.count("the page is closed, the run goes on: RuntimeError: no such colour") == 1


def test_of_news_that_comes_too_fast_the_latest_is_drawn():
    drawn, go = [], threading.Event()

    class Page:
        def show_trials(self, trials, budget, play):
            go.wait(60)
            drawn.append(len(trials))

    follower = Follower(Page(), 9, print)
    for count in range(1, 6):
        follower.show([None] * count)
    go.set()
    follower.finish()
    assert drawn[-1] == 5
    assert len(drawn) <= 2


def test_the_page_stays_at_a_terminal_until_ctrl_c(tmp_path, monkeypatch, capsys):
    waited = []

    def interrupted(_):
        waited.append(1)
        raise KeyboardInterrupt

    monkeypatch.setattr(view_run.sys, "stdin", type("Tty", (), {"isatty": lambda self: True})())
    monkeypatch.setattr(view_run.time, "sleep", interrupted)
    assert main([*RUN, "--view", "--store", str(tmp_path / "t.sqlite")]) == 0
    assert waited == [1]


def test_a_page_that_cannot_be_opened_leaves_no_run(tmp_path, capsys):
    path = tmp_path / "t.sqlite"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main([*RUN, "--view", "--port", port, "--store", str(path)]) == 2
    assert f"port {port}" in capsys.readouterr().err
    with TrialStore(path) as store:
        assert store.runs() == []


def test_a_failed_page_of_a_run_is_closed_before_it_is_said():
    order = []

    class Page:
        def show_trials(self, *_, **__):
            raise RuntimeError("no such colour")

        def close(self):
            order.append("closed")

    follower = Follower(Page(), 9, order.append)
    follower.show([None])
    follower.finish()
    assert order[0] == "closed"
    assert "RuntimeError" in order[1]


def test_addresses_are_for_their_owner_alone(tmp_path):
    for name in ("new.json", "old.json"):
        file = tmp_path / name
        if name == "old.json":
            file.write_text("{}")
            file.chmod(0o644)
        JsonOutput(str(file)).write({"page": "x"}, secret=True)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert json.loads(file.read_text()) == {"page": "x"}
