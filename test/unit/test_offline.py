"""A bag evaluated without a graph: the same trials, the same proposals, honest outcomes."""

import json
from dataclasses import replace

import numpy as np
import pytest
from bag_data import SECOND, START, make, run_messages, write
from run_bag import messages, run_bag, simulate

from icpi_ros.bags.reader import Bag
from icpi_ros.cli.main import main
from icpi_ros.evaluate.evaluation import evaluate
from icpi_ros.evaluate.proposals import RecordedRunProposer
from icpi_ros.evaluate.recorded_runs import RecordedRun
from icpi_ros.evaluate.request import EvaluationRequest
from icpi_ros.runs.setup import MAX_BUDGET
from icpi_ros.tasks import TASKS

IMPROVER = "ridge-hindsight"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return simulate(tmp_path_factory.mktemp("run"), improver=IMPROVER, trials=4, seed=3)


@pytest.fixture(scope="module")
def bag(tmp_path_factory, run):
    return run_bag(tmp_path_factory.mktemp("bags") / "bag", run)


@pytest.fixture(scope="module")
def report(bag, tmp_path_factory):
    """What `icpi replay` writes about it, with three improvers."""
    out = tmp_path_factory.mktemp("out") / "found.json"
    names = f"{IMPROVER},knn,random"
    assert main(["replay", str(bag), "--improver", names, "--json", str(out)]) == 0
    return json.loads(out.read_text())


@pytest.mark.slow
def test_trials_and_proposals_are_those_of_the_run(report, run):
    (found,) = report["runs"]
    assert (found["seed"], found["seed_from"]) == (3, "found")
    assert report["skipped"] == []
    for trial, again in zip(run.trials, found["trials"], strict=True):
        seen = again["perception"]
        assert seen["samples"] == len(trial.trajectory.times)
        assert seen["most"] < 1e-9
        assert seen["coverage"] == seen["recorded_coverage"] == 1.0
        assert seen["cost"] == pytest.approx(trial.cost, abs=1e-9)
    for trial, again in zip(run.trials[1:], found["trials"][1:], strict=True):
        made = again["proposals"][IMPROVER]
        assert made["same_as_recorded"] is True
        assert made["theta"] == trial.theta.tolist()
        assert made["outcome"]["kind"] == "measured"
        assert made["outcome"]["cost"] == pytest.approx(trial.cost)


def test_what_nobody_executed_is_called_estimated(report):
    (found,) = report["runs"]
    for trial in found["trials"][1:]:
        made = trial["proposals"]["random"]
        said = made["outcome"]
        assert made["same_as_recorded"] is None
        assert (said["kind"], said["basis"]) == ("estimated", "outcome model")
        assert said["low"] <= said["cost"] <= said["high"]
        near = said["nearest"]
        assert (near["cost_kind"], near["bound_kind"]) == ("measured", "estimated")
        assert near["low"] <= near["cost"] <= near["high"]
        assert near["cost"] == pytest.approx(found["trials"][near["trial"]]["cost"])


def test_two_trials_of_a_run_make_a_solved_instance(report, run):
    (found,) = report["runs"]
    instances = found["hindsight"]
    assert len(instances) == 3 + 12
    for instance in instances:
        solved, shown = run.trials[instance["solved_by"]], instance["shown"]
        np.testing.assert_array_equal(instance["solution"], solved.theta)
        goal = run.task.outcome_goal(solved.trajectory)
        np.testing.assert_allclose(instance["goal"], goal)
        costs = [run.task.cost(run.task.error(run.trials[n].trajectory, goal)) for n in shown]
        assert instance["best_shown_cost"] == pytest.approx(min(costs))


def test_the_ranking_is_by_expected_cost(report):
    places = report["ranking"]
    assert [place["improver"] for place in places] == [IMPROVER, "knn", "random"]
    assert {place["instances"] for place in places} == {3 + 3 + 12}
    assert places[0]["measured"] >= 3
    assert sum(place["best"] for place in places) == pytest.approx(1.0)
    for place in places:
        assert place["low"] <= place["high"]


def test_speed_and_memory_are_told(report):
    assert report["recorded_seconds"] > 5.0
    assert report["factor"] == pytest.approx(
        report["recorded_seconds"] / report["seconds"]["total"]
    )
    assert report["processor_seconds"] > 0.0
    assert 50.0 < report["peak_memory_mb"] < 2000.0


