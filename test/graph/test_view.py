"""The page of a graph: its questions are answered there, its stop is pressed and released there."""

import pytest
from view_client import Viewer, heard, upper_edge
from websockets.sync.client import connect

from icpi_ros.cli.view_graph import GraphAddress, GraphPage
from icpi_ros.core.errors import UsageError
from icpi_ros.tasks import TASKS
from icpi_ros.view.page import PageAddress
from icpi_ros.view.panels import APPROVE, BACK, EDIT, LOOKED

from .conftest import NAMESPACE, RunningGraph
from .improving import Improvement

SLIDE = TASKS.get("slide")


@pytest.fixture(scope="module")
def graph(tmp_path_factory, domain):
    """A simulated graph in which a person approves every motion and puts the scene back."""
    folder = tmp_path_factory.mktemp("viewed")
    with RunningGraph(folder, approval="true", scene="operator", max_step="0.5") as running:
        yield running


@pytest.fixture(scope="module")
def shown(graph):
    with GraphPage(GraphAddress(NAMESPACE), PageAddress(operate=True)) as page:
        yield page


def press(viewer, label):
    """Press until the question is another: in its first second an approval is too early."""
    viewer.until(lambda v: v.parts.get(label, {}).get("disabled") is False)
    pressed = viewer.uuid(label)
    while viewer.parts.get(label) and viewer.uuid(label) == pressed:
        viewer.send(pressed, True)
        viewer.drain(0.3)


def test_a_run_is_approved_changed_and_its_scene_confirmed_on_the_page(shown, monkeypatch):
    run = Improvement(budget=1)
    speed = SLIDE.space.parameters[0].heading
    link = shown.page.link
    with Viewer(link) as viewer, Viewer(link) as other:
        run.start()
        viewer.until(lambda v: APPROVE in v.parts)
        assert viewer.parts["motion"]["options"][0] == "proposed"
        with monkeypatch.context() as patch:  # as after a restart with another arm
            patch.setattr(shown, "_known", {"task": "slide", "arm": "ur10e"})
            viewer.press(APPROVE)
            viewer.until(lambda v: "this page shows ur10e" in v.text())
        viewer.set(speed, 1.0)
        press(viewer, EDIT)
        viewer.until(lambda v: "changed by a person at the page" in v.text())
        assert viewer.parts[speed]["value"] == 1.0
        press(viewer, APPROVE)
        viewer.set(LOOKED, True)
        press(viewer, BACK)
        for each in (viewer, other):
            each.until(lambda v: "<circle" in v.text())
            each.until(lambda v: "/paths/0" in v.nodes)
        result = run.ended()
    assert result.error_code == 0
    assert result.best_theta[0] == 1.0


def test_stop_needs_no_token_and_a_person_with_the_page_releases_it(shown):
    page = shown.page
    with upper_edge(page.link) as news:
        assert not news()["stopped"]
        with connect(f"{page.stop_link.replace('http', 'ws')}stop", proxy=None) as line:
            line.send("stop")
            assert heard(line) == {"said": "STOP was pressed"}
        while not (state := news())["stopped"]:
            pass
        assert state["line"].startswith("STOPPED")
        with connect(f"{page.link.replace('http', 'ws')}bar", proxy=None) as line:
            answer = {}
            while "said" not in answer:  # one press is one attempt: the arm may not stand yet
                line.send("reset")
                while answer.get("to") != "reset" or "line" in answer:
                    answer = heard(line)
                if "failed" in answer:
                    assert "still" in answer.pop("failed")
                    answer = {}
            assert "motions are allowed again" in answer["said"]
        while news()["stopped"]:
            pass


def test_without_a_graph_it_says_where_it_looked(domain):
    with pytest.raises(UsageError, match="no graph answers in namespace /nowhere"):
        GraphPage(GraphAddress("nowhere", wait=0.2), PageAddress())
