"""The page of `icpi runs --view`, over real connections: what it tells, and whom."""

import contextlib
import gzip
import http.client
import json
import re
import shutil
import socket
import sqlite3
import stat
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from stored_runs import CONFIG, PROPOSAL, THETA, done

import icpi_ros
from icpi_ros.cli import runs_view
from icpi_ros.cli.main import main
from icpi_ros.core.types import TrialStatus
from icpi_ros.learn.dataset.execution import Backend, Execution
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.view.stored import listing
from icpi_ros.view.stored.page import StoredRunsPage
from icpi_ros.view.stored.server import MAX_CONNECTIONS, PageResponse, PageServer

LIMIT = 60.0
HOSTILE = "</script><img src=x onerror=\"document.title='taken'\">\u202e\x1b[31m"
KEY = "sk-0123456789abcdef"
FILES = Path(icpi_ros.__file__).parent / "templates" / "stored"
SLIDE = replace(CONFIG, task="slide", goal=(0.6, 0.42), improver="embedded")


@pytest.fixture(autouse=True)
def every_look_counts(monkeypatch):
    monkeypatch.setattr(listing, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(listing, "MAX_SHARE", float("inf"))


def run_of(store, config=CONFIG, costs=(), state="finished", note="", **execution):
    """Store a run; a cost of None is a trial that failed."""
    run_id = store.create_run(config, Execution(**execution))
    for number, cost in enumerate(costs):
        store.begin_trial(run_id, number, THETA, PROPOSAL, False)
        failed = {"status": TrialStatus.FAILED, "cost": float("nan"), "error": None}
        store.finish_trial(run_id, done(number, **(failed if cost is None else {"cost": cost})))
    if state != "open":
        store.set_state(run_id, state, note)
    store.release(run_id)
    return run_id


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A store with a run of each kind, and their ids by kind."""
    path = tmp_path_factory.mktemp("stored") / "trials.sqlite"
    with TrialStore(path) as store:
        real = {"backend": Backend("real_graph"), "arm": "ur5e"}
        hostile = replace(CONFIG, improver=HOSTILE, options={HOSTILE: HOSTILE, "__proto__": "x"})
        ids = {
            "slide": run_of(store, SLIDE, (0.2, 0.03), **real),
            "unknown task": run_of(store, costs=(0.1, None, 0.05), note=f"see {KEY}"),
            "begun": run_of(store, SLIDE),
            "none": run_of(store, state="failed", note=HOSTILE),
            "hostile": run_of(store, hostile, (0.3,), arm=HOSTILE),
            "open": run_of(store, costs=(0.1,), state="open"),
            "damaged": run_of(store),
        }
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE runs SET config = '{}' WHERE run_id = ?", (ids["damaged"],))
    return path, ids


@pytest.fixture(scope="module")
def page(stored):
    with StoredRunsPage(stored[0], "127.0.0.1", 0, {}, lambda run: PageResponse(run)) as found:
        yield found


def get(link, place="", method="GET", **headers):
    """Return status, headers and body of a request below a link, or at an absolute path."""
    where = urlsplit(link)
    line = http.client.HTTPConnection(where.hostname, where.port, timeout=LIMIT)
    path = place if place.startswith("/") else where.path + place
    line.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in ({"Host": where.netloc} | headers).items():
        line.putheader(name, value)
    line.endheaders()
    answer = line.getresponse()
    found = answer.status, answer.headers, answer.read()
    line.close()
    return found


def news(link, since=0):
    status, _, body = get(link, f"news?since={since}")
    assert status == 200
    return json.loads(body)


def rows(link):
    return {row["id"]: row for row in news(link)["runs"]}


def test_every_kind_of_run_has_its_row(page, stored, monkeypatch):
    _, ids = stored
    found = rows(page.link)
    assert set(found) == set(ids.values())
    slide = found[ids["slide"]]
    assert slide["goal_text"] == "x 0.6 m, y 0.42 m"
    assert slide["costs"] == [[0, 0.2], [1, 0.03]]
    assert (slide["backend"], slide["arm"], slide["state"]) == ("real_graph", "ur5e", "finished")
    assert slide["seed"] == str(CONFIG.seed)  # a script would round it
    other = found[ids["unknown task"]]
    assert other["costs"] == [[0, 0.1], [1, None], [2, 0.05]]
    assert other["goal_text"] == "0.6, 0.3"
    assert other["replaced"] == 3
    assert (found[ids["none"]]["state"], found[ids["none"]]["costs"]) == ("failed", [])
    assert found[ids["open"]]["state"] == "open"
    assert found[ids["damaged"]]["damage"] == "configuration"


DEEP = "[" * 100_000
ODD = {
    "created": ("runs SET created = x'00ff'", "texts"),
    "state": ("runs SET state = NULL", "texts"),
    "number": ("trials SET number = x'00'", "trials"),
    "finished": ("trials SET finished = x'00'", ""),
    "configuration": (f"runs SET config = '{DEEP}'", "configuration"),
    "execution": (f"runs SET execution = '{DEEP}'", "way of execution"),
    "options": (
        f"""runs SET config = replace(config, '"options": {{}}', '"options":
        {{"a": {DEEP[:500]}{"]" * 500}}}')""",
        "",
    ),
}


