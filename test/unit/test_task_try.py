"""`icpi task try`: a task before anything moves, and the repeatability of its trials."""

import json
from dataclasses import replace

import described
import numpy as np
import pytest

from icpi_ros.cli.main import main
from icpi_ros.cli.resuming import arm_of_way
from icpi_ros.core.errors import UsageError
from icpi_ros.core.types import Proposal, Trial, TrialStatus
from icpi_ros.evaluate.first_session import first_session
from icpi_ros.evaluate.repeatability import repeatability
from icpi_ros.learn.dataset.dataset import shipped
from icpi_ros.learn.dataset.execution import Backend, Execution
from icpi_ros.robots import ARMS
from icpi_ros.runs.edges import edges_of
from icpi_ros.runs.run import Run
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.described.reading import load_task
from icpi_ros.tasks.slide import Slide

SLIDE = TASKS.get("slide")
UR5E = ARMS.get("ur5e")


def trial(number, theta, error):
    theta, error = np.array(theta), np.array(error)
    status = TrialStatus.DONE
    return Trial(number, theta, Proposal(theta, "x"), status=status, error=error, cost=1.0)


def test_repeatability_pools_the_deviations_of_all_repeated_thetas():
    trials = [
        trial(0, (1.0, 0.1), (0.010, 0.0)),
        trial(1, (1.0, 0.1), (0.014, 0.0)),
        trial(2, (1.2, 0.0), (0.5, 0.5)),
        trial(3, (0.8, 0.0), (0.1, 0.003)),
        trial(4, (0.8, 0.0), (0.1, -0.003)),
    ]
    found = repeatability(SLIDE, trials)
    assert found.repeats == 2
    np.testing.assert_allclose(found.std, [0.002, 0.003])
    assert found.floor == pytest.approx(np.hypot(0.002, 0.003))
    assert found.uncertainty == pytest.approx(0.5)


def test_repeatability_needs_a_theta_that_was_observed_twice():
    unseen = replace(trial(1, (1.0, 0.1), (0.0, 0.0)), status=TrialStatus.UNOBSERVED)
    with pytest.raises(UsageError, match="no theta was executed and observed twice"):
        repeatability(SLIDE, [trial(0, (1.0, 0.1), (0.0, 0.0)), unseen])


def test_every_corner_of_slide_passes_with_its_own_arm():
    found = first_session(SLIDE, UR5E, samples=8)
    assert [one.label for one in found.corners] == [f"corner {n}" for n in (1, 2, 3, 4)]
    assert all(one.refusal is None for one in found.motions)
    assert (found.passed, found.share, found.reasons) == (8, 1.0, {})
    slow, fast = found.corners[0], found.corners[-1]
    assert slow.speed.max() == pytest.approx(0.6, rel=0.02)
    assert fast.summary.tool_speed == pytest.approx(1.6, rel=0.01)


def test_an_arm_that_is_too_slow_is_told_with_its_reason(tmp_path, capsys):
    out = tmp_path / "found.json"
    picture = tmp_path / "motions.svg"
    words = ["task", "try", "slide", "--arm", "fr3", "--samples", "8"]
    main([*words, "--json", str(out), "--picture", str(picture)])
    found = json.loads(out.read_text())
    refused = [one for one in found["motions"] if one["refusal"]]
    assert refused
    assert all(one["tool_speed"] is None for one in refused)
    assert found["passed"] + sum(found["refused"].values()) == found["samples"] == 8
    assert found["passed"] < 8
    assert "REFUSED: " in capsys.readouterr().out
    assert "from above" in picture.read_text()


@pytest.fixture
def repeated(tmp_path, capsys):
    """Store and id of a run that executed one theta three times, with sensor noise."""
    store = tmp_path / "store.sqlite"
    words = ["--in-process", "--trials", "3", "--noise", "0.003", "--store", str(store)]
    assert main(["run", "--task", "slide", "--improver", "repeat", *words]) == 0
    run_id = capsys.readouterr().out.split()[1].rstrip(":")
    return store, run_id


