"""`--arm`: the arm that is named is the one that is simulated, and examples are of one arm."""

import argparse
import json
import shlex
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from icpi_benchmarks.instances import draw_instance
from other_arms import long_arm, stick_arm

from icpi_ros.cli import arguments, commands
from icpi_ros.cli.main import main
from icpi_ros.core.errors import IcpiError, UsageError
from icpi_ros.evaluate import survey as survey_module
from icpi_ros.evaluate.physics import fit as fit_module
from icpi_ros.learn.dataset.dataset import load
from icpi_ros.learn.dataset.execution import arm_hash
from icpi_ros.learn.dataset.mixing import ArmId
from icpi_ros.robots import ARMS, argument_of, find_arm
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.runs import in_process as simulation
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import World
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.feasibility import simulated_feasibility
from icpi_ros.tasks.rope_swing import ROPE_SWING
from icpi_ros.tasks.slide import SLIDE


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A UR10e of the laboratory, as a YAML file."""
    return long_arm(tmp_path_factory.mktemp("arms"))


@pytest.fixture(scope="module")
def lab(file):
    return find_arm(str(file))


@pytest.fixture
def store(tmp_path):
    return tmp_path / "trials.sqlite"


def icpi(*words):
    return main([str(word) for word in words])


def run(store, *words, task="slide", improver="random", trials=2):
    given = ("--task", task, "--improver", improver, "--trials", trials, "--store", store)
    return icpi("run", "--in-process", *given, *words)


def stored(path):
    """Return the record and the trials of the only run."""
    with TrialStore(path) as store:
        (run,) = store.runs()
        return store.run(run.run_id), store.trials(run.run_id), store.executions(run.run_id)


def refused(capsys, *words):
    """Return the one line with which a command is refused."""
    capsys.readouterr()
    assert icpi(*words) == 2
    said = capsys.readouterr().err
    assert said.startswith("icpi: error: "), said
    assert len(said.splitlines()) == 1
    return said


# --- the arm that is named is the one that is simulated ------------------------------------------


def test_a_run_in_process_is_executed_by_the_arm_of_a_file(file, lab, store):
    assert run(store, "--arm", file) == 0
    record, trials, ways = stored(store)
    assert (record.execution.arm, record.execution.arm_hash) == (lab.name, arm_hash(lab))
    assert set(ways) == {record.execution}
    thetas, physics = np.stack([trial.theta for trial in trials]), SLIDE.seeded_physics(0)
    theirs, others = (rollout(SLIDE, arm, physics, thetas).trajectories for arm in (lab, UR5E))
    for trial, path, other in zip(trials, theirs, others, strict=True):
        np.testing.assert_array_equal(trial.trajectory.positions, path.positions)
        assert not np.array_equal(trial.trajectory.positions[-1], other.positions[-1])


def test_the_stored_arm_is_taken_from_the_task_where_none_is_named(store):
    assert run(store) == 0
    assert stored(store)[0].execution.arm == "ur5e"


def test_a_rope_hangs_from_another_arm(tmp_path, store):
    file = stick_arm(tmp_path)
    stick, own = find_arm(str(file)), ARMS.get("ur5e_stick")
    physics, thetas = ROPE_SWING.seeded_physics(0), np.array([[2.0, -1.8, -1.5]])
    theirs, built_in = (
        rollout(ROPE_SWING, arm, physics, thetas).trajectories[0] for arm in (stick, own)
    )
    np.testing.assert_allclose(theirs.positions, built_in.positions, atol=0.01)
    assert not np.array_equal(theirs.positions, built_in.positions)
    assert run(store, "--arm", file, task="rope-swing", trials=1) == 0
    assert stored(store)[0].execution.arm == "lab_stick"


def test_an_arm_that_has_no_model_for_a_scene_is_refused():
    with pytest.raises(UsageError, match=r"slide with ur5e_stick: that arm is only in its own"):
        World(SLIDE, ARMS.get("ur5e_stick"), SLIDE.seeded_physics(0))
    with pytest.raises(UsageError, match=r"rope-swing with ur5e: "):
        World(ROPE_SWING, UR5E, ROPE_SWING.seeded_physics(0))


@pytest.mark.slow
def test_a_weak_arm_executes_what_it_can_alone(store):
    """Half of the strikes are too fast for it."""
    fr3 = ARMS.get("fr3")
    assert run(store, "--arm", "fr3", trials=4) == 0
    why_not = simulated_feasibility(SLIDE, fr3)
    assert [why_not(trial.theta) for trial in stored(store)[1]] == [None] * 4


@pytest.mark.slow
def test_a_data_set_of_a_weak_arm_has_what_it_can_execute_alone(tmp_path):
    out = tmp_path / "set.parquet"
    sizes = ("--examples", 8, "--draws", 2, "--label", "hindsight", "--k", 1, "--workers", 1)
    icpi("dataset", "build", "--task", "slide", "--arm", "fr3", *sizes, "--out", out)
    found, why_not = load(out, SLIDE), simulated_feasibility(SLIDE, ARMS.get("fr3"))
    thetas = np.vstack([found.theta, found.theta + found.dtheta])
    assert [why_not(theta) for theta in thetas] == [None] * len(thetas)
    assert found.provenance["counts"]["dropped"] > 0


@pytest.mark.slow
def test_a_task_is_measured_with_the_arm(file, capsys, monkeypatch):
    small = partial(survey_module.SurveyPlan, samples=8, local=2, line=5)
    monkeypatch.setattr("icpi_ros.cli.task.SurveyPlan", small)
    given = ("task", "describe", "rope-swing", "--draws", 1)
    assert icpi("task", "describe", "slide", "--quick", "--arm", file) == 0
    assert "arm: lab_ur10e (the task is made for ur5e)" in capsys.readouterr().out
    folder = file.parent
    assert icpi(*given) == 0
    own = capsys.readouterr().out.splitlines()
    assert icpi(*given, "--arm", stick_arm(folder, lift=-66.0)) == 0
    theirs = capsys.readouterr().out.splitlines()
    assert len(own) == len(theirs)
    rows = [b for a, b in zip(own, theirs, strict=True) if a != b]
    assert rows[0].startswith("arm: lab_stick")
    assert any("first-attempt cost" in row for row in rows)


@pytest.mark.slow
def test_a_benchmark_is_played_by_the_arm(lab, file, tmp_path):
    out = tmp_path / "bench.json"
    sizes = ("--tasks", "slide", "--instances", 1, "--trials", 2, "--workers", 1, "--json", out)
    assert icpi("bench", "--improvers", "random", "--arm", file, *sizes) == 0
    found = json.loads(out.read_text())
    assert found["config"]["arms"] == {"slide": {"name": lab.name, "hash": arm_hash(lab)}}
    assert f"--arm {file}" in found["config"]["command"]
    instance = draw_instance(SLIDE, "test", 0, 0)
    costs = []
    for arm in (lab, UR5E):
        (path,) = rollout(SLIDE, arm, instance.physics, instance.theta[np.newaxis]).trajectories
        costs.append(SLIDE.cost(SLIDE.error(path, instance.goal)))
    assert found["rows"][0]["cost"] == costs[0] != costs[1]


@pytest.mark.slow
def test_speed_is_measured_with_the_arm(file, tmp_path):
    out = tmp_path / "sim.json"
    sizes = ("--tasks", "slide", "--rollouts", 2, "--repeats", 1, "--threads", 1, "--json", out)
    assert icpi("bench-sim", "--arm", file, *sizes) == 0
    assert [row["arm"] for row in json.loads(out.read_text())] == ["lab_ur10e"]


@pytest.mark.parametrize("command", ["demo", "bench graph"])
def test_the_graph_is_started_with_the_arm(command, file, store, monkeypatch):
    """What would be executed, without the graph."""
    from icpi_benchmarks.cli import graph as bench_graph

    from icpi_ros.cli import demo

    plans = []

    def stop(*args):
        plans.append(args[-2])
        raise IcpiError("far enough")

    monkeypatch.setattr("icpi_ros.cli.run.through_graph", lambda *args: stop(*args[:3]))
    monkeypatch.setattr(bench_graph, "measure", stop)
    module = {"demo": demo, "bench graph": bench_graph}[command]
    parser = argparse.ArgumentParser()
    commands.COMMANDS[command].add_options(parser)
    words = ["--arm", str(file)]
    words += ["--mix", "--store", str(store)] if command == "demo" else []
    with pytest.raises(IcpiError, match="far enough"):
        module.run(parser.parse_args(words))
    assert plans[0].arm.name == "lab_ur10e"


def test_a_prompt_shows_trials_of_the_arm(file, capsys):
    given = ("prompt", "--task", "slide", "--seed", 3)
    assert "lab_ur10e" in refused(capsys, *given, "--arm", file)
    shown = []
    for words in ((), ("--arm", file, "--mix")):
        assert icpi(*given, "--improver", "llm", "--option", "digits=6", *words) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] != shown[1]


# --- what cannot be done is said before anything starts ------------------------------------------

COMMANDS = (
    "run --task slide --in-process",
    "run --task slide",
    "demo",
    "dataset build --task slide --out {out}",
    "task describe slide",
    "bench --tasks slide --improvers random",
    "bench-sim --tasks slide",
    "bench-graph",
    "bench-pixels --tasks slide",
    "prompt --task slide",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_bad_arm_is_one_line_before_anything_starts(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ICPI_STORE", str(tmp_path / "trials.sqlite"))
    bad = tmp_path / "bad.yaml"
    bad.write_text("name: bad\n")
    words = command.format(out=tmp_path / "set.parquet").split()
    told = {
        "tentacle": "unknown arm 'tentacle'",
        str(tmp_path / "none.yaml"): "none.yaml",
        str(bad): "bad.yaml",
        "ur5e_stick": "cannot simulate slide with ur5e_stick",
    }
    for arm, what in told.items():
        assert what in refused(capsys, *words, "--arm", arm)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"]


def test_the_arm_of_an_attached_graph_is_its_own(file, store, capsys):
    given = ("run", "--attach", "--task", "slide", "--store", store)
    assert "the arm is that of the graph" in refused(capsys, *given, "--arm", file)
    assert "mix:=true" in refused(capsys, *given, "--mix")


# --- examples of one arm -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab_set(file, tmp_path_factory):
    """Hindsight examples of the laboratory's arm."""
    out = tmp_path_factory.mktemp("sets") / "lab.parquet"
    sizes = ("--examples", 24, "--draws", 2, "--label", "hindsight", "--workers", 1, "--seed", 4)
    given = ("dataset", "build", "--task", "slide", *sizes)
    assert icpi(*given, "--arm", file, "--out", out) == 0
    assert icpi(*given, "--out", out.with_name("own.parquet")) == 0
    return out