@pytest.mark.parametrize("what", ODD)
def test_what_another_hand_wrote_into_one_run_hides_no_other(tmp_path, what):
    change, damage = ODD[what]
    with TrialStore(tmp_path / "t.sqlite") as store:
        odd, good = run_of(store, costs=(0.1,)), run_of(store, costs=(0.1, 0.2))
    with contextlib.closing(sqlite3.connect(store.path)) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute(
            "UPDATE sqlite_schema SET sql = replace(replace(sql, ') STRICT', ')'), 'NOT NULL', '')"
        )
        db.commit()
    with contextlib.closing(sqlite3.connect(store.path, isolation_level=None)) as db:
        db.execute(f"UPDATE {change} WHERE run_id = ?", (odd,))
    with contextlib.closing(listing.RunListing(store.path)) as runs:
        found = json.loads(json.dumps(runs.news(0), allow_nan=False))
    rows = {row["id"]: row for row in found["runs"]}
    assert (found["trouble"], set(rows)) == ("", {odd, good})
    assert [row["damage"] for row in (rows[odd], rows[good])] == [damage, ""]
    assert rows[good]["costs"] == [[0, 0.1], [1, 0.2]]


def test_a_run_under_way_and_one_that_was_killed_differ(tmp_path):
    path = tmp_path / "t.sqlite"
    with (
        StoredRunsPage(path, "127.0.0.1", 0, {}, PageResponse) as page,
        TrialStore(path) as store,
    ):
        run_id = store.create_run(CONFIG)
        store.begin_trial(run_id, 0, THETA, PROPOSAL, False)
        row = rows(page.link)[run_id]
        assert (row["state"], row["running"], row["costs"]) == ("under way", 0, [])
        lease = path.with_name(f"{path.name}-lease-{run_id}")
        lease.write_text(f"{2**22 + 1}\n")  # above the largest process id
        row = rows(page.link)[run_id]
        assert (row["state"], row["running"], row["costs"]) == ("open", None, [[0, None]])


