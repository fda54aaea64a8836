"""The page of a run in a notebook: shown in a frame, read-only, following the run."""

import re
import sys
import urllib.request
from contextlib import closing
from types import SimpleNamespace

import pytest
from toy_task import TOY, rollout
from view_client import Viewer, heard
from websockets.sync.client import connect

import icpi_ros as icpi
from icpi_ros.core.errors import UsageError


def frame_of(markup):
    return re.search(r'<iframe src="(http://127\.0\.0\.1:\d+/[^"]+/)"', markup)[1]


def test_a_notebook_may_frame_the_page_which_follows_the_run():
    run = icpi.Run(TOY, improver="random", trials=2)
    run.tell(rollout(run.ask().theta))
    with closing(icpi.watch(run)) as page, Viewer(page.link) as viewer:
        assert frame_of(page._repr_html_()) == page.link
        viewer.until(lambda v: "/paths/0" in v.nodes)
        run.tell(rollout(run.ask().theta))
        viewer.until(lambda v: "/paths/1" in v.nodes)
        with urllib.request.urlopen(page.link) as answer:
            policy, text = answer.headers["Content-Security-Policy"], answer.read().decode()
    assert "frame-ancestors http://localhost:* http://127.0.0.1:*;" in policy
    assert 'id="stop"' not in text  # between two calls nothing of ours moves
    assert 'id="reset"' not in text
    assert repr(page) == "<RunFrame: closed>"


def test_stop_on_the_page_of_a_notebook_ends_the_run_after_its_trial(monkeypatch):
    pages = []

    def show(page):
        pages.append(page)
        stop = re.sub("^http(.*?//.*?/).*", r"ws\1stop", page.link)
        with connect(stop, proxy=None) as line:
            line.send("stop")
            heard(line)

    display = SimpleNamespace(display=show)
    monkeypatch.setitem(
        sys.modules, "IPython", SimpleNamespace(get_ipython=object, display=display)
    )
    run = icpi.improve("slide", improver="random", trials=3, live="page", progress=False)
    with closing(pages[0]):
        assert (run.state, run.reason) == ("cancelled", "STOP was pressed on the page")
        assert len(run.trials) == 1


def test_a_page_that_fails_is_said_once_and_the_run_goes_on(monkeypatch, capsys):
    run = icpi.Run(TOY, improver="random", trials=2)
    with closing(icpi.watch(run)) as page:
        monkeypatch.setattr(page, "update", lambda last: 1 / 0)
        while not run.finished:
            run.tell(rollout(run.ask().theta))
    text = "the page is given up, the run goes on: ZeroDivisionError"
    assert capsys.readouterr().err.count(text) == 1


def test_what_is_not_allowed_is_said_before_anything_is_open():
    run = icpi.Run(TOY, improver="random", trials=1)
    with pytest.raises(UsageError, match=r"'http://evil\.example/x' is not the origin of a page"):
        icpi.watch(run, framed_by="http://evil.example/x")
    with pytest.raises(UsageError, match="live = 'pgae' is not allowed: True, False or 'page'"):
        icpi.improve("slide", live="pgae")
