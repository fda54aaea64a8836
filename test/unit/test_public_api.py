"""``import icpi_ros as icpi``: what a notebook or a program of somebody else's uses."""

import subprocess
import sys

import numpy as np
import pytest

import icpi_ros as icpi
from icpi_ros.cli.main import main
from icpi_ros.core.errors import InvalidValue, UnknownName, UsageError
from icpi_ros.improvers import IMPROVERS
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.tasks import TASKS

NAMES = [name for name in icpi.__all__ if name != "__version__"]
SLIDE = TASKS.get("slide")
HOSTILE = "<b>x</b>\x1b[2J"


def theta_of(run):
    return [trial.theta.tolist() for trial in run.trials]


# --- names -------------------------------------------------------------------------------------


def test_the_package_imports_nothing_heavy_until_a_name_is_used():
    code = (
        "import sys, icpi_ros; before = {'numpy', 'mujoco', 'pandas'} & set(sys.modules); "
        "names = dir(icpi_ros); icpi_ros.Run; print(sorted(before), 'numpy' in sys.modules, "
        "'pandas' in sys.modules, 'matplotlib' in sys.modules, 'improve' in names)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "[] True False False True"


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_there_and_documented(name):
    found = getattr(icpi, name)
    assert found.__name__ == name
    assert found.__doc__.strip()


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'improv'"):
        icpi.improv  # noqa: B018


# --- improve -----------------------------------------------------------------------------------


def test_a_run_in_a_notebook():
    run = icpi.improve("slide", seed=3, trials=6, progress=False)
    assert run.finished
    assert len(run.trials) == 6
    assert run.best.cost < 0.005
    frame = run.to_pandas()
    assert frame["trial"].tolist() == list(range(6))
    for column in ("theta_speed", "theta_heading", "goal_x", "error_x", "error_y", "cost"):
        assert np.isfinite(frame[column]).all(), column
    np.testing.assert_array_equal(frame["cost"], [trial.cost for trial in run.trials])
    assert run.plot()._repr_png_().startswith(b"\x89PNG")


def test_improve_is_the_run_of_the_command_line(tmp_path):
    path = tmp_path / "trials.sqlite"
    run = icpi.improve("roll-gc", seed=2, trials=3, noise=0.002, progress=False)
    words = ["run", "--task=roll-gc", "--seed=2", "--trials=3", "--noise=0.002", "--in-process"]
    assert main([*words, f"--store={path}"]) == 0
    with TrialStore(path) as store:
        (stored,) = store.runs()
        assert [trial.theta.tolist() for trial in store.trials(stored.run_id)] == theta_of(run)
        assert store.run(stored.run_id).execution == run.execution


def test_a_run_can_be_stored(tmp_path):
    with TrialStore(tmp_path / "trials.sqlite") as store:
        run = icpi.improve("slide", trials=2, storage=store, progress=False)
        assert [trial.cost for trial in store.trials(run.run_id)] == [t.cost for t in run.trials]


def test_a_run_with_another_arm_moves_that_arm():
    own, other = (
        icpi.improve("slide", improver="random", trials=1, arm=arm, progress=False)
        for arm in (None, "fr3")
    )
    assert (own.execution.arm, other.execution.arm) == ("ur5e", "fr3")


def test_the_bar_goes_to_standard_error(capsys):
    icpi.improve("slide", trials=2)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "2/2" in shown.err
    assert "best" in shown.err


@pytest.mark.parametrize(
    ("more", "error", "said"),
    [
        ({"task": "slid"}, UnknownName, "slide"),
        ({"improver": "embeded"}, UnknownName, "embedded"),
        ({"goal": (9, 9)}, InvalidValue, "goal x = 9 m is out of bounds"),
        ({"trials": 0}, InvalidValue, "1 to 1000"),
        ({"seed": -1}, InvalidValue, "seed"),
        ({"noise": -1.0}, InvalidValue, "noise"),
        ({"arm": "ur6"}, UnknownName, "ur5e"),
        ({"options": {"sigma": 1}}, UsageError, "sigma"),
    ],
)
def test_a_wrong_argument_is_refused_before_the_first_trial(more, error, said):
    given = {"task": "slide", "progress": False} | more
    with pytest.raises(error, match=said):
        icpi.improve(given.pop("task"), **given)


# --- ask and tell ------------------------------------------------------------------------------


def test_ask_and_tell_with_a_robot_of_one_s_own():
    run = icpi.Run("slide", improver="embedded", goal=(0.6, 0.42))
    while not run.finished:
        trial = run.ask()
        run.tell(icpi.rollout("slide", trial.theta, seed=5))
    assert len(run.trials) == 8
    assert run.best.cost < 0.01


def test_an_error_vector_is_enough():
    run = icpi.Run("slide", goal=(0.6, 0.42), trials=4)
    while not run.finished:
        path = icpi.rollout("slide", run.ask().theta, seed=5)
        told = run.tell(path.positions[-1][:2] - run.goal)
        assert told.trajectory is None
    of_error = {"features": "error"}  # a path tells embedded more
    by_path = icpi.Run("slide", goal=(0.6, 0.42), trials=4, options=of_error)
    while not by_path.finished:
        by_path.tell(icpi.rollout("slide", by_path.ask().theta, seed=5))
    np.testing.assert_allclose(theta_of(run), theta_of(by_path), atol=1e-9)


@pytest.mark.parametrize("told", [[1.0], 3.0, "near", [[0.1, 0.2]]])
def test_what_is_no_error_is_refused_and_the_trial_goes_on(told):
    run = icpi.Run("slide")
    run.ask()
    with pytest.raises(InvalidValue, match=r"2 numbers \(x \[m\], y \[m\]\)"):
        run.tell(told)
    assert run.tell([0.1, 0.2]).cost == pytest.approx(np.hypot(0.1, 0.2))


# --- rollout, data sets ------------------------------------------------------------------------


def test_rollouts_of_one_theta_and_of_several():
    one = icpi.rollout("slide", [1.0, 0.1], seed=4)
    several = icpi.rollout("slide", [[1.0, 0.1], [1.2, 0.0]], seed=4)
    assert isinstance(one, icpi.ObjectTrajectory)
    assert len(several) == 2
    np.testing.assert_allclose(several[0].positions, one.positions, atol=1e-12)
    physics = SLIDE.seeded_physics(4)
    np.testing.assert_array_equal(
        icpi.rollout(SLIDE, [1.0, 0.1], physics=physics).positions, one.positions
    )


@pytest.mark.parametrize(
    ("theta", "said"),
    [([9.0, 0.0], "speed = 9 m/s is out of bounds"), ([1.0], "needs 2 values"), ([], "needs 2")],
)
def test_a_rollout_of_what_is_not_allowed(theta, said):
    with pytest.raises(InvalidValue, match=said):
        icpi.rollout("slide", theta)


def test_physics_that_no_table_has_are_refused():
    with pytest.raises(InvalidValue, match="physics"):
        icpi.rollout("slide", [1.0, 0.1], physics=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])


