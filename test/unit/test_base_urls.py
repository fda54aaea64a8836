"""Base URLs in every spelling lead to the server's paths, or to one line about their fault."""

import json

import fault_server as faults
import http_models
import pytest
from http_models import ask

from icpi_ros.core.errors import CompletionFailed
from icpi_ros.improvers.llm.options import LlmOptions
from icpi_ros.improvers.options import options_of
from icpi_ros.llm.addresses import base_url_of, other_bases
from icpi_ros.llm.client.budget import Meter
from icpi_ros.llm.client.completer import Prompt, Wire
from icpi_ros.llm.client.formats import working_formats
from icpi_ros.llm.client.openai_chat import OpenAIChat
from icpi_ros.llm.client.profile import Profile
from icpi_ros.llm.connect import ModelChoice, require_reachable

CHAT = "/v1/chat/completions"
GOOD = json.dumps(http_models.body("1 2")).encode()


class PathServer(faults.FaultServer):
    """A server that has one path and says of others that they are not there."""

    def __init__(self, path=CHAT, elsewhere=None):
        super().__init__()
        self.path, self.elsewhere = path, elsewhere or faults.status(404)
        self.script = [self.by_path]

    def by_path(self, server, connection):
        step = faults.answer(GOOD) if self.paths[-1] == self.path else self.elsewhere
        return step(server, connection)

    @property
    def host(self):
        return self.url.removeprefix("http://").removesuffix("/v1")


