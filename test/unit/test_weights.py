"""Weights of language models: found in packages and files, and served by llama.cpp."""

import contextlib
import hashlib
import json

import anyio
import gguf_files
import pytest

from icpi_ros.cli.main import main
from icpi_ros.core.errors import UsageError
from icpi_ros.core.files import CACHE
from icpi_ros.llm.server.weights import app, llama
from icpi_ros.llm.server.weights.gguf import Header, WeightsUnusable
from icpi_ros.llm.server.weights.packages import find_weights

PATIENCE = 120.0
MODEL = gguf_files.model()


@pytest.fixture
def install(tmp_path, monkeypatch):
    """A function that installs a package of some files, as pip leaves it."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))

    def made(name, files, requires=()):
        module = name.replace("-", "_")
        lines = []
        for inside, content in files.items():
            path = site / module / inside
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            lines.append(f"{module}/{inside},,\n")
        info = site / f"{module}-1.0.dist-info"
        info.mkdir()
        needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needs}"
        )
        (info / "top_level.txt").write_text(f"{module}\n")
        (info / "RECORD").write_text("".join(lines) + f"{info.name}/top_level.txt,,\n")
        return site / module

    return made


def parts(install, missing=(), total=None, numbers=(0, 1, 2)):
    """Install a model in three packages of a part each and one that requires them."""
    size = len(MODEL) // 3 + 1
    for n in {0, 1, 2} - set(missing):
        part = MODEL[n * size : (n + 1) * size]
        install(f"toy-part{n + 1}", {f"data/m.gguf.part{numbers[n]:02d}": part})
    sums = total or hashlib.sha256(MODEL).hexdigest()
    needs = [f"toy-part{n}==1.0" for n in (1, 2, 3)]
    install("toy", {"data/SHA256SUMS": f"{sums}  m.gguf\n".encode()}, needs)


@pytest.mark.parametrize("named", ["toy-model", "toy_model", "Toy.Model"])
def test_the_one_model_of_a_package_is_found(install, named):
    folder = install("toy-model", {"m.gguf": MODEL, "__init__.py": b""})
    assert find_weights(named) == folder / "m.gguf"


def test_a_package_is_found_by_what_it_is_imported_as(install):
    folder = install("toy-model", {"m.gguf": MODEL})
    (folder.parent / "toy_model-1.0.dist-info" / "top_level.txt").write_text("other\n")
    assert find_weights("other") == folder / "m.gguf"


def test_a_file_is_taken_as_it_is(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(MODEL)
    assert find_weights(str(path)) == path


def test_a_package_whose_model_is_in_what_it_requires(install):
    folder = install("toy-data", {"m.gguf": MODEL})
    install("toy-model", {"__init__.py": b""}, ["toy-data>=1", "toy-none; extra == 'test'"])
    assert find_weights("toy-model") == folder / "m.gguf"


@pytest.mark.parametrize("named", ["toy", "toy-part2"])
def test_parts_are_joined_once(install, tmp_path, named):
    parts(install)
    path = find_weights(named)
    assert path.name == "m.gguf"
    assert path.is_relative_to(tmp_path / "cache")
    assert path.read_bytes() == MODEL
    before = path.stat()
    assert find_weights(named) == path
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    path.write_bytes(MODEL[:100])
    assert find_weights(named).read_bytes() == MODEL


def test_parts_that_do_not_make_the_file_leave_nothing(install, tmp_path):
    parts(install, total="0" * 64)
    with pytest.raises(WeightsUnusable, match="SHA256SUMS"):
        find_weights("toy")
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_a_joined_file_that_was_changed_is_joined_again(install):
    parts(install)
    path = find_weights("toy")
    path.write_bytes(bytes(len(MODEL)))  # of the right size
    assert find_weights("toy").read_bytes() == MODEL


def test_a_file_whose_joining_was_not_finished_is_joined_again(install, tmp_path):
    parts(install)
    path = tmp_path / "cache" / "weights" / "toy-1.0" / "m.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(len(MODEL)))
    assert find_weights("toy").read_bytes() == MODEL


def test_no_version_leads_out_of_the_cache(install, tmp_path):
    parts(install)
    metadata = tmp_path / "site" / "toy-1.0.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text().replace("Version: 1.0", "Version: 1/../../../esc"))
    assert find_weights("toy").parent.parent == tmp_path / "cache" / "weights"


def test_check_sums_that_are_no_text_are_named(install, tmp_path):
    parts(install)
    (tmp_path / "site" / "toy" / "data" / "SHA256SUMS").write_bytes(b"\xff\xfe")
    with pytest.raises(WeightsUnusable, match="SHA256SUMS is no text of UTF-8"):
        find_weights("toy")


@pytest.mark.parametrize("named", ["~no-such-user/x.gguf", "x" * 300])
def test_names_that_can_be_no_files_are_one_short_line(install, named):
    with pytest.raises(WeightsUnusable, match="no such file: ") as caught:
        find_weights(named)
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


def test_faults_of_packages_are_named(install, tmp_path):
    install("toy-two", {"a.gguf": MODEL, "b.gguf": MODEL})
    install("toy-none", {"__init__.py": b""})
    for named, words in {
        "toy-missing": "no package 'toy-missing' is installed",
        "toy-none": "holds no .gguf file",
        "toy-two": r"holds 2 models: name one of .*a\.gguf, .*b\.gguf",
        "./toy": "no such file",
        "toy.gguf": "no such file",
    }.items():
        with pytest.raises(WeightsUnusable, match=words):
            find_weights(named)


@pytest.mark.parametrize("lost", [0, 2])
def test_a_missing_part_is_named(install, lost):
    parts(install, missing=[lost])
    with pytest.raises(WeightsUnusable, match=f"needs toy-part{lost + 1}, which is not installed"):
        find_weights("toy")


def test_numbers_of_parts_have_no_gap(install):
    parts(install, numbers=(0, 1, 3))
    with pytest.raises(WeightsUnusable, match=r"lacks parts of m\.gguf, there are 0, 1, 3"):
        find_weights("toy")


def test_a_header_says_what_the_model_is(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(MODEL)
    header = Header.read(path)
    assert (header.name, header.architecture, header.license) == (
        "random weights",
        "llama",
        "apache-2.0",
    )
    assert header.context == gguf_files.CONTEXT
    assert header.token_bytes == 1 * 1 * (16 + 16) * 2  # layers, groups, key and value, halves
    model = app.served(header, "1.0")
    assert (model.name, model.is_language_model) == ("m", True)
    assert "language model" in model.line
    assert "licence apache-2.0" in model.line
    assert "not a language model" not in model.line


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a GGUF file"),
        (b"GGML" + MODEL[4:], "not a GGUF file"),
        (b"GGUF", "cut off"),
        (gguf_files.model(version=1), "version 1, known are 2 and 3"),
        (MODEL[:1000], "cut off"),
        (MODEL[:-9000], "cut off"),
        (b"GGUF" + b"\xff" * 100, "version"),
        (b"GGUF\3\0\0\0" + b"\xff" * 100, "at most"),
        (b"GGUF\3\0\0\0" + bytes(8) + b"\1" + bytes(7) + b"\xff" * 100, "cut off"),
    ],
)
def test_files_that_are_no_models(tmp_path, content, words):
    path = tmp_path / "m.gguf"
    path.write_bytes(content)
    with pytest.raises(WeightsUnusable, match=words) as caught:
        Header.read(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_no_damage_of_a_header_is_more_than_a_refusal(tmp_path):
    path = tmp_path / "m.gguf"
    head = MODEL[:700]
    for place in range(4, len(head), 3):
        path.write_bytes(head[:place] + b"\xff\xff" + MODEL[place + 2 :])
        with contextlib.suppress(WeightsUnusable):
            Header.read(path)


@pytest.fixture
def header(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(MODEL)
    return Header.read(path)


def test_sizes_follow_the_model(header, monkeypatch):
    assert llama.Sizes.of(header, None, None, None) == llama.Sizes(
        llama.physical_cores(), gguf_files.CONTEXT, llama.DEFAULT_PARALLEL
    )
    with pytest.raises(UsageError, match=f"trained with {gguf_files.CONTEXT} tokens"):
        llama.Sizes.of(header, None, gguf_files.CONTEXT + 1, None)
    monkeypatch.setattr(llama, "available_memory", lambda: 10**6)
    with pytest.raises(UsageError, match=r"--context 64 and --parallel 2 takes about 0\.3 GB"):
        llama.Sizes.of(header, 1, 64, 2)


def test_without_llama_cpp_the_remedy_is_named(monkeypatch, capsys):
    monkeypatch.setattr(llama, "PACKAGE", "no-such-llama")
    assert main(["serve", "--weights", "m.gguf"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "no-such-llama" in err
    assert "--with=local-llm" in err


@pytest.mark.parametrize("option", ["--threads", "--context", "--parallel"])
def test_sizes_are_for_weights_alone(option, capsys):
    assert main(["serve", option, "64"]) == 2
    assert f"{option} is for a model with weights" in capsys.readouterr().err


@contextlib.asynccontextmanager
async def upstream(folder, answer):
    """A server at a socket that gets every request as text and answers with ``answer``'s bytes."""
    path = folder / "s"

    async def handle(stream):
        async with stream:
            head = b""
            while b"\r\n\r\n" not in head:
                head += await stream.receive()
            size = int(head.lower().split(b"content-length:")[1].split()[0])
            body = head.split(b"\r\n\r\n")[1]
            while len(body) < size:
                body += await stream.receive()
            await answer(stream, head.split()[1].decode(), json.loads(body))

    listener = await anyio.create_unix_listener(path)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        yield path
        tasks.cancel_scope.cancel()