@pytest.mark.slow
def test_a_data_set_carries_its_arm(lab, lab_set, capsys):
    theirs, own = load(lab_set, SLIDE), load(lab_set.with_name("own.parquet"), SLIDE)
    assert theirs.arms == (ArmId(lab.name, arm_hash(lab)),)
    assert own.arms == (ArmId("ur5e", arm_hash(UR5E)),)
    np.testing.assert_array_equal(theirs.theta, own.theta)
    assert not np.array_equal(theirs.error, own.error)
    assert theirs.provenance["command"].endswith(" --arm lab_ur10e.yaml")
    assert "--arm" not in own.provenance["command"]
    assert icpi("dataset", "show", lab_set) == 0
    assert f"arm: lab_ur10e (description {arm_hash(lab)})" in capsys.readouterr().out


def test_a_broken_build_does_not_go_on_with_another_arm(file, tmp_path, monkeypatch, capsys):
    from icpi_ros.learn.building import build as build_module

    def killed(*args, **options):
        raise KeyboardInterrupt

    given = ("--task", "slide", "--examples", 20, "--draws", 2, "--label", "hindsight")
    given = ("dataset", "build", *given, "--workers", 1, "--out", tmp_path / "set.parquet")
    monkeypatch.setattr(build_module, "label_draw", killed)
    assert icpi(*given) == 130
    assert "arm" in refused(capsys, *given, "--arm", file)