@pytest.fixture(autouse=True)
def nothing_is_known(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", http_models.KEY)
    working_formats().forget()


@pytest.fixture
def server():
    server = PathServer()
    yield server
    server.close()


def asked(url, **settings):
    return OpenAIChat(Profile("toy", "toy", base_url=url, formats=("text",), **settings), Meter())


SPELLINGS = [
    "http://{}/v1",
    "http://{}/v1/",
    " http://{}/v1 ",
    "\thttp://{}/v1\n",
    "'http://{}/v1'",
    '"http://{}/v1/"',
    "<http://{}/v1>",
    "\ufeffhttp://{}/v1",
    "HTTP://{}/v1",
    "http://{}//v1//",
    "http://{}/v1/v1",
    "http://{}/v1#chat",
    "http://{}/v1/chat/completions",
    "http://{}/v1/chat/completions/",
    "http://{}/v1/completions",
    "http://{}/v1/models",
    "http://{}/v1/responses",
]


@pytest.mark.parametrize("url", SPELLINGS)
def test_spellings_of_one_base_url(url):
    assert base_url_of(url.format("h:80")).lower() == "http://h:80/v1"


@pytest.mark.parametrize("url", SPELLINGS[:3])
def test_they_lead_to_the_server(server, url):
    assert ask(asked(url.format(server.host))).texts == ("1 2",)
    assert server.paths == [CHAT]


@pytest.mark.parametrize(
    ("url", "others"),
    [
        ("http://h", ("http://h/v1",)),
        ("http://h:80/api", ("http://h:80/api/v1", "http://h:80/v1")),
        ("http://h/openai", ("http://h/openai/v1",)),
        ("http://h/V1", ("http://h/v1",)),
        ("http://me@h", ("http://me@h/v1",)),
        ("http://h/v1", ()),
        ("http://h/v1beta", ()),
        ("http://h/openai/v1", ()),
        ("http://[h", ()),
    ],
)
def test_where_else_a_server_may_have_its_paths(url, others):
    assert other_bases(url) == others


@pytest.mark.parametrize("path", ["", "/", "/chat/completions", "/api", "/api/chat", "/V1", "/llm"])
def test_paths_are_found_once_and_remembered(server, path):
    if path == "/llm":
        server.path = "/llm/v1/chat/completions"
    chat = asked(f"http://{server.host}{path}")
    completion = ask(chat)
    assert (completion.texts, server.paths[-1]) == (("1 2",), server.path)
    assert len(completion.tries) == 1
    assert "HTTP 404" in completion.tries[0]
    assert chat.meter.spent.calls == len(server.paths)
    before = len(server.paths)
    assert ask(asked(f"http://{server.host}{path}")).tries == ()
    assert len(server.paths) == before + 1


@pytest.mark.parametrize(
    "elsewhere",
    [
        faults.status(405),
        faults.answer({"error": "Unexpected endpoint or method. (POST /chat/completions)"}),
        faults.answer(b"<html>chat with me</html>", kind="text/html"),
        faults.answer(b"Ollama is running", kind="text/plain"),
    ],
)
def test_other_ways_to_say_that_a_path_is_not_there(server, elsewhere):
    server.elsewhere = elsewhere
    assert ask(asked(f"http://{server.host}")).texts == ("1 2",)
    assert len(server.paths) == 2


def test_a_server_without_a_version_in_its_paths_is_asked_as_it_is_written(server):
    server.path = "/chat/completions"
    assert ask(asked(f"http://{server.host}")).texts == ("1 2",)
    assert server.paths == [server.path]


def test_both_wires_are_looked_for(server):
    bare = Prompt(Wire.COMPLETION, text="+0001 ->")
    completion = ask(
        asked(f"http://{server.host}"), prompt=bare, otherwise=http_models.REQUEST.prompt
    )
    assert completion.texts == ("1 2",)
    assert server.paths == ["/completions", "/v1/completions", "/chat/completions", CHAT]


def test_a_refusal_at_the_other_path_is_the_one_that_counts(server):
    def refusing(server, connection):
        return faults.status(401 if server.paths[-1] == CHAT else 404)(server, connection)

    server.script = [refusing]
    with pytest.raises(CompletionFailed, match=f"{server.host}/v1 answered HTTP 401.*OPENAI_API"):
        ask(asked(f"http://{server.host}"))


def test_a_server_that_has_it_nowhere_is_named_as_it_was_written(server):
    server.path = "/nowhere"
    with pytest.raises(CompletionFailed, match=rf"http://{server.host} answered HTTP 404.*/v1\)"):
        ask(asked(f"http://{server.host}"))
    assert server.paths == ["/chat/completions", CHAT]


FAULTS = {
    "localhost:8000/v1": "localhost:8000/v1 must start with http",
    "api.example.com/v1": "api.example.com/v1 must start with http",
    "//localhost/v1": "must start with http",
    "ftp://localhost/v1": "must start with http",
    "unix:///run/llm.sock": "must start with http",
    "sk-0123456789abcdef": "must start with http",
    "http://": "names no host",
    "http:/localhost:8000/v1": "names no host",
    "http:localhost/v1": "names no host",
    "http:\\\\localhost\\v1": "holds a blank or a mark",
    "http://local host/v1": "holds a blank or a mark",
    "http://localhost/v1\x00": "holds a blank or a mark",
    "http://localhost/v1,http://localhost/v1": "two URLs",
    "http://localhost:port/v1": "cannot be read",
    "http://localhost:99999/v1": "cannot be read",
    "http://localhost:0/v1": "port 0",
    "http://[::1/v1": "cannot be read",
    "http://localhost/v1?api-version=2": "has a query",
    "https://lab.openai.azure.com/openai?api-version=2": r"query.*azure\.com/openai/v1",
}


@pytest.mark.parametrize("url", FAULTS)
def test_what_is_no_base_url_is_one_line(monkeypatch, url):
    if "\x00" in url:  # no environment holds it
        chat = asked(url)
    else:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        chat = asked("")
    with pytest.raises(CompletionFailed, match=f"base URL .*{FAULTS[url]}") as caught:
        ask(chat)
    assert "set the option base_url or OPENAI_BASE_URL" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert chat.meter.spent.calls == 0


def test_options_take_the_same_spellings():
    allows = options_of(LlmOptions)["base_url"]._allows
    assert all(allows(url.format("h:80")) for url in SPELLINGS if "#" not in url)
    assert not any(allows(url) for url in FAULTS)
    assert not allows("http://me:hunter2@h/v1")


def test_a_server_of_this_machine_behind_tls_is_looked_for_at_its_port(monkeypatch):
    seen = []

    def connect(address, timeout):
        seen.append(address)
        raise OSError

    monkeypatch.setattr("socket.create_connection", connect)
    for url in ("https://localhost/v1", "http://localhost/v1", "https://localhost:9/v1"):
        with pytest.raises(Exception, match="no server listens"):
            require_reachable(ModelChoice("toy", base_url=url))
    assert [port for _, port in seen] == [443, 80, 9]
