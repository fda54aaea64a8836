"""A page whose process has died, slept, or lost its connections: what a person sees, and STOP."""

import signal
from contextlib import closing

import pytest
from test_view_page import TRIALS, Operator  # test/unit

from icpi_ros.robots.ur5e import UR5E
from icpi_ros.tasks import TASKS
from icpi_ros.view import gate
from icpi_ros.view.page import PageAddress, RunPage, Subject

NOT_CONNECTED = "NOT CONNECTED: STOP on this page does nothing"
ENDED = "THIS LINK HAS ENDED: STOP on this page does nothing. Open the link"
RELEASE = "release the stop"


def test_a_link_ends_with_its_process_and_says_so(view, window):
    before = view()
    page = window(before.link)
    page.sees("no trial yet")
    before.kill()
    page.sees(NOT_CONNECTED)
    page.stop()
    page.warns("NOT CONNECTED: use the emergency stop of the arm")
    after = view(port=before.port)
    page.sees(ENDED)
    page.stop()
    other = window(after.link)
    other.ready()
    other.sees("no trial yet")  # and not STOPPED: nothing has reached the graph
    page.load(after.link)
    page.ready()
    page.stop()
    other.sees("STOPPED")
    page.until_gone(RELEASE, press=True)


def test_a_page_that_slept_says_so_and_connects_again_by_itself(view, window):
    command = view()
    page = window(command.link)
    page.ready()
    command.signal(signal.SIGSTOP)
    page.sees("FROZEN: what is shown is old")
    page.sees(NOT_CONNECTED)
    command.signal(signal.SIGCONT)
    page.no_longer_sees("NOT CONNECTED")
    page.no_longer_sees("FROZEN")
    page.ready()
    page.stop()
    page.sees("STOPPED")
    page.until_gone(RELEASE, press=True)


@pytest.fixture
def lines(monkeypatch):
    """All connections of pages that are opened from here on."""
    found, made = [], gate._Connection.connection_made

    def noted(self, transport):
        found.append(self)
        made(self, transport)

    monkeypatch.setattr(gate._Connection, "connection_made", noted)
    return found


def test_connections_that_were_cut_are_made_again_without_a_click(window, lines):
    slide = TASKS.get("slide")
    subject = Subject("slide with embedded", slide, UR5E, slide.default_goal)
    with closing(RunPage(subject, PageAddress(), Operator())) as shown:
        page = window(shown.link)
        page.ready()
        page.stop()  # the focus is here, not in the scene
        page.sees("stopped")
        loop = shown._gate.server.get_event_loop()
        for line in list(lines):
            loop.call_soon_threadsafe(line.transport.abort)
        page.sees(NOT_CONNECTED)
        page.no_longer_sees("NOT CONNECTED")
        shown.show_trials(TRIALS, 8)
        page.sees("213 mm to 1.20 mm", "4.00 mm ± 1.00 mm")
