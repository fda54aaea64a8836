"""How a run ends where its improver could not do its work, or Ctrl-C came."""

import json
import threading
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import http_models
import numpy as np
import pytest
from http_models import KEY, PATH
from no_graph import NoGraph
from werkzeug import Response

import icpi_ros as icpi_api
from icpi_ros.cli.main import main
from icpi_ros.core.errors import CompletionFailed, ModelUnavailable
from icpi_ros.core.types import Proposal, Trial, TrialStatus
from icpi_ros.improvers import IMPROVERS
from icpi_ros.improvers.random import Random
from icpi_ros.llm.connect import ModelChoice, require_answer
from icpi_ros.llm.prompt.completion import complete
from icpi_ros.llm.prompt.text import read_prompt
from icpi_ros.report.run.text import fallback_line
from icpi_ros.ros.bringup.instance import hold_name
from icpi_ros.runs.store.records import RunConfig
from icpi_ros.runs.store.store import TrialStore

MODELS = "/v1/models"
NOBODY = "http://127.0.0.1:9/v1"
ELSEWHERE = "https://models.invalid/v1"


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for name in ("OPENAI_BASE_URL", "ICPI_MODEL", "ICPI_MODELS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def store(tmp_path):
    return tmp_path / "trials.sqlite"


@pytest.fixture
def icpi(store, capsys):
    def run(*words):
        given = ["run", "--task", "slide"] if "--resume" not in words else ["run"]
        code = main([*given, "--store", str(store), *map(str, words)])
        return (code, *capsys.readouterr())

    return run


def stored(store):
    with TrialStore(store) as opened:
        return opened.runs()


# --- the check before a run ----------------------------------------------------------------------


def why_not(url, deadline=5.0, **choice):
    """Why a model cannot be asked; empty = it can."""
    try:
        require_answer(ModelChoice("toy", base_url=url, **choice), deadline)
    except CompletionFailed as exc:
        why = str(exc)
    else:
        return ""
    assert KEY not in why
    assert "\n" not in why
    return why


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (200, ""),
        (404, ""),  # no list of models, but a server
        (405, ""),
        (429, ""),
        (500, ""),
        (401, "answered HTTP 401: the key in OPENAI_API_KEY was not accepted"),
        (403, "answered HTTP 403: the key in OPENAI_API_KEY was not accepted"),
        (302, "redirects are not followed"),
        (503, "answered HTTP 503"),
    ],
)
def test_an_endpoint_is_judged_by_its_answer_without_a_completion(httpserver, status, words):
    body = f"wrong key {KEY}"
    httpserver.expect_request(MODELS).respond_with_data(body, status, {"Location": NOBODY})
    why = why_not(httpserver.url_for("/v1"))
    assert bool(why) is bool(words)
    assert words in why
    assert [(r.method, r.path) for r, _ in httpserver.log] == [("GET", MODELS)]
    assert httpserver.log[0][0].headers["Authorization"] == f"Bearer {KEY}"


def test_nobody_listens():
    assert why_not(NOBODY) == f"cannot reach {NOBODY} (ConnectError): is it running?"


@pytest.mark.parametrize("fault", [http_models.stall, http_models.drip])
def test_a_server_that_says_nothing_ends_the_check_at_the_deadline(httpserver, fault):
    released = threading.Event()
    httpserver.expect_request(MODELS).respond_with_handler(fault(released))
    try:
        why = why_not(httpserver.url_for("/v1"), deadline=0.3)
        assert not released.is_set()
        assert why.endswith("within 0.3 s: is it running?")
    finally:
        released.set()