@pytest.mark.slow
def test_examples_of_another_arm_are_refused_and_mixing_is_recorded(
    file, lab, lab_set, store, capsys
):
    given = ("run", "--in-process", "--task", "slide", "--improver", "ridge", "--trials", 2)
    given += ("--store", store)
    ours = f"of arm {lab.name} (description {arm_hash(lab)})"
    told = refused(capsys, *given, "--dataset", lab_set)
    assert f"the data set is {ours}, not of ur5e (description {arm_hash(UR5E)})" in told
    told = refused(capsys, *given, "--arm", file)
    assert f"the data set is of arm ur5e, not of {ArmId.of(lab)}" in told
    assert not store.exists()

    assert icpi(*given, "--arm", file, "--dataset", lab_set) == 0
    assert stored(store)[0].config.dataset_arm == ""
    store.unlink()
    assert icpi(*given, "--dataset", lab_set, "--mix") == 0
    assert f"note: the data set is {ours}" in capsys.readouterr().out
    record = stored(store)[0]
    assert record.config.dataset_arm == str(ArmId.of(lab))
    assert icpi("report", record.run_id, "--store", store) == 0
    assert f"data set of another arm on purpose: {ArmId.of(lab)}" in capsys.readouterr().out


def test_the_shipped_sets_are_of_the_arms_of_their_tasks():
    from icpi_ros.learn.dataset.dataset import shipped

    for name in TASKS.built_in:
        task = TASKS.get(name)
        assert [made_by.name for made_by in shipped(task).arms] == [task.arm]


