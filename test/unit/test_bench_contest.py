"""One instance of a benchmark: paired, in lock-step, and whatever an improver does."""

import json
import sys
import threading

import numpy as np
import pytest
import toy_task
from icpi_benchmarks import simulator as simulator_module
from icpi_benchmarks.contest.cell import TaskCells
from icpi_benchmarks.contest.conditions import Condition
from icpi_benchmarks.contest.entrants import Entrant, entrants, option_text, without
from icpi_benchmarks.contest.play import OWN_KEYS, ContestRules, SharedRollouts, play
from icpi_benchmarks.instances import Instance, draw_instance, drifting_physics
from icpi_benchmarks.results import ROW_KEYS
from icpi_benchmarks.simulator import simulator
from pushing_task import PUSHING_GOALS

from icpi_ros.core.errors import InvalidValue, Kind, Refusal, UnknownName
from icpi_ros.core.types import Proposal
from icpi_ros.improvers.base import Improver
from icpi_ros.improvers.random import Random
from icpi_ros.learn.dataset.dataset import shipped
from icpi_ros.robots.ur5e import UR5E
from icpi_ros.sim.rollout import Rollouts
from icpi_ros.sim.world import SimulationUnstable
from icpi_ros.tasks.slide import SLIDE

TASK = PUSHING_GOALS
DATA = toy_task.toy_dataset()
GOAL = np.array([0.6, 0.42])
UNSTABLE = Refusal("toy: unstable")
LIMIT = 120.0
LATE = 2.0
"""A limit that tests run into [s]; long enough for what is no slow answer."""


class Script(Improver):
    """Proposes what its class says, and remembers what it was shown."""

    name, summary = "script", "for tests"

    def __init__(self, context):
        super().__init__(context)
        type(self).seen = []

    def propose(self, history, rng):
        type(self).seen.append(history)
        return Proposal(self.answer(history, rng), self.name)

    def answer(self, history, rng):
        return history[-1].theta * 0.95


def scripted(answer):
    return type("Scripted", (Script,), {"answer": staticmethod(answer)})


def fails_on_call(number):
    calls = []

    def answer(history, rng):
        calls.append(len(history))
        if len(calls) == number:
            raise RuntimeError("no\nidea")
        return history[-1].theta * 0.9

    return answer


def unstable_above(push, physics, calls=None, why=UNSTABLE):
    def simulate(thetas):
        if calls is not None:
            calls.append(len(thetas))
        return [why if t[0] > push else toy_task.rollout(t, grip=physics[0]) for t in thetas]

    return simulate


def contest(kinds, number=0, trials=5, limit=LIMIT, noise=0.0, condition=None, **world):
    """Rows of each improver, {label: [row, ...]}, of a toy instance."""
    instance = draw_instance(TASK, "test", 7, number)
    instance = Instance(number, instance.physics, GOAL, world.pop("theta", instance.theta))
    rules = ContestRules(seed=7, trials=trials, time_limit=limit)
    who = [k if isinstance(k, Entrant) else Entrant(label, k, {}) for label, k in kinds.items()]
    first, *walk = world.pop("walk", instance.physics[:1])
    later = [unstable_above(np.inf, [grip]) for grip in walk]
    simulate = unstable_above(world.pop("above", np.inf), [first], **world)
    bench = SharedRollouts(TASK, instance, noise, 7, simulate, later)
    rows = play(TASK, UR5E, condition or Condition(), instance, who, DATA, rules, bench)
    json.dumps(rows, allow_nan=False)
    assert [row["improver"] for row in rows] == [label for label in kinds for _ in range(trials)]
    assert all(set(row) == {*ROW_KEYS, *OWN_KEYS, "spent", "asked", "refusal"} for row in rows)
    return {label: [row for row in rows if row["improver"] == label] for label in kinds}


