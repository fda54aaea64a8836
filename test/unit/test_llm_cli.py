"""The improver llm as a user meets it: prompts, options, cassettes, budgets, benchmarks."""

import json
import re

import http_models
import pytest
from http_models import KEY, PATH
from werkzeug import Response

from icpi_ros.cli.main import main
from icpi_ros.llm.client.formats import working_formats
from icpi_ros.llm.prompt.completion import complete
from icpi_ros.llm.prompt.text import read_prompt
from icpi_ros.runs.store.store import TrialStore


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("ICPI_STORE", str(tmp_path / "trials.sqlite"))
    for name in ("OPENAI_BASE_URL", "ICPI_MODEL", "ICPI_MODELS"):
        monkeypatch.delenv(name, raising=False)
    working_formats().forget()


@pytest.fixture
def url(httpserver):
    """The base URL of a server that completes patterns, and repeats the key it was sent."""

    def answer(request):
        pattern, numbers = read_prompt(request.json["messages"][-1]["content"])
        content = f'{{"output": "{numbers.encode(complete(pattern).mean)}", "key": "{KEY}"}}'
        body = http_models.body(content)
        return Response(json.dumps(body), content_type="application/json")

    httpserver.expect_request(PATH).respond_with_handler(answer)
    return httpserver.url_for("/v1")


def asked(server):
    """The completions that were asked for; the check before a run is none."""
    return [request for request, _ in server.log if request.method == "POST"]


def run(*arguments):
    return main(["run", "--task", "slide", "--in-process", "--seed", "2", *map(str, arguments)])


def llm(url, *arguments):
    words = ("--improver", "llm", "--model", "toy", "--base-url", url, "--option", "wire=json")
    return run(*words, *arguments)


