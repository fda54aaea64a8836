"""Commands that README and docs show: they parse, and a test runs each or a reason stands."""

import fnmatch
import re
import shlex
from pathlib import Path

import pytest
import yaml

from icpi_ros.cli.main import whole_parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROGRAMS = r"(?:\S*/)?(icpi|make|dask|ros2|python3?|colcon|rosdep|pip) .*"
SHELLS = ("", "bash", "sh", "console")
ENTRIES = yaml.safe_load((ROOT / "test" / "doc_commands.yaml").read_text(encoding="utf-8"))


def code_lines(text):
    """Yield the lines of code blocks of a page, continued ones joined."""
    fence, joined = None, ""
    for line in text.splitlines():
        if line.strip().startswith("```"):
            fence = None if fence is not None else line.strip()[3:].strip()
            continue
        if fence in SHELLS or (fence is None and line.startswith("    ")):
            joined += line.strip().removesuffix("\\")
            if not line.endswith("\\"):
                yield joined
                joined = ""


def commands():
    """Return every command with the pages that show it, without comments."""
    found = {}
    for page in PAGES:
        for line in code_lines(page.read_text(encoding="utf-8")):
            for part in re.split(r"\s;\s", re.split(r"\s#", line)[0]):
                command = part.strip().removesuffix("&").strip()
                if re.fullmatch(PROGRAMS, command):
                    command = re.sub(r"^\S*/(?=icpi )", "", command)
                    found.setdefault(command, []).append(page.name)
    return found


def name_of(requirement):
    return re.split(r"[<>=\[]", requirement)[0]


COMMANDS = commands()
BENCHMARKS = ROOT / "benchmarks" / "icpi_benchmarks"
OF_ICPI = [command for command in COMMANDS if command.startswith("icpi ")]


def entry_of(command):
    return next((e for e in ENTRIES if fnmatch.fnmatchcase(command, e["commands"])), None)


@pytest.fixture(scope="module")
def parser():
    return whole_parser()


def test_the_pages_show_commands():
    assert len(OF_ICPI) > 100


def test_every_command_of_icpi_that_a_page_shows_is_understood(parser, capsys):
    wrong = []
    for command in OF_ICPI:
        given = [word for word in shlex.split(command)[1:] if ":=" not in word]
        try:
            parser.parse_args(given)
        except SystemExit:
            wrong.append((command, COMMANDS[command], capsys.readouterr().err.strip()))
    assert not wrong


def test_every_program_that_a_page_shows_is_there_with_its_options():
    shown = [c.split() for c in COMMANDS if c.startswith("python -m icpi_benchmarks.")]
    assert len(shown) >= 5
    runner = (BENCHMARKS / "program.py").read_text(encoding="utf-8")
    for words in shown:
        module = BENCHMARKS.parent / f"{words[2].replace('.', '/')}.py"
        text = module.read_text(encoding="utf-8") + runner
        for option in {word.strip("[]") for word in words if word.strip("[").startswith("--")}:
            assert f'"{option}"' in text or option == "--json", words


def test_every_target_of_make_that_a_page_shows_is_there():
    rules = re.findall(r"^([a-z][a-z -]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    targets = {target for rule in rules for target in rule.split()}
    shown = [c.split() for c in COMMANDS if c.startswith("make ")]
    assert {w for words in shown for w in words[1:] if "=" not in w} <= targets


def test_pip_installs_what_no_rosdep_key_covers():
    (command,) = (c for c in COMMANDS if c.startswith("pip install cattrs "))
    listed = [name_of(word) for word in shlex.split(command)[2:]]
    runtime = (ROOT / "requirements" / "runtime.in").read_text(encoding="utf-8").splitlines()
    needed = {name_of(line) for line in runtime if line and not line.startswith("#")}
    keys = re.findall(r"<exec_depend>python3-(\w+)", (ROOT / "package.xml").read_text())
    known = {"pyyaml" if key == "yaml" else key for key in keys} | {"markupsafe"}  # of jinja2
    assert needed - known <= set(listed) <= needed


def test_every_command_is_run_by_a_test_or_marked():
    assert [(c, pages) for c, pages in COMMANDS.items() if entry_of(c) is None] == []


def test_every_entry_is_of_a_command_and_names_a_test_or_a_reason():
    used = {entry["commands"] for entry in map(entry_of, COMMANDS) if entry}
    assert [entry["commands"] for entry in ENTRIES if entry["commands"] not in used] == []
    for entry in ENTRIES:
        assert len(entry) == 2
        assert entry.keys() & {"run_by", "not_run"}
        if "run_by" in entry:
            assert (ROOT / entry["run_by"]).exists(), entry
