"""`icpi approve`: one decision of a script, and the conversation at a pseudo-terminal."""

import os
import pty
import re
import select
import signal
import sys
import time

import pytest
import warm

from icpi_msgs.action import ExecuteMotion
from icpi_msgs.msg import OperatorRequest

from .conftest import HANG, NAMESPACE, RunningGraph
from .person import ASKED, PAUSE

Code = ExecuteMotion.Result
COMMAND = [sys.executable, "-m", "icpi_ros.cli.main", "approve", "--namespace", NAMESPACE]
THETA = [1.0, 0.1]
TOO_FAST = "1.5,0.1"
"""Inside the task's bounds, but not inside the limits of the graph."""
MOTION, SCENE = OperatorRequest.MOTION, OperatorRequest.SCENE


@pytest.fixture(scope="module")
def careful(tmp_path_factory, domain):
    """A simulated graph in which a person approves every motion, none faster than 1.3 m/s."""
    folder = tmp_path_factory.mktemp("careful")
    limits = folder / "limits.yaml"
    limits.write_text("tool_speed: 1.3\n")
    with RunningGraph(folder, approval="true", scene="operator", limits=limits) as graph:
        yield graph


class Terminal:
    """`icpi approve` at a pseudo-terminal: what it prints is awaited, what is typed is typed."""

    def __init__(self):
        self.keys, theirs = pty.openpty()
        self.process = warm.Popen(
            [*COMMAND, "--operator", "eve"], stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        self.text, self.read = "", 0

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(HANG)
        finally:
            self.process.kill()
            os.close(self.keys)

    def type(self, *lines):
        os.write(self.keys, "".join(f"{line}\n" for line in lines).encode())

    def wait(self, words):
        """Read on until these words have been printed; return what came before them."""
        found = self.seen(re.escape(words))
        before = self.text[self.read : found.start()]
        self.read = found.end()
        return before

    def answer(self, prompt, *lines):
        """Type an answer at a prompt, again while it is too early; return what came before it."""
        early, taken = "look at it and try again", r"(approved|changed|rejected) by|was refused:"
        before = self.wait(prompt)
        self.type(*lines)
        while self.seen(f"{early}|{taken}")[0] == early:
            self.wait(prompt)
            time.sleep(PAUSE)
            self.type(*lines)
        return before

    def seen(self, pattern):
        """Return the first match in what is still to be read, once it has been printed."""
        deadline = time.monotonic() + HANG
        find = re.compile(pattern)
        while not (found := find.search(self.text, self.read)):
            assert time.monotonic() < deadline, f"waited for {pattern!r} in:\n{self.text}"
            if select.select([self.keys], [], [], 0.1)[0]:
                self.text += os.read(self.keys, 4096).decode()
        return found


@pytest.fixture
def terminal(careful):
    with Terminal() as opened:
        opened.wait("waiting for motions to approve")
        yield opened


def decide(*options):
    """Let `icpi approve` decide once; return its exit code, output and errors."""
    ended = warm.run([*COMMAND, *options], timeout=HANG)
    return ended.returncode, ended.stdout, ended.stderr


def test_a_refused_change_is_an_error_and_its_motion_is_approved_by_its_name_only(
    careful, observer, person
):
    _, result = observer.start(THETA, trial_id="refused/0")
    first = person.question(MOTION)
    code, out, errors = decide("--decision", "edit", "--theta", TOO_FAST)
    second = person.question(MOTION, first.request_id)
    assert (code, errors.count("\n")) == (1, 1)
    assert errors.startswith("icpi: error: the change was refused: ")
    assert "1.3" in errors
    assert f"request {second.request_id} has the theta from before" in errors
    assert f"request {first.request_id}\n" in out
    assert re.search(
        r"limits of ur5e: .*tool speed 1.3 m/s.*tightened by .*/limits.yaml \(sha256 \w{12}\)", out
    )
    assert re.search(r"\n    retreat +\d+\.\d s, .* down to z = 0\.\d+ m", out)
    code, out, errors = decide("--decision", "approve")
    assert code == 1
    assert f"request {second.request_id}\n" in out
    assert errors.endswith(f"name it: --request {second.request_id}\n")
    code, _, errors = decide("--decision", "approve", "--request", str(first.request_id))
    assert (code, errors.count("\n")) == (1, 1)
    assert f"request {first.request_id} is not the one that waits" in errors
    assert person.requests[-1].request_id == second.request_id
    named = ("--decision", "approve", "--request", str(second.request_id), "--operator", "eve")
    code, out, errors = decide(*named)
    assert (code, errors) == (0, "")
    assert out.endswith("approved by eve\n")
    person.decide(person.question(SCENE), ASKED.REJECT)
    assert observer.reply(result).result.error_code == Code.RESET_FAILED


def test_a_change_shows_what_came_of_it_and_a_scene_has_a_word_of_its_own(
    careful, observer, person
):
    _, result = observer.start(THETA, trial_id="changed/0")
    first = person.question(MOTION)
    code, out, _ = decide("--decision", "edit", "--theta", "0.9,-0.1", "--operator", "eve")
    second = person.question(MOTION, first.request_id)
    assert code == 0
    assert f"\nchanged by eve\ntrial changed/0 of task slide, request {second.request_id}\n" in out
    code, _, errors = decide("--decision", "clear")
    assert (code, "--decision approve" in errors) == (1, True)
    assert decide("--decision", "approve")[0] == 0
    scene = person.question(SCENE)
    code, _, errors = decide("--decision", "approve")
    assert (code, "--decision clear" in errors) == (1, True)
    assert person.requests[-1].request_id == scene.request_id
    code, out, _ = decide("--decision", "clear")
    assert (code, out.endswith("approved by the operator\n")) == (0, True)
    answer = observer.reply(result).result
    assert (answer.error_code, answer.decided_by) == (0, "eve")


def test_a_script_is_told_what_became_of_a_no_and_that_nothing_waits(careful, observer, person):
    _, result = observer.start(THETA, trial_id="no/0")
    person.question(MOTION)
    code, out, errors = decide("--decision", "reject", "--comment", "not today")
    assert (code, errors) == (0, "")
    assert out.endswith("rejected by the operator: not today\n")
    assert observer.reply(result).result.error_code == Code.REJECTED
    assert decide("--show") == (0, "nothing waits for a decision\n", "")
    nothing = (1, "", "icpi: error: nothing waits for a decision\n")
    assert decide("--decision", "approve", "--timeout", "0.2") == nothing


def test_a_question_that_nobody_decided_says_what_ended_it(careful, observer, person):
    handle, result = observer.start(THETA, trial_id="cancelled/0")
    person.question(MOTION)
    observer.cancel(handle)
    assert observer.reply(result).result.error_code == Code.CANCELLED
    assert person.question(OperatorRequest.NONE).remark == "cancelled by the client"


def test_what_is_typed_ahead_answers_nothing(careful, terminal, observer, person):
    terminal.type("a", "a", "clear")
    _, result = observer.start(THETA, trial_id="ahead/0")
    first = person.question(MOTION)
    terminal.wait("[a]pprove, [r]eject, [e]dit: ")
    terminal.type("look")
    before = terminal.wait("[a]pprove, [r]eject, [e]dit: ")
    assert "'look' is no answer to this" in before
    assert "not taken" not in before
    assert person.requests[-1].request_id == first.request_id
    terminal.type("r", "typed for the last one")
    terminal.wait("rejected by eve: typed for the last one")
    assert observer.reply(result).result.error_code == Code.REJECTED


def test_a_whole_conversation(careful, terminal, observer, person):
    motion, scene = "[a]pprove, [r]eject, [e]dit: ", "the workspace is empty, [r]eject: "
    _, result = observer.start(THETA, trial_id="talk/0")
    terminal.answer(motion, "e", TOO_FAST)
    terminal.wait("the change was refused: ")
    terminal.wait("has the theta from before")
    assert "(the change was refused: " in terminal.answer(motion, "e", "0.9,-0.1")
    terminal.wait("changed by eve")
    terminal.answer(motion, "a", "clear", "clear")
    terminal.wait("approved by eve")
    terminal.wait(scene)
    asked = person.question(SCENE)
    terminal.type("a")
    terminal.wait("'a' is no answer to this: type clear or r")
    assert person.requests[-1].request_id == asked.request_id
    terminal.answer(scene, "clear")
    terminal.wait("approved by eve")
    answer = observer.reply(result).result
    assert (answer.error_code, answer.decided_by) == (0, "eve")