def untimed(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def costs(rows):
    return [row["cost"] for row in rows]


# --- paired -------------------------------------------------------------------------------------


def test_all_improvers_face_the_same_instance():
    first, second = type("First", (Script,), {}), scripted(lambda history, rng: [1.0, 0.0])
    found = contest({"first": first, "second": second, "random": Random})
    assert len({rows[0]["cost"] for rows in found.values()}) == 1
    shown = [kind.seen[0][0] for kind in (first, second)]
    assert np.array_equal(shown[0].theta, shown[1].theta)
    assert np.array_equal(shown[0].error, shown[1].error)
    grip = draw_instance(TASK, "test", 7, 0).physics[0]
    expected = TASK.cost(TASK.error(toy_task.rollout(np.array([1.0, 0.0]), grip), GOAL))
    assert costs(found["second"])[1:] == 4 * [expected]
    assert all([row["trial"] for row in rows] == list(range(5)) for rows in found.values())


def test_the_best_so_far_never_rises_and_is_the_minimum_without_noise():
    rows = contest({"random": Random}, trials=8)["random"]
    best = [row["best_cost"] for row in rows]
    assert best == list(np.minimum.accumulate(costs(rows)))


def test_what_one_improver_does_changes_nothing_for_the_others():
    alone = contest({"random": Random})["random"]
    crowd = contest({"bad": scripted(lambda h, r: [np.nan, 1.0]), "random": Random, "b": Script})
    assert untimed(crowd["random"]) == untimed(alone)


def test_an_improver_cannot_change_the_path_that_others_see():
    def moved(history, rng):
        history[0].path.positions[:] = 0.0

    found = contest({"bad": scripted(moved), "b": Script}, trials=2)
    assert "read-only" in found["bad"][1]["failure"]
    assert found["b"][1]["failure"] is None


def test_two_of_a_kind_draw_other_numbers():
    found = contest({"random": Random, "random:x=1": Random})
    assert costs(found["random"])[1:] != costs(found["random:x=1"])[1:]


def test_thetas_of_a_trial_are_simulated_together_and_equal_ones_once():
    calls = []
    contest({"a": Script, "b": Script, "random": Random}, trials=4, calls=calls)
    assert calls == [1, 2, 2, 2]


def test_a_proposal_out_of_bounds_is_projected_and_says_so():
    rows = contest({"far": scripted(lambda h, r: [9.0, 0.0])})["far"]
    assert rows[1]["theta"] == [1.5, 0.0]
    assert [row["projected"] for row in rows] == [False] + 4 * [True]


def test_predictions_and_fallbacks_are_in_the_row():
    class Oracle(Script):
        def propose(self, history, rng):
            return Proposal(history[-1].theta, "ridge", "llm: no answer", 0.0, 0.25, float("nan"))

    row = contest({"llm": Oracle})["llm"][1]
    assert (row["provenance"], row["fallback_reason"]) == ("ridge", "llm: no answer")
    assert (row["predicted_cost"], row["predicted_std"]) == (0.25, None)


# --- noise --------------------------------------------------------------------------------------


def test_noise_is_in_metres_and_only_in_what_improvers_see():
    off = []
    for number in range(150):
        kind = type("Seeing", (Script,), {})
        rows = contest({"a": kind}, number=number, trials=2, noise=0.004)["a"]
        clean = contest({"a": Script}, number=number, trials=1)["a"]
        assert rows[0]["cost"] == clean[0]["cost"]
        instance = draw_instance(TASK, "test", 7, number)
        truth = TASK.error(toy_task.rollout(instance.theta, instance.physics[0]), GOAL)
        (outcome,) = kind.seen[0]
        assert outcome.cost == TASK.cost(outcome.error)
        off.append(outcome.error - truth)
    assert np.std(off) == pytest.approx(0.004, rel=0.15)
    assert abs(np.mean(off)) < 0.001


def test_with_noise_the_best_trial_is_the_one_that_looks_best():
    kind = type("Seeing", (Random,), {})
    kind.seen = []

    def propose(self, history, rng):
        kind.seen.append(history)
        return Random.propose(self, history, rng)

    kind.propose = propose
    differs = 0
    for number in range(20):
        rows = contest({"a": kind}, number=number, trials=6, noise=0.05)["a"]
        looks = [outcome.cost for outcome in kind.seen[-1]]
        assert rows[4]["best_cost"] == rows[int(np.argmin(looks))]["cost"]
        differs += rows[4]["best_cost"] != min(costs(rows[:5]))
    assert differs > 0


def test_improvers_see_the_path_with_its_noise():
    kind = type("Seeing", (Script,), {})
    contest({"a": kind}, noise=0.005)
    for outcome in kind.seen[-1]:
        assert np.array_equal(TASK.error(outcome.path, GOAL), outcome.error)


def test_all_improvers_see_the_same_noise_of_the_same_trial():
    first, second = type("A", (Script,), {}), type("B", (Script,), {})
    contest({"a": first, "b": second}, noise=0.01)
    for one, other in zip(first.seen[-1], second.seen[-1], strict=True):
        assert np.array_equal(one.error, other.error)


# --- failures -----------------------------------------------------------------------------------

BAD_ANSWERS = {
    "nan": (lambda h, r: [np.nan, 0.0], "push = nan is not a finite number"),
    "shape": (lambda h, r: [1.0, 0.0, 0.0], "theta needs 2 values"),
    "matrix": (lambda h, r: np.ones((1, 2)), "array of shape (1, 2)"),
    "text": (lambda h, r: "fast", "not a list of numbers"),
    "raises": (lambda h, r: 1 / 0, "ZeroDivisionError: division by zero"),
    "exits": (lambda h, r: sys.exit(3), "SystemExit: 3"),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_a_bad_proposal_is_a_failure_of_that_trial(name):
    answer, message = BAD_ANSWERS[name]
    found = contest({"bad": scripted(answer), "random": Random})
    for row in found["bad"][1:]:
        assert row["cost"] is None
        assert row["theta"] is None
        assert row["best_cost"] == found["bad"][0]["cost"]
        assert message in row["failure"]
        assert row["provenance"] == "bad"
    assert all(row["failure"] is None for row in found["random"])


def test_who_answers_no_proposal_at_all_has_failed():
    class Silent(Improver):
        def propose(self, history, rng):
            return None

    assert "NoneType" in contest({"silent": Silent})["silent"][1]["failure"]


def test_who_failed_once_is_asked_again_without_that_trial_in_the_history():
    kind = scripted(fails_on_call(1))
    rows = contest({"a": kind})["a"]
    assert [row["failure"] for row in rows] == [None, "RuntimeError: no idea", None, None, None]
    assert [len(history) for history in kind.seen] == [1, 1, 2, 3]


def test_who_cannot_be_built_has_failed():
    class Broken(Script):
        def __init__(self, context):
            raise RuntimeError("no model file")

    rows = contest({"broken": Broken})["broken"]
    assert rows[0]["failure"] is None
    assert {row["failure"] for row in rows[1:]} == {"RuntimeError: no model file"}


@pytest.mark.slow
def test_who_takes_too_long_is_given_up_and_the_others_go_on():
    wake, calls = threading.Event(), []

    def answer(history, rng):
        calls.append(len(history))
        if len(calls) == 2:
            wake.wait(LIMIT)
        return history[-1].theta

    found = contest({"slow": scripted(answer), "random": Random}, limit=LATE)
    wake.set()
    assert calls == [1, 2]
    first, second, *later = found["slow"][1:]
    assert first["failure"] is None
    assert second["failure"] == f"took longer than {LATE:g} s"
    assert second["seconds"] >= LATE
    assert {row["failure"] for row in later} == {
        f"not asked again: trial 2 took longer than {LATE:g} s"
    }
    assert all(row["failure"] is None for row in found["random"])


@pytest.mark.slow
def test_who_still_computes_in_the_next_instance_is_not_asked_until_it_is_done():
    wake, calls = threading.Event(), []

    def answer(history, rng):
        calls.append(len(history))
        if len(calls) == 1:
            wake.wait(LIMIT)
        return history[-1].theta

    kinds = {"stuck": scripted(answer), "random": Random}
    contest(kinds, limit=LATE, trials=2)
    second = contest(kinds, number=1, limit=LATE, trials=2)
    reason = "not asked again: its call in an earlier instance still goes on"
    assert second["stuck"][1]["failure"] == reason
    assert second["random"][1]["failure"] is None
    assert calls == [1]
    wake.set()
    assert contest(kinds, number=2, limit=LATE, trials=2)["stuck"][1]["failure"] is None


@pytest.mark.slow
def test_an_abandoned_call_is_waited_for_before_the_next_instance_begins():
    wake, done = threading.Event(), threading.Event()

    def answer(history, rng):
        wake.wait(LIMIT)
        done.set()
        return history[-1].theta

    kinds = {"late": scripted(answer)}
    contest(kinds, limit=LATE, trials=2)
    assert not done.is_set()
    threading.Timer(0.3, wake.set).start()
    contest({"random": Random}, number=1, limit=LATE, trials=1)
    assert done.is_set()


@pytest.mark.slow
def test_the_time_to_build_an_improver_is_not_that_of_a_proposal():
    class Loading(Random):
        def __init__(self, context):
            super().__init__(context)
            threading.Event().wait(LATE + 0.5)

    rows = contest({"loading": Loading}, limit=LATE, trials=2)["loading"]
    assert rows[1]["failure"] is None


def test_an_improver_cannot_change_the_problem_or_the_examples():
    class Vandal(Script):
        def propose(self, history, rng):
            for array in (self.context.goal, self.context.dataset.theta):
                with pytest.raises(ValueError, match="read-only"):
                    array[:] = 0.0
            return Proposal(history[-1].theta, "vandal")

    assert contest({"vandal": Vandal}, trials=2)["vandal"][1]["failure"] is None
    instance = draw_instance(SLIDE, "test", 0, 0)
    for array in (instance.goal, instance.physics, instance.theta):
        assert not array.flags.writeable


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("fallback_reason", 3),
        ("provenance", None),
        ("predicted_cost", np.ones(2)),
        ("predicted_std", "much"),
    ],
)
def test_a_malformed_proposal_is_a_failure_of_that_trial(field, value):
    class Malformed(Script):
        def propose(self, history, rng):
            return Proposal(**{"theta": history[-1].theta, "provenance": "x", field: value})

    found = contest({"malformed": Malformed, "random": Random}, trials=2)
    assert "Error: " in found["malformed"][1]["failure"]
    assert found["random"][1]["failure"] is None