def test_only_what_changed_is_told_again(tmp_path):
    path = tmp_path / "t.sqlite"
    with StoredRunsPage(path, "127.0.0.1", 0, {}, PageResponse) as page:
        assert news(page.link) == {
            "version": 0, "whole": True, "runs": [], "gone": [], "store": str(path),
            "there": False, "trouble": "", "left": 0,
        }  # fmt: skip
        assert not path.exists()
        with TrialStore(path) as store:
            first, second = run_of(store), run_of(store, costs=(0.1,))
            begun = news(page.link)
            assert (len(begun["runs"]), begun["there"]) == (2, True)
            again = news(page.link, begun["version"])
            assert (again["runs"], again["gone"], again["whole"]) == ([], [], False)
            store.begin_trial(second, 1, THETA, PROPOSAL, False)
            store.finish_trial(second, done(1, cost=0.02))
            changed = news(page.link, begun["version"])
            assert [row["id"] for row in changed["runs"]] == [second]
            assert changed["runs"][0]["costs"] == [[0, 0.1], [1, 0.02]]
            store.delete_run(first)
            assert news(page.link, changed["version"])["gone"] == [first]
        assert len(news(page.link, 10**9)["runs"]) == 1  # a version of an earlier page: all of it


def test_a_large_store_comes_in_parts_the_newest_first(tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "FIRST_ROWS", 1)
    monkeypatch.setattr(listing, "MAX_ROWS", 2)
    with TrialStore(tmp_path / "t.sqlite") as store:
        ids = [run_of(store, costs=(0.1,)) for _ in range(5)]
        with contextlib.closing(listing.RunListing(store.path)) as runs:
            told, left = [], []
            found = {"left": 1, "version": 0}
            while found["left"]:
                found = runs.news(found["version"])
                told.append([row["id"] for row in found["runs"]])
                left.append(found["left"])
            assert (told, left) == ([[ids[4]], ids[3:1:-1], ids[1::-1]], [4, 2, 0])
            store.set_state(ids[2], "failed")
            store.delete_run(ids[0])
            last = runs.news(found["version"])
            assert [(row["id"], row["state"]) for row in last["runs"]] == [(ids[2], "failed")]
            assert (last["gone"], last["left"]) == ([ids[0]], 0)
            first = runs.news(0)  # another viewer
            assert (len(first["runs"]), first["left"], first["whole"]) == (1, 3, True)
            assert first["gone"] == []


def test_a_store_that_cannot_be_read_says_so_and_comes_back(tmp_path):
    path, away = tmp_path / "t.sqlite", tmp_path / "away"
    with TrialStore(path) as store:
        run_id = run_of(store)
    with StoredRunsPage(path, "127.0.0.1", 0, {}, PageResponse) as page:
        assert set(rows(page.link)) == {run_id}
        path.rename(away)
        path.write_text("no store")
        found = news(page.link)
        assert "it is not a trial store" in found["trouble"]
        assert [row["id"] for row in found["runs"]] == [run_id]  # as it was
        away.replace(path)
        assert news(page.link)["trouble"] == ""


STRANGERS = {
    "no token": ("/", {}, 403),
    "no token for the data": ("/news", {}, 403),
    "a wrong token": (f"/{'A' * 32}/news", {}, 403),
    "half the token": ("/{half}/news", {}, 403),
    "a page elsewhere": ("/{token}/news", {"Origin": "http://evil.example"}, 403),
    "another port of this machine": ("/{token}/news", {"Origin": "http://127.0.0.1:1"}, 403),
    "a name that was rebound": ("/{token}/news", {"Host": "evil.example"}, 421),
    "no host": ("/{token}/news", {"Host": ""}, 421),
    "another place": ("/{token}/../etc/passwd", {}, 404),
    "a template": ("/{token}/page.html", {}, 404),
    "without the last slash": ("/{token}", {}, 404),
}


@pytest.mark.parametrize("what", STRANGERS)
def test_a_stranger_is_told_nothing(page, stored, what):
    path, headers, status = STRANGERS[what]
    token = urlsplit(page.link).path.strip("/")
    found = get(page.link, path.format(token=token, half=token[:16]), **headers)
    assert found[0] == status
    assert not {run.encode() for run in stored[1].values() if run.encode() in found[2]}
    assert token.encode() not in found[2]


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"POST /x HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"nonsense\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", 400),
        (b"GET /" + b"x" * 40000, 400),
    ],
)
def test_what_is_no_request_for_a_page_is_refused(page, raw, status):
    where = urlsplit(page.link)
    with socket.create_connection((where.hostname, where.port), LIMIT) as line:
        line.sendall(raw)
        assert line.makefile("rb").readline().split()[1] == str(status).encode()


