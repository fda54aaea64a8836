"""A motion of one's own, from showing it to a better one: the way of docs/own_motion.md."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import warm
import yaml
from outsider import forgotten

from icpi_msgs.msg import OperatorRequest
from icpi_ros.cli.main import main
from icpi_ros.runs.store.store import TrialStore

from .command_line import icpi
from .conftest import HANG, IMAGES, NAMESPACE, PACE, RunningGraph
from .person import Person

HAND = Path(__file__).parents[2] / "examples" / "guided_arm.py"
TRIALS = 2
GOAL = {"x": {"lower": 0.5, "upper": 0.7}, "y": {"lower": 0.38, "upper": 0.45}}
PUCK = {
    "name": "puck",
    "camera": {
        "shape": "disc", "hues": [[0, 20], [340, 360]], "radius": 0.03, "height": 0.02,
        "plane": {"z": 0.01},
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def shown(tmp_path_factory, domain):
    """The folder with push.yaml and push.csv of a push that the simulated arm was led through."""
    folder = tmp_path_factory.mktemp("shown")
    with RunningGraph(folder, real_time_factor=PACE):
        hand = warm.Popen(
            [sys.executable, HAND, "0", NAMESPACE],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            lines = iter(lambda: hand.stdout.read(1), ":")
            assert "the arm is at the start" in "".join(lines)
            new = icpi(["task", "new", "push", "--topic", f"/{NAMESPACE}/joint_states",
                        "--out", folder, "--timeout", HANG])  # fmt: skip
            for line in new.stdout:
                if line.startswith("recording"):
                    hand.stdin.write("\n")
                    hand.stdin.flush()
                    break
            _, error = new.communicate(timeout=HANG)
            assert new.returncode == 0, error
            hand.communicate(timeout=HANG)
        finally:
            hand.kill()
            hand.wait(HANG)
    return folder


@pytest.fixture
def push(shown, tmp_path):
    """The file of the task as a person leaves it: the goal and the object are said."""
    with forgotten():
        yield _edited(shown, tmp_path)


def _edited(shown, folder):
    content = yaml.safe_load((shown / "push.yaml").read_text())
    assert content.pop("draft") is True
    content |= {"goal": GOAL, "object": PUCK, "reset": {"place": {"x": 0.6, "y": -0.15}}}
    content["motion"]["demonstration"] = str(shown / "push.csv")
    path = folder / "push.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def approved(person, trials):
    """Approve every motion and confirm every scene of so many trials."""
    last = None
    person.question(OperatorRequest.MOTION)
    show = icpi(["approve", "--namespace", NAMESPACE, "--show"])  # without the file of the task
    shown, error = show.communicate(timeout=HANG)
    assert show.returncode == 0, error
    assert "of task push" in shown
    assert "(allowed -0.3 to 0.3)" in shown
    for kind in (OperatorRequest.MOTION, OperatorRequest.SCENE) * trials:
        question = person.question(kind, after=last)
        last = question.request_id
        assert person.decide(question).accepted


def improved(folder, observer, push, **arguments):
    """Run through a graph in the world of slide, a person beside it; return the trials."""
    with RunningGraph(
        folder, task=push, world="slide", approval="true", scene="operator", **arguments
    ) as graph:
        process = icpi(
            ["run", "--task", push, "--attach", "--namespace", NAMESPACE, "--store", graph.store,
             "--trials", TRIALS, "--picture", folder / "run.png"]
        )  # fmt: skip
        approved(Person(observer), TRIALS)
        _, error = process.communicate(timeout=HANG)
        assert process.returncode == 0, error
    with TrialStore(graph.store) as store:
        (run,) = store.runs()
        assert (run.task, run.execution.world) == ("push", "slide")
        return graph.store, run, store.trials(run.run_id)


def test_a_push_that_was_shown_gets_better(tmp_path, observer, push, capsys):
    json_file, picture = tmp_path / "try.json", tmp_path / "try.svg"
    assert (
        main(["task", "try", str(push), "--picture", str(picture), "--json", str(json_file)]) == 0
    )
    assert "100% of the box" in capsys.readouterr().out
    tried = json.loads(json_file.read_text())
    assert tried["motions"][0]["label"] == "first trial"
    store, run, trials = improved(tmp_path, observer, push)
    assert trials[0].theta == pytest.approx(tried["motions"][0]["theta"])
    assert min(trial.cost for trial in trials) < 0.5 * trials[0].cost
    page = tmp_path / "run.html"
    with forgotten():
        assert main(["report", run.run_id, "--store", str(store), "--plugin", str(push),
                     "--html", str(page)]) == 0  # fmt: skip
    assert "push" in page.read_text()
    assert (tmp_path / "run.png").stat().st_size > 10_000
    assert (tmp_path / "try.svg").stat().st_size > 10_000


@pytest.mark.slow
def test_the_same_from_pixels(tmp_path, observer, push):
    _, run, trials = improved(tmp_path, observer, push, source="camera", **IMAGES)
    assert run.execution.source == "camera"
    assert min(trial.cost for trial in trials) < 0.5 * trials[0].cost