def test_a_data_set_as_a_frame():
    dataset = icpi.load_dataset("slide")
    frame = dataset.to_pandas()
    assert len(frame) == len(dataset)
    np.testing.assert_array_equal(frame["theta_speed"], dataset.theta[:, 0])
    np.testing.assert_array_equal(frame["dtheta_heading"], dataset.dtheta[:, 1])


def test_without_pandas_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match="pip install pandas"):
        icpi.load_dataset("slide").to_pandas()
    with pytest.raises(UsageError, match="pip install pandas"):
        icpi.Run("slide").to_pandas()


# --- register ----------------------------------------------------------------------------------


class Stays(icpi.Improver):
    name, summary, needs_dataset = "stays", "proposes the last theta again", False

    def propose(self, history, rng):
        return icpi.Proposal(history[-1].theta, self.name)


def test_what_is_registered_is_found_by_its_name():
    assert icpi.register(Stays) is Stays
    try:
        run = icpi.improve("slide", improver="stays", trials=2, progress=False)
        assert run.trials[1].proposal.provenance == "stays"
        assert icpi.register(Stays) is Stays  # a cell of a notebook is run again

        class Other(Stays):
            pass

        with pytest.raises(UsageError, match="already registered"):
            icpi.register(Other)
    finally:
        IMPROVERS.forget("stays")


@pytest.mark.parametrize("part", [object(), 3, np.zeros(3), Stays.propose])
def test_what_is_no_part_is_refused(part):
    with pytest.raises(UsageError, match="no name"):
        icpi.register(part)


def test_what_has_a_name_and_is_no_part_is_refused():
    class Other:
        name = "other"

    with pytest.raises(UsageError, match="register a Task, an Arm or an Improver"):
        icpi.register(Other())


# --- how things look ---------------------------------------------------------------------------


def test_every_repr_is_one_line():
    run = icpi.improve("slide", trials=2, progress=False)
    trial = run.trials[-1]
    shown = [run, trial, trial.proposal, trial.trajectory, SLIDE, run.task.space]
    shown += [icpi.load_dataset("slide"), icpi.Run("slide")]
    for each in shown:
        assert "\n" not in repr(each), each
        assert len(repr(each)) < 400, each
        assert " object at 0x" not in repr(each), each


def test_tables_of_notebooks_escape_what_they_show():
    run = icpi.Run("slide", trials=1)
    run.ask()
    run.unobserved(HOSTILE)
    for shown in (run._repr_html_(), run.trials[0]._repr_html_()):
        assert "<table>" in shown
        assert "<b>x</b>" not in shown
        assert "\x1b" not in shown
    assert "&lt;b&gt;x&lt;/b&gt;" in run.trials[0]._repr_html_()


@pytest.mark.parametrize("part", ["task", "dataset"])
def test_tasks_and_data_sets_are_tables_in_notebooks(part):
    shown = (SLIDE if part == "task" else icpi.load_dataset("slide"))._repr_html_()
    assert "speed" in shown
    assert shown.count("<tr>") > 4


def test_a_task_that_raises_fails_the_run_with_the_reason(monkeypatch):
    def broken(*_):
        raise ValueError("oops\nin my task")

    monkeypatch.setattr("icpi_ros.runs.in_process.rollout", broken)
    run = icpi.improve("slide", trials=2, progress=False)
    assert run.state == "failed"
    assert "ValueError: oops in my task" in run.reason
    assert "oops" in repr(run)


def test_whole_numbers_of_numpy_are_whole_numbers():
    run = icpi.Run("slide", seed=np.int64(3), trials=np.int32(2))
    assert (run.config.seed, run.config.budget) == (3, 2)
    assert type(run.config.seed) is int
