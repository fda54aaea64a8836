"""A task in the world of another one, and the first trial of a run."""

import shlex
from functools import partial

import described
import numpy as np
import outsider
import pytest
from toy_task import TOY, ToyTask
from toy_task import rollout as toy_rollout

import icpi_ros
from icpi_ros.cli.main import main
from icpi_ros.core.errors import UnknownName, UsageError
from icpi_ros.robots import ARMS
from icpi_ros.ros.bringup.description import graph
from icpi_ros.runs.run import Run
from icpi_ros.runs.store.storage import MemoryStorage
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.sim.rollout import rollout
from icpi_ros.tasks import TASKS

SHOWN = np.array([1.1, 0.2])


class Shown(ToyTask):
    """The toy task with a demonstration."""

    @property
    def first_theta(self):
        return SHOWN


@pytest.fixture(autouse=True)
def _forgotten():
    with outsider.forgotten():
        yield


@pytest.fixture
def throw(tmp_path):
    return str(described.write(tmp_path))


def test_motions_are_carried_out_in_the_scene_and_the_physics_of_the_world(throw):
    run = icpi_ros.improve(
        throw, world="slide", improver="random", trials=2, seed=4, progress=False
    )
    slide = TASKS.get("slide")
    thetas = np.array([trial.theta for trial in run.trials])
    paths = rollout(slide, ARMS.get("ur5e"), slide.seeded_physics(4), thetas).trajectories
    expected = [run.task.cost(run.task.error(path, run.goal)) for path in paths]
    np.testing.assert_array_equal([trial.cost for trial in run.trials], expected)
    assert run.execution.world == "slide"
    path = icpi_ros.rollout(throw, thetas[0], world="slide", seed=4)
    np.testing.assert_array_equal(path.positions, paths[0].positions)


def test_a_function_that_simulates_says_that_there_is_no_scene(throw):
    for call in (icpi_ros.improve, partial(icpi_ros.rollout, theta=[1.0, 0.0])):
        with pytest.raises(UsageError, match=r"task throw has no scene"):
            call(throw)


def test_its_own_world_is_no_other_one():
    run = icpi_ros.improve("slide", world="slide", improver="random", trials=1, progress=False)
    alone = icpi_ros.improve("slide", improver="random", trials=1, progress=False)
    assert run.execution.world == alone.execution.world == ""
    assert run.trials[0].cost == alone.trials[0].cost


def test_a_run_goes_on_in_its_world_alone(tmp_path, throw, capsys):
    store = tmp_path / "t.sqlite"
    given = ["--in-process", "--improver", "random", "--trials", "2", "--store", str(store)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("icpi_ros.runs.in_process.observe", _interrupted)
        assert main(["run", "--task", throw, "--world", "slide", *given]) == 130
    command = capsys.readouterr().out.split("continue with: ")[1].strip()
    assert "--world slide" in command
    words = shlex.split(command)[1:]
    with outsider.forgotten():
        other = ["roll-gc" if word == "slide" else word for word in words]
        assert main(other) == 2
    refused = capsys.readouterr().err
    assert "in the world of slide" in refused
    assert "go on with --in-process --world slide and the same arm" in refused
    with outsider.forgotten():
        assert main(words) == 0


def test_a_run_without_a_data_set_says_so_and_so_does_the_one_that_goes_on(tmp_path, throw, capsys):
    store = str(tmp_path / "t.sqlite")
    given = ["--task", throw, "--world", "slide", "--in-process", "--store", store]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("icpi_ros.runs.in_process.observe", _interrupted)
        assert main(["run", *given, "--trials", "3"]) == 130
    said = "note: no data set of task throw: embedded learns from the run's own trials\n"
    begun = capsys.readouterr().out
    assert begun.count(said) == 1
    with outsider.forgotten():
        assert main(shlex.split(begun.split("continue with: ")[1])[1:]) == 0
    assert capsys.readouterr().out.count(said) == 1
    with TrialStore(store) as opened:
        (record,) = opened.runs()
        assert opened.trials(record.run_id)[2].proposal.details["belief_from_data"] == 0.0
    run = Run(throw, storage=MemoryStorage(), trials=2)
    run.close()
    again = Run.resume(run.storage, run.run_id)
    assert f"note: {run.remark}\n" == said
    assert run.remark in again.remark


def _interrupted(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (
            ["--world", "slide", "--attach"],
            "--world slide: with --attach the world is that of the g",
        ),
        (["--first", "random", "--attach"], "start it with first:=random"),
        (["--world", "slid", "--in-process"], "unknown task 'slid': choose one of"),
        (["--world", "rope-swing", "--in-process"], "cannot simulate rope-swing with ur5e"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(tmp_path, throw, capsys, more, text):
    given = ["run", "--task", throw, "--store", str(tmp_path / "t.sqlite"), "--improver", "random"]
    assert main([*given, *more]) == 2
    error = capsys.readouterr().err
    assert text in error
    assert len(error.splitlines()) == 1


def test_the_nodes_of_a_graph_that_need_the_world_have_it(throw):
    specs = {
        s.name: s for s in graph("sim", {"task": throw, "world": "slide", "physics": "0.2,0.3,0"})
    }
    for name in ("mujoco_arm", "perception", "policy_improver"):
        assert (specs[name].parameters["task"], specs[name].parameters["world"]) == (
            "throw",
            "slide",
        )
    assert specs["mujoco_arm"].parameters["physics"] == [0.2, 0.3, 0.0]
    assert "world" not in specs["executor"].parameters  # it knows nothing of it


def test_a_world_that_is_none_is_refused_before_a_node_starts(throw):
    with pytest.raises(UnknownName, match=r"unknown task 'slid': choose one of"):
        graph("sim", {"task": throw, "world": "slid"})
    with pytest.raises(UsageError, match="has no scene"):
        graph("sim", {"task": throw, "world": throw})


def first_of(task, **options):
    return Run(task, improver="random", trials=2, seed=1, **options)


def test_the_first_trial_is_the_demonstration_unless_it_should_be_random():
    np.testing.assert_array_equal(first_of(Shown()).ask().theta, SHOWN)
    random = first_of(Shown(), first="random").ask().theta
    np.testing.assert_array_equal(random, first_of(TOY).ask().theta)
    np.testing.assert_array_equal(random, first_of(TOY, first="demonstration").ask().theta)
    with pytest.raises(UsageError, match=r"first .*demonstration.*random"):
        first_of(TOY, first="second")


@pytest.mark.parametrize("first", ["demonstration", "random"])
def test_a_resumed_run_begins_as_it_was_asked_to(tmp_path, first):
    with TASKS.temporarily(TOY.name, Shown()), TrialStore(tmp_path / "t.sqlite") as store:
        run = first_of(Shown(), first=first, storage=store)
        expected = run.ask().theta
        run.close()
        run = Run.resume(store, run.run_id)
        assert run.config.first == first
        assert np.array_equal(expected, SHOWN) is (first == "demonstration")
        np.testing.assert_array_equal(run.ask().theta, expected)
        run.tell(toy_rollout(expected))
        assert run.ask().proposal.provenance == "random"
