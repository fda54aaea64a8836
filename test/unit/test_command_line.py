"""The words of the command line: help, names of commands, errors of usage."""

import argparse
import importlib.util
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from icpi_here import icpi

from icpi_ros.cli.commands import ALIASES, COMMANDS, GROUPS
from icpi_ros.cli.main import function, main, whole_parser
from icpi_ros.core.errors import UnknownName

# --- the table of commands ----------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_the_table_says_what_the_module_says(command):
    module = import_module(command.module)
    assert command.summary == module.__doc__.splitlines()[0]
    assert command.group in GROUPS


def test_all_options_are_those_of_a_command():
    adds = re.compile(r"^def ([a-z]\w*)\(parser: argparse.ArgumentParser\) -> None", re.MULTILINE)
    found = {
        (name, function)
        for name in {command.options for command in COMMANDS.values()}
        for function in adds.findall(Path(import_module(name).__file__).read_text(encoding="utf-8"))
    }
    modules = [(c.options, c.module.rpartition(".")[2]) for c in COMMANDS.values()]
    assert found == set(modules)
    assert len(modules) == len(found)


def icpi_without_the_benchmarks(*words):
    code = (
        "import sys\nsys.modules['icpi_benchmarks'] = None  # an import of it fails\n"
        "from icpi_ros.cli.main import main\nsys.exit(main())"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=600
    )


@pytest.mark.parametrize("words", ["bench sim", "report bench.json", "report a.json b.json"])
def test_without_the_benchmarks_one_line_says_how_to_get_them(words):
    done = icpi_without_the_benchmarks(*words.split())
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("icpi: error: the benchmarks are not installed: run `make setup ")
    assert "pip install ./benchmarks" in line


@pytest.mark.parametrize(
    "words",
    ["run --task slide", "up sim", "status", "stop", "approve --show", "bench stop --trials 1"],
)
def test_without_ros_one_line_says_so_before_anything_starts(words, monkeypatch, capsys):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "icpi_ros.cli.commands.find_spec", lambda name: None if name == "rclpy" else found(name)
    )
    monkeypatch.setattr("icpi_ros.cli.up.run_graph", None)  # neither can be called
    monkeypatch.setitem(sys.modules, "icpi_benchmarks.graph.stop_latency", None)
    assert main(words.split()) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("icpi: error: ROS 2 is not installed here: run `make setup`")


@pytest.mark.parametrize("words", ["--help", "--print-completion bash"])
def test_help_and_completion_without_the_benchmarks(words):
    done = icpi_without_the_benchmarks(*words.split())
    assert (done.returncode, done.stderr) == (0, "")
    assert "doctor" in done.stdout


def imported(code):
    """Return the modules that a new Python has imported after some code."""
    code = (
        f"import sys\nfrom icpi_ros.cli import main\n{code}\nprint(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True
    )
    return set(done.stderr.splitlines()[-1].split())


def imported_by(words):
    """Return the modules that a command line has imported when it ends."""
    return imported(f"try:\n    main.main({words})\nexcept SystemExit:\n    pass")


def test_a_data_set_is_read_without_pandas():
    loaded = imported("import icpi_ros\nicpi_ros.load_dataset('slide')")
    assert "pyarrow.parquet" in loaded
    assert "pandas" not in loaded


@pytest.mark.parametrize("words", [["--help"], [], ["--version"], ["flie"]])
def test_help_and_a_wrong_name_import_no_command(words):
    loaded = imported_by(words)
    assert {name for name in loaded if name.startswith("icpi_ros")} == {
        *("icpi_ros", "icpi_ros.cli", "icpi_ros.core", "icpi_ros.core.errors"),
        "icpi_ros.core.text",
        *(
            "icpi_ros.cli.main",
            "icpi_ros.cli.commands",
            "icpi_ros.cli.parser",
            "icpi_ros.cli.parser",
        ),
    }
    assert not loaded & HEAVY


HEAVY = {
    "asyncio", "cv2", "honcho", "icpi_ros.core.plugins", "icpi_ros.tasks", "importlib.metadata",
    "matplotlib", "mcap", "mujoco", "numpy", "openai", "pandas", "pyarrow", "rclpy", "rosbags",
    "scipy", "sklearn", "sqlite3", "tqdm", "yaml",
}  # fmt: skip
"""Modules without which options are read and a help is printed."""


def test_options_import_nothing_heavy():
    """All at once: what each of them imports is in there."""
    loaded = imported("main.whole_parser().format_help()")
    assert {command.options for command in COMMANDS.values()} <= loaded
    assert not loaded & HEAVY
    assert not loaded & {command.module for command in COMMANDS.values()}


@pytest.mark.slow
@pytest.mark.parametrize("words", [["run", "--help"], ["run", "--trials", "x"]])
def test_help_and_a_wrong_option_import_only_the_options(words):
    loaded = imported_by(words)
    assert "icpi_ros.cli.options.use_it" in loaded
    assert not loaded & (HEAVY | {"icpi_ros.cli.run"})


