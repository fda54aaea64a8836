"""Packed cassettes: the same answers, small, read-only; and benchmarks replayed from them."""

import json
import lzma
import re
import shutil
import tomllib
from pathlib import Path

import icpi_benchmarks.cassettes.recordings as recordings
import pytest
from http_models import ask
from icpi_benchmarks.cassettes.recordings import SHIPPED, Recordings
from icpi_benchmarks.contest.conditions import ASKED_BY, MODELS, PRESETS
from icpi_benchmarks.contest.entrants import entrants, with_nulls
from icpi_benchmarks.report.tables import model_table
from icpi_benchmarks.results import read
from icpi_benchmarks.statistics.summaries import summarise

from icpi_ros.cli.main import main
from icpi_ros.core.errors import CompletionFailed, UsageError
from icpi_ros.llm import connect
from icpi_ros.llm.cassettes import packed as packing
from icpi_ros.llm.cassettes.cassette import Cassette, RecordedCompleter
from icpi_ros.llm.cassettes.file import CassetteFile
from icpi_ros.llm.client.budget import Meter, Spending
from icpi_ros.llm.client.completer import WIRES, Completion
from icpi_ros.llm.client.profile import find_profile

BENCHMARKS = SHIPPED.parents[1]
LIMIT = 1.5e6
"""Size of all shipped cassettes together [bytes]."""
MODEL = "llm:model=tiny:wire=completion"


class Model:
    """Answers each question with as many numbers as it asks for; every third one fails."""

    calls = 0

    def __init__(self, profile=None, meter=None, fails=False):
        self._meter, self._fails = meter or Meter(), fails

    def complete(self, request, until):
        type(self).calls += 1
        spent = Spending(1, 180, 11, 0, 0, 0.0, 1.25000001)
        self._meter.charge(spent)
        if self._fails and self.calls % 3 == 0:
            raise CompletionFailed("no answer")
        texts = tuple(f" +01{n:02d} -0100" for n in range(request.samples))
        return Completion(texts, spent, "/home/me/w.gguf", wire=request.prompt.wire)


@pytest.fixture
def recorded(tmp_path):
    """A recorded cassette, the questions to it, and the answers."""
    path = tmp_path / "run.jsonl"
    live = RecordedCompleter(Model(fails=True), Cassette(path), "wire", Meter())
    return path, [_answer(live, seed) for seed in (1, 2, 3, 1)]


def _answer(completer, seed):
    try:
        found = ask(completer, samples=3, seed=seed)
        return found.texts, round(found.spent.seconds, 3), found.spent.tokens, found.wire
    except CompletionFailed as exc:
        return str(exc)


def pack(path, into):
    file = CassetteFile(path)
    file.refresh()
    packing.write_packed(into, file.entries())
    return into


def player(path):
    return RecordedCompleter(None, Cassette(path, "replay"), "wire", Meter())


# --- packed files -------------------------------------------------------------------------------


def test_a_packed_cassette_gives_the_same_answers_and_failures(recorded, tmp_path):
    path, answers = recorded
    small = pack(path, tmp_path / "whatever its name")
    again = player(small)
    assert [_answer(again, seed) for seed in (1, 2, 3, 1)] == answers
    assert _answer(again, 1).startswith("not on cassette")
    text = lzma.decompress(small.read_bytes())
    assert b"request" not in text
    assert b"/home" not in text
    assert pack(path, tmp_path / "twice").read_bytes() == small.read_bytes()
    assert pack(small, tmp_path / "repacked").read_bytes() == small.read_bytes()


def test_nothing_is_recorded_into_a_packed_cassette(recorded, tmp_path):
    small = pack(recorded[0], tmp_path / "small.xz")
    before = small.read_bytes()
    with pytest.raises(UsageError, match=r"is packed, nothing .* cassette_mode=replay, or record"):
        Cassette(small)
    assert small.read_bytes() == before