def test_the_key_is_needed_except_on_this_machine(httpserver, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    assert why_not(ELSEWHERE).startswith(f"no API key: set OPENAI_API_KEY for {ELSEWHERE}")
    assert "set MY_KEY" in why_not(ELSEWHERE, key_variable="MY_KEY")
    url = httpserver.url_for("/v1")
    httpserver.expect_ordered_request(MODELS).respond_with_json({})
    httpserver.expect_ordered_request(MODELS).respond_with_json({}, 401)
    assert why_not(url) == ""
    assert "HTTP 401: the key in OPENAI_API_KEY" in why_not(url)


def test_a_cassette_that_is_only_replayed_needs_neither_key_nor_endpoint(monkeypatch, tmp_path):
    monkeypatch.delenv("OPENAI_API_KEY")
    tape = str(tmp_path / "tape.jsonl")
    assert why_not(ELSEWHERE, cassette=tape, cassette_mode="replay") == ""
    assert why_not(ELSEWHERE, cassette=tape, cassette_mode="auto")


@pytest.mark.parametrize("name", [name for name in IMPROVERS if IMPROVERS.get(name).asks_model])
def test_whoever_asks_a_model_is_refused_before_anything_is_stored(name, icpi, store):
    code, out, err = icpi("--in-process", "--improver", name, "--model", "x", "--base-url", NOBODY)
    assert (code, out) == (2, "")
    assert err.startswith(f"icpi: error: improver {name}: cannot reach {NOBODY} (")
    assert "--fallback allow" in err
    assert err.count("\n") == 1
    assert not stored(store)


def test_in_a_notebook_it_is_refused_too(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    options = {"base_url": ELSEWHERE, "model": "x"}
    with pytest.raises(ModelUnavailable, match="OPENAI_API_KEY"):
        icpi_api.improve("slide", improver="llm", options=options, progress=False)


def test_the_node_refuses_at_the_goal_before_it_opens_a_run(store):
    pytest.importorskip("rclpy")
    from icpi_msgs.action import Improve
    from icpi_ros.ros.improver.improvement import ImprovementJob, Listener, Setup
    from icpi_ros.tasks import TASKS

    def never(*told):
        raise AssertionError(told)

    lines = []
    options = {"model": "x", "base_url": NOBODY}
    setup = Setup(TASKS.get("slide"), "llm", store, None, options)
    goal = Improve.Goal(task="slide", budget=3)
    motions = SimpleNamespace(arm=lambda: None, execute=never)
    job = ImprovementJob(
        setup, SimpleNamespace(request=goal), motions, Listener(never, never, never, lines.append)
    )
    result = job.run()
    assert (result.error_code, result.run_id) == (Improve.Result.UNKNOWN_IMPROVER, "")
    assert result.error_msg.startswith(f"improver llm: cannot reach {NOBODY}")
    assert lines == [result.error_msg]
    assert not stored(store)
    with TrialStore(store) as opened:  # to go on with a run is refused as well, and changes nothing
        config = RunConfig("slide", "llm", (0.6, 0.42), 3, options=options)
        goal.resume_run_id = opened.create_run(config)
        opened.set_state(goal.resume_run_id, "failed", "as it was")
    assert job.run().error_code == Improve.Result.UNKNOWN_IMPROVER
    with TrialStore(store) as opened:
        record = opened.run(goal.resume_run_id)
    assert (record.state, record.note) == ("failed", "as it was")


def test_what_an_attached_graph_does_without_its_model_is_said_there(icpi):
    code, _, err = icpi("--attach", "--fallback", "allow")
    assert code == 2
    assert "start it with fallback:=allow" in err


def test_a_run_that_an_attached_graph_keeps_in_another_store_is_said_to_be_there(
    icpi, tmp_path, monkeypatch
):
    def carried_out(args, plan, show):
        plan.announce("20261130-101500-slide-ab12", None)
        return "20261130-101500-slide-ab12"

    monkeypatch.setattr("icpi_ros.cli.run.through_graph", carried_out)
    code, _, err = icpi("--attach")
    assert code == 2
    begun, ended = err.splitlines()
    where = "run 20261130-101500-slide-ab12 is not kept in "
    assert begun.startswith(f"icpi: {where}")
    assert where in ended
    assert "`icpi status` names it; give it as --store" in ended


# --- nobody's proposals --------------------------------------------------------------------------


def trials(*reasons):
    theta = np.zeros(2)
    first = Trial(0, theta, Proposal(theta, "first attempt"))
    made = (Proposal(theta, "embedded" if why else "llm", why) for why in reasons)
    return [first, *(Trial(number, theta, p) for number, p in enumerate(made, 1))]


@pytest.mark.parametrize("reasons", [(), ("",), ("", "llm: gone"), ("llm: gone", "", "llm: gone")])
def test_a_run_with_a_proposal_of_its_own_or_none_at_all_is_as_it_was(reasons):
    assert fallback_line("llm", trials(*reasons)) is None


def test_who_was_asked_who_answered_why_and_what_to_do_is_one_line():
    made = trials("llm: no\nanswer", "llm: late")
    made[2] = replace(made[2], proposal=replace(made[2].proposal, provenance="random"))
    assert fallback_line("llm", made) == (
        "every proposal fell back: llm was asked, embedded and random answered instead "
        "(trial 1: llm: no answer): put that right and start a new run, or ask for another one "
        "with --improver"
    )


class Failing(Random):
    """Fails in all trials but those that are given."""

    name = "failing"
    answers = ()

    def propose(self, history, rng):
        if len(history) not in self.answers:
            raise RuntimeError("out of ideas")
        return replace(super().propose(history, rng), provenance=self.name)


@pytest.mark.parametrize(("answers", "code"), [((), 3), ((2,), 0)])
def test_the_exit_code_tells_and_so_does_that_of_a_resumed_run(
    icpi, store, monkeypatch, tmp_path, answers, code
):
    monkeypatch.setattr(Failing, "answers", answers)
    file = tmp_path / "run.json"
    with IMPROVERS.temporarily("failing", Failing):
        ended, out, err = icpi(
            "--in-process", "--improver", "failing", "--trials", 3, "--json", file
        )
        assert ended == code
        line = "icpi: every proposal fell back: failing was asked, random answered instead (trial 1"
        assert (line in err) is (code == 3)
        run_id = json.loads(file.read_text())["run_id"]  # written all the same
        assert "stored run" in out
        assert icpi("--in-process", "--resume", run_id)[0] == code


@pytest.mark.slow
def test_fallback_allow_goes_on_and_the_end_is_honest(icpi, httpserver, store):
    """The server is gone when the run begins, and there when it is resumed."""
    url = httpserver.url_for("/v1")
    httpserver.expect_request(MODELS).respond_with_json({}, 503)
    httpserver.expect_request(PATH).respond_with_json({}, 401)
    words = ("--in-process", "--improver", "llm", "--model", "toy", "--base-url", url)
    words += ("--option", "wire=json")
    assert icpi(*words, "--trials", 2)[0] == 2
    code, _, err = icpi(*words, "--trials", 2, "--fallback", "allow")
    assert code == 3
    assert "every proposal fell back: llm was asked, embedded answered instead" in err
    assert "the key in OPENAI_API_KEY was not accepted" in err
    # What is complete asks nobody, so that nothing need be checked.
    assert icpi("--in-process", "--resume", stored(store)[0].run_id)[0] == 3


def test_a_resumed_run_is_checked_too_and_finishes_with_its_model(
    icpi, httpserver, store, monkeypatch
):
    def answer(request):
        pattern, numbers = read_prompt(request.json["messages"][-1]["content"])
        content = f'{{"output": "{numbers.encode(complete(pattern).mean)}"}}'
        return Response(json.dumps(http_models.body(content)), content_type="application/json")

    httpserver.expect_request(PATH).respond_with_handler(answer)
    httpserver.expect_ordered_request(MODELS).respond_with_json({}, 404)
    httpserver.expect_ordered_request(MODELS).respond_with_json({}, 401)
    httpserver.expect_ordered_request(MODELS).respond_with_json({}, 404)
    with monkeypatch.context() as patch:
        patch.setattr("icpi_ros.runs.in_process.rollout", ctrl_c)
        code, out, _ = icpi(
            "--in-process", "--improver", "llm", "--model", "toy", "--trials", 2,
            "--base-url", httpserver.url_for("/v1"), "--option", "wire=json",
        )  # fmt: skip
    assert code == 130
    (record,) = stored(store)
    assert f"icpi run --resume {record.run_id}" in out
    assert icpi("--in-process", "--resume", record.run_id)[0] == 2
    assert stored(store)[0].state == "cancelled"  # as it was
    code, out, _ = icpi("--in-process", "--resume", record.run_id)
    assert code == 0, out


# --- Ctrl-C --------------------------------------------------------------------------------------


def ctrl_c(*args, **options):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "where", ["icpi_ros.runs.in_process.rollout", "icpi_ros.runs.proposals.Proposer.propose"]
)
def test_in_process_it_prints_the_run_and_how_to_go_on(icpi, store, monkeypatch, where):
    monkeypatch.setattr(where, ctrl_c)
    code, out, err = icpi("--in-process", "--improver", "random", "--trials", 3)
    (record,) = stored(store)
    assert code == 130
    assert f"stored run: {record.run_id}" in out
    assert f"continue with: icpi run --resume {record.run_id} --store {store} --in-process" in out
    assert err == "icpi: interrupted\n"


def test_before_a_run_has_begun_it_says_so(icpi, store, monkeypatch):
    monkeypatch.setattr("icpi_ros.cli.run.Run", ctrl_c)
    code, out, err = icpi("--in-process", "--improver", "random")
    assert (code, out) == (130, "")
    assert err == "icpi: no run had begun, nothing is stored\nicpi: interrupted\n"


class Graph(NoGraph):
    """Stands for a graph and the client of it; ``improve`` and ``connect`` are a test's."""

    alive = True


@pytest.fixture(params=["--attach", "own graph"])
def graph(request, monkeypatch, tmp_path):
    """Words for a run through that graph."""
    pytest.importorskip("rclpy")
    monkeypatch.setattr("icpi_ros.ros.clients.improve_client.ImproveClient", Graph)
    monkeypatch.setattr(Graph, "log", tmp_path / "graph.log", raising=False)
    monkeypatch.setattr("icpi_ros.cli.graph_run._graph", Graph)
    monkeypatch.setattr("icpi_ros.cli.graph_run.reserved_domain", nullcontext)
    own = ["--attach"] if request.param == "--attach" else []
    return [*own, "--improver", "random", "--trials", "3"]


def result(run_id, code=0, text="", interrupted=False):
    from icpi_ros.ros.clients.improve_client import Result

    return Result(run_id, code, text, 0, [], float("nan"), interrupted)


def begin(store):
    with TrialStore(store) as opened:
        return opened.create_run(RunConfig("slide", "random", (0.6, 0.42), 3))


@pytest.mark.parametrize("seen", ["end", "end without feedback", "no end"])
def test_through_a_graph_it_prints_the_run_and_how_to_go_on(icpi, store, graph, monkeypatch, seen):
    from icpi_msgs.action import Improve

    run_id = begin(store)

    def improve(self, request, calls):
        if seen != "end without feedback":
            calls.on_run(run_id, 0)
        if seen == "no end":
            raise KeyboardInterrupt("the graph did not answer within 20 s")
        return result(run_id, Improve.Result.CANCELLED, "cancelled by the client", True)

    monkeypatch.setattr(Graph, "improve", improve, raising=False)
    code, out, err = icpi(*graph)
    assert code == 130
    assert f"stored run: {run_id}" in out
    assert f"continue with: icpi run --resume {run_id} --store {store}" in out
    told = "icpi: the graph did not answer within 20 s\n" if seen == "no end" else ""
    assert err == f"{told}icpi: interrupted\n"


def test_a_run_that_ended_before_ctrl_c_reached_it_is_as_it_ended(icpi, store, graph, monkeypatch):
    run_id = begin(store)
    with TrialStore(store) as opened:
        opened.set_state(run_id, "finished", "all 3 trials used")
    end = result(run_id, interrupted=True)
    monkeypatch.setattr(Graph, "improve", lambda *args: end, raising=False)
    assert icpi(*graph)[0] == 0


def test_while_the_graph_starts_there_is_no_run(icpi, graph, monkeypatch):
    monkeypatch.setattr(Graph, "connect", ctrl_c)
    code, out, err = icpi(*graph)
    assert (code, out) == (130, "")
    assert err == "icpi: no run had begun, nothing is stored\nicpi: interrupted\n"


def test_two_runs_start_no_nodes_of_the_same_names_at_once(icpi, graph, monkeypatch):
    monkeypatch.setattr(Graph, "connect", ctrl_c)
    own = "--attach" not in graph
    held = hold_name("/icpi_run")
    code, _, err = icpi(*graph)
    held.release()
    assert code == (2 if own else 130)
    assert ("a run /icpi_run already runs in ROS domain" in err) == own


def test_what_is_not_known_is_not_claimed(icpi, graph, monkeypatch):
    monkeypatch.setattr(Graph, "improve", ctrl_c, raising=False)
    code, _, err = icpi(*graph)
    assert code == 130
    assert err.startswith("icpi: whether a run has begun is not known, see `icpi runs`\n")


def test_a_graph_that_refuses_for_its_model_ends_with_its_line(icpi, graph, monkeypatch):
    from icpi_msgs.action import Improve

    end = result("", Improve.Result.UNKNOWN_IMPROVER, "improver llm: no API key: set IT")
    monkeypatch.setattr(Graph, "improve", lambda *args: end, raising=False)
    code, _, err = icpi(*graph)
    assert (code, err) == (2, "icpi: error: improver llm: no API key: set IT\n")


def test_through_a_graph_too_a_run_of_fallbacks_exits_3(icpi, store, graph, monkeypatch):
    run_id = begin(store)
    theta = np.array([1.0, 0.0])
    with TrialStore(store) as opened:
        for trial in trials("random: gone"):
            made = replace(trial, theta=theta, status=TrialStatus.UNOBSERVED)
            opened.begin_trial(run_id, trial.number, theta, trial.proposal, projected=False)
            opened.finish_trial(run_id, made)
        opened.set_state(run_id, "finished", "all used")
    monkeypatch.setattr(Graph, "improve", lambda *args: result(run_id), raising=False)
    code, _, err = icpi(*graph)
    assert code == 3
    assert err.startswith("icpi: every proposal fell back: random was asked")