def test_another_seed_gives_other_proposals_of_a_random_improver(bag):
    one, other = (
        evaluate(Bag(bag), EvaluationRequest(improvers=("random",), seed=seed)).runs[0]
        for seed in (1, 2)
    )
    assert one.run.settings.seed_from == "given"
    thetas = [[p.theta for p in r.answers["random"].proposed] for r in (one, other)]
    assert not np.array_equal(*thetas)


def test_the_estimate_of_an_executed_theta_for_its_own_goal_is_its_cost(run):
    from icpi_ros.evaluate.outcomes import OutcomeEstimator

    executed = run.trials
    outcomes = OutcomeEstimator(run.task, executed, None)
    found = outcomes.estimate(run.goal, [trial.theta for trial in executed])
    assert [e.cost for e in found] == [pytest.approx(t.cost) for t in run.trials]
    assert {e.kind for e in found} == {"measured"}
    (far,) = outcomes.estimate(run.goal, [executed[0].theta + 0.01])
    assert (far.kind, far.basis) == ("estimated", "nearest trial")
    assert far.nearest.trial == 0
    assert far.low < far.cost < far.high


def test_two_runs_are_told_apart_and_ranked_together(tmp_path, run, bag):
    other = simulate(tmp_path, improver="random", trials=3, seed=8)
    both = run_bag(tmp_path / "both", run, other)
    found = evaluate(Bag(both), EvaluationRequest(improvers=("knn", "random"), pairs=2))
    assert [one.run.run_id for one in found.runs] == [run.run_id, other.run_id]
    assert [one.run.settings.seed for one in found.runs] == [3, 8]
    assert {place.instances for place in found.ranking} == {3 + 3 + 2 + 2 + 2 + 2}
    alone = evaluate(Bag(both), EvaluationRequest(run_id=other.run_id))
    assert [one.run.run_id for one in alone.runs] == [other.run_id]
    assert alone.runs[0].answers["random"].proposed[0].same is True


def test_a_clock_that_starts_again_does_not_mix_runs(tmp_path, run):
    other = replace(run, run_id="later")
    first = messages(run, begin=10 * SECOND)
    again = [(t, k, ns + 1, m) for t, k, ns, m in messages(other, begin=5 * SECOND)]
    late = first[-1][2]
    shifted = [(t, k, ns + late, m) for t, k, ns, m in again]  # recorded after the first one
    found = evaluate(Bag(write(tmp_path / "bag", first + shifted)), EvaluationRequest())
    for one in found.runs:
        assert len(one.seen) == len(run.trials)
        assert max(d.most for d in one.differences.values()) < 1e-9


def test_a_bag_without_poses_is_evaluated_from_what_was_recorded(tmp_path, run):
    kept = [m for m in messages(run) if m[0] != "/object_pose"]
    found = evaluate(Bag(write(tmp_path / "bag", kept)), EvaluationRequest())
    assert found.source is None
    assert any("neither poses nor images" in line for line in found.skipped)
    assert [p.same for p in found.runs[0].answers[IMPROVER].proposed] == [True] * 3


def test_a_bag_without_paths_is_evaluated_from_its_poses(tmp_path, run):
    kept = [m for m in messages(run) if m[0] != "/object_trajectory"]
    (one,) = evaluate(Bag(write(tmp_path / "bag", kept)), EvaluationRequest()).runs
    assert [p.same for p in one.answers[IMPROVER].proposed] == [True] * 3
    assert {e.kind for e in one.answers[IMPROVER].estimates} == {"measured"}
    assert all(d.samples == 0 and d.cost == pytest.approx(d.recorded_cost)
               for d in one.differences.values())  # fmt: skip


@pytest.mark.slow
def test_workers_say_the_same(bag):
    from icpi_ros.learn.building.workers import Workers

    names = ("knn", "random")
    alone, shared = (
        evaluate(Bag(bag), EvaluationRequest(improvers=names, pairs=1, workers=Workers(count)))
        for count in (1, 2)
    )
    assert alone.ranking == shared.ranking


def fails(capsys, *words):
    code = main(["replay", *words])
    out = capsys.readouterr().err.strip()
    assert "\n" not in out
    return code, out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--improver", "magic"], "unknown improver 'magic': choose one of"),
        (["--task", "juggle"], "unknown task 'juggle': choose one of"),
        (["--task", "rope-swing"], "its runs are of slide-gc"),
        (["--run", "nothing"], "unknown run in this bag 'nothing'"),
        (["--source", "camera"], "no topic camera/image_raw"),
        (["--topics", "/nowhere.yaml"], "cannot read the mapping"),
        (["--calibration", "/nowhere.yaml"], "/nowhere.yaml"),
        (["--dataset", "/nowhere.parquet"], "say which with --task"),
    ],
)
def test_bad_arguments_are_one_clear_line(bag, capsys, words, said):
    code, out = fails(capsys, str(bag), *words)
    assert code == 2
    assert said in out