def test_a_theta_that_cannot_be_simulated_is_a_failure_and_not_shown_to_the_improver():
    kind = scripted(lambda history, rng: [1.4 if len(history) == 2 else 0.8, 0.1])
    rows = contest({"a": kind}, above=1.3, theta=np.array([0.7, 0.0]))["a"]
    assert [row["failure"] for row in rows] == [None, None, *(3 * ["toy: unstable"])]
    assert rows[2]["theta"] == [1.4, 0.1]
    assert rows[2]["cost"] is None
    assert [len(history) for history in kind.seen] == [1, 2, 2, 2]


def test_a_row_has_the_fields_of_a_refusal():
    kind = scripted(lambda history, rng: [1.4 if len(history) == 1 else 0.8, 0.1])
    why = Refusal("9 rad/s is too fast", Kind.JOINT_LIMIT, "velocity", "elbow_joint", 9.0)
    rows = contest({"a": kind}, trials=2, above=1.3, theta=np.array([0.7, 0.0]), why=why)["a"]
    assert [row["failure"] for row in rows] == [None, "9 rad/s is too fast"]
    fields = {"kind": "joint_limit", "quantity": "velocity", "joint": "elbow_joint"}
    assert [row["refusal"] for row in rows] == [None, fields]


def test_where_the_first_attempt_fails_nobody_is_asked():
    kind = scripted(lambda history, rng: [1.0, 0.0])
    kind.seen = []
    found = contest({"a": kind, "random": Random}, above=1.3, theta=np.array([1.4, 0.0]))
    for rows in found.values():
        assert rows[0]["failure"] == "toy: unstable"
        assert {row["failure"] for row in rows[1:]} == {"not asked: the first attempt failed"}
        assert {row["best_cost"] for row in rows} == {None}
    assert kind.seen == []


