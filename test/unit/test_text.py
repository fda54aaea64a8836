"""Texts of clients, stores, bags and models never reach a terminal's controls."""

import re
import unicodedata
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_report import stored, trials
from test_request_text import PROPOSAL, request
from toy_task import TOY

from icpi_ros.cli.main import main
from icpi_ros.core.errors import UnknownName
from icpi_ros.core.text import did_you_mean, printable, printable_lines
from icpi_ros.core.types import Tracking
from icpi_ros.report.operator_request import request_text
from icpi_ros.report.page import preformatted
from icpi_ros.robots import find_arm
from icpi_ros.runs.store.store import RunConfig, TrialStore
from icpi_ros.tasks import TASKS

HOSTILE = "a\x1b[2J\x1b[1;1Hb\rc\nd\x9b1m\x7f\u202ee\u2028f"
SHOWN = r"a\x1b[2J\x1b[1;1Hb\rc\nd\x9b1m\x7f\u202ee\u2028f"
UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
ANY = st.text(st.characters(codec=None, exclude_categories=()))


def unsafe(text):
    """The characters of a text that a terminal might obey, but for line breaks."""
    return {c for c in text if unicodedata.category(c) in UNSAFE} - {"\n"}


@given(ANY)
def test_what_is_shown_has_one_line_and_no_control_character(text):
    shown = printable(text)
    assert unsafe(shown) == set()
    assert len(shown.splitlines()) <= 1
    assert printable(shown) == shown
    shown.encode("utf-8")  # a lone surrogate would fail when it is printed


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Mn"))))
def test_letters_of_every_script_stay(text):
    assert printable(f"{text} {text}") == f"{text} {text}"


def test_escapes_are_those_of_python():
    assert printable(HOSTILE) == SHOWN
    assert printable("Zoë, 王, Ωμέγα \\n") == "Zoë, 王, Ωμέγα \\n"
    assert printable("\0\U000e0041\ud800\t") == r"\x00\U000e0041\ud800\t"


@given(ANY)
def test_lines_stay_lines(text):
    shown = printable_lines(text)
    assert shown.count("\n") == text.count("\n")
    assert unsafe(shown) == set()


def test_a_question_shows_no_client_s_controls():
    texts = ("run_id", "requested", "provenance", "fallback_reason")
    proposal = SimpleNamespace(**vars(PROPOSAL) | dict.fromkeys(texts, HOSTILE))
    fields = ("trial_id", "task", "question", "remark", "fastest_joint")
    plain = request(remark="why")
    asked = request(
        **dict.fromkeys(fields, HOSTILE), theta_names=[HOSTILE, HOSTILE], proposal=proposal
    )
    text = request_text(asked, ("m/s", "rad"))
    assert unsafe(text) == set()
    assert text.count("\n") == request_text(plain, ("m/s", "rad")).count("\n")
    assert text.count(SHOWN) == 10


@pytest.fixture
def hostile_run(tmp_path, monkeypatch):
    """A store with a run all of whose texts are hostile; its path and the run's id."""
    rows = trials(3, (1,))
    rows[1] = replace(rows[1], note=HOSTILE)
    arm = Tracking(motion=f"{HOSTILE} stopped", joint=HOSTILE, error=0.1, time=0.2)
    proposal = replace(rows[2].proposal, provenance=HOSTILE, fallback_reason=HOSTILE)
    rows[2] = replace(rows[2], proposal=proposal, tracking=arm)
    monkeypatch.setattr(TASKS, "get", lambda name: TOY)
    path = tmp_path / "trials.sqlite"
    run_id = stored(path, rows, HOSTILE)
    with TrialStore(path) as store:
        config = RunConfig(HOSTILE, HOSTILE, tuple(TOY.default_goal), 3)
        store.create_run(config)
    return path, run_id


def test_stored_texts_are_listed_without_controls(hostile_run, capsys):
    path, _ = hostile_run
    assert main(["runs", "--store", str(path)]) == 0
    out = capsys.readouterr().out
    assert unsafe(out) == set()
    assert out.count("\n") == 2
    assert f"{SHOWN}  {SHOWN}" in out
    with TrialStore(path) as store:
        assert HOSTILE in {run.task for run in store.runs()}  # kept as it came


def test_a_report_of_stored_texts_has_no_controls(hostile_run, tmp_path, capsys):
    path, run_id = hostile_run
    assert main(["report", run_id, "--store", str(path)]) == 0
    out = capsys.readouterr().out
    assert unsafe(out) == set()
    assert out.count(r"\x1b[2J") == 6  # state, note, provenance, reason, motion, joint
    assert len(out.splitlines()) == 1 + 5 + 1 + 1
    page = tmp_path / "run.html"
    assert main(["report", run_id, "--store", str(path), "--html", str(page)]) == 0
    markup = page.read_text(encoding="utf-8")
    assert unsafe(markup) == set()
    assert SHOWN in markup


def test_an_error_that_quotes_a_text_is_one_line(tmp_path, capsys):
    path = tmp_path / "trials.sqlite"
    with TrialStore(path):
        pass
    assert main(["report", HOSTILE, "--store", str(path)]) == 2
    err = capsys.readouterr().err
    assert unsafe(err) == set()
    assert err.count("\n") == 1
    assert re.match(r"icpi: error: .*\\x1b\[2J", err)


def test_a_page_keeps_the_lines_of_what_is_preformatted():
    markup = preformatted(f"one\ntwo {HOSTILE}")
    assert unsafe(markup) == set()
    assert "one\ntwo a\\x1b[2J" in markup


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("UR5e", "ur5e"),
        ("ur5e-stick", "ur5e_stick"),
        ("UR5E STICK", "ur5e_stick"),
        ("ur5ee", "ur5e"),
        ("FR-3", "fr3"),
        ("Fr33", "fr3"),
        ("kuka", None),
        ("", None),
    ],
)
def test_what_was_probably_meant(name, meant):
    said = did_you_mean(name, ["fr3", "ur5e", "ur5e_stick"])
    assert said == ("" if meant is None else f" (did you mean {meant!r}?)")


def test_names_come_before_other_ways_out():
    with pytest.raises(UnknownName) as caught:
        find_arm("UR5e")
    line = str(caught.value)
    places = [
        line.find(word) for word in ("fr3,", "ur5e,", "ur5e_stick,", "the path", "mean 'ur5e'")
    ]
    assert places == sorted(places)
    assert min(places) > 0
