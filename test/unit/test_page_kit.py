"""The kit of all pages and the saver of all pictures: nothing unescaped, nothing half written."""

import base64
import hashlib
import re
from pathlib import Path

import jinja2
import pytest
from markupsafe import Markup

import icpi_ros
from icpi_ros.core.errors import UsageError
from icpi_ros.core.html import table, template
from icpi_ros.report import page
from icpi_ros.report.picture import Layout, grid, plot_svg, save_figure

PACKAGE = Path(icpi_ros.__file__).parent
HOSTILE = "<b>&\"'\x07\n"
ESCAPED = "&lt;b&gt;&amp;&quot;&#x27;\\x07\\n"
TAGS = "html|style|script|table|thead|tbody|tr|td|th|div|p|ul|li|pre|nav|details|section|figure|svg"


def test_markup_style_sheets_and_scripts_are_files_and_not_python():
    found = [
        (path.name, tag)
        for path in PACKAGE.rglob("*.py")
        for tag in re.findall(rf"</?(?:{TAGS})\b", path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "markup",
    [
        page.table(
            [page.TableColumn(HOSTILE, HOSTILE)], [[page.Cell(HOSTILE, small=HOSTILE)]], HOSTILE
        ),
        page.figure(Markup(""), HOSTILE),
        page.paragraph(HOSTILE),
        page.heading(HOSTILE),
        page.items([HOSTILE]),
        page.folded(HOSTILE, Markup("")),
        page.navigation([(HOSTILE, HOSTILE)]),
        page.section(HOSTILE, HOSTILE, Markup("")),
        page.document(HOSTILE, []),
        table(HOSTILE, [HOSTILE], [[HOSTILE]]),
    ],
)
def test_every_part_escapes_its_texts(markup):
    assert ESCAPED in markup
    assert '<b>&"' not in markup


def test_text_in_the_place_of_markup_is_escaped():
    assert page.section("key", "heading", "<i>") == (
        '<section id="key"><h2>heading</h2>&lt;i&gt;</section>'
    )


def test_a_value_that_a_template_lacks_is_a_fault():
    with pytest.raises(jinja2.UndefinedError, match="label"):
        template("board.svg").render(width=1, height=1, shapes="", left=0, base=0)


def test_the_policy_allows_the_script_that_is_there_and_no_other():
    text = page.document("title", [page.paragraph("text")])
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in text


def test_a_key_with_quotes_reaches_neither_page_nor_plot(monkeypatch):
    key = "a&b'c\"d<efgh"
    monkeypatch.setenv("SOME_API_KEY", key)
    plot = plot_svg(lambda axes: axes.set_xlabel(f"key {key}"), "k", f"label {key}")
    text = page.document(key, [page.paragraph(key), page.preformatted(key), plot])
    assert text.count("[SOME_API_KEY removed]") == 6
    assert not re.search("a&(amp;)?b", text)


def figure():
    return grid([lambda axes: axes.plot([1, 2], [3, 4])], Layout(100, 80, 20, 5, 20, 5))


@pytest.mark.parametrize("name", ["a.svg", "a.PNG"])
def test_the_same_figure_gives_the_same_file(tmp_path, name):
    for folder in ("one", "other"):
        save_figure(tmp_path / folder / name, figure())
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_a_figure_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(UsageError, match=r"a.gif: allowed endings are .svg and .png"):
        save_figure(tmp_path / "a.gif", figure())
    (tmp_path / "a.png").mkdir()
    with pytest.raises(UsageError, match="cannot write the picture"):
        save_figure(tmp_path / "a.png", figure())
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