def test_a_cassette_that_is_unpacked_or_packed_meanwhile_is_read_anew(recorded, tmp_path):
    path, answers = recorded
    small, changing = pack(path, tmp_path / "small.xz"), tmp_path / "changing"
    for source in (small, path, small):
        shutil.copy(source, changing)
        assert _answer(player(changing), 1) == answers[0]


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda data: data[:-20], "is cut off"),
        (lambda data: data[:40] + b"\0\0\0\0" + data[44:], "is damaged"),
        (lambda data: packing.MAGIC, "is cut off"),
        (lambda data: data + b"more", "has something behind its end"),
        (lambda data: packing.packed([]) + data, "has something behind its end"),
    ],
)
def test_a_damaged_packed_cassette_is_refused_in_one_line(recorded, tmp_path, damage, why):
    small = pack(recorded[0], tmp_path / "small.xz")
    small.write_bytes(damage(small.read_bytes()))
    with pytest.raises(UsageError, match=f"cannot read the cassette .*small.xz: .* {why}"):
        Cassette(small, "replay")


def test_a_packed_file_without_a_cassette_in_it_is_refused(tmp_path):
    other = tmp_path / "other.xz"
    other.write_bytes(lzma.compress(b'{"something": "else"}\n'))
    with pytest.raises(UsageError, match="is not a cassette of this program"):
        Cassette(other, "replay")


def test_sizes_are_bounded_before_memory_is_taken(recorded, tmp_path, monkeypatch):
    small = pack(recorded[0], tmp_path / "small.xz")
    bomb = tmp_path / "bomb.xz"
    monkeypatch.setattr(packing, "MAX_UNPACKED", 2**20)
    bomb.write_bytes(lzma.compress(bytes(2**20 + 1)))
    with pytest.raises(UsageError, match="unpacks to more than 1 MiB"):
        Cassette(bomb, "replay")
    monkeypatch.setattr(packing, "MAX_PACKED", 100)
    with pytest.raises(UsageError, match="is larger than 0 MiB"):
        Cassette(small, "replay")
    monkeypatch.setattr(packing, "MAX_UNPACKED", 100)
    with pytest.raises(UsageError, match="would unpack to more"):
        packing.write_packed(tmp_path / "new.xz", [{"key": 100 * "k", "spent": {}}])


# --- benchmarks ---------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to record a model into that answers in this process."""
    monkeypatch.setattr(connect, "OpenAIChat", Model)
    monkeypatch.setattr(Model, "calls", 0)
    found = tmp_path / "recorded"
    found.mkdir()
    entry = {"base_url": "http://models.invalid/v1", "needs_key": False, "size": "small"}
    (found / "models.yaml").write_text(json.dumps({"models": {"tiny": entry}}))
    return found


def bench(*words, out=None, instances=1):
    arguments = ["bench", "--preset", "models", "--tasks", "slide", "--improvers", f"{MODEL},knn"]
    arguments += [
        "--instances",
        str(instances),
        "--trials",
        "3",
        "--workers",
        "1",
        *map(str, words),
    ]
    return main([*arguments, *(["--json", str(out)] if out else [])])


def costs(path):
    return [row["cost"] for row in json.loads(path.read_text())["rows"]]


def test_a_benchmark_is_recorded_packed_and_replayed_without_the_model(
    folder, tmp_path, capsys, monkeypatch
):
    first, again = tmp_path / "first.json", tmp_path / "again.json"
    assert bench("--record", folder, out=first) == 0
    assert Model.calls == 2
    assert main(["bench", "pack", str(folder), "--into", str(tmp_path / "small")]) == 0
    assert "tiny.jsonl.xz: 2 answers" in capsys.readouterr().out
    shutil.copy(folder / "models.yaml", tmp_path / "small")
    monkeypatch.setattr(recordings, "SHIPPED", tmp_path / "small")
    assert bench(out=again) == 0
    assert Model.calls == 2
    assert costs(again) == costs(first)
    text = capsys.readouterr().out
    label, readable, *_, tokens, seconds, missing = next(
        line for line in text.split("asked a model")[1].splitlines() if line.startswith(MODEL)
    ).split()
    assert (label, readable, tokens, seconds, missing) == (MODEL, "100", "191", "1.25", "0")
    assert "null-mean:k=8:examples=pairs" in text
    assert "NOT ON CASSETTE" not in text
    config = json.loads(again.read_text())["config"]
    assert str(tmp_path) not in json.dumps(config)
    assert config["rivals"] == {
        MODEL: ["null-label:k=8:examples=pairs", "null-mean:k=8:examples=pairs", "knn"]
    }
    assert config["default"] == "knn"


