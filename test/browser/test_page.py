"""The page of a graph as a person has it: followed, approved, changed, rejected, stopped."""

import pytest
from graph.improving import Improvement

from icpi_ros.tasks import TASKS
from icpi_ros.view.panels import APPROVE, BACK, EDIT, LOOKED

SPEED = TASKS.get("slide").space.parameters[0].heading
RELEASE = "release the stop"


@pytest.fixture
def pages(view, window):
    """Two windows with the page of one `icpi view`."""
    link = view().link
    both = window(link), window(link)
    for page in both:
        page.ready()
    return both


def test_a_run_is_followed_changed_approved_and_its_scene_confirmed(pages):
    page, other = pages
    run = Improvement(budget=1)
    run.start()
    page.write(SPEED, 1.0)
    page.press(EDIT)
    for each in pages:
        each.sees("changed by a person at the page")
    assert other.number(SPEED) == 1.0
    page.press(APPROVE)
    page.tick(LOOKED)
    page.press(BACK)
    result = run.ended()
    assert (result.error_code, result.best_theta[0]) == (0, 1.0)
    for each in pages:
        each.sees("1 trial", f"{1e3 * result.best_cost:.3g} mm")
        each.no_longer_sees("waits for a person")


def test_a_rejected_motion_is_not_executed(pages):
    page, other = pages
    run = Improvement(budget=1)
    run.start()
    page.press("reject")
    result = run.ended()
    other.sees("rejected")
    assert not result.best_theta


def test_stop_on_one_page_is_seen_and_released_on_the_other(pages):
    page, other = pages
    page.stop()
    other.sees("STOPPED: nothing moves")
    other.until_gone(RELEASE, press=True)
    page.no_longer_sees("STOPPED")
    assert not page.has(RELEASE)


def test_stop_without_the_token_reaches_the_graph(view, window):
    command = view()
    page, stranger = window(command.link), window(command.stop_link)
    stranger.sees("connected", "Open the link that the terminal printed")
    stranger.stop()
    stranger.sees("STOP was pressed")
    page.sees("STOPPED")
    assert not stranger.has(RELEASE)
    page.until_gone(RELEASE, press=True)
    page.no_longer_sees("STOPPED")
