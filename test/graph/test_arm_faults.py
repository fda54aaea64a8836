"""Every fault of an arm ends in a stopped arm, a trial with the reason, and a usable graph."""

import pytest

from .faulty_arm import REPLY, SILENCE, FaultyArm, graph_of, warm

FAULTS = {
    "reject": (0.0, "rejected the motion: fault: this motion is rejected"),
    "abort": (0.2, "the controller gave up"),
    "silent": (0.2, f"no joint state for {SILENCE:g} s"),
    "drift": (0.15, "path"),
    "late": (REPLY + 0.5, f"took no motion within {REPLY:g} s"),
    "protective_stop": (0.2, "protective stop"),
}


@pytest.fixture(scope="module", params=["topic", "action"])
def graph(request, tmp_path_factory, domain):
    folder = tmp_path_factory.mktemp(request.param)
    with graph_of(folder, request.param) as running:
        warm(running)
        yield running


@pytest.fixture
def arm(graph, observer, client):
    return FaultyArm(observer, client, graph)


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_in_a_stroke_ends_the_trial_and_nothing_else(arm, kind):
    after, words = FAULTS[kind]
    arm.fail(kind, after)
    failed = arm.trial(seed=1)
    assert failed.status.value == "failed"
    assert words in failed.note
    unseen = "not seen to stand" in failed.note
    assert unseen == (kind == "silent") or kind == "drift"  # a lag may outlast the stop's patience
    arm.mend()
    assert arm.stopped(failed)
    after = arm.usable_trial(seed=2)
    assert (after.status.value, after.note) == ("done", "")
