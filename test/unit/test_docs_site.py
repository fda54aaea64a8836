"""The documentation site as `make docs` builds it: links, and what a page fetches."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import icpi_ros
from icpi_ros.cli.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
FETCHED = {"script": "src", "img": "src", "iframe": "src", "video": "src", "source": "src"}
"""Attributes by which a page fetches something when it is read, and <link> below."""
FETCHING_LINKS = {"stylesheet", "preload", "modulepreload", "icon", "preconnect", "manifest"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Folder of the built site; a broken link or a page that no menu has fails the build."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


class Fetches(HTMLParser):
    """Addresses that a page fetches when it is read."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag in FETCHED:
            self.found.append(given.get(FETCHED[tag]) or "")
        if tag == "link" and set((given.get("rel") or "").split()) & FETCHING_LINKS:
            self.found.append(given.get("href") or "")


def test_no_page_fetches_anything_from_outside(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        parser = Fetches()
        parser.feed(page.read_text(encoding="utf-8"))
        assert parser.found, page
        assert not [one for one in parser.found if re.match(r"(https?:)?//", one)], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def test_the_api_page_has_every_public_name(site):
    page = (site / "api.html").read_text(encoding="utf-8")
    for name in icpi_ros.__all__:
        if not name.startswith("_"):
            found = getattr(icpi_ros, name)
            assert f'id="{found.__module__}.{found.__qualname__}"' in page
    assert re.findall(r":(?:meth|class|func):", page) == []


def test_it_can_be_searched_where_no_server_gives_the_index(site):
    index = (site / "search" / "search_index.json").read_text(encoding="utf-8")
    script = (site / "search" / "search_index.js").read_text(encoding="utf-8")
    assert script == f"var __index = {index}"
    assert 'src="../search_worker.js"' in (site / "benchmark" / "main.html").read_text("utf-8")


def test_the_command_page_has_the_help_of_every_command(site):
    page = (site / "commands.html").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert re.search(rf"usage: icpi {re.escape(name)}\b", page), name


def test_the_repositorys_files_are_named_not_linked(site):
    page = (site / "endpoints.html").read_text(encoding="utf-8")
    assert "<code>config/models.yaml</code>" in page
    assert 'href="../config' not in page


def test_links_show_the_names_of_pages_not_of_their_files(site):
    for page in site.rglob("*.html"):
        shown = re.findall(r">([^<]*)</a>", page.read_text(encoding="utf-8"))
        assert [one for one in shown if re.search(r"\.md\b", one)] == [], page
