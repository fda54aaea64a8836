"""Options of improvers: what is accepted, and how the rest is refused, wherever it is given."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import toy
from hypothesis import example, given
from hypothesis import strategies as st
from icpi_benchmarks.contest.oracles import ORACLES
from icpi_benchmarks.contest.tuning import studies

from icpi_ros.cli.main import main
from icpi_ros.core.errors import InvalidValue, UsageError
from icpi_ros.core.types import Proposal
from icpi_ros.improvers import IMPROVERS, check_shared
from icpi_ros.improvers.base import Improver
from icpi_ros.improvers.options import fixed, option, options_of, read_options
from icpi_ros.improvers.table import markdown
from icpi_ros.ros.bringup.files import checked_graph
from icpi_ros.runs.proposals import Proposer

DOC = Path(__file__).resolve().parents[2] / "docs" / "improvers.md"
KINDS = {**{n: IMPROVERS.get(n) for n in IMPROVERS}, **{n: ORACLES.get(n) for n in ORACLES}}
ALL = [(name, one) for name, kind in KINDS.items() for one in options_of(kind.Options).values()]
DATA = toy.dataset()
TYPES = {"whole number": int, "number": float, "text": str, "true or false": bool}


@dataclass(frozen=True)
class OwnOptions:
    """Of an improver from outside, with types that no built-in option has."""

    gain: float = option(0.5, "share of the step", low=0.0, high=1.0)
    radii: tuple[float, ...] = option((0.1, 0.2), "radii", unit="m", low=0.0, high=1.0)
    way: str = field(default="near", metadata={"choices": ("near", "far")})
    bound: float | None = None

    def __post_init__(self):
        if self.way == "far" and self.gain > 0.9:
            raise ValueError("far\nneeds a gain of 0.9 at most")


class Own(Improver):
    """Steps by its gain."""

    name: ClassVar[str] = "own"
    summary: ClassVar[str] = "for tests"
    needs_dataset: ClassVar[bool] = False
    Options = OwnOptions

    def propose(self, history, rng):
        return Proposal(history[-1].theta * float(self.options.gain), self.name)


class Careless(Own):
    """Leaves out the constructor of its base."""

    name: ClassVar[str] = "careless"

    def __init__(self, context):
        self.context = context


class Plain(Improver):
    """Takes no options, and would trip over one in every trial."""

    name: ClassVar[str] = "plain"
    summary: ClassVar[str] = "for tests"
    needs_dataset: ClassVar[bool] = False

    def propose(self, history, rng):
        return Proposal(history[-1].theta * float(self.context.options.get("gain", 1.0)), self.name)


class Breaking(Own):
    """Cannot be made with what its options allow."""

    name: ClassVar[str] = "breaking"

    def __init__(self, context):
        super().__init__(context)
        raise KeyError("no\nsuch file")


@pytest.fixture(autouse=True)
def registered(monkeypatch, tmp_path):
    own = {kind.name: kind for kind in (Own, Careless, Plain, Breaking)}
    monkeypatch.setattr(IMPROVERS, "_loaded", IMPROVERS._loaded | own)
    monkeypatch.setenv("ICPI_STORE", str(tmp_path / "trials.sqlite"))


def refusal(kind, name, value):
    with pytest.raises(InvalidValue) as caught:
        kind.chosen({name: value})
    message = str(caught.value)
    assert message.isprintable()
    return message


# --- values -------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


@given(which=st.sampled_from(ALL), value=JSON)
@example(which=ALL[0], value=10**400)
@example(which=ALL[0], value=math.nan)
def test_any_value_is_one_of_the_type_in_range_or_is_refused_in_one_line(which, value):
    improver, one = which
    try:
        found = getattr(KINDS[improver].chosen({one.name: value}), one.name)
    except InvalidValue as exc:
        message = str(exc)
        assert message.startswith(f"option {one.name} of {improver}: ")
        assert message.isprintable()
        return
    assert type(found) is TYPES[one.kind]
    assert found == value
    assert not one.choices or found in one.choices
    if one.kind in ("number", "whole number"):
        assert one.low <= found <= one.high
        assert math.isfinite(found)


@pytest.mark.parametrize(("improver", "one"), ALL, ids=[f"{n}-{o.name}" for n, o in ALL])
def test_defaults_ends_and_choices_are_allowed_and_what_lies_beyond_is_not(improver, one):
    kind = KINDS[improver]
    assert getattr(kind.chosen({}), one.name) == one.default
    ends = [end for end in (one.low, one.high) if math.isfinite(end)]
    allowed = one.choices or [TYPES[one.kind](end) for end in ends]
    for value in allowed:
        assert getattr(kind.chosen({one.name: value}), one.name) == value
    assert one.text
    if one.kind in ("number", "whole number"):
        assert math.isfinite(one.low)
        beyond = one.low - 1
        assert f"{beyond:g} is not allowed" in refusal(kind, one.name, beyond) or beyond % 1
        if math.isfinite(one.high):
            assert f"{one.high:g}" in refusal(kind, one.name, TYPES[one.kind](one.high + 1))


REFUSED = [
    ("cma", "sigma", "a", "option sigma of cma: 'a' is not allowed: a number, 0.001 to 2"),
    ("cma", "sigma", True, "option sigma of cma: true is not allowed"),
    ("cma", "sigma", None, "option sigma of cma: null is not allowed"),
    ("cma", "sigma", [0.1], "option sigma of cma: a list is not allowed"),
    ("cma", "sigma", {"a": 1}, "option sigma of cma: an object is not allowed"),
    ("cma", "sigma", "0.1", "option sigma of cma: '0.1' is not allowed"),
    ("cma", "sigma", 10**400, "option sigma of cma: so large a number is not allowed"),
    ("cma", "population", 4.0, "option population of cma: 4 is not allowed: a whole number, 4 to"),
    ("cma", "population", 3, "option population of cma: 3 is not allowed: a whole number, 4 to"),
    ("cma", "from_best", 1, "option from_best of cma: 1 is not allowed: true or false"),
    ("cma", "sigme", 1, "unknown option 'sigme' of cma: choose from from_best, population, sigma; "
     "did you mean sigma?"),
    ("random", "k", 1, "unknown option 'k' of random: it has no options"),
    ("knn-copy", "k", 1, "unknown option 'k' of knn-copy: choose from features, from_best"),
    ("embedded", "k", 5, "unknown option 'k' of embedded: choose from features, repeats"),
    ("broyden", "doubt", 0.1, "unknown option 'doubt' of broyden"),
    ("knn", "features", "pixels", "'pixels' is not allowed: choose one of error, raw"),
    ("llm", "model", 3, "option model of llm: this value is not allowed: a text"),
    ("llm", "max_calls", 0, "0 is not allowed: a number, at least 1"),
    ("llm", "max_seconds", 0, "0 is not allowed: a number, at least 0.001 [s]"),
    ("own", "gain", 2, "option gain of own: 2 is not allowed: a number, 0 to 1"),
    ("own", "radii", [0.1, 3], "option radii of own: a list is not allowed: tuple[float, ...], 0"),
    ("own", "radii", [0.1, "x"], "option radii of own: a list is not allowed"),
    ("own", "way", "off", "option way of own: 'off' is not allowed: choose one of near, far"),
    ("own", "bound", "x", "option bound of own: 'x' is not allowed: float | None"),
    ("plain", "gain", 1, "unknown option 'gain' of plain: it has no options"),
]  # fmt: skip


@pytest.mark.parametrize(("improver", "name", "value", "words"), REFUSED)
def test_refusals(improver, name, value, words):
    assert words in refusal(IMPROVERS.get(improver), name, value)


def test_a_combination_that_a_class_refuses():
    with pytest.raises(InvalidValue) as caught:
        Own.chosen({"way": "far", "gain": 0.95})
    assert str(caught.value) == "options of own are not allowed: far needs a gain of 0.9 at most"
    assert Own.chosen({"way": "far"}).gain == 0.5


def test_types_of_ones_own():
    found = Own.chosen({"radii": [0, 1], "bound": 2})
    assert found == OwnOptions(radii=(0.0, 1.0), bound=2.0)
    assert {type(radius) for radius in found.radii} == {float}


def test_a_subclass_inherits_what_is_allowed_and_may_fix_an_option():
    @dataclass(frozen=True)
    class Narrow(OwnOptions):
        gain: float = 0.1
        way: str = fixed("far")

    assert read_options(Narrow, {}, "narrow") == Narrow()
    assert (Narrow().gain, Narrow().way) == (0.1, "far")
    with pytest.raises(InvalidValue, match=r"option gain of narrow: 2 is not allowed: .* 0 to 1"):
        read_options(Narrow, {"gain": 2}, "narrow")
    with pytest.raises(InvalidValue, match="unknown option 'way' of narrow"):
        read_options(Narrow, {"way": "far"}, "narrow")


SECRET = "sk-0123456789abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(("improver", "one"), ALL, ids=[f"{n}-{o.name}" for n, o in ALL])
def test_a_key_in_a_wrong_place_is_not_shown(improver, one):
    for value in (SECRET, [SECRET], {SECRET: SECRET}):
        try:
            KINDS[improver].chosen({one.name: value})
        except InvalidValue as exc:
            shown = str(exc)
        else:
            shown = ""
        assert SECRET not in shown


def test_neither_a_key_in_place_of_a_name_nor_one_of_the_environment_is_shown(monkeypatch):
    monkeypatch.setenv("TEST_API_KEY", "short-secret")
    assert SECRET not in refusal(KINDS["cma"], SECRET, 1)
    assert "short-secret" not in refusal(KINDS["cma"], "sigma", "short-secret")
    assert "short-secret" not in refusal(KINDS["cma"], "short-secret", 1)


LANDED = {
    "k": (7, "knn knn-hindsight ridge ridge-hindsight in-context llm llm-plan llm-samples "
          "llm-steered"),
    "features": ("raw", "knn knn-copy knn-copy-hindsight knn-hindsight ridge ridge-hindsight "
                 "in-context llm llm-plan llm-samples llm-steered llm-zero"),
    "order": ("best-last", "in-context llm llm-plan llm-samples llm-steered"),
    "history": (True, "in-context llm llm-plan llm-samples llm-steered llm-zero"),
    "start": ("best", "in-context llm llm-plan llm-samples llm-steered llm-zero"),
    "repeats": ("allow", "in-context llm llm-opro llm-plan llm-samples llm-steered llm-zero"),
    "fuse": ("student-t", "llm-samples"),
    "predictor": ("llm", "llm-plan"),
    "asks": (20, "llm-steered"),
    "decay": (1, "llm-steered"),
} | {
    name: (value, "llm llm-opro llm-plan llm-samples llm-steered llm-zero")
    for name, value in {
        "model": "m", "models": "/m.yaml", "base_url": "http://h/v1", "key_variable": "MY_KEY",
        "deadline": 3600, "digits": 9, "describe": False, "temperature": 2, "samples": 64,
        "cassette": "/tape", "cassette_mode": "replay", "max_calls": 1, "max_tokens": 10**14,
        "max_money": 1e-9, "max_seconds": 0.001,
    }.items()
}  # fmt: skip


def test_options_of_stored_runs_are_still_taken():
    """Names and the widest values of the version before options were dataclasses."""
    for name, (value, improvers) in LANDED.items():
        for improver in improvers.split():
            assert getattr(IMPROVERS.get(improver).chosen({name: value}), name) == value


def test_what_is_tuned_is_allowed():
    for study in studies().values():
        for entrant in study.entrants(one_by_one=True):
            study.kind.chosen(entrant.options)


# --- where they are given -----------------------------------------------------------------------

PLACES = {
    "run": ["run", "--task", "slide", "--in-process", "--improver", "cma", "--option", "sigma=a"],
    "run in a graph": ["run", "--task", "slide", "--improver", "cma", "--option", "sigma=a"],
    "run, own": ["run", "--task", "slide", "--in-process", "--improver", "own",
                 "--option", "gain=a"],
    "run, careless": ["run", "--task", "slide", "--in-process", "--improver", "careless",
                      "--option", "gain=a"],
    "run, plain": ["run", "--task", "slide", "--in-process", "--improver", "plain",
                   "--option", "gain=a"],
    "bench": ["bench", "--tasks", "slide", "--instances", "1", "--improvers", "cma:sigma=a"],
    "bench, own": ["bench", "--tasks", "slide", "--instances", "1", "--improvers", "own:gain=a"],
    "bench, careless": ["bench", "--tasks", "slide", "--instances", "1",
                        "--improvers", "careless:gain=a"],
    "bench, oracle": ["bench", "--tasks", "slide", "--instances", "1",
                      "--improvers", "oracle:shrink=a"],
    "replay": ["replay", "none", "--improver", "cma,random", "--option", "sigma=a"],
    "replay, own": ["replay", "none", "--improver", "own", "--option", "gain=a"],
    "replay, none takes it": ["replay", "none", "--improver", "cma,own", "--option", "sigme=1"],
    "prompt": ["prompt", "--task", "slide", "--option", "digits=a"],
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_a_bad_option_is_refused_before_the_first_trial(place, capsys, tmp_path):
    assert main(PLACES[place]) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert "option" in err
    assert "'a' is not allowed" in err or "unknown option" in err
    assert out == ""
    assert not (tmp_path / "trials.sqlite").exists()


def test_settings_can_be_reached(capsys, tmp_path):
    command = ["run", "--task", "slide", "--in-process", "--improver", "cma", "--trials", "3"]
    thetas = []
    for extra in ([], ["--option", "sigma=0.6"], ["--option", "sigma=0.05"]):
        file = tmp_path / "run.json"
        assert main([*command, *extra, "--json", str(file)]) == 0
        found = json.loads(file.read_text())["trials"]
        assert [trial["provenance"] for trial in found[1:]] == ["cma"] * 2
        thetas.append([trial["theta"] for trial in found])
    assert thetas[0] == thetas[1] != thetas[2]


def test_an_improver_that_cannot_be_made_ends_the_run_before_it_begins():
    with pytest.raises(UsageError) as caught:
        Proposer("breaking", toy.context())
    assert str(caught.value).startswith("improver breaking cannot be made: KeyError: ")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sigma": "a"}, "options: option sigma of cma: 'a' is not allowed"),
        ({"sigme": 1}, "options: unknown option 'sigme' of any improver"),
        ({"penalty": "a"}, None),  # of another improver, which a goal may ask
    ],
)
def test_options_of_a_graph_are_refused_before_it_starts(options, words, tmp_path):
    given = {"task": "slide", "improver": "cma", "options": json.dumps(options)}
    given["store"] = str(tmp_path / "trials.sqlite")
    if words is None:
        assert checked_graph("sim", given)
        return
    with pytest.raises(UsageError, match=words):
        checked_graph("sim", given)


def test_shared_options_go_to_those_that_take_them():
    check_shared({"sigma": 0.3, "k": 3}, ["cma", "knn"])
    assert IMPROVERS.get("cma").taken({"sigma": 0.3, "k": 3}) == {"sigma": 0.3}
    with pytest.raises(InvalidValue, match="unknown option 'digits' of cma or knn"):
        check_shared({"sigma": 0.3, "digits": 3}, ["cma", "knn"])
    with pytest.raises(InvalidValue, match="option k of knn: 0 is not allowed"):
        check_shared({"sigma": 0.3, "k": 0}, ["cma", "knn"])


# --- what they do -------------------------------------------------------------------------------

CHEAP = [(n, o) for n, o in ALL if n in IMPROVERS and not IMPROVERS.get(n).asks_model]
ENDS = [
    (name, one.name, value)
    for name, one in CHEAP
    for value in one.choices
    or ([False, True] if one.kind == "true or false" else [one.low, one.high])
]


@pytest.mark.parametrize(("improver", "name", "value"), ENDS)
def test_an_improver_works_at_the_ends_of_every_range(improver, name, value):
    if name == "k" and value == 1000:
        value = 300
    kind = {o.name: o for o in options_of(IMPROVERS.get(improver).Options).values()}[name].kind
    made = IMPROVERS.get(improver)(toy.context(DATA, **{name: TYPES[kind](value)}))
    physics, rng = np.array([0.2, 0.8]), np.random.default_rng(8)
    history = [toy.outcome(theta, physics) for theta in toy.SPACE.sample(rng, 9)]
    for count in (1, 2, 9):
        proposal = made.propose(history[:count], np.random.default_rng(3))
        assert np.isfinite(proposal.theta).all()
        assert not proposal.fallback_reason


# --- what is said about them --------------------------------------------------------------------


def test_the_table_of_the_documentation_is_that_of_the_code(monkeypatch):
    monkeypatch.undo()  # the improvers of these tests are not documented
    text = DOC.read_text(encoding="utf-8")
    begin = text.index("| option |")
    table = text[begin : text.index("\n\n", begin) + 1]
    assert table == markdown(), "run `python -m icpi_ros.improvers.table` and put it there"


def test_list_and_describe(capsys):
    assert main(["improver", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == IMPROVERS.names()
    assert "cma-warm" in lines[IMPROVERS.names().index("cma-warm")]
    assert lines[IMPROVERS.names().index("llm")].endswith("(needs: data set, model)")
    for name in IMPROVERS:
        assert main(["improver", "describe", name]) == 0
        out = capsys.readouterr().out
        assert out.startswith(f"{name}: {IMPROVERS.get(name).summary}")
        rows = [line.split()[0] for line in out.splitlines() if line]
        assert all(option in rows for option in options_of(IMPROVERS.get(name).Options))
    assert main(["improver", "describe", "cmaa"]) == 2
    assert "unknown improver 'cmaa'" in capsys.readouterr().err


def test_json_of_list_and_describe(capsys, tmp_path):
    assert main(["improver", "list", "--json", "-"]) == 0
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert found["llm"]["asks_model"]
    assert not found["cma"]["needs_dataset"]
    file = tmp_path / "llm.json"
    assert main(["improver", "describe", "llm", "--json", str(file)]) == 0
    options = {one["name"]: one for one in json.loads(file.read_text())["options"]}
    assert options["deadline"]["unit"] == "s"
    assert (options["digits"]["type"], options["digits"]["high"]) == ("whole number", 9)
    assert options["max_calls"]["default"] is None


@pytest.mark.parametrize("verb", ["new", "try"])
def test_improvers_are_listed_and_described_alone(verb, capsys):
    with pytest.raises(SystemExit):
        main(["improver", verb, "push"])
    assert f"invalid choice: '{verb}' (choose from" in capsys.readouterr().err