@pytest.mark.slow
@pytest.mark.parametrize("what", ["task", "arm"])
def test_a_list_imports_no_simulator(what):
    loaded = imported_by([what, "list"])
    assert "icpi_ros.cli.lists" in loaded
    assert not loaded & {"cv2", "mujoco", "pandas", "pyarrow", "rclpy", "scipy", "sqlite3", "tqdm"}


def test_every_command_carries_something_out():
    actions = list(parsers(whole_parser()))
    assert len(actions) > len(COMMANDS)
    for parser in actions:
        name = parser.get_default("run")
        if not any(getattr(action, "required", False) for action in verbs(parser)):
            assert callable(function(name)), name


def verbs(parser):
    return [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]


def parsers(parser):
    """Return the parsers of all commands and verbs."""
    for action in verbs(parser):
        for below in action.choices.values():
            yield below
            yield from parsers(below)


# --- help ---------------------------------------------------------------------------------------


def test_no_command_prints_the_help_and_is_no_job_done(capsys):
    code, alone, err = icpi(capsys)
    assert (code, err) == (2, "")
    assert icpi(capsys, "--help") == (0, alone, "")
    places = [alone.index(f"\n{group}:\n") for group in GROUPS]
    assert places == sorted(places)
    for name in COMMANDS:
        assert f"\n  {name} " in alone


def test_the_help_of_bench_names_its_programs_but_no_old_name(capsys):
    code, out, _ = icpi(capsys, "bench", "--help")
    assert code == 0
    assert "--improvers" in out
    for old, new in ALIASES.items():
        assert f"  {new} " in out
        assert old not in out


@pytest.mark.parametrize(("old", "new"), ALIASES.items())
def test_an_old_name_is_an_alias(old, new, capsys):
    assert icpi(capsys, old, "--help") == icpi(capsys, *new.split(), "--help")


def test_options_of_bench_are_as_before(capsys):
    code, _, err = icpi(capsys, "bench", "--task", "slid", "--instances", 1)
    assert code == 2
    assert "unknown task 'slid'" in err


# --- errors -------------------------------------------------------------------------------------

MEANT = {
    "command": ("ben", "bench"),
    "command with a verb": ("tsak list", "task"),
    "program of bench": ("bench grpah", "graph"),
    "verb": ("task descrbe slide", "describe"),
    "option": ("run --taks slide", "--task"),
    "option of a verb": ("dataset build --task slide --out x --exmaples 3", "--examples"),
    "option of an alias": ("bench-sim --rollots 3", "--rollouts"),
    "choice": ("run --task slide --source camra", "camera"),
    "task": ("task describe slied", "slide"),
    "improver": ("run --task slide --improver rigde", "ridge"),
    "arm": ("run --task slide --arm ur5", "ur5e"),
}


@pytest.mark.parametrize(("line", "meant"), MEANT.values(), ids=MEANT)
def test_a_slip_gets_one_line_that_says_what_was_probably_meant(line, meant, capsys):
    code, out, err = icpi(capsys, *line.split())
    assert (code, out) == (2, "")
    assert err.startswith("icpi: error: ")
    assert err.count("\n") == 1
    assert f"(did you mean '{meant}'?)" in err


USAGE = {
    "option of argparse": ("run --trials many", "see icpi run --help"),
    "verb missing": ("task", "see icpi task --help"),
    "argument missing": ("dataset build", "see icpi dataset build --help"),
    "word too many": ("runs 7 8 9", "see icpi runs --help"),
    "far from everything": ("run --zzzzzz", "see icpi run --help"),
    "before the command": ("--zzzzzz", "see icpi --help"),
    "no command": ("--", "see icpi --help"),
    "a line break in it": ("run --trials 1\n2", "see icpi run --help"),
}


@pytest.mark.parametrize(("line", "words"), USAGE.values(), ids=USAGE)
def test_wrong_usage_is_one_line_with_the_way_to_the_help(line, words, capsys):
    code, out, err = icpi(capsys, *line.split(" "))
    assert (code, out) == (2, "")
    assert err.startswith("icpi: error: ")
    assert err.endswith(f"{words}\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize("line", ["run", "dataset build", "improver describe", "bench sim"])
def test_the_help_of_every_command_has_the_option_for_plugins(line, capsys):
    with pytest.raises(SystemExit):
        main([*line.split(), "--help"])
    assert capsys.readouterr().out.count("--plugin MODULE_OR_FILE\n") == 1


def test_nothing_is_suggested_that_is_not_alike():
    assert "mean" not in str(UnknownName("task", "zzz", ["slide", "roll-gc"]))
    assert "(did you mean 'slide'?)" in str(UnknownName("task", "Slide", ["slide", "roll-gc"]))
