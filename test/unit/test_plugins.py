"""Other people's parts: entry points, plug-ins, and what is said of those that are wrong."""

import pickle
import sys

import outsider
import pytest

from icpi_ros.cli.main import main
from icpi_ros.cli.plugins import split_plugins
from icpi_ros.core import plugins
from icpi_ros.core.errors import InvalidValue, UnknownName, UsageError
from icpi_ros.core.registry import Registry
from icpi_ros.improvers import IMPROVERS, check_shared
from icpi_ros.improvers.random import Random
from icpi_ros.robots import ARMS, find_arm
from icpi_ros.robots.described_arm import DescribedArm
from icpi_ros.runs.run import Run
from icpi_ros.tasks import TASKS

TASK = "from icpi_ros.tasks import TASKS\n"


@pytest.fixture(autouse=True)
def patch():
    with outsider.forgotten() as found:
        yield found


@pytest.fixture
def site(tmp_path, patch):
    """A folder on the path of imports."""
    patch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [n for n in sys.modules if n.split(".")[0] in ("stranger", "other")]:
        del sys.modules[name]


# --- entry points -------------------------------------------------------------------------------


def test_a_package_adds_names_and_its_modules_are_imported_when_they_are_asked_for(site):
    outsider.install(site)
    assert {"push", "slide"} <= set(TASKS)
    assert "nearby" in IMPROVERS
    assert "lab_ur10e" in ARMS
    assert "stranger" not in sys.modules
    assert TASKS.get("push").name == "push"
    assert IMPROVERS.get("nearby").__module__ == "stranger.nearby"
    assert isinstance(find_arm("lab_ur10e"), DescribedArm)
    assert "push" not in TASKS.built_in


