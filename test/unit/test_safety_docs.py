"""docs/safety_tests.md: no section of the safety pages is missing, and every test named exists."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = ("docs/safety.md", "docs/real_robot.md")
BEGINNING = "Beginning"
TEST = re.compile(r"`(test/[\w/]+\.py)::(test_\w+)`")


def parts(text, marks):
    """Return what stands below each heading of this level, by heading."""
    _, *found = re.split(rf"^{marks} (.+)$", text, flags=re.M)
    return dict(zip(found[::2], found[1::2], strict=True))


TABLES = {
    page: parts(text, "###")
    for page, text in parts((DOCS / "safety_tests.md").read_text(encoding="utf-8"), "##").items()
}


def rows(text):
    """Return claim and test of each row of a table."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert lines[:2] == ["| claim | test |", "|---|---|"]
    return [tuple(cell.strip() for cell in line[1:-1].split(" | ")) for line in lines[2:]]


ROWS = [
    (page, section, *row)
    for page, sections in TABLES.items()
    for section, text in sections.items()
    for row in rows(text)
]


@cache
def defined_in(file):
    """Return the names of the tests of a file, without importing it."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_both_pages_are_gone_through():
    assert tuple(TABLES) == PAGES


@pytest.mark.parametrize("page", PAGES)
def test_every_section_has_a_table(page):
    headings = re.findall(r"^## (.+)$", (ROOT / page).read_text(encoding="utf-8"), re.M)
    assert list(TABLES[page]) == [BEGINNING, *headings]
    assert all(rows(text) for text in TABLES[page].values())


def test_every_row_names_tests_or_says_why_there_is_none():
    for page, section, *row in ROWS:
        assert len(row) == 2, (page, section, row)
        claim, cell = row
        tests, _, why = cell.partition("not tested: ")
        assert claim
        assert ("not tested: " in cell) is bool(why.strip()), row
        left = TEST.sub("", tests).strip(" ,;")
        assert left == "", f"{page}, {section}: {left!r} is neither a test nor 'not tested: WHY'"
        assert TEST.search(tests) or why, row
        assert not TEST.search(why), row


def test_every_test_that_is_named_exists():
    named = {found for *_, cell in ROWS for found in TEST.findall(cell)}
    missing = [f"{file}::{name}" for file, name in named if name not in defined_in(file)]
    assert sorted(missing) == []
    assert len(named) > 100


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md"])
def test_the_page_is_linked(page):
    assert "safety_tests.md" in (ROOT / page).read_text(encoding="utf-8")
