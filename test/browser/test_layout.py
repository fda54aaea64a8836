"""The page as wide as a desk and a phone, light and dark; --pictures FOLDER keeps it as files."""

from contextlib import closing

import pytest
from test_view_page import TRIALS, Operator, asks  # test/unit

from icpi_ros.robots.ur5e import UR5E
from icpi_ros.tasks import TASKS
from icpi_ros.view.page import PageAddress, RunPage, Subject
from icpi_ros.view.panels import APPROVE

PAINTED = """new Promise((done) => {
  let left = 3;
  const next = () => left-- ? requestAnimationFrame(next) : done(true);
  document.querySelector("iframe").contentWindow.requestAnimationFrame(next);
})"""
CORNERS = "(b => [b.left >= 0, b.top >= 0, b.right <= innerWidth, b.bottom <= innerHeight])"


@pytest.fixture(scope="module")
def shown():
    slide, operator = TASKS.get("slide"), Operator()
    subject = Subject("slide with embedded", slide, UR5E, slide.default_goal, live=True)
    with closing(RunPage(subject, PageAddress(operate=True), operator)) as page:
        page.show_trials(TRIALS, 8)
        page.show_question(asks(5, "may trial 3 of slide be executed?"))
        page.show_status(False, "a person is asked: may trial 3 of slide be executed?")
        yield page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1400, 900), (390, 844)], ids=["desk", "phone"])
def test_stop_and_what_is_asked_are_in_sight(shown, window, request, size, scheme):
    page = window(shown.link, size)
    page.tab.prefer(scheme)
    page.tab.resize(*size, mobile=size[0] < 600)
    page.load(shown.link)  # an open page keeps the colours in which it was opened
    page.ready()
    scene = "document.querySelector('iframe').contentWindow"
    dark = page.tab.evaluate(f"{scene}.location.search.includes('darkMode')")
    assert dark is (scheme == "dark")
    page.sees("may trial 3 of slide be executed?")
    assert page.tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    place = "document.getElementById('stop').getBoundingClientRect()"
    assert all(page.tab.evaluate(f"{CORNERS}({place})"))
    page.tab.until("Boolean(icpi.button(label))", label=APPROVE)
    if folder := request.config.getoption("--pictures", None):
        folder.mkdir(parents=True, exist_ok=True)
        page.tab.evaluate(PAINTED)
        page.tab.picture(folder / f"view-{size[0]}-{scheme}.png")