def test_connections_that_ask_nothing_keep_nobody_out(page):
    where = urlsplit(page.link)
    address = (where.hostname, where.port)
    with contextlib.ExitStack() as lines:
        silent = [
            lines.enter_context(socket.create_connection(address, LIMIT))
            for _ in range(2 * MAX_CONNECTIONS)
        ]
        assert rows(page.link)
        with contextlib.suppress(ConnectionError):
            assert silent[0].recv(1) == b""  # the oldest had to go
    assert rows(page.link)


def test_more_questions_than_allowed_are_not_kept():
    """Those that are being answered stay."""
    ends, begun = threading.Event(), threading.Semaphore(0)

    def respond(*_):
        begun.release()
        ends.wait(LIMIT)
        return PageResponse("answered")

    server = PageServer("127.0.0.1", 0, respond, MAX_CONNECTIONS)
    server.start()
    at = urlsplit(server.door.link)
    question = f"GET {at.path} HTTP/1.1\r\nHost: {at.netloc}\r\n\r\n".encode()
    with contextlib.ExitStack() as lines:
        lines.callback(server.close)
        lines.callback(ends.set)
        kept = []
        for _ in range(MAX_CONNECTIONS):
            kept.append(
                lines.enter_context(socket.create_connection((at.hostname, at.port), LIMIT))
            )
            kept[-1].sendall(question)
            assert begun.acquire(timeout=LIMIT)
        one_more = lines.enter_context(socket.create_connection((at.hostname, at.port), LIMIT))
        with contextlib.suppress(ConnectionError):
            assert one_more.recv(1) == b""
        ends.set()
        for line in kept:
            assert b"answered" in line.makefile("rb").read()


@pytest.mark.parametrize("begun", [True, False])
def test_a_page_is_closed_without_a_word(tmp_path, capsys, caplog, begun):
    """Just opened, and while something is asked."""
    asked, ends = threading.Event(), threading.Event()

    def respond(*_):
        asked.set()
        ends.wait(LIMIT)
        return PageResponse("")

    server = PageServer("127.0.0.1", 0, respond)
    server.start()
    with contextlib.ExitStack() as open_sockets:
        if begun:
            at = urlsplit(server.door.link)
            client = open_sockets.enter_context(socket.create_connection((at.hostname, at.port)))
            client.sendall(f"GET {at.path} HTTP/1.1\r\nHost: {at.netloc}\r\n\r\n".encode())
            assert asked.wait(LIMIT)
        server.close()
        ends.set()
        assert not server._thread.is_alive()
    assert (*capsys.readouterr(), caplog.text) == ("", "", "")


def test_the_page_loads_its_own_files_alone(page):
    _, headers, body = get(page.link)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy
    assert headers["Referrer-Policy"] == "no-referrer"
    assert b"<style" not in body
    assert re.findall(rb"<script[^>]*>", body) == [b'<script type="module" src="page.mjs">']
    scripts = [file.name for file in FILES.glob("*.mjs")]
    assert len(scripts) >= 2
    for name in [*scripts, "page.css"]:
        status, headers, body = get(page.link, name)
        assert status == 200
        assert headers["Content-Type"].startswith("text/")
        text = body.decode().replace("http://www.w3.org/2000/svg", "")
        assert "http" not in text
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text)
        for other in re.findall(r'from "\./(\S+)"', text):
            assert other in scripts


def test_texts_of_a_store_come_printable_and_without_keys(page, stored, monkeypatch):
    monkeypatch.setenv("LAB_API_KEY", KEY)
    path, ids = stored
    with StoredRunsPage(path, "127.0.0.1", 0, {}, PageResponse) as other:
        found = rows(other.link)
    assert found[ids["unknown task"]]["note"] == "see [LAB_API_KEY removed]"
    assert found[ids["hostile"]]["improver"].endswith("\\u202e\\x1b[31m")