def test_prompt_is_printed_with_its_token_count_and_nothing_is_sent(capsys, httpserver):
    assert main(["prompt", "--task", "roll-gc", "--option", "k=5"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("[system]\nYou complete number sequences.")
    assert out.count(" -> ") == 5
    assert out.rstrip().endswith("->")
    shown = r"wire json: about (\d+) tokens \(estimated, per-three-digits\), \d+ characters\n"
    by_three = int(re.fullmatch(shown, err)[1])
    local = ["--model", "toy", "--base-url", httpserver.url_for("/v1"), "--option", "wire=json"]
    assert main(["prompt", "--task", "roll-gc", "--option", "k=5", *local]) == 0
    same, err = capsys.readouterr()
    assert same == out
    by_one = int(re.match(r"wire json: about (\d+) tokens \(estimated, per-digit\),", err)[1])
    assert by_one > 1.2 * by_three
    assert httpserver.log == []


@pytest.mark.parametrize("improver", ["llm-zero", "llm-opro", "llm-plan"])
def test_prompts_of_variants(capsys, improver):
    assert main(["prompt", "--task", "slide", "--improver", improver, "--trial", "3"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("->")


def test_prompt_of_a_stored_run_is_what_was_sent(capsys, url, tmp_path):
    assert llm(url, "--trials", 3, "--option", "digits=3") == 0
    with TrialStore(tmp_path / "trials.sqlite") as store:
        run_id = store.runs()[0].run_id
        sent = store.trials(run_id)[2].proposal.details["exchanges"][0]["messages"]
    capsys.readouterr()
    assert main(["prompt", "--run-id", run_id, "--trial", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == sent


BAD = {
    "sends no prompt": (
        ["prompt", "--task", "slide", "--improver", "ridge"],
        "llm, llm-expect, llm-model, llm-opro",
    ),
    "no run": (["prompt", "--run-id", "none"], "there is no trial store"),
    "not KEY=VALUE": (["run", "--task", "slide", "--option", "digits"], "written KEY=VALUE"),
    "unknown option": (
        ["run", "--task", "slide", "--improver", "llm", "--option", "digit=3"],
        "unknown option 'digit' of llm: choose from base_url, cassette",
    ),
    "option of another": (
        ["run", "--task", "slide", "--option", "digits=3"],
        "unknown option 'digits' of embedded: choose from features, repeats",
    ),
    "twice": (
        ["run", "--task", "slide", "--improver", "llm", "--model", "a", "--option", "model=b"],
        "option 'model' is given more than once",
    ),
    "value": (
        ["run", "--task", "slide", "--improver", "llm", "--option", "digits=12", "--in-process"],
        "option digits of llm: 12 is not allowed: a whole number, 1 to 9",
    ),
    "no cassette": (
        ["run", "--task", "slide", "--improver", "llm", "--cassette", "/nowhere/tape.jsonl",
         "--in-process"],
        "cannot write the cassette",
    ),
    "no such catalogue": (
        ["run", "--task", "slide", "--improver", "llm", "--option", "models=/nowhere.yaml",
         "--in-process"],
        "/nowhere.yaml",
    ),
    "money without a price": (
        ["run", "--task", "slide", "--improver", "llm", "--model", "toy", "--option",
         "max_money=1", "--in-process"],
        "a budget of money needs the price of model toy",
    ),
    "no server listens": (
        ["bench", "--improvers", "llm:base_url=http://127.0.0.1:9/v1", "--instances", "1"],
        "no server listens at 127.0.0.1:9, start `icpi serve` first",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "words"), BAD.values(), ids=BAD.keys())
def test_bad_input_gets_one_clear_line(arguments, words, capsys):
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


def thetas(file):
    return [trial["theta"] for trial in json.loads(file.read_text())["trials"]]


def test_a_cassette_repeats_a_run_without_server_and_key(
    capsys, url, httpserver, tmp_path, monkeypatch
):
    tape, first, second = (tmp_path / name for name in ("tape.jsonl", "a.json", "b.json"))
    assert llm(url, "--trials", 4, "--cassette", tape, "--json", first) == 0
    assert len(asked(httpserver)) == 3
    requests = len(httpserver.log)
    monkeypatch.delenv("OPENAI_API_KEY")
    again = ["--improver", "llm", "--model", "toy", "--trials", 4, "--cassette", tape]
    assert run(*again, "--option", "cassette_mode=replay", "--json", second) == 0
    assert len(httpserver.log) == requests  # not even the check before the run
    assert thetas(first) == thetas(second)
    trials = json.loads(second.read_text())["trials"]
    assert [trial["provenance"] for trial in trials[1:]] == ["llm"] * 3
    assert [trial["spent"]["calls"] for trial in trials[1:]] == [1, 1, 1]
    capsys.readouterr()
    # Another seed asks what is not on it: said, replaced, and no run of llm.
    assert run(*again, "--option", "cassette_mode=replay", "--seed", 9) == 3
    out, err = capsys.readouterr()
    assert "not on cassette" in out
    assert "every proposal fell back: llm was asked, embedded answered instead" in err


def test_the_key_is_in_no_file_that_a_run_leaves(capsys, url, tmp_path):
    tape, file, page = (tmp_path / name for name in ("tape.jsonl", "run.json", "run.html"))
    assert llm(url, "--trials", 3, "--cassette", tape, "--json", file) == 0
    with TrialStore(tmp_path / "trials.sqlite") as store:
        run_id = store.runs()[0].run_id
    assert main(["report", run_id, "--html", str(page)]) == 0
    out, err = capsys.readouterr()
    assert KEY not in out + err
    for path in tmp_path.iterdir():
        assert KEY.encode() not in path.read_bytes(), path
    text = page.read_text()
    assert "[OPENAI_API_KEY removed]" in text  # the reply that repeated it is shown
    assert "2 calls, 608 tokens" in text
    assert "this system:" in text


def test_a_budget_ends_a_run_and_its_resumption(capsys, url, httpserver, tmp_path):
    assert llm(url, "--trials", 6, "--option", "max_calls=2") == 0
    out = capsys.readouterr().out
    assert "run finished: the model's budget of calls is used up: 2 of 2" in out
    assert "model: 2 calls, 608 tokens (0 cached)" in out
    with TrialStore(tmp_path / "trials.sqlite") as store:
        run_id = store.runs()[0].run_id
        assert len(store.trials(run_id)) == 3
    assert main(["run", "--in-process", "--resume", run_id]) == 0
    assert "budget of calls is used up" in capsys.readouterr().out
    assert len(asked(httpserver)) == 2  # what was spent before counts


@pytest.mark.slow
def test_bench_with_a_model_is_repeatable_from_its_cassette(capsys, url, httpserver, tmp_path):
    tape = tmp_path / "tape.jsonl"
    command = [
        "bench", "--tasks", "slide", "--instances", "2", "--trials", "3", "--model", "toy",
        "--improvers", f"in-context,llm:base_url={url}:wire=json", "--cassette", str(tape),
    ]  # fmt: skip
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    assert main([*command, "--workers", "1", "--json", str(files[0])]) == 0
    assert "4 calls, 1216 tokens" in capsys.readouterr().out
    asked = len(httpserver.log)
    assert main([*command, "--workers", "2", "--json", str(files[1])]) == 0
    assert len(httpserver.log) == asked == 4
    rows = [json.loads(file.read_text())["rows"] for file in files]
    for one, other in zip(*rows, strict=True):
        assert (one["improver"], one["theta"]) == (other["improver"], other["theta"])
    label = f"llm:base_url={url}:wire=json:model=toy:cassette={tape}"
    assert {row["improver"] for row in rows[0]} == {"in-context", label, "null-label", "null-mean"}
    assert json.loads(files[0].read_text())["config"]["substitute"] == "hold"
    spent = [row["spent"]["calls"] for row in rows[0] if row["improver"] == label and row["trial"]]
    assert spent == [1, 1, 1, 1]
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.iterdir())