def test_a_recording_goes_on_and_a_replay_says_what_it_lacks(folder, tmp_path, capsys):
    assert bench("--record", folder) == 0
    assert bench("--record", folder, instances=2) == 0
    assert Model.calls == 4
    capsys.readouterr()
    out = tmp_path / "more.json"
    assert bench("--cassettes", folder, out=out, instances=3) == 0
    assert Model.calls == 4
    text = capsys.readouterr().out
    assert "! 2 of 6 proposals of language models are NOT ON CASSETTE" in text
    assert "ratio of mean best costs" not in text  # no verdict on what is not known
    rows = json.loads(out.read_text())["rows"]
    asked = [row["asked"] for row in rows if row["improver"] == MODEL and row["trial"]]
    known, unknown = {"wanted": 5, "read": 5, "missing": 0}, {"wanted": 0, "read": 0}
    assert asked == [*4 * [known], *2 * [unknown | {"missing": 1}]]
    (found,) = summarise(read(out))
    assert (found.block.use[MODEL].proposals, found.block.use[MODEL].missing) == (4, 2)
    assert '<td class="num bad" data-v="2">2</td>' in model_table(found)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--cassettes", "nowhere"), "--cassettes nowhere: no such folder"),
        (("--cassettes", "x", "--record", "y"), "--record and --cassettes: give one of them"),
        (("--record", "{}/models.yaml"), "cannot make the folder .*models.yaml: File exists"),
        (("--cassettes", "{}"), "no answers of model tiny are recorded in .*there are none"),
    ],
)
def test_wrong_places_are_one_line(folder, capsys, words, message):
    assert bench(*(word.format(folder) for word in words)) == 2
    assert re.search(message, capsys.readouterr().err)


def test_packing_nothing_is_refused(tmp_path, capsys):
    assert main(["bench", "pack", str(tmp_path), "--into", str(tmp_path / "to")]) == 2
    assert "holds no cassette *.jsonl" in capsys.readouterr().err
    assert not (tmp_path / "to").exists()


# --- what is shipped ----------------------------------------------------------------------------


def test_shipped_models_are_named_on_the_wire_as_in_the_presets():
    for name in MODELS:
        profile = find_profile(name, SHIPPED / "models.yaml")
        assert (profile.model, profile.size, profile.needs_key) == (name, "small", False)


def test_presets_of_shipped_models_have_the_nulls_of_every_k():
    assert ASKED_BY == WIRES
    for name in ("models", "small"):
        improvers = PRESETS[name].improvers
        records = Recordings(Path("/nowhere"), records=True)
        assert set(with_nulls(improvers, records)) == set(improvers)
        assert {entrant.label for entrant in entrants(improvers)} == set(improvers)
    shared = set(PRESETS["models"].improvers) & set(PRESETS["small"].improvers)
    assert PRESETS["small"].reference in shared
    for condition in PRESETS["small"].conditions:
        assert {"knn", PRESETS["small"].reference} < set(condition.improvers)


def test_shipped_cassettes_are_readable_small_and_installed():
    project = tomllib.loads((BENCHMARKS / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["icpi_benchmarks.cassettes"]
    data = {path for path in SHIPPED.iterdir() if path.is_file() and path.suffix != ".py"}
    assert data == {path for pattern in patterns for path in SHIPPED.glob(pattern)}
    assert sum(path.stat().st_size for path in data) < LIMIT
    for path in data - {SHIPPED / "models.yaml"}:
        assert path.name.removesuffix(".jsonl.xz") in MODELS
        file = CassetteFile(path)
        file.refresh()
        assert file.is_packed
        assert file.entries()
