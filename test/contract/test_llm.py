"""The improver ``llm`` against a real HTTP server: a valid proposal or a labelled fallback."""

import json
import logging
import subprocess
import sys
import threading
import time

import http_models
import numpy as np
import pytest
import toy
from http_models import KEY, PATH

from icpi_ros.errors import InvalidValue
from icpi_ros.improvers.embedded import Embedded
from icpi_ros.improvers.llm import Llm
from icpi_ros.models import failures

PHYSICS = np.array([0.2, 0.8])
HISTORY = [toy.outcome(np.array(theta), PHYSICS) for theta in ((1.2, 0.1), (0.8, -0.2))]
DEADLINE = 2.0


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr(failures, "_FIRST_PAUSE", 0.02)


@pytest.fixture(scope="module")
def data():
    return toy.dataset()


@pytest.fixture
def make(httpserver, data):
    def build(**options):
        settings = {"model": "toy", "base_url": httpserver.url_for("/v1"), "deadline": DEADLINE}
        return Llm(toy.context(data, **(settings | options)))

    return build


def propose(improver, caplog):
    """One proposal, in time, without the key anywhere."""
    caplog.set_level(logging.DEBUG)
    start = time.monotonic()
    proposal = improver.propose(HISTORY, np.random.default_rng(3))
    assert time.monotonic() - start < improver._completer.deadline + 0.5
    assert np.isfinite(proposal.theta).all()
    assert KEY not in repr(proposal)
    assert KEY not in json.dumps(dict(proposal.details), allow_nan=False)
    assert KEY not in caplog.text
    return proposal


def assert_fallback(proposal, data, *words):
    expected = Embedded(toy.context(data)).propose(HISTORY, np.random.default_rng(3))
    assert proposal.provenance == "embedded"
    assert proposal.fallback_reason.startswith("llm: ")
    assert "\n" not in proposal.fallback_reason
    assert all(word in proposal.fallback_reason for word in words)
    np.testing.assert_array_equal(proposal.theta, expected.theta)
    assert len(proposal.details["messages"]) == 2


def test_good_reply(make, httpserver, caplog):
    httpserver.expect_request(PATH).respond_with_json(http_models.body("+0100 -0500"))
    proposal = propose(make(), caplog)
    assert (proposal.provenance, proposal.fallback_reason) == ("llm", "")
    # The latest trial plus 0.1 and -0.5 half ranges (0.5 m/s, 0.4 rad).
    np.testing.assert_allclose(proposal.theta, HISTORY[-1].theta + np.array([0.05, -0.2]))
    assert proposal.details["reply"] == "+0100 -0500"
    assert proposal.details["usage"]["prompt_tokens"] == 300
    assert proposal.details["model"] == "toy-model-1"
    assert 0.0 < proposal.details["model_latency"] <= proposal.latency
    assert proposal.details["messages"] == httpserver.log[0][0].json["messages"]
    assert len(proposal.details["messages"][1]["content"].splitlines()) == 21


def test_k_is_an_option(make):
    assert len(make(k=7).messages(HISTORY)[1]["content"].splitlines()) == 8


@pytest.mark.parametrize(
    "reply",
    ["two", "", "+0050", "1 2 3", "NaN 5", "Infinity 1", "1e999 0", "[null, 5]", "0.512 -0.031"],
)
def test_malformed_numbers(make, httpserver, caplog, data, reply):
    httpserver.expect_request(PATH).respond_with_json(http_models.body(reply))
    proposal = propose(make(), caplog)
    assert_fallback(proposal, data)
    if reply:
        assert proposal.details["reply"] == reply


def test_enormous_numbers_stay_finite(make, httpserver, caplog):
    httpserver.expect_request(PATH).respond_with_json(http_models.body("1e300 -1e308"))
    assert not toy.SPACE.contains(propose(make(), caplog).theta)


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (401, {}, ("HTTP 401", "OPENAI_API_KEY")),
        (429, {"Retry-After": "60"}, ("HTTP 429", "deadline")),
        (500, {}, ("HTTP 500",)),
    ],
)
def test_refusing_server(make, httpserver, caplog, data, status, headers, words):
    httpserver.expect_request(PATH).respond_with_data(f"echo {KEY}", status=status, headers=headers)
    assert_fallback(propose(make(), caplog), data, *words)


def test_rate_limit_that_passes(make, httpserver, caplog):
    httpserver.expect_ordered_request(PATH).respond_with_data(
        "", status=429, headers={"Retry-After": "0.2"}
    )
    httpserver.expect_ordered_request(PATH).respond_with_json(http_models.body("1 2"))
    assert propose(make(), caplog).provenance == "llm"


def test_html(make, httpserver, caplog, data):
    httpserver.expect_request(PATH).respond_with_data("<html></html>", content_type="text/html")
    assert_fallback(propose(make(), caplog), data, "not JSON")


@pytest.mark.parametrize("fault", [http_models.stall, http_models.drip])
def test_deadline(make, httpserver, caplog, data, fault):
    released = threading.Event()
    httpserver.expect_request(PATH).respond_with_handler(fault(released))
    try:
        assert_fallback(propose(make(deadline=0.4), caplog), data, "within 0.4 s")
    finally:
        released.set()


def test_no_key(make, caplog, data, monkeypatch, httpserver):
    monkeypatch.delenv("OPENAI_API_KEY")
    assert_fallback(propose(make(), caplog), data, "no API key: set OPENAI_API_KEY")
    assert httpserver.log == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"modell": "x"}, "unknown option 'modell' of llm: choose from base_url, deadline, k"),
        ({"k": 0}, "k = 0"),
        ({"k": "many"}, "k = .many. is not allowed: a whole number"),
        ({"deadline": float("nan")}, "deadline = nan"),
        ({"deadline": -1}, "deadline = -1"),
        ({"model": 3}, "model of llm must be a text"),
    ],
)
def test_wrong_options(make, options, words):
    with pytest.raises(InvalidValue, match=words):
        make(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"key_variable": "sk-secret99"},
        {"base_url": "http://me:secret99@localhost/v1"},
        {"base_url": "http://localhost/v1?key=secret99"},
        {"base_url": "http://localhost/v1#secret99"},
    ],
)
def test_keys_in_options_are_refused_without_showing_them(make, options):
    with pytest.raises(InvalidValue, match="option") as caught:
        make(**options)
    assert "secret99" not in str(caught.value)


def test_more_examples_asked_for_than_there_are(make):
    with pytest.raises(InvalidValue, match="needs at least 301 examples"):
        make(k=301)


def test_importing_improvers_is_light():
    code = "import sys, icpi_ros.improvers.llm as m; print({'openai', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
