"""Recorded trials and samples out of real bags."""

import itertools

import numpy as np
import pytest
from bag_data import (
    PERIOD,
    SECOND,
    START,
    THETAS,
    TRIAL_LENGTH,
    position,
    run_messages,
    trial,
    write,
)
from mcap.writer import Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from icpi_ros.bags.formats.definitions import definition
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.samples import poses_of, stream_samples
from icpi_ros.bags.trials import read_trials
from icpi_ros.core.errors import UsageError
from icpi_ros.core.types import TrialStatus


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_trials_come_out_as_they_were_recorded(tmp_path, storage):
    bag = Bag(write(tmp_path / "bag", run_messages(), storage))
    trials = read_trials(bag)
    assert bag.skipped == []
    assert [t.number for t in trials] == [0, 1, 2]
    for number, found in enumerate(trials):
        start = START + number * SECOND
        assert (found.run_id, found.trial_id) == ("run", f"run/{number}-abc")
        assert (found.start, found.stop, found.state) == (start, start + TRIAL_LENGTH, "closed")
        assert found.status is TrialStatus.DONE
        np.testing.assert_array_equal(found.theta, THETAS[number])
        np.testing.assert_array_equal(found.goal, [0.6, 0.42])
        assert found.trial.cost == 0.1 / (number + 1)
        assert (found.trial.origin.improver, found.trial.proposal.predicted_cost) == ("ridge", 0.02)
        assert found.path.trajectory.positions.shape == (TRIAL_LENGTH // PERIOD + 1, 3)
        assert found.outcome.cost == found.trial.cost


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_poses_of_each_window(tmp_path, storage):
    bag = Bag(write(tmp_path / "bag", run_messages(), storage))
    trials = read_trials(bag)
    for found, (stamps, positions) in zip(trials, poses_of(bag, trials), strict=True):
        np.testing.assert_array_equal(stamps, np.arange(found.start, found.stop + 1, PERIOD))
        np.testing.assert_array_equal(positions, [position(ns) for ns in stamps.tolist()])
    assert len(list(stream_samples(bag, "tracked_pose"))) == 3 * len(stamps)


def test_a_trial_that_was_received_again_counts_once(tmp_path):
    messages = run_messages()
    again = [(*m[:2], m[2] + 10 * SECOND, m[3]) for m in messages if m[1] == "Trial"]
    assert len(read_trials(Bag(write(tmp_path / "bag", messages + again)))) == 3


def test_trials_from_before_the_recording_have_no_window(tmp_path):
    early = [("/trials", "Trial", START, trial(START, "old", 4, THETAS[0]))]
    first, *_ = read_trials(Bag(write(tmp_path / "bag", early + run_messages())))
    assert (first.run_id, first.number, first.trial_id, first.start) == ("old", 4, "", 0)


def test_several_runs_in_one_bag(tmp_path):
    messages = run_messages("a") + run_messages("b", START + 60 * SECOND)
    trials = read_trials(Bag(write(tmp_path / "bag", messages)))
    assert [(t.run_id, t.number) for t in trials] == [(r, n) for r in "ab" for n in range(3)]


def test_two_runs_with_one_id_are_told_apart(tmp_path):
    messages = run_messages("a") + run_messages("a", START + 60 * SECOND, THETAS + 0.01)
    bag = Bag(write(tmp_path / "bag", messages))
    trials = read_trials(bag)
    assert [(t.run_id, t.number) for t in trials] == [
        (r, n) for r in ("a", "a#2") for n in range(3)
    ]
    assert ["more than one run has the id 'a'" in line for line in bag.skipped] == [True]


def test_a_run_that_was_done_again_with_the_same_id_and_outcome_is_kept(tmp_path):
    messages = run_messages() + run_messages(begin=START + 60 * SECOND)
    found = read_trials(Bag(write(tmp_path / "bag", messages)))
    assert [t.run_id for t in found] == ["run"] * 3 + ["run#2"] * 3
    assert {t.status for t in found} == {TrialStatus.DONE}


def test_a_clock_that_begins_anew_keeps_runs_in_their_order(tmp_path):
    messages = run_messages("a") + run_messages("b", begin=START - 60 * SECOND)
    bag = Bag(write(tmp_path / "bag", messages))
    assert [t.run_id for t in read_trials(bag)] == ["a"] * 3 + ["b"] * 3
    topics = [channel.topic for channel in bag.channels]
    assert [m.ns for m in bag.raw(topics)] == [ns for _, _, ns, _ in messages]
    assert "order of time" in bag.skipped[0]


def test_a_window_without_a_trial_is_kept(tmp_path):
    messages = [m for m in run_messages() if m[1] != "Trial"]
    trials = read_trials(Bag(write(tmp_path / "bag", messages)))
    assert [(t.run_id, t.number, t.status) for t in trials] == [("run", n, None) for n in range(3)]


def test_messages_out_of_order_are_put_in_order(tmp_path):
    messages = run_messages()
    late = np.random.default_rng(0).uniform(0.0, 1.5 * SECOND, len(messages))
    order = np.argsort([message[2] + later for message, later in zip(messages, late, strict=True)])
    shuffled = [messages[i] for i in order]
    bag = Bag(write(tmp_path / "bag", shuffled))
    stamps = [m.ns for m in bag.messages(["object_pose", "trials"])]
    assert stamps == sorted(stamps)
    assert [t.number for t in read_trials(bag)] == [0, 1, 2]


@pytest.mark.parametrize(
    "order", list(itertools.permutations(("Trial", "ObjectTrajectory", "TrialWindow")))
)
def test_topics_that_do_not_keep_step_are_put_together(tmp_path, order):
    """A recorder that lags behind takes one message of each topic in turn."""
    topics = {kind: [] for kind in order}
    for message in run_messages("a") + run_messages("b", START + 60 * SECOND):
        if message[1] in topics:
            topics[message[1]].append(message)
    messages = [m for turn in itertools.zip_longest(*topics.values()) for m in turn if m]
    late = [(m[0], m[1], START + SECOND * n, m[3]) for n, m in enumerate(messages)]
    bag = Bag(write(tmp_path / "bag", late))
    found = read_trials(bag)
    assert bag.skipped == []
    assert [(t.run_id, t.number) for t in found] == [(r, n) for r in "ab" for n in range(3)]
    for one in found:
        assert (one.state, one.stop - one.start) == ("closed", TRIAL_LENGTH)
        assert one.trial_id == f"{one.run_id}/{one.number}-abc"
        assert one.path is not None


@pytest.mark.parametrize("last", ["Trial", "ObjectTrajectory"])
def test_what_comes_after_everything_else_still_belongs_to_its_trial(tmp_path, last):
    messages = run_messages()
    late = [m for m in messages if m[1] == last]
    ordered = [m for m in messages if m[1] != last] + late
    stamped = [(m[0], m[1], START + SECOND * n, m[3]) for n, m in enumerate(ordered)]
    bag = Bag(write(tmp_path / "bag", stamped))
    found = read_trials(bag)
    assert bag.skipped == []
    assert [(t.number, t.state, t.path is not None) for t in found] == [
        (n, "closed", True) for n in range(3)
    ]


def test_a_lost_path_holds_up_no_other_trial(tmp_path):
    thetas = np.tile(THETAS[:1], (70, 1))
    messages = run_messages(thetas=thetas)
    first = next(m for m in messages if m[1] == "ObjectTrajectory")
    bag = Bag(write(tmp_path / "bag", [m for m in messages if m is not first]))
    found = read_trials(bag)
    assert [t.number for t in found] == list(range(70))
    assert [t.path is None for t in found] == [True] + 69 * [False]
    assert {(t.state, t.outcome is None) for t in found} == {("closed", False)}


def test_a_trial_without_window_is_not_waited_for(tmp_path):
    """Its stamp is on a clock that is ahead: it does not tell whose window comes next."""
    thetas = np.tile(THETAS[:1], (70, 1))
    lost = "run/0-abc"
    messages = [m for m in run_messages(thetas=thetas) if getattr(m[3], "trial_id", "") != lost]
    ahead = 1000 * SECOND
    for m in messages:
        if m[1] == "Trial":
            m[3].header.stamp.sec += ahead // SECOND
    found = read_trials(Bag(write(tmp_path / "bag", messages)))
    assert [t.number for t in found] == list(range(70))
    assert [t.path is None for t in found] == [True] + 69 * [False]


def test_a_resumed_trial_keeps_its_window(tmp_path):
    """The one before it failed before its window opened."""
    messages = run_messages(thetas=THETAS[:1])
    stamp = START - SECOND
    failed = trial(stamp, "run", 0, THETAS[0], status="failed")
    bag = Bag(write(tmp_path / "bag", [("/trials", "Trial", stamp, failed), *messages]))
    first, second = read_trials(bag)
    assert (first.status, first.state) == (TrialStatus.FAILED, None)
    assert (second.status, second.state, second.path is None) == (TrialStatus.DONE, "closed", False)
    assert not any("no window" in line for line in bag.skipped)


def test_no_trials_is_one_line(tmp_path):
    poses = [m for m in run_messages() if m[1] == "PoseStamped"]
    with pytest.raises(UsageError, match="no topic trial_window, trials; its topics are /object"):
        read_trials(Bag(write(tmp_path / "bag", poses)))


def test_topics_of_another_name_are_mapped(tmp_path):
    messages = [(m[0].replace("/object_pose", "/vicon/puck"), *m[1:]) for m in run_messages()]
    folder = write(tmp_path / "bag", messages)
    with pytest.raises(UsageError, match=r"no topic object_pose; its topics are .*vicon"):
        list(stream_samples(Bag(folder), "tracked_pose"))
    mapped = Bag(folder, {"object_pose": "/vicon/puck"})
    assert len(list(stream_samples(mapped, "tracked_pose"))) == 153


def test_a_namespace_needs_no_mapping_and_two_do(tmp_path):
    one = [("/lab" + m[0], *m[1:]) for m in run_messages()]
    assert len(read_trials(Bag(write(tmp_path / "one", one)))) == 3
    both = write(tmp_path / "both", one + run_messages())
    with pytest.raises(UsageError, match=r"more than once .*: say in a mapping"):
        Bag(both)


def test_a_bag_of_the_time_before_a_reason_was_said_is_read(tmp_path):
    """Its definitions, which it embeds, know nothing of why theta was moved back."""
    kind, old = "icpi_msgs/msg/Trial", ("proposed_theta", "moved_reason")
    text = definition(kind).text
    lines = [line for line in text.splitlines() if not any(name in line for name in old)]
    assert len(lines) == len(text.splitlines()) - len(old)
    before = "\n".join(lines) + "\n"
    store = get_typestore(Stores.EMPTY)
    store.register(get_types_from_msg(before, kind))
    messages = [message for _, name, _, message in run_messages() if name == "Trial"]
    with (tmp_path / "old.mcap").open("wb") as file:
        writer = Writer(file)
        writer.start("ros2")
        schema = writer.register_schema(kind, "ros2msg", before.encode())
        channel = writer.register_channel("/trials", "cdr", schema)
        for number, message in enumerate(messages):
            data = bytes(store.serialize_cdr(message, kind))
            writer.add_message(channel, START + number, data, START + number)
        writer.finish()
    bag = Bag(tmp_path / "old.mcap")
    trials = read_trials(bag)
    assert bag.skipped == []
    assert [trial.number for trial in trials] == [0, 1, 2]
    np.testing.assert_array_equal([trial.trial.proposal.theta for trial in trials], THETAS)
    assert all(trial.trial.proposal.details == {} for trial in trials)


def test_a_bag_says_why_theta_was_moved_back(tmp_path):
    messages = run_messages()
    asked = next(message for _, name, _, message in messages if name == "Trial").proposal
    asked.proposed_theta, asked.moved_reason = np.array([9.0, 0.1]), "out of bounds"
    trial = read_trials(Bag(write(tmp_path / "bag", messages)))[0]
    np.testing.assert_array_equal(trial.theta, THETAS[0])
    np.testing.assert_array_equal(trial.trial.proposal.theta, [9.0, 0.1])
    assert trial.trial.proposal.details == {"moved_back": "out of bounds"}
