"""The suite's own plug-ins: unsteady tests, lanes of workers, the table of what ran."""

import os
import re
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

TEST = Path(__file__).resolve().parents[1]
PLUGINS = ("-p", "xdist", "-p", "kinds", "-p", "lanes", "-p", "unsteady")
UNSTEADY = """
    import pathlib
    def test_{name}():
        mark = pathlib.Path("{name}")
        print("log of {name}", mark.exists())
        first, _ = not mark.exists(), mark.touch()
        assert not first
"""
BROKEN = "\ndef test_broken():\n    print('log of broken')\n    assert 0\n"
GOOD = "def test_good():\n    pass\n"


@pytest.fixture
def suite(pytester, monkeypatch):
    """Write files and run them with the plug-ins; return exit code and output."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(TEST)])))
    for name in [name for name in os.environ if name.startswith(("PYTEST_", "SUITE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # faster

    def run(files, *words):
        for name, text in files.items():
            file = pytester.path / "test" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text))
        arguments = (*PLUGINS, "--once-more", *words, "test")
        if words:
            done = pytester.run(sys.executable, "-m", "pytest", *arguments)
        else:  # saves the start of a Python
            done = pytester.runpytest_inprocess(*arguments)
        return done.ret, done.stdout.str()

    return run


def unsteady(*names):
    return {f"graph/test_{name}.py": UNSTEADY.format(name=name) for name in names}


@pytest.mark.parametrize("words", [(), ("--numprocesses=2", "--graphs=1")], ids=["one", "lanes"])
def test_an_unsteady_graph_test_is_named_with_both_logs_and_the_run_passes(suite, words):
    code, text = suite(unsteady("a") | {"unit/test_good.py": GOOD}, *words)
    assert code == 0
    assert "failed, then passed alone: test/graph/test_a.py::test_a" in text
    assert "log of a False" in text
    assert "log of a True" in text
    closing = re.sub(r"\x1b\[\d+m", "", text.splitlines()[-1])
    assert re.fullmatch(r"=+ 1 passed, 1 unsteady in [\d.]+s =+", closing)
    assert re.search(r"^graph +1 +0 +1 +0 ", text, re.MULTILINE)
    assert re.search(r"^unit +1 +0 +0 +0 ", text, re.MULTILINE)


def test_it_runs_again_after_all_others(suite):
    later = "import pathlib\ndef test_last():\n    assert pathlib.Path('a').stat().st_size == 0\n"
    code, text = suite(unsteady("a") | {"unit/test_z.py": later}, "-v")
    assert code == 0
    assert text.index("test_last PASSED") < text.index("once more, alone: test/graph/test_a.py")


def test_more_than_two_unsteady_tests_fail_the_run(suite):
    assert suite(unsteady("a", "b"))[0] == 0
    code, text = suite(unsteady("c", "d", "e"))
    assert code == 1
    assert "3 unsteady tests, at most 2 allowed: the run has failed" in text


def test_a_graph_test_that_fails_again_fails_the_run(suite):
    code, text = suite({"graph/test_b.py": BROKEN} | unsteady("a"))
    assert code == 1
    assert "second run failed too: test/graph/test_b.py::test_broken" in text
    assert "FAILED test/graph/test_b.py::test_broken" in text
    assert "1 failed, 1 unsteady in" in text


def test_an_unsteady_test_hides_no_other_failure(suite):
    assert suite(unsteady("a") | {"unit/test_b.py": BROKEN})[0] == 1
    assert suite(unsteady("b") | {"graph/test_c.py": "import nothing_there\n"})[0] > 0


@pytest.mark.parametrize("folder", ["unit", "contract"])
def test_other_tests_have_no_second_chance(suite, folder):
    code, text = suite({f"{folder}/test_a.py": UNSTEADY.format(name="a")})
    assert code == 1
    assert "once more" not in text


def test_a_fixture_that_fails_has_a_second_run_too(suite):
    fixture = UNSTEADY.replace("def test_", "import pytest\n    @pytest.fixture\n    def ")
    text = textwrap.dedent(fixture.format(name="a")) + "\ndef test_it(a):\n    pass\n"
    code, shown = suite({"graph/test_a.py": text})
    assert code == 0
    assert "1 unsteady in" in shown


def test_many_failures_are_not_run_again(suite):
    code, text = suite(
        {"graph/test_a.py": "\n".join(BROKEN.replace("en(", f"{n}(") for n in range(11))}
    )
    assert code == 1
    assert "11 graph tests failed: too many to run them once more" in text


def test_without_the_option_nothing_runs_again(suite, pytester):
    suite(unsteady("a"))
    (pytester.path / "a").unlink()
    done = pytester.run(sys.executable, "-m", "pytest", *PLUGINS, "test")
    assert done.ret == 1
    assert "once more" not in done.stdout.str()


@pytest.mark.parametrize("words", [(), ("--numprocesses=2", "--graphs=1")], ids=["one", "lanes"])
def test_the_table_has_steps_and_skips_with_their_reasons(suite, monkeypatch, words):
    monkeypatch.setenv("SUITE_STEPS", "lint=0.5 types=12.0")
    skips = "import pytest\n@pytest.mark.skip(reason='as root')\ndef test_s():\n    pass\n"
    whole = "import pytest\npytest.importorskip('no_such_module')\n"
    code, text = suite(
        {"unit/test_a.py": GOOD + skips, "launch/test_b.py": whole, "contract/test_c.py": GOOD},
        *words,
    )
    assert code == 0
    assert re.search(r"^types +yes +0 +12\.0$", text, re.MULTILINE)
    assert re.search(r"^unit +1 +0 +0 +1 ", text, re.MULTILINE)
    assert re.search(r"^launch +0 +0 +0 +1 ", text, re.MULTILINE)
    assert "skipped unit x 1: as root" in text
    assert "skipped launch x 1: could not import 'no_such_module'" in text
    assert text.splitlines()[-1].count("2 passed") == 1


def test_graphs_have_workers_of_their_own(suite):
    where = "import os\ndef test_{0}():\n    print(os.environ['PYTEST_XDIST_WORKER'])\n"
    files = {f"{kind}/test_{kind}{n}.py": where.format(f"{kind}{n}") for kind in ("graph", "unit")
             for n in range(4)}  # fmt: skip
    code, text = suite(files, "--numprocesses=2", "--graphs=1", "-v")
    assert code == 0
    assert "[gw0]" in next(
        line for line in text.splitlines() if "graph0.py::" in line and "PASSED" in line
    )
    assert "[gw1]" in next(
        line for line in text.splitlines() if "unit0.py::" in line and "PASSED" in line
    )


def test_a_worker_that_dies_fails_the_run_and_is_named(suite):
    dies = "import os\ndef test_a():\n    pass\ndef test_dies():\n    os._exit(7)\n"
    files = {f"graph/test_{name}.py": GOOD for name in "abcd"} | {"graph/test_dies.py": dies}
    code, text = suite(files, "--numprocesses=2", "--graphs=1")
    assert code == 1
    assert "crashed while running 'test/graph/test_dies.py::test_dies'" in text
    assert "FAILED test/graph/test_dies.py::test_dies" in text
    assert re.search(r"^worker gw\d died: not all tests ran$", text, re.MULTILINE)
    assert "once more" not in text  # it may be why others failed


def test_files_that_begin_first_are_there():
    import lanes

    known = {path.stem for path in TEST.rglob("test_*.py")}
    assert set(lanes.FIRST) | set(lanes.TOGETHER) <= known | set(lanes.TOGETHER.values())
