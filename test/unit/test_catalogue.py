"""The catalogue of models: what ships, what a user adds, what is refused and how."""

import math
import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.resources import share_path
from icpi_ros.llm.client import profile
from icpi_ros.llm.client.completer import Wire
from icpi_ros.llm.client.formats import FORMATS
from icpi_ros.llm.client.profile import Price, Profile, Size, find_profile, read_catalogue
from icpi_ros.llm.client.token_count import Tokeniser

SECRET = "sk-secret-0123456789"


@pytest.fixture(autouse=True)
def isolated(monkeypatch):
    for name in ("ICPI_MODELS", "ICPI_MODEL", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def own(tmp_path):
    def write(document):
        path = tmp_path / "mine.yaml"
        text = document if isinstance(document, str) else yaml.safe_dump(document)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_unknown_model_gets_careful_defaults():
    profile = find_profile("some-org/o5-turbo-vision")
    assert profile == Profile("some-org/o5-turbo-vision", "some-org/o5-turbo-vision")
    assert (profile.temperature, profile.seed, profile.samples) == (False, False, False)
    assert (profile.token_limit, profile.effort, profile.formats) == (None, None, FORMATS)
    assert (profile.base_url, profile.key_variable, profile.needs_key) == (
        None,
        "OPENAI_API_KEY",
        True,
    )
    assert not profile.priced


def test_our_own_server():
    profile = find_profile("icpi-in-context")
    assert profile.base_url == "http://127.0.0.1:8377/v1"
    assert (profile.model, profile.key_variable) == ("icpi-in-context", "ICPI_SERVE_KEY")
    assert (profile.needs_key, profile.priced, profile.money(10, 10)) == (False, True, 0.0)
    assert (profile.temperature, profile.seed, profile.samples) == (True, True, True)
    assert profile.formats == FORMATS


def test_every_shipped_entry_is_valid():
    shipped = read_catalogue(share_path("config", "models.yaml"))
    assert len(shipped) >= 5
    for name in shipped:
        profile = find_profile(name)
        local = "127.0.0.1" in profile.base_url
        assert profile.priced == local, f"{name}: prices of commercial models are not shipped"
        assert profile.needs_key != local


def test_every_key_is_documented():
    text = share_path("config", "models.yaml").read_text(encoding="utf-8")
    for key in profile._readers():
        assert re.search(rf"^#   {key} ", text, re.MULTILINE), key


def test_own_file_wins_key_by_key(own):
    price = {"input": 1.25, "cached_input": 0.125, "output": 10, "currency": "EUR"}
    path = own({"models": {"gpt-4o": {"price": price, "seed": False}}})
    shipped, mine = find_profile("gpt-4o"), find_profile("gpt-4o", path)
    assert mine.price == Price(1.25, 10.0, 0.125, "EUR")
    assert (shipped.seed, mine.seed) == (True, False)
    assert mine.base_url == shipped.base_url
    assert mine.money(2_000_000, 1_000_000, 1_000_000) == pytest.approx(1.25 + 0.125 + 10.0)


def test_own_file_from_the_environment(own, monkeypatch):
    monkeypatch.setenv("ICPI_MODELS", str(own({"models": {"mine": {"model": "wire/name"}}})))
    assert (find_profile("mine").name, find_profile("mine").model) == ("mine", "wire/name")
    assert find_profile("gpt-4o").samples


def test_model_from_the_environment(monkeypatch):
    assert find_profile("").model == ""
    monkeypatch.setenv("ICPI_MODEL", "icpi-in-context")
    assert find_profile("").base_url == "http://127.0.0.1:8377/v1"
    assert find_profile("gpt-4o").model == "gpt-4o"


def test_all_keys(own):
    entry = {
        "model": "wire",
        "base_url": "https://example.org:8443/v1",
        "key_variable": "MY_KEY",
        "needs_key": False,
        "token_limit": {"name": "max_tokens", "value": 99},
        "temperature": True,
        "seed": True,
        "samples": True,
        "effort": "low",
        "formats": ["json_object", "text"],
        "price": {"input": 0, "output": 1},
        "tokeniser": "per-digit",
        "wire": "turns",
        "size": "small",
    }
    assert set(entry) == set(profile._readers())
    assert find_profile("m", own({"models": {"m": entry}})) == Profile(
        name="m",
        model="wire",
        base_url="https://example.org:8443/v1",
        key_variable="MY_KEY",
        needs_key=False,
        token_limit="max_tokens",
        max_tokens=99,
        temperature=True,
        seed=True,
        samples=True,
        effort="low",
        formats=("json_object", "text"),
        price=Price(0.0, 1.0),
        tokeniser=Tokeniser.PER_DIGIT,
        wire=Wire.TURNS,
        size=Size.SMALL,
    )


WRONG = [
    ({"temprature": True}, r"unknown key 'temprature': choose from model, base_url"),
    ({"model": 4}, "model must be a text"),
    ({"model": ""}, "model must be a text"),
    ({"base_url": "localhost:8000"}, "base_url must be a URL http"),
    ({"base_url": f"http://me:{SECRET}@localhost/v1"}, "without user name, password"),
    ({"base_url": f"http://localhost/v1?key={SECRET}"}, "without user name, password, query"),
    ({"base_url": "http://[half/v1"}, "base_url must be"),
    ({"base_url": "http://host:99999/v1"}, "base_url must be"),
    ({"key_variable": SECRET}, "key_variable must be the name of an environment variable"),
    ({"needs_key": "no way"}, "needs_key must be true or false"),
    ({"temperature": 0.7}, "temperature must be true or false"),
    ({"seed": 1}, "seed must be true or false"),
    ({"samples": None}, "samples must be true or false"),
    ({"effort": 3}, "effort must be a text"),
    (
        {"formats": "text"},
        "must be a list of one or more of grammar, json_schema, json_object",
    ),
    ({"formats": []}, "formats must be"),
    ({"formats": ["text", "json_object"]}, "in this order"),
    ({"formats": ["text", "text"]}, "formats must be"),
    ({"formats": ["xml"]}, "formats must be"),
    ({"formats": [["text"]]}, "formats must be"),
    ({"token_limit": 100}, "token_limit must be a mapping"),
    ({"token_limit": {"name": "max_length", "value": 1}}, "one of max_tokens, max_completion"),
    ({"token_limit": {"name": ["max_tokens"], "value": 1}}, "one of max_tokens"),
    ({"token_limit": {"name": "max_tokens", "value": 0}}, "whole number above 0"),
    ({"token_limit": {"name": "max_tokens", "value": True}}, "whole number above 0"),
    ({"token_limit": {"value": 100}}, "token_limit must be a mapping"),
    ({"wire": "chat"}, "wire must be one of completion, turns, json"),
    ({"size": ["small"]}, "size must be one of small, large"),
    ({"tokeniser": "digits"}, "tokeniser must be one of per-digit, per-three-digits"),
    ({"tokeniser": ["per-digit"]}, "tokeniser must be one of"),
    ({"price": 3}, "price must be a mapping"),
    ({"price": {"input": 1}}, "input and output"),
    ({"price": {"input": 10**400, "output": 1}}, "whose input is a number"),
    ({"price": {"input": 1, "output": 1, "per": 1000}}, "price must be a mapping"),
    ({"price": {"input": -1, "output": 1}}, "input is a number, 0 or more per million"),
    ({"price": {"input": 1, "output": math.nan}}, "output is a number, 0 or more"),
    ({"price": {"input": 1, "output": math.inf}}, "output is a number, 0 or more"),
    ({"price": {"input": 1, "output": "1"}}, "output is a number"),
    ({"price": {"input": 1, "output": True}}, "output is a number"),
    ({"price": {"input": 1, "output": 1, "currency": 7}}, "currency is a text"),
    ([1], "must be a mapping of keys: model, base_url"),
]


@pytest.mark.parametrize(("entry", "words"), WRONG, ids=[str(w)[:40] for w, _ in WRONG])
def test_wrong_entries(own, entry, words):
    path = own({"models": {"good": {}, "bad": entry}})
    with pytest.raises(InvalidValue, match=words) as caught:
        find_profile("good", path)  # a mistake anywhere in the file is told at once
    assert str(caught.value).startswith(f"{path}: model bad: ")
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must hold a mapping `models:`"),
        ("- 1", "must hold a mapping `models:`"),
        ("models: [gpt]", "must hold a mapping `models:`"),
        ("models: {}\nmodel: {}", "unknown key 'model': choose from models"),
        ("models:\n  a: {b", "not valid YAML at line"),
        ("models: {4: {}}", "put it in quotes"),
        ("models: !!python/object:os.system {}", "not valid YAML"),
        ("models: {[1, 2]: {}}", "put it in quotes|not valid YAML"),
    ],
)
def test_wrong_files(own, text, words):
    path = own(text)
    with pytest.raises(InvalidValue, match=words) as caught:
        find_profile("m", path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_file_that_cannot_be_read(tmp_path, monkeypatch):
    with pytest.raises(InvalidValue, match=r"cannot read the models file .*none\.yaml"):
        find_profile("m", tmp_path / "none.yaml")
    monkeypatch.setenv("ICPI_MODELS", str(tmp_path))
    with pytest.raises(InvalidValue, match="cannot read the models file"):
        find_profile("m")
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"models: {\xe9: {}}")
    with pytest.raises(InvalidValue, match="not valid YAML"):
        find_profile("m", latin)


def test_empty_entry(own):
    assert find_profile("m", own("models:\n  m:\n")) == find_profile("m")


prices = st.floats(0, 1000)
tokens = st.integers(0, 10**7)


@given(prices, prices, prices, tokens, tokens, tokens)
def test_money(price_in, price_cached, price_out, fresh, cached, completion):
    profile = Profile("m", "m", price=Price(price_in, price_out, price_cached))
    money = profile.money(fresh + cached, completion, cached)
    expected = fresh * price_in + cached * price_cached + completion * price_out
    assert money == pytest.approx(expected / 1e6)