@pytest.mark.slow
def test_a_benchmark_learns_from_its_own_arm(file, lab_set, tmp_path, capsys):
    given = ("bench", "--tasks", "slide", "--improvers", "ridge", "--instances", 1, "--trials", 2)
    given += ("--workers", 1, "--json", tmp_path / "bench.json", "--arm", file)
    assert "the data set is of arm ur5e, not of lab_ur10e" in refused(capsys, *given)
    assert list(tmp_path.iterdir()) == []
    assert icpi(*given, "--dataset", lab_set) == 0
    assert json.loads((tmp_path / "bench.json").read_text())["config"]["mixed"] == {}
    other = (*given[:-3], tmp_path / "mixed.json", *given[-2:], "--mix")
    capsys.readouterr()
    assert icpi(*other) == 0
    told = "mixed on purpose: slide with examples of ur5e"
    assert told in capsys.readouterr().out
    assert icpi("report", tmp_path / "mixed.json", "--html", tmp_path / "page.html") == 0
    assert told in (tmp_path / "page.html").read_text()
    config = json.loads((tmp_path / "mixed.json").read_text())["config"]
    assert config["mixed"] == {"slide": "ur5e"}


# --- resume --------------------------------------------------------------------------------------


@pytest.fixture
def broken(file, store, monkeypatch, capsys):
    """Return what makes a run with an arm that stops before its second trial."""

    def make(arm):
        true, calls = simulation.rollout, []

        def once(*args, **options):
            calls.append(args)
            if len(calls) == 2:
                raise IcpiError("not today")
            return true(*args, **options)

        with monkeypatch.context() as patch:
            patch.setattr("icpi_ros.runs.in_process.rollout", once)
            assert run(store, "--arm", arm, trials=3) == 1
        text = capsys.readouterr().out
        return shlex.split(text.split("continue with: ", 1)[1].splitlines()[0])[1:]

    return make


def test_the_printed_command_keeps_the_arm(broken, file, store, capsys):
    command = broken(file)
    assert command[command.index("--arm") + 1] == str(file.absolute())
    bare = [word for n, word in enumerate(command) if "--arm" not in command[max(n - 1, 0) : n + 1]]
    told = refused(capsys, *bare)
    assert "was executed with lab_ur10e" in told
    assert "give that file with --arm" in told
    assert "with lab_ur10e; this would continue it" in refused(capsys, *bare, "--arm", "ur5e")
    assert icpi(*command) == 0
    record, _, ways = stored(store)
    assert (record.state, set(ways)) == ("finished", {record.execution})


@pytest.mark.slow
def test_a_resumed_run_keeps_an_arm_of_the_package_by_itself(broken, store):
    command = broken("fr3")
    at = command.index("--arm")
    assert command[at + 1] == "fr3"
    assert icpi(*command[:at], *command[at + 2 :]) == 0
    assert {way.arm for way in stored(store)[2]} == {"fr3"}


# --- calibration ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_physics_are_calibrated_with_the_arm_that_executed(
    file, lab, store, tmp_path, monkeypatch, capsys
):
    assert run(store, "--arm", file, trials=1) == 0
    run_id = stored(store)[0].run_id
    given = ("calibrate", "physics", "--run", run_id, "--store", store)
    assert "give that file with --arm" in refused(capsys, *given)
    told = refused(capsys, *given, "--arm", "ur5e")
    assert f"was executed with {ArmId.of(lab)}, not with {ArmId.of(UR5E)}" in told
    arms, true = [], fit_module.fit

    def kept(task, arm, trials, seed, **more):
        arms.append(arm.name)
        return true(task, arm, trials, seed, fit_module.FitEffort(2, 1, 1, 1), **more)

    monkeypatch.setattr("icpi_ros.cli.calibrate_physics.fit", kept)
    out = tmp_path / "physics.yaml"
    assert icpi(*given, "--arm", file, "--out", out) == 0
    assert icpi(*given, "--arm", "ur5e", "--mix") == 0
    assert arms == ["lab_ur10e", "ur5e"]
    assert "simulated with lab_ur10e" in out.read_text()
    assert "arm:=" in capsys.readouterr().out


# --- the argument itself -------------------------------------------------------------------------


def test_an_arm_is_named_so_that_it_is_found_again(lab, file):
    assert argument_of(ARMS.get("fr3")) == "fr3"
    assert argument_of(lab) == str(file.absolute())
    assert arguments.arm_argument(UR5E, SLIDE) == ""
    assert arguments.arm_argument(lab, SLIDE) == str(file.absolute())


def test_recorded_arms_decide_unless_another_is_named(lab, file):
    known = (ArmId.of(lab),)
    assert arguments.same_arm(str(file), SLIDE, known, "run 1", mix=False).name == lab.name
    assert arguments.same_arm(None, SLIDE, (), "run 1", mix=False) is UR5E
    assert arguments.same_arm(None, SLIDE, (ArmId("fr3"),), "run 1", mix=False).name == "fr3"
    other = replace(known[0], hash="0123")
    with pytest.raises(UsageError, match=r"lab_ur10e \(description 0123\), not with lab_ur10e"):
        arguments.same_arm(str(file), SLIDE, (other,), "run 1", mix=False)
