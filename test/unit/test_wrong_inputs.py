"""Wrong inputs of every command: one line that says what is wrong, exit code 2, and no work."""

import shutil
import socket
import sqlite3

import pyarrow
import pyarrow.parquet
import pytest

import icpi_ros.cli.graph_run
import icpi_ros.cli.up
from icpi_ros.cli.commands import COMMANDS
from icpi_ros.cli.main import main
from icpi_ros.learn.dataset.dataset import shipped_path
from icpi_ros.runs.store.store import TrialStore

NAME = "is not a ROS name"
STORE = "not a trial store"

CASES = [
    # words of the command line, and what the line must hold
    ("frob", "unknown command 'frob'", "choose one of"),
    ("rnu", "did you mean 'run'?"),
    ("--frob", "--frob"),
    ("run --plugin", "--plugin", "expected one argument"),
    # --- run
    ("run", "--task is missing", "slide"),
    ("run --tsk slide", "--tsk", "did you mean '--task'?"),
    ("run --task slidee", "unknown task 'slidee'", "did you mean 'slide'?"),
    ("run --task sl\x1bide", r"sl\x1bide"),
    ("run --task slide x:=1", "x:=1"),
    ("run --task slide --improver embeded", "'embeded'", "did you mean 'embedded'?"),
    ("run --task slide --trials 0", "--trials", "'0'", "1 to 1000"),
    ("run --task slide --trials 2.5", "--trials", "'2.5'"),
    ("run --task slide --trials 1e400", "--trials", "'1e400'"),
    ("run --task slide --seed -1", "--seed", "'-1'", "0 to"),
    ("run --task slide --seed 99999999999999999999", "--seed", "99999999999999999999"),
    ("run --task slide --goal 0.6", "goal needs 2 values (x, y), got 1"),
    ("run --task slide --goal 0.6,0.42,1", "goal needs 2 values", "got 3"),
    ("run --task slide --goal 0.6,nan", "goal y = nan"),
    ("run --task slide --goal 0.6,1e400", "goal y = inf"),
    ("run --task slide --goal 0.6,x", "--goal", "'0.6,x'", "60cm,42cm"),
    ("run --task slide --goal", "--goal", "expected one argument"),
    ("run --task slide --goal 600mm,4.2m", "goal y = 4.2 m", "0.38 to 0.45 m"),
    ("run --task slide --goal -0.1,0.4", "goal x = -0.1 m", "0.5 to 0.7 m"),
    ("run --task slide --target-cost 5", "--target-cost", "5mm, 5cm or 5m"),
    ("run --task slide --target-cost nan", "--target-cost", "'nan'", "5mm"),
    ("run --task slide --target-cost inf", "--target-cost", "'inf'", "5mm"),
    ("run --task slide --target-cost 1e400", "--target-cost", "'1e400'"),
    ("run --task slide --target-cost 5inch", "--target-cost", "'5inch'"),
    ("run --task slide --target-cost -5mm", "--target-cost", "'-5mm'", "at least 0 mm"),
    ("run --task slide --in-process --noise 50cm", "--noise", "'50cm'", "0 to 100 mm"),
    ("run --task slide --in-process --latency -inf", "--latency", "'-inf'", "0 to 1"),
    ("run --task slide --noise 5mm", "--noise", "--in-process"),
    ("run --task slide --in-process --attach", "--attach", "--in-process"),
    ("run --task slide --source camra", "--source", "'camra'", "did you mean 'camera'?"),
    ("run --task slide --in-process --source camera", "--source camera", "--in-process"),
    ("run --task slide --log-level loud", "--log-level", "'loud'", "warn"),
    ("run --task slide --real-time-factor nan", "--real-time-factor", "'nan'", "0 to 100"),
    ("run --task slide --namespace bad|name", "--namespace", "'bad name'", NAME),
    ("run --task slide --namespace 1x", "--namespace", "'1x'", NAME),
    ("run --task slide --namespace //", "--namespace", "'//'", NAME),
    ("run --task slide --namespace a/_/é", "--namespace", NAME),
    ("run --task slide --namespace a\nb", "--namespace", r"'a\nb'", NAME),
    ("run --task slide --arm ur6e", "unknown arm 'ur6e'", "did you mean 'ur5e'?"),
    ("run --task slide --arm missing.yaml", "missing.yaml", "No such file"),
    ("run --task slide --arm broken.yaml", "broken.yaml", "not valid YAML"),
    ("run --task slide --arm other.yaml", "other.yaml", "unknown key 'a'", "tool"),
    ("run --task slide --attach --arm ur5e", "--arm ur5e", "leave --arm out"),
    ("run --task slide --dataset missing.parquet", "missing.parquet", "icpi dataset build"),
    ("run --task slide --dataset cut.parquet", "cut.parquet", "truncated"),
    ("run --task slide --dataset foreign.parquet", "foreign.parquet", "not a data set"),
    ("run --task roll-gc --dataset slide.parquet", "slide.parquet", "'slide'", "'roll-gc'"),
    ("run --task slide --store folder", "folder", "choose another with --store"),
    ("run --task slide --store notes.txt", "notes.txt", STORE),
    ("run --task slide --store other.sqlite", "other.sqlite", "not an ICPI trial store"),
    ("run --task slide --store newer.sqlite", "newer.sqlite", "newer icpi_ros", "--store"),
    ("run --task slide --store /proc/x.sqlite", "/proc/x.sqlite", "--store"),
    ("run --task slide --store notes.txt/x", "notes.txt", "--store"),
    ("run --task slide --in-process --store folder", "folder", "--store"),
    ("run --task slide --picture /proc/x.png", "/proc/x.png", "cannot write"),
    ("run --task slide --picture nowhere/x.png", "nowhere/x.png", "folder does not exist"),
    ("run --task slide --picture folder", "folder", "name a file in it"),
    ("run --task slide --picture x.doc", "--picture x.doc", ".png"),
    ("run --task slide --json /proc/x", "/proc/x", "cannot write"),
    ("run --task slide --json folder", "folder", "name a file in it"),
    ("run --task slide --option k", "KEY=VALUE"),
    ("run --task slide --option k=3", "'k' of embedded", "choose from features, repeats"),
    ("run --task slide --improver ridge --option kk=3", "'kk' of ridge", "choose from"),
    ("run --task slide --improver cma --option sigma=a", "sigma of cma", "'a'", "0.001 to 2"),
    ("run --task slide --option k=1 --option k=2", "'k'", "more than once"),
    ("run --task slide --mix", "--mix", "nothing would be mixed"),
    ("run --resume nope", "cannot resume nope", "no trial store"),
    ("run --resume nope --store store.sqlite", "no run 'nope'", "store.sqlite"),
    ("run --task slide --plugin missing.py", "missing.py", "no such file"),
    ("run --task slide --plugin plug.py", "plug.py", "line 1", "no_such_module"),
    # --- the rest of "use it"
    ("demo slide", "slide"),
    ("demo --seed -1", "--seed", "'-1'"),
    ("demo --namespace 1x", "--namespace", "'1x'", NAME),
    ("demo --store notes.txt", "notes.txt", STORE),
    ("runs lst", "'lst'", "compare, delete"),
    ("runs --since yesterday", "--since", "'yesterday'", "12h"),
    ("runs --store folder", "folder", "--store"),
    ("runs --json /proc/x", "/proc/x", "cannot write"),
    ("runs compare a", "RUN"),
    ("runs --store store.sqlite compare a b", "no run 'a'"),
    ("runs delete nope --store other.sqlite", "other.sqlite", "not an ICPI trial store"),
    ("report", "RUN|BAG|FILE"),
    ("report nope", "'nope'", "--store"),
    ("report missing.json", "missing.json", "No such file"),
    ("report broken.json", "broken.json", "not JSON"),
    ("report list.json", "list.json", "not a results file"),
    ("report folder", "folder", "no .mcap or .db3"),
    ("report cut.mcap", "cut.mcap", "no topic"),
    ("report list.json --html /proc/x.html", "/proc/x.html", "cannot write"),
    ("report nope --csv nowhere/x.csv", "nowhere/x.csv", "folder does not exist"),
    ("report nope --parquet folder", "folder", "name a file in it"),
    ("report nope --png /proc/x", "--png /proc/x", "cannot be written"),
    ("report nope --png notes.txt", "--png notes.txt", "name a folder"),
    ("report nope --store notes.txt", "notes.txt", STORE),
    ("view nope", "no trial store", "--store"),
    ("view nope --store store.sqlite", "no run 'nope'", "store.sqlite"),
    ("view nope --store notes.txt", "notes.txt", STORE),
    ("view folder", "folder", "no .mcap or .db3"),
    ("view nope --port 70000", "--port", "'70000'", "0 to 65535"),
    ("view --wait 0", "--wait", "'0'", "0.1 to 86400"),
    ("view --namespace 1x", "--namespace", "'1x'", NAME),
    ("view nope --json /proc/x", "/proc/x", "cannot write"),
    ("run --task slide --operate", "--operate", "--view"),
    ("task lst", "'lst'", "did you mean 'list'?"),
    ("task describe slidee", "'slidee'", "did you mean 'slide'?"),
    ("task describe slide --draws 0", "--draws", "'0'", "1 to 1000"),
    ("task describe slide --picture /proc/x.png", "/proc/x.png", "cannot write"),
    ("improver describe cam", "'cam'", "did you mean 'cma'?"),
    ("check-plugin missing.py", "missing.py", "no such file"),
    ("doctor --json /proc/x", "/proc/x", "cannot write"),
    # --- robots
    ("up", "graph"),
    ("up simm", "'simm'", "sim, real, replay"),
    ("up sim task=slide", "'task=slide'", "name:=value"),
    ("up sim tsk:=slide", "'tsk'", "choose from task", "did you mean 'task'?"),
    ("up sim task:=slidee", "task = 'slidee'", "slide"),
    ("up sim :=1", "unknown argument ''"),
    ("up sim namespace:=bad|name", "namespace = 'bad name'", NAME),
    ("up sim --namespace //", "--namespace", "'//'", NAME),
    ("up sim real_time_factor:=nan", "real_time_factor = 'nan'", "0 to 100"),
    ("up sim approval:=yes", "approval = 'yes'", "true, false"),
    ("up sim camera_width:=1e400", "camera_width = '1e400'", "16 to 1920"),
    ("up sim physics:=1,a", "physics = '1,a'", "numbers with commas"),
    ("up sim physics:=1", "physics needs 3 values", "got 1"),
    ("up sim physics:=nan,1,1", "friction = nan"),
    ("up sim physics:=missing.yaml", "missing.yaml", "No such file"),
    ("up sim arm:=missing.yaml", "arm:", "missing.yaml"),
    ("up sim limits:=other.yaml", "limits:", "other.yaml", "'a'", "velocity"),
    ("up sim calibration:=other.yaml", "calibration:", "other.yaml"),
    ("up sim store:=notes.txt", "store:", "notes.txt", STORE),
    ("up sim dataset:=cut.parquet", "dataset:", "cut.parquet"),
    ("up sim options:={", "options", "JSON object"),
    ("up sim record:=folder", "folder", "exists"),
    ("up sim record:=/proc/x", "/proc/x", "cannot make"),
    ("up sim params_file:=broken.yaml", "broken.yaml", "not valid YAML"),
    ("up sim plugins:=missing.py", "missing.py", "no such file"),
    ("up real approval:=false", "approval:=false", "unattended:=true"),
    ("up replay", "bag:=FOLDER"),
    ("up replay missing", "no bag missing"),
    ("up replay cut.mcap", "cut.mcap", "no topic trial_window"),
    ("up replay cut.mcap mapping:=missing.yaml", "missing.yaml"),
    ("status --namespace bad|name", "--namespace", "'bad name'", NAME),
    ("status --timeout 0", "--timeout", "'0'", "0.1 to 600"),
    ("stop --namespace 1x", "--namespace", "'1x'", NAME),
    ("stop --rest", "--rest", "did you mean '--reset'?"),
    ("approve --namespace //", "--namespace", "'//'", NAME),
    ("approve --decision aprove", "'aprove'", "did you mean 'approve'?"),
    ("approve --theta 1,2", "--theta", "--decision edit"),
    ("approve --decision edit --theta 1,x", "--theta", "'1,x'"),
    ("run --task slide --source camera --in-process", "camera", "needs a graph"),
    ("task try slide --samples 7", "--samples", "7"),
    ("approve --json", "--json", "--show"),
    ("approve --decision approve --request -1", "--request", "'-1'"),
    ("arm check ur6e", "unknown arm 'ur6e'", "did you mean 'ur5e'?"),
    ("arm check broken.yaml", "broken.yaml", "not valid YAML"),
    ("arm check ur5e --task slidee", "'slidee'"),
    ("arm check ur5e --points 3", "--points", "--task"),
    ("arm check ur5e --task slide --picture x.doc", "x.doc", ".svg"),
    ("calibrate board --out x.png --square 35", "--square", "35mm, 35cm or 35m"),
    ("calibrate board --out x.png --square 0", "--square", "'0'", "1 to 1000 mm"),
    ("calibrate board --out x.png --marker-size 35mm", "markers of 35 mm", "10.5 to 31.5 mm"),
    ("calibrate board --out x.png --squares 7", "--squares '7'", "7x5"),
    ("calibrate board --out x.png --dictionary 4x5", "4x5"),
    ("calibrate board --out /proc/x.png", "/proc/x.png", "cannot write"),
    ("calibrate board --out x.doc", "x.doc", ".svg"),
    ("calibrate camera --out x.yaml", "--images --topic --bag"),
    ("calibrate camera --out x.yaml --images missing", "missing"),
    ("calibrate camera --out x.yaml --topic bad|name", "--topic", "'bad name'", NAME),
    ("calibrate camera --out x.yaml --bag missing", "missing"),
    ("calibrate camera --out x.yaml --images f --topic t", "--topic", "--images"),
    ("calibrate table --out x.yaml --camera missing.yaml", "missing.yaml"),
    ("calibrate table --out x.yaml --camera other.yaml", "other.yaml"),
    ("calibrate table --out x.yaml --camera camera.yaml", "--point, --points or --marker"),
    ("calibrate table --out x.yaml --camera camera.yaml --point 1,2", "--point '1,2'", "5 numbers"),
    (
        "calibrate table --out x.yaml --camera camera.yaml --point 1,2,x,0,0",
        "--point",
        "'x'",
        "5mm",
    ),
    ("calibrate table --out x.yaml --camera camera.yaml --marker 1,80,0,0,0 --images f", "80mm"),
    ("calibrate table --out x.yaml --camera camera.yaml --points missing.csv", "missing.csv"),
    ("calibrate points --images f", "--out"),
    ("calibrate points --images f --out nowhere/x.html", "nowhere/x.html", "does not exist"),
    ("calibrate physics", "BAG", "--run"),
    ("calibrate physics missing", "missing"),
    ("calibrate physics --run nope --store folder", "folder", "--store"),
    ("calibrate physics --run nope --store store.sqlite", "no run 'nope'"),
    ("calibrate physics cut.mcap --trials 1,a", "--trials", "'1,a'", "0,1,2"),
    ("calibrate physics cut.mcap --picture x.doc", "x.doc", ".png"),
    ("perception debug missing --task slide --out pictures", "missing"),
    ("perception debug cut.mcap --task slide --out notes.txt", "--out notes.txt", "folder"),
    ("perception debug cut.mcap --task slide --out /proc/x", "--out /proc/x"),
    # --- data
    ("dataset buld", "'buld'", "did you mean 'build'?"),
    ("dataset build --task slide", "--out"),
    ("dataset build --task slide --out /proc/x", "/proc/x", "cannot write"),
    ("dataset build --task slide --out x --examples 0", "--examples", "'0'"),
    ("dataset build --task slide --out x --label best", "best", "brute"),
    ("dataset build --task slide --out x --label-noise 3", "--label-noise", "'3'", "0 to 2"),
    ("dataset build --task slide --out x --physics-range mass=1", "'mass=1'", "NAME=LOW:HIGH"),
    ("dataset build --task slide --out x --physics-range mas=0.1:0.2", "'mas'", "mass"),
    ("dataset build --task slide --out x --physics-range mass=1mm:2mm", "mass", "no length"),
    ("dataset build --task slide --out x --goal-range x=10cm:60cm", "x = 0.1 to 0.6 m", "0.5 to"),
    ("dataset build --task slide --out x --physics-file other.yaml", "other.yaml"),
    ("dataset build --task slide --out x --workers 2 --dask tcp://h:1", "--dask", "--workers"),
    ("dataset import --task slide --out x --store notes.txt", "notes.txt", STORE),
    ("dataset import --task slide --out x --store missing", "missing", "--store"),
    ("dataset import --task slide --out x --bag missing", "missing"),
    ("dataset import --task slide --out x --with cut.parquet", "cut.parquet"),
    ("dataset import --task slide --out x --one-physics", "--one-physics", "--bag"),
    ("dataset show missing.parquet", "missing.parquet"),
    ("dataset show foreign.parquet", "foreign.parquet", "not a data set"),
    ("dataset show slide.parquet --picture x.doc", "x.doc", ".png"),
    ("replay missing", "missing"),
    ("replay cut.mcap", "cut.mcap"),
    ("replay cut.mcap --improver embeded", "'embeded'"),
    ("replay cut.mcap --max-step 2", "--max-step", "'2'"),
    ("replay cut.mcap --calibration other.yaml", "other.yaml"),
    ("replay cut.mcap --topics other.yaml", "other.yaml"),
    ("replay cut.mcap --html cut.mcap", "cut.mcap", "into the bag"),
    ("replay cut.mcap --dataset slide.parquet", "--dataset", "--task"),
    # --- measure
    ("bench --preset man", "'man'", "did you mean 'main'?"),
    ("bench --threshold 5", "--threshold", "5mm, 5cm or 5m"),
    ("bench --instances 0", "--instances", "'0'"),
    ("bench --improvers ridge:kk=1", "kk", "ridge"),
    ("bench --improvers ridge,", "--improvers", "empty"),
    ("bench --tasks slidee", "'slidee'", "did you mean 'slide'?"),
    ("bench --dataset cut.parquet", "cut.parquet"),
    ("bench --json /proc/x", "/proc/x", "cannot write"),
    ("bench smi", "smi", "did you mean 'sim'?"),
    ("bench pack nowhere --into packed", "nowhere", "--record"),
    ("bench sim --threads 1,a", "--threads 1,a", "1 to 256"),
    ("bench sim --tasks slidee", "'slidee'"),
    ("bench graph --real-time-factor -1", "--real-time-factor", "'-1'", "0 to 100"),
    ("bench graph --task slidee", "'slidee'"),
    ("bench stop --trials 0", "--trials", "'0'"),
    ("bench view --stops -1", "--stops", "'-1'", "0 to 10000"),
    ("bench stop --arm missing.yaml", "missing.yaml"),
    ("bench soak --trials 10", "--trials", "'10'", "100 to 1000"),
    ("bench soak --improver embeded", "'embeded'"),
    ("bench memory --trials 0", "--trials", "'0'", "1 to 1000"),
    ("bench memory --improver embeded", "'embeded'"),
    ("bench demonstration --worlds slidee", "'slidee'"),
    ("bench spending --tasks slidee", "'slidee'"),
    ("bench spending --improvers random", "random", "does not predict"),
    ("bench pixels --cases idael", "'idael'", "did you mean 'ideal'?"),
    ("bench llm --proposals 1", "--proposals", "'1'", "20 to 900"),
    ("bench llm --tasks slidee", "'slidee'"),
    ("bench bag --seconds 1", "--seconds", "'1'"),
    ("bench bag --folder missing", "--folder missing"),
    # --- language models
    ("prompt", "--task", "--run-id"),
    ("prompt --task slide --run-id a", "--run-id", "--task"),
    ("prompt --task slide --improver ridge", "--improver ridge", "llm"),
    ("prompt --task slide --goal 5mm,42cm", "goal x = 0.005 m", "0.5 to 0.7 m"),
    ("prompt --task slide --trial 0", "--trial", "'0'"),
    ("prompt --run-id nope --store notes.txt", "notes.txt", STORE),
    ("prompt --run-id nope --store store.sqlite", "no run 'nope'"),
    ("prompt --task slide --option digits=x", "digits of llm", "'x'"),
    ("serve --port 65536", "--port", "'65536'", "0 to 65535"),
    ("serve --host 0.0.0.0", "0.0.0.0", "--allow-remote"),
    ("serve --host no|host", "no host"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with files of the wrong kinds."""
    made = tmp_path_factory.mktemp("wrong")
    (made / "folder").mkdir()
    texts = {
        "notes.txt": "hello\n",
        "broken.json": '{"a": ',
        "list.json": "[1]",
        "broken.yaml": "a: [1,\n",
        "other.yaml": "a: 1\n",
        "plug.py": "import no_such_module\n",
        "camera.yaml": CAMERA,
    }
    for name, text in texts.items():
        (made / name).write_text(text)
    (made / "cut.mcap").write_bytes(b"\x89MCAP0\r\n" + b"\0" * 5)
    examples = shipped_path("slide")
    shutil.copy(examples, made / "slide.parquet")
    (made / "cut.parquet").write_bytes(examples.read_bytes()[:-1000])
    pyarrow.parquet.write_table(pyarrow.table({"a": [1.0]}), made / "foreign.parquet")
    with TrialStore(made / "store.sqlite"):
        pass
    shutil.copy(made / "store.sqlite", made / "newer.sqlite")
    changed = {"other": "CREATE TABLE a (b)", "newer": "PRAGMA user_version = 99"}
    for name, statement in changed.items():
        database = sqlite3.connect(made / f"{name}.sqlite")
        database.execute(statement)
        database.commit()
        database.close()
    return made


CAMERA = """\
image_width: 640
image_height: 480
camera_name: camera
camera_matrix: {rows: 3, cols: 3, data: [600, 0, 320, 0, 600, 240, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0, 0, 0, 0, 0]}
"""


@pytest.fixture(autouse=True)
def nothing_begins(monkeypatch, folder, tmp_path):
    """Whatever would start a graph, or reach a network, is a fault."""

    def refuse(*_, **__):
        raise AssertionError("the work has begun")

    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("ICPI_STORE", raising=False)
    monkeypatch.setattr(icpi_ros.cli.graph_run, "BackgroundGraph", refuse)
    monkeypatch.setattr(icpi_ros.cli.graph_run, "reserve_domain", refuse)
    monkeypatch.setattr(icpi_ros.cli.up, "run_graph", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def names(folder):
    """Return what is in a folder, but what Python compiles for itself."""
    return sorted(path.name for path in folder.iterdir() if path.name != "__pycache__")


@pytest.mark.parametrize(("line", "said"), [(line, said) for line, *said in CASES])
def test_a_wrong_input_is_one_line_and_exit_code_2(line, said, folder, capsys):
    before = names(folder)
    try:
        code = main([word.replace("|", " ") for word in line.split(" ")])
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    assert err.startswith("icpi: error: ")
    assert err.endswith("\n")
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert err.rstrip("\n").isprintable()
    for text in said:
        assert text in err
    assert names(folder) == before


def test_every_command_is_among_them():
    words = [line.split(" ") for line, *_ in CASES]
    assert {" ".join(some[:n]) for some in words for n in (1, 2)} >= set(COMMANDS)