def test_recorded_trials_are_judged_and_their_repeatability_is_said(repeated, tmp_path, capsys):
    store, run_id = repeated
    out = tmp_path / "found.json"
    words = ["--samples", "2", "--trials", run_id, "--store", str(store), "--json", str(out)]
    assert main(["task", "try", "slide", *words]) == 0
    printed = capsys.readouterr().out
    assert printed.count("to the default goal") == 3
    assert "2 repeats, so known to 50%" in printed
    found = json.loads(out.read_text())["trials"]
    assert found["recorded"] == 3
    assert found["repeats"] == 2
    assert 0.0 < found["repeatability"] < 0.02  # five times the noise of both coordinates


def test_trials_of_another_task_are_refused(repeated, capsys):
    store, run_id = repeated
    assert main(["task", "try", "roll-gc", "--trials", run_id, "--store", str(store)]) == 2
    assert f"run {run_id} is of task slide, not of roll-gc" in capsys.readouterr().err


def test_a_best_theta_at_a_bound_is_told_with_the_room_that_the_arm_leaves():
    upper, lower = edges_of(SLIDE, UR5E, np.array([1.6, -0.4]))
    assert (upper.parameter.name, upper.upper, lower.parameter.name) == ("speed", True, "heading")
    assert 1.6 < upper.room <= 2.1
    assert "upper bound of speed, 1.6 m/s: a better one may be beyond" in upper.text()
    assert lower.room < -0.4
    assert edges_of(SLIDE, UR5E, np.array([1.0, 0.0])) == []


def test_room_beyond_a_bound_is_not_guessed_where_arm_or_limits_are_not_known():
    (edge,) = edges_of(SLIDE, None, np.array([1.6, 0.0]))
    assert edge.text().endswith("upper bound of speed, 1.6 m/s: a better one may be beyond")
    own = Execution(Backend.REAL, "ur5e", limits="")
    assert [arm_of_way(way) for way in (own, replace(own, limits="tight.yaml"), Execution())] == [
        UR5E,
        None,
        None,
    ]


def test_room_beyond_a_bound_ends_where_the_task_cannot_say_what_would_move():
    class Strict(Slide):
        def trajectories(self, thetas, arm):
            if (thetas[:, 0] < 0.5).any():
                raise ValueError("attempt to get argmax of an empty sequence")
            return super().trajectories(thetas, arm)

    (edge,) = edges_of(Strict(), UR5E, np.array([0.6, 0.0]))
    assert 0.5 <= edge.room < 0.6


def test_a_corner_whose_release_is_outside_of_its_motion_is_told(tmp_path):
    wide = described.changed("motion.parameters.release", [-0.05, 3.0])
    task = load_task(described.write(tmp_path, wide))
    found = first_session(task, UR5E, samples=4)
    refused = [one.refusal for one in found.corners if one.theta[-1] == 3.0]
    assert all("is outside of the motion" in reason for reason in refused)
    assert found.reasons["release"] == 4 - found.passed > 0
    assert next(one for one in found.corners if one.theta[-1] < 0.0).summary.release is not None


def test_trials_of_other_parameters_are_refused(repeated, tmp_path, capsys):
    store, run_id = repeated
    more = described.SCENE | {"task": "slide"}
    content = described.changed("motion.parameters", {"speed": [0.6, 1.6]}, more)
    with TASKS.temporarily("slide", load_task(described.write(tmp_path, content))):
        assert main(["task", "try", "slide", "--trials", run_id, "--store", str(store)]) == 2
    assert "was made with other parameters than speed" in capsys.readouterr().err


def test_a_run_ends_at_the_floor_of_repeatability():
    class Rough(Slide):
        repeatability = 0.05

    run = Run(Rough(), trials=8, dataset=shipped(SLIDE))
    trial = run.ask()
    run.tell(np.array([0.03, 0.03]))
    assert trial.number == 0
    assert run.finished
    assert run.reason.startswith("at the floor of repeatability: 42.4 mm, repeats of one theta")


def test_a_run_that_measures_repeatability_goes_on():
    class Rough(Slide):
        repeatability = 0.05

    run = Run(Rough(), improver="repeat", trials=2)
    run.ask()
    run.tell(np.array([0.03, 0.03]))
    assert not run.finished


def test_a_store_that_is_not_there_is_not_made(tmp_path, capsys):
    store = tmp_path / "typo.sqlite"
    assert main(["task", "try", "slide", "--trials", "RUN", "--store", str(store)]) == 2
    assert f"there is no trial store at {store}: name one with --store" in capsys.readouterr().err
    assert not store.exists()