def test_an_improver_cannot_change_what_others_see():
    def vandal(history, rng):
        history[0].error[:] = 0.0

    other = scripted(lambda history, rng: history[0].theta)
    found = contest({"vandal": scripted(vandal), "other": other}, trials=2)
    assert "read-only" in found["vandal"][1]["failure"]
    assert np.any(other.seen[0][0].error != 0.0)


def test_no_key_gets_into_a_row(monkeypatch):
    monkeypatch.setenv("TOY_API_KEY", "sk-secret-0815")

    def answer(history, rng):
        raise ValueError("refused: sk-secret-0815")

    text = json.dumps(contest({"a": scripted(answer)}))
    assert "0815" not in text
    assert "[TOY_API_KEY removed]" in text


# --- simulation ---------------------------------------------------------------------------------


def test_one_unstable_rollout_does_not_spoil_its_batch(monkeypatch):
    def rollout(task, arm, physics, thetas, world):
        if (thetas[:, 0] > 1.2).any():
            raise SimulationUnstable("toy: too fast")
        paths = [toy_task.rollout(theta, grip=physics[0]) for theta in thetas]
        return Rollouts(paths, np.ones(len(thetas), dtype=bool))

    monkeypatch.setattr(simulator_module, "rollout", rollout)
    monkeypatch.setattr(simulator_module, "World", lambda *_: "world")
    simulate = simulator(SLIDE, UR5E, np.array([0.5]))
    found = simulate(np.array([[0.8, 0.0], [1.3, 0.0], [1.0, 0.0]]))
    assert [isinstance(path, Refusal) for path in found] == [False, True, False]
    assert found[1].text == "toy: too fast"


