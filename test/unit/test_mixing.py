"""Runs, bags and files of several arms or backends: refused with both named, or on purpose."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow.parquet as pq
import pytest
from bag_data import START, make, write
from bench_data import results_of
from icpi_benchmarks.results import Results
from icpi_benchmarks.results import write as write_results
from pushing_task import PUSHING, closed_form
from run_bag import messages, simulate
from toy_task import TOY, toy_dataset

from icpi_ros.bags.reader import Bag
from icpi_ros.bags.topics import PARAMETERS
from icpi_ros.cli.main import main
from icpi_ros.core.errors import DatasetError, UsageError
from icpi_ros.core.types import Proposal, Trial, TrialStatus
from icpi_ros.evaluate.dataset_from_bags import import_bags
from icpi_ros.evaluate.dataset_from_runs import import_runs
from icpi_ros.evaluate.evaluation import evaluate
from icpi_ros.evaluate.physics.recorded_trials import from_bag, from_store
from icpi_ros.evaluate.request import EvaluationRequest
from icpi_ros.learn.dataset.dataset import check_arm, load, save, shipped
from icpi_ros.learn.dataset.execution import Backend, Execution
from icpi_ros.learn.dataset.joining import together
from icpi_ros.learn.dataset.mixing import ArmId, distinct, two_arms, two_ways
from icpi_ros.runs.run import Run
from icpi_ros.runs.store.store import RunConfig, TrialStore
from icpi_ros.tasks import TASKS

UR5E, LAB = ArmId("ur5e", "aaaa"), ArmId("lab", "bbbb")
SIMULATED = Execution(Backend.SIMULATED, UR5E.name, UR5E.hash)
REAL = Execution(Backend.REAL, UR5E.name, UR5E.hash)
ON_LAB = Execution(Backend.SIMULATED, LAB.name, LAB.hash)


@pytest.fixture(autouse=True)
def registered():
    """Register the toys for one test only."""
    with TASKS.temporarily(TOY.name, TOY), TASKS.temporarily(PUSHING.name, PUSHING):
        yield


@pytest.fixture
def store(tmp_path):
    with TrialStore(tmp_path / "trials.sqlite") as opened:
        yield opened


def add_run(store, *ways):
    """Store a run of one finished trial per way of execution."""
    config = RunConfig(PUSHING.name, "random", (0.6, 0.42), 9)
    run_id = store.create_run(config, ways[0])
    rng = np.random.default_rng(len(store.runs()))
    for number, way in enumerate(ways):
        theta = PUSHING.space.sample(rng)
        (path,) = closed_form(PUSHING, None, np.array([0.6]), theta[np.newaxis]).trajectories
        error = PUSHING.error(path, PUSHING.default_goal)
        proposal, cost = Proposal(theta, "random"), PUSHING.cost(error)
        store.begin_trial(run_id, number, theta, proposal, False, way)
        done = Trial(number, theta, proposal, status=TrialStatus.DONE, error=error, cost=cost,
                     best_cost=cost, trajectory=path)  # fmt: skip
        store.finish_trial(run_id, done)
    store.release(run_id)
    return run_id


def mixed_run(store):
    """Store a run that was continued with another arm on purpose."""
    run_id = add_run(store, SIMULATED, ON_LAB)
    store.note_mix(run_id, f"from trial 1 {ON_LAB} (before that {SIMULATED})")
    store.release(run_id)
    return run_id


def icpi(*words):
    return main([str(word) for word in words])


# --- what differs --------------------------------------------------------------------------------


def test_what_is_unknown_differs_from_nothing():
    assert UR5E.differs(LAB)
    assert UR5E.differs(replace(UR5E, hash="cccc"))
    assert not UR5E.differs(ArmId("ur5e"))
    assert not UR5E.differs(ArmId())
    assert two_arms([UR5E, ArmId(), LAB]) == (UR5E, LAB)
    assert two_arms([UR5E, ArmId("ur5e"), ArmId()]) is None
    assert distinct([ArmId("ur5e"), UR5E, ArmId(), UR5E, LAB]) == (UR5E, LAB)
    assert two_ways([("a", SIMULATED), ("b", Execution()), ("c", replace(REAL))]) == (
        "a in a simulation, in a graph with ur5e and c on the real graph with ur5e"
    )
    assert two_ways([("a", SIMULATED), ("b", replace(SIMULATED, namespace="/b"))]) == ""
    other = replace(SIMULATED, arm_hash="cccc")
    assert "(description aaaa) and b " in two_ways([("a", SIMULATED), ("b", other)])


# --- data sets -----------------------------------------------------------------------------------


def test_a_data_set_says_of_which_arms_it_is(tmp_path):
    data = replace(toy_dataset(), arms=(UR5E, LAB))
    save(data, tmp_path / "set.parquet", TOY)
    assert load(tmp_path / "set.parquet", TOY).arms == (UR5E, LAB)
    with pytest.raises(DatasetError, match=r"of arm lab \(description bbbb\), not of ur5e \(desc"):
        check_arm(data, UR5E)
    assert check_arm(data, UR5E, mix=True) == "lab (description bbbb)"


@pytest.mark.parametrize(
    ("provenance", "arms"),
    [({}, ()), ({"arm": "ur5e"}, (ArmId("ur5e"),)), ({"arm": 3}, ()), ({"arm": ""}, ())],
)
def test_a_file_that_does_not_say_it_is_of_the_arm_in_its_provenance(tmp_path, provenance, arms):
    path = tmp_path / "set.parquet"
    save(replace(toy_dataset(), provenance=provenance), path, TOY)
    assert b"icpi.arms" not in pq.read_schema(path).metadata
    assert load(path, TOY).arms == arms


@pytest.mark.parametrize("text", ["[", "3", "[3]", '[{"hash": "a"}]'])
def test_damaged_arms_are_one_line(tmp_path, text):
    path = tmp_path / "set.parquet"
    save(toy_dataset(), path, TOY)
    table = pq.read_table(path)
    changed = table.schema.metadata | {b"icpi.arms": text.encode()}
    pq.write_table(table.replace_schema_metadata(changed), path)
    with pytest.raises(DatasetError, match=r"metadata icpi\.arms is damaged"):
        load(path, TOY)


def test_a_run_refuses_examples_of_another_arm(store):
    data = replace(toy_dataset(), arms=(LAB,))
    new = partial(Run, TOY, improver="ridge", dataset=data, trials=3, seed=1, storage=store)
    with pytest.raises(DatasetError, match="of arm lab"):
        new(execution=SIMULATED)
    assert store.runs() == []
    assert new(execution=ON_LAB).config.dataset_arm == ""
    assert new().config.dataset_arm == ""  # its arm is not known
    mixed = new(execution=SIMULATED, mix=True)
    assert store.run(mixed.run_id).config.dataset_arm == str(LAB)
    assert Run(TOY, improver="random", trials=3, seed=1, storage=store, execution=SIMULATED)


def test_a_run_that_was_mixed_is_resumed_without_being_asked_again(store):
    data = replace(toy_dataset(), arms=(LAB,))
    run = Run(
        TOY,
        improver="ridge",
        dataset=data,
        trials=3,
        seed=1,
        storage=store,
        execution=SIMULATED,
        mix=True,
    )
    run.close()
    again = Run.resume(store, run.run_id, dataset=data, execution=SIMULATED)
    assert again.config.dataset_arm == str(LAB)


# --- import --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (ON_LAB, "in a graph with ur5e and run {} in a simulation, in a graph with lab"),
        (REAL, "in a graph with ur5e and run {} on the real graph with ur5e"),
    ],
)
def test_runs_of_two_arms_or_backends_are_no_data_set(store, second, told):
    first = add_run(store, SIMULATED, SIMULATED)
    other = add_run(store, second, second)
    with pytest.raises(DatasetError) as caught:
        import_runs(store, PUSHING)
    assert f"run {first} in a simulation, {told.format(other)}" in str(caught.value)
    assert "--mix" in str(caught.value)
    assert import_runs(store, PUSHING, [other]).dataset.arms == (ArmId.of_way(second),)
    data = import_runs(store, PUSHING, mix=True).dataset
    assert data.provenance["mixed"] in str(caught.value)
    assert data.arms == distinct([UR5E, ArmId.of_way(second)])


def test_a_mixed_run_is_imported_on_purpose_alone(store):
    run_id = mixed_run(store)
    with pytest.raises(DatasetError, match="several arms or backends"):
        import_runs(store, PUSHING, [run_id])
    data = import_runs(store, PUSHING, [run_id], mix=True).dataset
    assert data.arms == (UR5E, LAB)
    assert "with lab" in data.provenance["mixed"]


def test_known_examples_of_another_arm_are_not_put_in_front(store):
    run_id = add_run(store, ON_LAB, ON_LAB)
    added = import_runs(store, PUSHING, [run_id]).dataset
    known = replace(added, arms=(UR5E,))
    with pytest.raises(DatasetError, match=r"examples of ur5e \(.*\) and of lab \(.*\); leave out"):
        together(known, added, PUSHING)
    both = together(known, added, PUSHING, mix=True)
    assert both.arms == (UR5E, LAB)
    assert both.provenance["mixed"].startswith("examples of ur5e")
    assert together(replace(known, arms=()), added, PUSHING).arms == (LAB,)


def test_import_from_the_command_line(store, tmp_path, capsys):
    add_run(store, SIMULATED, SIMULATED)
    add_run(store, ON_LAB, ON_LAB)
    out = tmp_path / "set.parquet"
    given = ("dataset", "import", "--task", PUSHING.name, "--store", store.path, "--out", out)
    assert icpi(*given) == 2
    assert "with ur5e and run " in capsys.readouterr().err
    assert not out.exists()
    assert icpi(*given, "--mix") == 0
    assert load(out, PUSHING).arms == (UR5E, LAB)


# --- bags ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("run"), improver="random", trials=3)


def bag(folder, run, run_id=None, **parameters):
    """Write a bag of a run, with parameters of the node that proposed."""
    content = {"node": "/policy_improver", "parameters": parameters}
    told = make("std_msgs/msg/String", data=json.dumps(content))
    first = (f"/{PARAMETERS}", "String", START - 1, told)
    return Bag(write(folder, [first, *messages(run, run_id=run_id)]))


def test_bags_of_two_arms_or_backends_are_no_data_set(recorded, tmp_path):
    ours = bag(tmp_path / "a", recorded, "one", arm="", backend="simulated_graph")
    theirs = bag(tmp_path / "b", recorded, "two", arm="fr3", backend="simulated_graph")
    real = bag(tmp_path / "c", recorded, "three", arm="ur5e", backend="real_graph")
    for other, told in ((theirs, "two .* with fr3"), (real, "three on the real graph")):
        with pytest.raises(DatasetError, match=rf"run one .* with ur5e and run {told}"):
            import_bags([ours, other], recorded.task)
    data = import_bags([ours, theirs], recorded.task, mix=True).dataset
    assert data.arms == (ArmId("ur5e"), ArmId("fr3"))
    assert "with fr3" in data.provenance["mixed"]
    assert import_bags([theirs], recorded.task).dataset.arms == (ArmId("fr3"),)


def test_a_bag_that_does_not_say_its_arm_is_of_none(recorded, tmp_path):
    silent = Bag(write(tmp_path / "a", messages(recorded)))
    assert import_bags([silent], recorded.task).dataset.arms == ()
    assert from_bag(tmp_path / "a").arms == ()


def test_an_arm_whose_file_is_gone_is_another_one_than_ours(recorded, tmp_path):
    gone = bag(tmp_path / "a", recorded, "two", arm=str(tmp_path / "gone.yaml"), backend="other")
    ours = bag(tmp_path / "b", recorded, "one", arm="", backend="other")
    assert import_bags([gone], recorded.task).dataset.arms == (ArmId("gone"),)
    assert from_bag(tmp_path / "a").arms == (ArmId("gone"),)
    with pytest.raises(DatasetError, match=r"run one .* with ur5e and run two .* with gone"):
        import_bags([ours, gone], recorded.task)
    with pytest.raises(DatasetError, match="the data set is of arm ur5e, not of gone"):
        evaluate(gone, EvaluationRequest(improvers=("random",)))


def test_an_offline_comparison_is_with_the_recorded_arm(recorded, tmp_path):
    told = bag(tmp_path / "a", recorded, arm="fr3", backend="real_graph")
    with pytest.raises(DatasetError, match="the data set is of arm ur5e, not of fr3"):
        evaluate(told, EvaluationRequest(improvers=("random",)))
    own = replace(shipped(recorded.task), arms=(ArmId("fr3"),))
    assert not any(
        "mixed" in line for line in evaluate(told, EvaluationRequest(dataset=own)).skipped
    )
    found = evaluate(told, EvaluationRequest(improvers=("random",), mix=True))
    assert "mixed on purpose: examples of ur5e, trials of fr3" in found.skipped
    meant = bag(tmp_path / "b", recorded, arm="fr3", mix=True)
    assert evaluate(meant, EvaluationRequest(improvers=("random",))).runs
    assert from_bag(tmp_path / "a").arms == (ArmId("fr3"),)


def test_another_arm_than_the_recorded_one_is_named(recorded, tmp_path, capsys):
    bag(tmp_path / "a", recorded, arm="ur5e", backend="real_graph")
    given = ("replay", tmp_path / "a", "--improver", "random")
    assert icpi(*given, "--arm", "fr3") == 2
    assert "recorded with ur5e, asked with fr3" in capsys.readouterr().err
    assert icpi(*given, "--arm", "ur5e") == 0
    assert icpi(*given, "--arm", "fr3", "--mix") == 0
    assert "mixed on purpose" in capsys.readouterr().out


# --- calibration ---------------------------------------------------------------------------------


def test_a_mixed_run_is_a_recording_on_purpose_alone(store):
    run_id = mixed_run(store)
    with pytest.raises(UsageError, match="several arms or backends"):
        from_store(store, run_id)
    found = from_store(store, run_id, mix=True)
    assert found.arms == (UR5E, LAB)
    assert "mixed on purpose: from trial 1" in found.source
    assert from_store(store, add_run(store, REAL, REAL)).arms == (UR5E,)


# --- reports -------------------------------------------------------------------------------------


@pytest.mark.parametrize("second", [ON_LAB, REAL])
def test_a_report_does_not_compare_two_arms_or_backends(store, second, tmp_path, capsys):
    ids = [add_run(store, way, way) for way in (SIMULATED, second)]
    given = ("report", *ids, "--store", store.path)
    assert icpi(*given) == 2
    said = capsys.readouterr().err
    assert f"run {ids[0]} {SIMULATED} and run {ids[1]} {second}" in said
    assert len(said.splitlines()) == 1
    table = tmp_path / "trials.csv"
    assert icpi(*given, "--mix") == 0
    assert f"mixed on purpose: run {ids[0]}" in capsys.readouterr().out
    assert icpi(*given, "--mix", "--csv", table) == 0
    assert len(table.read_text().splitlines()) == 1 + 4


def test_a_report_compares_runs_of_one_arm(store, tmp_path, capsys):
    ids = [add_run(store, SIMULATED, SIMULATED), add_run(store, Execution(), Execution())]
    given = ("report", *ids, "--store", store.path)
    assert icpi(*given) == 0
    shown = capsys.readouterr().out
    assert all(f"run {run_id}: toy-push" in shown for run_id in ids)
    assert "mixed" not in shown
    assert icpi(*given, "--html", tmp_path / "page.html") == 2
    assert "--html and --png show one run" in capsys.readouterr().err


def test_a_report_of_a_mixed_run_is_made_on_purpose_alone(store, tmp_path, capsys):
    run_id = mixed_run(store)
    given = ("report", run_id, "--store", store.path)
    assert icpi(*given) == 2
    assert "from trial 1 in a simulation, in a graph with lab (before that" in (
        capsys.readouterr().err
    )
    page = tmp_path / "page.html"
    assert icpi(*given, "--mix", "--html", page) == 0
    assert "mixed on purpose: from trial 1" in page.read_text()
    assert icpi(*given, "--mix") == 0
    assert "! mixed on purpose: from trial 1" in capsys.readouterr().out
    other = add_run(store, SIMULATED)
    assert icpi("report", run_id, other, "--store", store.path) == 2
    assert f"run {run_id} itself" in capsys.readouterr().err


def bench_file(path, arm=None):
    results = results_of({"embedded": [[0.3, 0.1]], "random": [[0.3, 0.2]]})
    arms = {} if arm is None else {"arms": {"slide": {"name": arm.name, "hash": arm.hash}}}
    write_results(Results(results.config | arms, results.instances, results.rows), path)
    return path


def test_results_of_two_arms_are_not_compared(tmp_path, capsys):
    ours, theirs = bench_file(tmp_path / "a.json", UR5E), bench_file(tmp_path / "b.json", LAB)
    assert icpi("report", ours, theirs) == 2
    said = capsys.readouterr().err
    assert f"slide with {UR5E} in {ours} and with {LAB} in {theirs}" in said
    assert icpi("report", ours, theirs, "--mix") == 0
    assert f"mixed on purpose: slide with {UR5E}" in capsys.readouterr().out
    older = bench_file(tmp_path / "c.json")
    assert icpi("report", ours, older) == 0
    assert icpi("report", ours, "20261121-091500-slide-3f2a") == 2
    assert "give several of one kind" in capsys.readouterr().err