def test_nothing_is_written_into_a_bag(bag, capsys):
    code, out = fails(capsys, str(bag), "--json", str(bag / "found.json"))
    assert (code, "written into the bag" in out) == (2, True)


def test_a_bag_without_trials_is_one_clear_line(tmp_path, capsys):
    empty = write(tmp_path / "bag", [m for m in run_messages() if m[1] == "PoseStamped"])
    code, out = fails(capsys, str(empty))
    assert (code, "trial_window" in out) == (2, True)


def test_windows_without_trials_are_one_clear_line(tmp_path, capsys):
    kept = [m for m in run_messages() if m[1] != "Trial"]
    code, out = fails(capsys, str(write(tmp_path / "bag", kept)))
    assert (code, "was topic trials recorded?" in out) == (2, True)


def test_a_run_of_an_unknown_task_is_skipped_and_said(tmp_path, run):
    good, bad = messages(run), messages(replace(run, run_id="strange"))
    begin = good[-1][2] + SECOND
    strange = messages(replace(run, run_id="strange"), begin=begin)
    assert len(strange) == len(bad)
    for _, kind, _, message in strange:
        if kind == "Trial":
            message.task = "juggle"
    found = evaluate(Bag(write(tmp_path / "bag", good + strange)), EvaluationRequest())
    assert [one.run.run_id for one in found.runs] == [run.run_id]
    assert any("run strange is skipped: unknown task 'juggle'" in line for line in found.skipped)


def test_a_failed_trial_is_no_history_but_has_a_proposal(tmp_path, run):
    told = messages(run)
    last = [message for _, kind, _, message in told if kind == "Trial"][-1]
    last.status, last.error, last.cost = "failed", np.zeros(0), float("nan")
    (one,) = evaluate(Bag(write(tmp_path / "bag", told)), EvaluationRequest()).runs
    proposed = one.answers[IMPROVER].proposed
    assert [p.number for p in proposed] == [1, 2, 3]
    assert [p.same for p in proposed] == [True] * 3
    assert one.answers[IMPROVER].estimates[2].kind == "estimated"


def test_the_longest_run_that_can_be_recorded_is_taken():
    task = TASKS.get("slide")
    recorded = RecordedRun("run", task, "random", task.default_goal, trials=())
    again = RecordedRunProposer(recorded, None, {}).begin("random", task.default_goal, MAX_BUDGET)
    assert again.config.budget == MAX_BUDGET


def test_a_recorded_largest_step_holds_offline(tmp_path, run):
    """The proposals of a run are within the step that its graph allowed."""
    free = evaluate(Bag(run_bag(tmp_path / "free", run)), EvaluationRequest()).runs[0]
    bound = evaluate(Bag(tmp_path / "free"), EvaluationRequest(max_step=0.05)).runs[0]
    span = 2.0 * TASKS.get("slide-gc").space.half_range
    steps = [
        np.abs(p.theta - run.trials[0].theta).max() for p in bound.answers[IMPROVER].proposed[:1]
    ]
    assert max(steps) <= 0.05 * span.max() + 1e-9
    assert not np.array_equal(
        free.answers[IMPROVER].proposed[0].theta, bound.answers[IMPROVER].proposed[0].theta
    )


def test_recorded_options_are_named_not_taken(tmp_path, run):
    values = {"node": "/policy_improver", "parameters": {"options": '{"k": 3}'}}
    said = make("std_msgs/msg/String", data=json.dumps(values))
    told = [("/recorded_parameters", "String", START, said), *messages(run)]
    found = evaluate(Bag(write(tmp_path / "bag", told)), EvaluationRequest())
    assert any('made with the options {"k": 3}: give them' in line for line in found.skipped)


def test_the_page_says_what_is_measured(bag, tmp_path):
    page = tmp_path / "page.html"
    order = ["replay", str(bag), "--improver", f"{IMPROVER},random", "--pairs", "2"]
    assert main([*order, "--html", str(page)]) == 0
    markup = page.read_text(encoding="utf-8")
    for wanted in ("Measured: the proposed theta was executed", "Estimated: ", "<svg"):
        assert wanted in markup
    assert markup.count("<script") == 1