async def reply(stream, body, status=200):
    data = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    await stream.send(head.encode() + data)


async def call(application, path, fields, gone=None):
    """Ask the application without a socket; return the status and what it says."""
    sent, body = [], json.dumps(fields).encode()
    given = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive():
        if (message := next(given, None)) is not None:
            return message
        await (gone.wait() if gone else anyio.sleep_forever())
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": [], "query_string": b"",
             "root_path": "", "http_version": "1.1", "scheme": "http"}  # fmt: skip
    await application(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


def application_of(header, socket, ending=None):
    model, sizes = app.served(header, "1.0"), llama.Sizes(1, 64, 2)
    return app.create_app(model, socket, sizes, ending or anyio.Event())


def served(header, folder, fields, answer):
    """Return what the endpoint answers with ``answer`` behind it."""

    async def scenario():
        with anyio.fail_after(PATIENCE):
            async with upstream(folder, answer) as socket:
                return await call(application_of(header, socket), app.COMPLETIONS, fields)

    return anyio.run(scenario)


ASKED = {"model": app.ALIAS, "prompt": "+01 ->"}


def test_what_is_known_is_handed_on_and_the_answer_has_the_models_name(header, tmp_path):
    asked = []

    async def answer(stream, path, fields):
        asked.append((path, fields))
        if path == "/tokenize":
            await reply(stream, {"tokens": [1, 2, 3]})
        else:
            usage = {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9}
            choices = [{"text": " +01"}, {"text": " +0"}]
            await reply(stream, {"model": "/a/path", "choices": choices, "usage": usage})

    fields = ASKED | {"prompt": ["+01 ->"], "n": 2, "stop": ["\n"], "seed": 3, "id_slot": 1,
                      "temperature": 0.7, "max_completion_tokens": 8}  # fmt: skip
    status, text = served(header, tmp_path, fields, answer)
    told = json.loads(text)
    assert (status, told["model"]) == (200, "m")
    assert told["usage"] == {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    assert asked[0] == (
        "/v1/completions",
        {"prompt": "+01 ->", "n": 2, "stop": ["\n"], "seed": 3, "temperature": 0.7,
         "max_tokens": 8, "cache_prompt": False},
    )  # fmt: skip
    assert asked[1:] == [("/tokenize", {"content": " +0"})]


@pytest.mark.parametrize(("who", "status"), [("client", 499), ("server", 503)])
def test_a_request_is_given_up_with_its_client_and_with_the_server(header, tmp_path, who, status):
    async def scenario():
        begun, ended = anyio.Event(), anyio.Event()

        async def answer(stream, _path, _fields):
            begun.set()
            with pytest.raises(anyio.EndOfStream):
                await stream.receive()
            ended.set()

        with anyio.fail_after(PATIENCE):
            async with upstream(tmp_path, answer) as socket:
                application = application_of(header, socket, begun if who == "server" else None)
                gone = begun if who == "client" else None
                found = await call(application, app.COMPLETIONS, ASKED, gone)
                await ended.wait()
        return found[0]

    assert anyio.run(scenario) == status


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"model": "icpi-in-context"}, 404, "does not exist: this server has model m (a language"),
        ({"model": None}, 400, "model is missing"),
        ({"n": 3}, 400, "n = 3: allowed are integers 1 to 2; icpi serve --parallel allows more"),
        ({"prompt": ["a", "b"]}, 400, "not a text"),
        ({"max_tokens": 0}, 400, "integers 1"),
        ({"stream": True}, 400, "not offered"),
    ],
)
def test_requests_that_are_not_handed_on(header, tmp_path, change, status, words):
    found, text = served(header, tmp_path, ASKED | change, None)
    assert found == status
    assert words in json.loads(text)["error"]["message"]


