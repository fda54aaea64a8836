"""What `icpi bench view` makes of its measurements."""

import pytest
from icpi_benchmarks.browser import chromium
from icpi_benchmarks.graph.page_figures import (
    PageFigures,
    Pair,
    ShownState,
    arrivals,
    kept,
    summary,
    text,
)

from icpi_ros.core import system_packages
from icpi_ros.core.errors import IcpiError


def figures(drawn=0.05, stop=0.03, shown=3.0, share=0.1):
    return PageFigures(
        arrivals=[ShownState(0.02, drawn)] * 3,
        stops=[stop] * 4,
        missed=1,
        pairs=[Pair((3.0, 3.0), (shown, shown), share)] * 2,
    )


def test_a_place_is_found_by_what_was_published_and_one_that_came_twice_counts_for_nothing():
    sent = [(10.0, (0.1, 0.2, 0.3)), (10.1, (0.4, 0.2, 0.3)), (10.2, (0.4, 0.2, 0.3))]
    seen = [
        [0.1, 0.2, 0.3, 10.02, 10.05],
        [0.4, 0.2, 0.3, 10.3, 10.4],
        [0.1, 0.2, 0.4, 10.3, 10.4],  # of nobody
        [0.1, 0.2, 0.3, 10.06, 0.0],  # not drawn yet
    ]
    (found,) = arrivals(sent, seen)
    assert (found.script, found.drawn) == pytest.approx((0.02, 0.05))


def test_targets_are_those_of_the_screen_the_stop_the_trial_and_the_processor():
    assert kept(summary(figures()))
    for missed in ({"drawn": 0.11}, {"stop": 0.11}, {"shown": 3.1}, {"share": 0.31}):
        assert not kept(summary(figures(**missed)))
    assert kept(summary(PageFigures()))


def test_the_text_says_what_was_measured_alone():
    words = text(summary(figures()))
    assert "3 joint states" in words
    assert "median 30.0 ms" in words
    assert "takes 1.0000 of one without (1.0000 to 1.0000; 1.02 allowed)" in words
    assert "10.0 % of one core" in words
    assert text(summary(PageFigures(stops=[0.03]))).startswith("STOP to the braking command")


def test_without_a_browser_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(system_packages.shutil, "which", lambda _: None)
    with pytest.raises(IcpiError, match="apt-get install -y chromium"):
        chromium.program()
