import json

import pytest

from icpi_ros.cli.main import main
from icpi_ros.core.resources import share_path
from icpi_ros.report.foxglove import layout


def leaves(tree):
    return [tree] if isinstance(tree, str) else leaves(tree["first"]) + leaves(tree["second"])


def named(found):
    """Names of topics and services in a layout."""
    for panel in found["configById"].values():
        yield from (panel[key] for key in ("serviceName", "topicPath") if key in panel)
        yield from panel.get("topics", ())
        yield from (path["value"].partition(".")[0] for path in panel.get("paths", ()))


@pytest.mark.parametrize("namespace", ["lab", "/lab", "/lab/", "a/b_1"])
def test_every_name_is_one_of_the_namespace(namespace):
    found = layout(namespace)
    names = list(named(found))
    assert "/" + namespace.strip("/") + "/markers" in names
    assert all(name.startswith(f"/{namespace.strip('/')}/") for name in names)
    assert found["configById"]["DiagnosticSummary!icpi"]["topicToRender"] == "/diagnostics"


@pytest.mark.parametrize("namespace", ["", "/"])
def test_the_shipped_layout_is_that_of_the_root(namespace):
    assert layout(namespace) == json.loads(share_path("config", "foxglove.json").read_text())


def test_a_bag_has_no_panel_that_calls_a_service():
    found = layout("lab", recorded=True)
    panels = set(found["configById"])
    assert panels == set(leaves(found["layout"]))
    assert panels == {"3D!icpi", "Plot!cost", "RawMessages!operator", "DiagnosticSummary!icpi"}


def test_panels_have_their_titles_under_foxglove_s_key():
    panels = layout()["configById"]
    assert panels["Plot!cost"]["foxglovePanelTitle"] == "Cost by trial [m]"
    assert not [name for name, panel in panels.items() if "title" in panel]


def test_the_command_writes_the_layout_of_a_namespace(tmp_path, capsys):
    file = tmp_path / "lab.json"
    assert main(["view", "--namespace", "lab", "--foxglove", str(file)]) == 0
    assert json.loads(file.read_text()) == layout("lab")
    assert str(file) in capsys.readouterr().out
    assert main(["view", "--foxglove", str(tmp_path / "no" / "lab.json")]) == 2
    assert "cannot write" in capsys.readouterr().err