TOO_LONG = {
    "type": "exceed_context_size_error",
    "n_prompt_tokens": 99,
    "n_ctx": 64,
    "message": "try",
}


@pytest.mark.parametrize(
    ("status", "body", "wanted", "words"),
    [
        (400, {"error": {"message": "bad\nschema"}}, 400, "bad schema"),
        (200, {"error": {"message": "bad"}}, 500, "bad"),
        (400, {"error": TOO_LONG}, 400, "the prompt has 99 tokens, a choice may have 64"),
        (503, [], 503, "without a reason"),
    ],
)
def test_errors_of_llama_cpp_are_told(header, tmp_path, status, body, wanted, words):
    async def answer(stream, _path, _fields):
        await reply(stream, body, status)

    found, text = served(header, tmp_path, ASKED, answer)
    assert found == wanted
    assert words in json.loads(text)["error"]["message"]


def test_without_llama_cpp_behind_it_the_answer_is_an_error(header, tmp_path):
    async def answer(_stream, _path, _fields):
        pass  # it closes the connection

    found, text = served(header, tmp_path, ASKED, answer)
    assert found == 500
    assert "llama.cpp does not answer" in json.loads(text)["error"]["message"]


def test_a_file_that_llama_cpp_refuses(tmp_path, monkeypatch, capfd):
    pytest.importorskip("xllamacpp")
    path = tmp_path / "m.gguf"
    shapes = {name: s for name, s in gguf_files.SHAPES.items() if name != "output_norm.weight"}
    path.write_bytes(gguf_files.model(shapes=shapes))
    assert main(["serve", "--weights", str(path), "--port", "0"]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert f"llama.cpp cannot load {path}: " in err
    assert "output_norm" in err