def test_a_module_that_also_registers_what_its_entry_point_names(site):
    outsider.install(site)
    plugins.load(["stranger.push"])
    assert TASKS.get("push") is sys.modules["stranger.push"].TASKS.get("push")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("stranger.nothing:X", "ModuleNotFoundError: No module named 'stranger.nothing'"),
        ("stranger.push:NOTHING", "AttributeError"),
        ("stranger:ARM", "is not a task"),
        ("stranger.nearby", "module 'juggle' is not a task"),
        ("not a module!", "Error: "),  # which one depends on the version of Python
    ],
)
def test_a_broken_entry_breaks_nothing_else(site, capsys, caplog, value, reason):
    outsider.install(site, entry_points={"tasks": {"juggle": value}})
    assert main(["task", "list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == TASKS.built_in
    (line,) = caplog.messages
    assert reason in line
    assert f"distribution stranger (entry point icpi_ros.tasks: juggle = {value})" in line
    assert main(["task", "describe", "juggle", "--quick"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_broken_improver_that_nobody_asks_for_stops_no_options(site, caplog):
    outsider.install(site, entry_points={"improvers": {"unasked": "stranger.nothing:X"}})
    check_shared({"k": 5}, ["knn"], IMPROVERS)
    assert "unasked" in caplog.text
    with pytest.raises(InvalidValue, match="unknown option 'kk'"):
        check_shared({"kk": 5}, ["knn"], IMPROVERS)


def test_what_an_improver_of_somebody_else_s_raises_is_one_line():
    class Wrong(Random):
        name, Options = "wrong", int

    with IMPROVERS.temporarily("wrong", Wrong), pytest.raises(UsageError, match="must be a data"):
        Run("slide", improver="wrong")


def test_names_that_are_taken_are_named_with_both_sources(site, caplog):
    outsider.install(site)
    again = {"slide": "stranger.push:Push", "push": "other.push"}
    outsider.install(site, "other", {"tasks": again})
    assert TASKS.get("slide").__class__.__module__ == "icpi_ros.tasks.slide"
    assert TASKS.names().count("push") == 1
    built_in, double = sorted(caplog.messages, key=lambda line: "icpi_ros has" not in line)
    assert "task 'slide' of distribution other" in built_in
    assert "is ignored: icpi_ros has one of that name" in built_in
    assert "is ignored: distribution " in double
    assert "distribution other" in double
    assert "distribution stranger" in double


# --- registering --------------------------------------------------------------------------------


def test_registering_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="task 'slide' is already registered: choose another"):
        TASKS.register("slide", TASKS.get("slide"))
    with pytest.raises(UsageError, match="int 'seven' is not a task"):
        TASKS.register("seven", 7)
    with pytest.raises(UsageError, match="is not an improver"):
        IMPROVERS.register("seven", TASKS.get("slide"))
    with pytest.raises(UsageError, match="improver 'seven' calls itself 'random': use one name"):
        IMPROVERS.register("seven", Random)


def test_a_name_of_an_entry_point_is_taken_too(site):
    outsider.install(site)
    with pytest.raises(ValueError, match=r"'nearby' is already registered by distribution strange"):
        IMPROVERS.register("nearby", Random)


def test_temporarily_is_over_after_the_block():
    registry: Registry[int] = Registry("thing", {"pi": "math:pi"})
    with registry.temporarily("pi", 3), registry.temporarily("two", 2):
        assert (registry.get("pi"), registry.get("two")) == (3, 2)
        with registry.temporarily("two", 4):
            assert registry.get("two") == 4
        assert registry.get("two") == 2
    assert registry.get("pi") > 3
    assert list(registry) == ["pi"]


def test_an_unknown_name_says_what_could_have_it():
    with pytest.raises(UnknownName, match=r"toss-gc, or give --plugin FILE or install its package"):
        TASKS.get("push")
    with pytest.raises(UnknownName, match="the path of a YAML file, or give --plugin FILE"):
        find_arm("push")


# --- plug-ins -----------------------------------------------------------------------------------


def test_a_file_is_loaded_once_from_whatever_folder(tmp_path, patch):
    push, nearby = outsider.write_files(tmp_path)
    patch.chdir(tmp_path)
    plugins.load(["push.py"])
    task = TASKS.get("push")
    patch.chdir("/")
    plugins.load([str(push), f"{tmp_path}/../{tmp_path.name}/push.py"])
    assert TASKS.get("push") is task
    plugins.load_all(str(nearby))
    assert plugins.as_text() == f"{push}:{nearby}"


def test_the_environment_names_more(tmp_path, patch, capsys):
    push, nearby = outsider.write_files(tmp_path)
    patch.setenv(plugins.VARIABLE, str(nearby))
    assert main(["--plugin", str(push), "task", "list"]) == 0
    assert "push a cart" in capsys.readouterr().out
    assert "nearby" in IMPROVERS


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, ": no such file: give a file of Python, or the name of a module"),
        ("import numpy\n\n1 / 0\n", ", line 3: ZeroDivisionError: division by zero"),
        ("import numpy\nx = = 1\n", ", line 2: SyntaxError: invalid syntax"),
        ("import nowhere\n", ", line 1: ModuleNotFoundError: No module named 'nowhere'"),
        ("import sys\nsys.exit(3)\n", ", line 2: SystemExit: 3"),
        ("import numpy\n", " registers nothing: call TASKS.register"),
        (f"{TASK}TASKS.register('p', 3)\n", ", line 2: int 'p' is not a task"),
        (f"{TASK}TASKS.register('slide', TASKS.get('slide'))\n", ", line 2: ValueError: task 'sl"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path, capsys, content, reason):
    path = tmp_path / "bad.py"
    if content is not None:
        path.write_text(content)
    assert main(["task", "list", "--plugin", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"icpi: error: plug-in {path}{reason}")
    assert error.count("\n") == 1
    assert plugins.loaded() == ()
    assert not [name for name in sys.modules if name.startswith("icpi_plugin_bad")]


@pytest.mark.parametrize("name", ["nowhere", "json", "icpi_ros.nowhere", "."])
def test_a_bad_module_is_one_line(capsys, name):
    assert main(["task", "list", "--plugin", name]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"icpi: error: plug-in {name}")
    assert error.count("\n") == 1


def test_what_a_file_registered_before_it_failed_is_forgotten(tmp_path):
    push, _ = outsider.write_files(tmp_path)
    whole = push.read_text()
    push.write_text(f"{whole}\n1 / 0\n")
    with pytest.raises(UsageError, match="ZeroDivisionError"):
        plugins.load([str(push)])
    assert "push" not in TASKS
    push.write_text(whole)
    plugins.load([str(push)])
    assert "push" in TASKS


def test_stop_does_not_wait_for_a_plugin(patch, tmp_path, capsys):
    patch.setenv(plugins.VARIABLE, str(tmp_path / "missing.py"))
    assert main(["task", "list"]) == 2
    assert "missing.py" in capsys.readouterr().err
    patch.setattr("icpi_ros.cli.stop.run", lambda args: 0)
    assert main(["stop"]) == 0


def test_the_option_stands_anywhere():
    words = ["--goal", "-0.1,0.4", "--option", "k=-3", "x:=1"]
    rest, found = split_plugins(["run", "--plugin", "a.py", *words[:2], "--plugin=b", *words[2:]])
    assert rest == ["run", *words]
    assert found == ["a.py", "b"]
    assert split_plugins(["--plugin", "m", "task", "list"]) == (["task", "list"], ["m"])


def test_objects_of_a_file_can_be_pickled(tmp_path):
    push, _ = outsider.write_files(tmp_path)
    plugins.load([str(push)])
    assert pickle.loads(pickle.dumps(TASKS.get("push"))).name == "push"