def test_settings_are_texts_and_what_is_damaged_is_one_line(page, stored):
    _, ids = stored
    wanted = [ids["slide"], ids["hostile"], ids["damaged"], "no-such"]
    body = get(page.link, "settings?" + "&".join(f"run={quote(run)}" for run in wanted))[2]
    slide, hostile, damaged, missing = (json.loads(body)[run] for run in wanted)
    assert (slide["goal"], slide["options.k"]) == ("[0.6, 0.42]", "20")
    assert slide["execution.backend"] == "real_graph"
    assert hostile["options.__proto__"] == "x"
    assert "damaged" in damaged
    assert missing.startswith("no run 'no-such'")


def test_large_bodies_are_packed_for_those_who_take_it(page):
    _, headers, body = get(page.link, "news", **{"Accept-Encoding": "br, gzip"})
    assert headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(body))["runs"]


def test_a_report_that_fails_leaves_the_page(stored):
    def broken(_):
        raise RuntimeError("no such colour")

    with StoredRunsPage(stored[0], "127.0.0.1", 0, {}, broken) as page:
        status, _, body = get(page.link, "run?id=x")
        assert (status, body) == (500, b"it cannot be shown: RuntimeError: no such colour\n")
        assert rows(page.link)


@pytest.fixture
def shown(monkeypatch, capsys):
    """Carry out `icpi runs --view`, look at its page with a function, then press Ctrl-C."""

    def carry_out(look, *words):
        seen = []

        def instead_of_waiting(_):
            link = next(w for w in capsys.readouterr().err.split() if w.startswith("http"))
            seen.append(look(link))
            raise KeyboardInterrupt

        monkeypatch.setattr(runs_view.time, "sleep", instead_of_waiting)
        assert main(["runs", "--view", *map(str, words)]) == 0
        return seen[0]

    return carry_out


def test_the_filters_of_the_command_are_those_of_the_page_at_first(shown, stored, tmp_path):
    file = tmp_path / "page.json"
    words = ("--task", "a&b", "--backend", "real_graph", "--since", "2026-11-29T08:30")
    link = shown(lambda link: link, "--store", stored[0], *words, "--json", file)
    assert urlsplit(link).fragment == "task=a%26b&backend=real_graph&from=2026-11-29T08%3A30%3A00"
    assert json.loads(file.read_text()) == {"page": link, "stop": None}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    where = urlsplit(link)
    assert where.hostname == "127.0.0.1"
    with pytest.raises(ConnectionRefusedError):  # it has ended
        socket.create_connection((where.hostname, where.port), LIMIT)


def test_a_run_is_opened_as_its_report(shown, stored):
    path, ids = stored

    def look(link):
        report = get(link, f"run?id={ids['begun']}")  # pictures take a second
        return report, get(link, f"run?id={ids['unknown task']}"), get(link, "run?id=no-such")

    (status, headers, body), unknown, missing = shown(look, "--store", path)
    assert status == 200
    assert b"slide with embedded" in body
    assert re.match(r"default-src 'none'.*script-src 'sha256-", headers["Content-Security-Policy"])
    assert unknown[0] == missing[0] == 404
    assert b"unknown task 'toy-push'" in unknown[2]
    assert b"no run 'no-such'" in missing[2]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--port", "8080"], "add --view"),
        (["--view", "compare", "A", "B"], "tick the runs in it"),
        (["--view", "delete", "A"], "it only shows"),
    ],
)
def test_options_of_the_page_are_refused_where_there_is_none(stored, capsys, words, text):
    assert main(["runs", "--store", str(stored[0]), *words]) == 2
    assert text in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_filters_order_address_and_medians():
    script = Path(__file__).with_name("stored_runs_page.mjs")
    done = subprocess.run(
        ["node", script, FILES / "choice.mjs"],
        capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
