"""The improver llm through the graph: budget, cassette, and a key that must not be anywhere."""

import json
import os
import re

import pytest
from werkzeug import Response

from icpi_msgs.msg import Proposal as ProposalMsg
from icpi_msgs.msg import Trial as TrialMsg
from icpi_ros.ros.base import qos
from icpi_ros.ros.base.topics import PROPOSALS, TRIALS
from icpi_ros.ros.clients.improve_client import Callbacks, ImproveClient, ImproveRequest
from icpi_ros.runs.store.store import TrialStore

from .conftest import HANG, NAMESPACE, RunningGraph

KEY = "sk-marked-5f3a9c1d2e4b6789"
BUDGET = 3


def echo(request):
    """A server that repeats the key wherever it can, in answers good and bad."""
    sent = request.headers["Authorization"]
    number = len(re.findall("->", request.json["messages"][1]["content"]))
    if "json_schema" in request.get_data(as_text=True):
        return Response(f"bad key {sent}", status=422, headers={"X-Echo": sent})
    content = f'{{"output": [{300 + number}, -200], "key": "{sent}"}}'
    body = {
        "model": f"model of {sent}",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": content}}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10},
    }
    return Response(json.dumps(body), content_type="application/json")


@pytest.fixture(scope="module")
def ended(tmp_path_factory, domain):
    """A run of the improver llm that its budget of calls ends; what was published and stored."""
    from observer import Observer
    from pytest_httpserver import HTTPServer

    folder = tmp_path_factory.mktemp("llm")
    server = HTTPServer()
    server.start()
    server.expect_request("/v1/chat/completions").respond_with_handler(echo)
    os.environ["MARKED_API_KEY"] = KEY
    options = {
        "improver": "llm",
        "model": "toy",
        "base_url": server.url_for("/v1"),
        "key_variable": "MARKED_API_KEY",
        "options": json.dumps(
            {"wire": "json", "max_calls": BUDGET, "cassette": str(folder / "tape.jsonl")}
        ),
        "log_level": "debug",
    }
    node = Observer("/" + NAMESPACE)
    try:
        with RunningGraph(folder, **options) as graph, ImproveClient(NAMESPACE) as client:
            trials = node.record(TrialMsg, TRIALS, qos.RECORD)
            proposals = node.record(ProposalMsg, PROPOSALS, qos.RECORD)
            client.connect(HANG, graph.death)
            calls = Callbacks(lambda *_: None, lambda _: None, graph.death)
            result = client.improve(ImproveRequest("slide", "llm", budget=6, seed=3), calls)
            node.wait(lambda: len(trials) == result.trials, "all trials")
            names = parameters(node)
            asked = [request for request, _ in server.log if request.method == "POST"]
            server.stop()
            refused = client.improve(ImproveRequest("slide", "llm", budget=2), calls)
        yield folder, result, trials, proposals, names, len(asked), refused
    finally:
        del os.environ["MARKED_API_KEY"]
        node.close()
        if server.is_running():
            server.stop()


def parameters(node):
    """Return every parameter of the node that asks the model, as text."""
    from rcl_interfaces.srv import GetParameters, ListParameters

    def call(kind, name, request):
        client = node.node.create_client(kind, f"policy_improver/{name}")
        node.wait(client.service_is_ready, name)
        return node.reply(client.call_async(request))

    names = call(ListParameters, "list_parameters", ListParameters.Request()).result.names
    values = call(GetParameters, "get_parameters", GetParameters.Request(names=names)).values
    return {name: str(value) for name, value in zip(names, values, strict=True)}


def test_the_budget_ends_the_run_cleanly(ended):
    folder, result, _, _, _, requests, _ = ended
    assert (result.error_code, requests) == (0, BUDGET)
    # The ladder took one call, two proposals one each.
    assert result.trials == 3
    with TrialStore(folder / "trials.sqlite") as store:
        record = store.run(result.run_id)
        trials = store.trials(result.run_id)
    assert record.state == "finished"
    assert "budget of calls is used up: 3 of 3" in record.note
    assert [trial.proposal.provenance for trial in trials[1:]] == ["llm", "llm"]
    assert sum(trial.proposal.details["spent"]["calls"] for trial in trials[1:]) == BUDGET


def test_without_its_server_the_next_run_is_refused_before_it_begins(ended):
    folder, result, *_, refused = ended
    assert refused.refused
    assert refused.run_id == ""
    assert "improver llm: cannot reach http://localhost:" in refused.error_msg
    with TrialStore(folder / "trials.sqlite") as store:
        assert [record.run_id for record in store.runs()] == [result.run_id]


def test_the_key_is_nowhere(ended):
    folder, _, trials, proposals, names, _, _ = ended
    assert names["key_variable"].count("MARKED_API_KEY") == 1  # the name may be shown
    assert len(proposals) == len(trials) == 3
    told = repr(trials) + repr(proposals) + repr(names)
    assert "toy" in told
    assert KEY not in told
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"trials.sqlite", "graph.log", "tape.jsonl"} <= {path.name for path in files}
    for path in files:
        assert KEY.encode() not in path.read_bytes(), path
    tape = (folder / "tape.jsonl").read_text()
    assert "Authorization" not in tape
    assert "removed]" in tape  # the echo was there, and was taken out