def test_a_first_attempt_after_impossible_draws_still_tells_the_seed(run):
    from icpi_ros.bags.trials import RecordedTrial
    from icpi_ros.core.types import Proposal, Trial, TrialOrigin, TrialStatus
    from icpi_ros.evaluate.recorded_runs import find_seed, group

    task = run.task
    draws = task.space.sample(np.random.default_rng([17, 0]), 3)
    trial = RecordedTrial(
        "r", 0, "r/0", task.name, trial=Trial(
            0, draws[2], Proposal(draws[2], "x"), False, TrialStatus.DONE, np.zeros(2), 0.0,
            origin=TrialOrigin(goal=run.goal),
        ),
    )  # fmt: skip
    (found,) = group([trial]).runs
    assert find_seed(found) == 17
    moved = replace(trial.trial, theta=draws[2] + 1e-9)
    (other,) = group([replace(trial, trial=moved)]).runs
    assert find_seed(other, max_seeds=100) is None


def blank_images(run, encoding="rgb8"):
    """A run's messages with images of nothing instead of poses."""
    from bag_data import header, make

    data = np.full((24, 32, 3), 90, dtype=np.uint8).ravel()
    found = []
    for topic, kind, ns, message in messages(run):
        if topic != "/object_pose":
            found.append((topic, kind, ns, message))
        elif ns % 50_000_000 == 0:
            image = make(
                "sensor_msgs/msg/Image", header=header(ns), height=24, width=32,
                encoding=encoding, is_bigendian=0, step=96, data=data,
            )  # fmt: skip
            found.append(("/camera/image_raw", "Image", ns, image))
    return found


def test_images_without_camera_info_are_not_used_and_it_says_so(tmp_path, run):
    found = evaluate(Bag(write(tmp_path / "bag", blank_images(run))), EvaluationRequest())
    assert found.source == "camera"
    assert any("images without camera_info are not used" in line for line in found.skipped)
    (one,) = found.runs
    assert {d.reason for d in one.differences.values()} == {
        "no camera_info yet: images cannot be used; a calibration file needs none"
    }
    assert [p.same for p in one.answers[IMPROVER].proposed] == [True] * 3


def test_images_that_cannot_be_decoded_are_skipped_and_said(tmp_path, run):
    bag = write(tmp_path / "bag", blank_images(run, encoding="strange"))
    found = evaluate(Bag(bag), EvaluationRequest())
    assert any("an image is skipped" in line and "strange" in line for line in found.skipped)
    (one,) = found.runs
    reasons = {difference.reason for difference in one.differences.values()}
    assert all("image encoding 'strange' is not supported" in reason for reason in reasons)
    assert reasons


def test_topics_of_other_names_need_a_mapping(tmp_path, run):
    renamed = [(t.replace("/object_pose", "/vicon/puck"), *rest) for t, *rest in messages(run)]
    bag = write(tmp_path / "bag", renamed)
    assert evaluate(Bag(bag), EvaluationRequest()).source is None
    mapping = tmp_path / "topics.yaml"
    mapping.write_text("object_pose: /vicon/puck\n", encoding="utf-8")
    out = tmp_path / "found.json"
    assert main(["replay", str(bag), "--topics", str(mapping), "--json", str(out)]) == 0
    found = json.loads(out.read_text())
    assert found["source"] == "tracked_pose"
    assert found["topics"]["object_pose"] == "/vicon/puck"


def test_flipped_and_missing_bytes_never_end_in_a_traceback(tmp_path, bag, capsys):
    (file,) = bag.glob("*.mcap")
    whole, rng = file.read_bytes(), np.random.default_rng(0)
    codes = set()
    for number in range(40):
        damaged = np.frombuffer(whole, dtype=np.uint8).copy()
        places = rng.integers(len(damaged), size=(1, 5, 50)[number % 3])
        damaged[places] ^= np.uint8(1) << rng.integers(8, size=len(places), dtype=np.uint8)
        end = int(rng.integers(len(damaged))) if number % 4 == 0 else len(damaged)
        path = tmp_path / "damaged.mcap"
        path.write_bytes(damaged[:end].tobytes())
        code = main(["replay", str(path), "--improver", "random"])
        out, error = capsys.readouterr()
        assert (code, error) == (0, "") or (code == 2 and error.count("\n") == 1), error
        if code == 0:
            assert "evaluated in" in out
        codes.add(code)
    assert codes == {0, 2}