def test_a_cell_runs_on_one_thread():
    import sklearn.utils._openmp_helpers  # noqa: F401  # loads OpenMP, as bo does
    from threadpoolctl import threadpool_info

    threads = []

    class Counting(Random):
        def propose(self, history, rng):
            threads.extend(pool["num_threads"] for pool in threadpool_info())
            return super().propose(history, rng)

    who = (Entrant("counting", Counting, {}),)
    data = (shipped(SLIDE),)
    cell = TaskCells(SLIDE, UR5E, (Condition(),), 1, who, data, ContestRules(0, 2, LIMIT))(0)
    assert cell.rollouts == 2
    assert set(threads) == {1}


# --- instances and entrants ---------------------------------------------------------------------


def test_instances_depend_on_draws_seed_and_number_only():
    def first(draws="test", seed=3, number=5):
        found = draw_instance(SLIDE, draws, seed, number)
        return (*found.physics, *found.goal, *found.theta)

    assert first() == first()
    others = [first(draws="train"), first(seed=4), first(number=6), first(draws="shifted")]
    assert len({first(), *others}) == 5
    assert not np.allclose(first()[:3], SLIDE.sample_physics(np.random.default_rng([3, 5])))
    assert first()[:3] != tuple(SLIDE.seeded_physics(3))


def test_draws_come_from_their_documented_ranges():
    for number in range(50):
        assert SLIDE.physics_space.contains(draw_instance(SLIDE, "test", 0, number).physics)
        assert SLIDE.physics_space.contains(draw_instance(SLIDE, "train", 0, number).physics)
        shifted = draw_instance(SLIDE, "shifted", 0, number).physics
        assert SLIDE.shifted_space.contains(shifted)
        assert not SLIDE.physics_space.contains(shifted)
    with pytest.raises(InvalidValue, match="unknown draws 'best': choose one of test, shifted"):
        draw_instance(SLIDE, "best", 0, 0)


