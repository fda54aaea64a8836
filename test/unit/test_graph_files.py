"""Files that arguments name are checked before any node of a graph starts."""

import json

import pytest

from icpi_ros.cli import main as command_line
from icpi_ros.core.errors import UsageError
from icpi_ros.ros.bringup.description import GRAPHS
from icpi_ros.ros.bringup.files import checked_graph
from icpi_ros.ros.bringup.processes import BackgroundGraph
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.tasks import TASKS

NOISE = bytes(range(128, 256)) * 8
FILES = {
    "arm": "arm.yaml",
    "limits": "limits.yaml",
    "calibration": "camera.yaml",
    "params_file": "params.yaml",
    "dataset": "set.parquet",
    "physics": "physics.yaml",
}
"""Arguments that name a file which must be there, and what it may be called."""
BESIDE = ("store", "record", "options", "plugins", "task")
"""Arguments that name a file which need not be there, or in other words."""
UNUSED = ("real", "physics")
"""What the graph takes, so that one command line fits both, and does not read."""


@pytest.fixture
def started(monkeypatch):
    """What `icpi up` would have started."""
    specs = []
    monkeypatch.setattr("icpi_ros.cli.up.run_graph", lambda nodes, page: specs.extend(nodes) or 0)
    return specs


def up(capsys, *words):
    code = command_line.main(["up", *map(str, words)])
    return code, capsys.readouterr().err


def refused(started, capsys, *words):
    """Return the one line with which `icpi up` refuses to start anything."""
    code, errors = up(capsys, *words)
    assert (code, started) == (2, []), errors
    assert errors.startswith("icpi: error: ")
    assert errors.count("\n") == 1, errors
    return errors


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("store,none", "learn_from = 'store,none' is not allowed: auto, store, none, or ids"),
        ("nothing", "learn_from: there is no trial store at"),
    ],
)
def test_runs_that_are_not_there_are_refused(started, capsys, tmp_path, value, told):
    store = f"store:={tmp_path / 'trials.sqlite'}"
    assert told in refused(started, capsys, "sim", f"learn_from:={value}", store)
    if value == "nothing":
        with TrialStore(tmp_path / "trials.sqlite"):
            pass
        assert "no run 'nothing' in" in refused(
            started, capsys, "sim", "learn_from:=nothing", store
        )
        assert up(capsys, "sim", "learn_from:=store", store)[0] == 0


def test_all_arguments_that_speak_of_files_are_known_here():
    named = {a.name for a in GRAPHS["sim"] if "file" in a.description or "YAML" in a.description}
    assert named <= {*FILES, *BESIDE}


@pytest.mark.parametrize(
    ("graph", "argument"),
    [(graph, name) for graph in ("sim", "real") for name in FILES if (graph, name) != UNUSED],
)
def test_a_file_that_is_not_there(graph, argument, started, capsys, tmp_path):
    path = tmp_path / FILES[argument]
    assert str(path) in refused(started, capsys, graph, "task:=slide", f"{argument}:={path}")


@pytest.mark.parametrize("argument", FILES)
def test_a_folder_in_its_place(argument, started, capsys, tmp_path):
    path = tmp_path / FILES[argument]
    path.mkdir()
    assert str(path) in refused(started, capsys, "sim", "task:=slide", f"{argument}:={path}")


@pytest.mark.parametrize("argument", FILES)
def test_a_damaged_file(argument, started, capsys, tmp_path):
    path = tmp_path / FILES[argument]
    path.write_bytes(NOISE)
    assert str(path) in refused(started, capsys, "sim", "task:=slide", f"{argument}:={path}")


def test_limits_that_loosen_are_refused_for_the_arm_in_force(started, capsys, tmp_path):
    path = tmp_path / "limits.yaml"
    path.write_text("velocity: 3.0\n")  # a UR5e may, an FR3 may not
    error = refused(started, capsys, "real", "task:=slide", "arm:=fr3", f"limits:={path}")
    assert "limits: " in error
    assert "limits of fr3" in error
    assert up(capsys, "real", "task:=slide", "arm:=ur5e", f"limits:={path}")[0] == 0
    assert started


def test_limits_that_a_params_file_names_are_checked_too(tmp_path):
    limits, file = tmp_path / "limits.yaml", tmp_path / "params.yaml"
    limits.write_text("velocity: 99\n")
    own = {"ros__parameters": {"limits": str(limits)}}
    file.write_text(json.dumps({"executor": own, "policy_improver": own}))
    with pytest.raises(UsageError, match=r"^limits: .*limits of ur5e"):
        checked_graph("real", {"params_file": str(file)})


def test_a_data_set_of_another_task_is_refused(tmp_path):
    from icpi_ros.learn.dataset.dataset import shipped_path

    other = shipped_path("slide-gc")
    with pytest.raises(UsageError, match=r"dataset: .* is of task 'slide-gc', not 'slide'"):
        checked_graph("sim", {"task": "slide", "dataset": str(other)})
    assert checked_graph("sim", {"task": "slide-gc", "dataset": str(other)})
    assert "slide-gc" in TASKS.names()


@pytest.mark.parametrize("kind", ["folder", "text"])
def test_a_store_that_is_none(kind, started, capsys, tmp_path):
    path = tmp_path / "trials.sqlite"
    path.mkdir() if kind == "folder" else path.write_text("my notes, not a database")
    assert "store: " in refused(started, capsys, "real", "task:=slide", f"store:={path}")


def test_a_store_that_is_still_to_be_made_is_not_made_yet(tmp_path):
    path = tmp_path / "new" / "trials.sqlite"
    assert checked_graph("sim", {"store": str(path)})
    assert not path.parent.exists()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="store: cannot make"):
        checked_graph("sim", {"store": str(tmp_path / "file" / "trials.sqlite")})


def test_options_and_the_catalogue_that_they_name(started, capsys, tmp_path):
    assert "options: " in refused(started, capsys, "sim", "task:=slide", "options:={digits")
    path = tmp_path / "models.yaml"
    words = f"options:={json.dumps({'models': str(path)})}"
    assert str(path) in refused(started, capsys, "sim", "task:=slide", words)
    path.write_text("models: {mine: {model: m}}\n")
    assert up(capsys, "sim", "task:=slide", words)[0] == 0


def test_the_bag_and_the_mapping_of_a_replay(started, capsys, tmp_path):
    bag, mapping = tmp_path / "bag", tmp_path / "mapping.yaml"
    assert str(bag) in refused(started, capsys, "replay", f"bag:={bag}", "task:=slide")
    words = ("replay", "player:=false", "task:=slide", f"mapping:={mapping}")
    assert str(mapping) in refused(started, capsys, *words)
    mapping.write_text("object_pose: /vicon/puck\n")
    assert up(capsys, *words)[0] == 0


def test_a_graph_in_the_background_is_checked_before_it_is_started(tmp_path):
    with pytest.raises(UsageError, match="limits: cannot read limits"):
        BackgroundGraph("sim", {"limits": tmp_path / "none.yaml"}, tmp_path / "log")
    assert not (tmp_path / "log").exists()


def test_the_checklist_is_printed_where_an_arm_could_move(started, capsys):
    assert up(capsys, "real", "task:=slide", "namespace:=lab")[0] == 0
    (spec,) = (spec for spec in started if spec.executable == "checklist")
    assert spec.full_name == "/lab/checklist"
    started.clear()
    assert up(capsys, "replay", "player:=false", "task:=slide")[0] == 0
    assert "checklist" not in [spec.executable for spec in started]
