"""How far long work is, where there is no terminal."""

import io
import re
import sys
from pathlib import Path
from queue import Queue

import icpi_ros
from icpi_ros.cli.progress import Lines, progress_bar

PATIENCE = 60.0
"""Longest wait for a line [s]; it comes in milliseconds."""


class Stream(io.StringIO):
    """Standard error that is no terminal and says when a line came."""

    def __init__(self):
        super().__init__()
        self.lines = Queue()

    def write(self, text):
        if text.strip():
            self.lines.put(text)
        return len(text)


def test_a_line_from_time_to_time_says_how_far_it_is(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Stream())
    with Lines(200, "instance", "slide", every=0.001) as bar:
        bar.update(11)
        bar.update()
        bar.set_postfix(dropped=3)
        while "12 of" not in (line := sys.stderr.lines.get(timeout=PATIENCE)):
            pass
        while "dropped" not in line:
            line = sys.stderr.lines.get(timeout=PATIENCE)
    assert re.fullmatch(r"icpi: slide: 12 of 200 instances, dropped 3, \d+ s", line)


def test_nothing_is_printed_once_it_is_closed(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Stream())
    bar = Lines(2, "draw", every=0.001)
    sys.stderr.lines.get(timeout=PATIENCE)
    bar.close()
    bar.close()
    assert not bar._thread.is_alive()


def test_work_that_is_soon_done_prints_nothing(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with progress_bar(2, "draw") as bar:
        bar.update(2)
    assert stream.getvalue() == ""


def test_a_terminal_gets_a_bar(monkeypatch):
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", stream)
    with progress_bar(2, "draw") as bar:
        bar.update(2)
    assert "\r" in stream.getvalue()
    assert "2/2" in stream.getvalue()


def test_nothing_is_coloured():
    """So NO_COLOR is honoured everywhere: no code of the package makes an escape sequence."""
    package = Path(icpi_ros.__file__).parent
    made = re.compile(r"""["'][^"']*(?:\\x1b|\\033|\\e)\[""")
    for path in package.rglob("*.py"):
        assert not made.search(path.read_text(encoding="utf-8")), path