def test_options_of_an_improver_and_of_a_condition():
    label = "llm:k=5:model=a:7b:base_url=http://localhost:80/v1:deadline=2.5"
    llm, random = entrants([label, "random"])
    own = {"k": 5, "model": "a:7b", "base_url": "http://localhost:80/v1", "deadline": 2.5}
    assert llm.options == own
    assert llm.under({"k": 1, "features": "raw"}).options == own | {"features": "raw"}
    assert entrants(["llm"])[0].under({"k": 1, "noise": 2}).options == {"k": 1}
    assert random.under({"k": 1}).options == {}
    (embedded,) = entrants(["embedded"])  # no choice of it, but one of others
    assert embedded.under({"features": "raw"}).options == {}
    assert without("features", "raw", ["embedded", "knn"]) == ("embedded",)
    assert embedded.under({"features": "error"}).options == {"features": "error"}


def test_random_numbers_do_not_depend_on_how_a_model_is_reached():
    labels = ["llm:k=5:model=a", "llm:k=5:model=a:cassette=/x/y.jsonl:cassette_mode=replay"]
    labels += ["llm:k=5:base_url=http://localhost:80/v1:model=a:max_calls=3:deadline=2"]
    assert {entrant.stream for entrant in entrants(labels)} == {labels[0]}
    assert entrants(["ridge:k=5"])[0].stream == "ridge:k=5"


@pytest.mark.parametrize("value", ["gpt-4o", "5", "true", "null", "/tmp/tape 1.jsonl", '"x"'])
def test_texts_as_options_are_read_back_as_texts(value):
    (entrant,) = entrants(["llm:" + option_text("model", value)])
    assert entrant.options == {"model": value}


def test_a_text_that_would_begin_another_option_is_refused():
    with pytest.raises(InvalidValue, match="must not hold"):
        option_text("cassette", "/tmp/a:y=1")


def test_names_that_are_wrong():
    with pytest.raises(UnknownName, match=r"unknown improver 'magic': choose one of .*ridge"):
        entrants(["ridge", "magic:k=2"])
    with pytest.raises(InvalidValue, match="'knn' is given more than once"):
        entrants(["knn", "ridge", "knn"])
    with pytest.raises(InvalidValue, match="'ridge': option 'k' is given more than once"):
        entrants(["ridge:k=1:k=2"])


# --- drift --------------------------------------------------------------------------------------


def test_under_drift_the_best_is_what_the_best_theta_costs_now():
    walk = [0.6, 0.9, 0.3, 0.6]
    rows = contest({"a": Script, "random": Random}, trials=4, walk=walk)
    for label in ("a", "random"):
        tried = [np.array(row["theta"]) for row in rows[label]]
        kept = 0
        for trial, (row, grip) in enumerate(zip(rows[label], walk, strict=True)):
            now = [TASK.cost(TASK.error(toy_task.rollout(t, grip), GOAL)) for t in tried]
            assert row["cost"] == now[trial]
            kept = trial if row["cost"] < rows[label][kept]["cost"] else kept
            assert row["best_cost"] == now[kept]


def test_the_walk_is_the_same_for_every_share_and_stays_in_its_range():
    instance = draw_instance(SLIDE, "test", 7, 3)
    small, large = (
        np.array(drifting_physics(SLIDE, instance, share, 7, 200)) for share in (0.001, 0.1)
    )
    assert np.array_equal(small[0], instance.physics)
    assert np.array_equal(large[:, 1:], np.tile(instance.physics[1:], (200, 1)))
    step = small[1, 0] - small[0, 0]
    assert large[1, 0] - large[0, 0] == pytest.approx(100 * step)
    friction = SLIDE.physics_space.parameters[0]
    assert friction.lower <= large[:, 0].min() < 0.12
    assert 0.3 < large[:, 0].max() <= friction.upper
    assert np.std(np.diff(small[:, 0])) == pytest.approx(0.001 * 0.25, rel=0.15)
