"""A controller that says nothing, as a real one on its topic: our own supervision is alone."""

import pytest

from .faulty_arm import FaultyArm, graph_of, warm


@pytest.fixture(scope="module")
def mute(tmp_path_factory, domain):
    folder = tmp_path_factory.mktemp("mute")
    with graph_of(folder, "topic", status=False, real_time_factor=1) as running:
        warm(running)
        yield running


@pytest.mark.parametrize("kind", ["", "reject", "abort", "drift"])
def test_supervision_alone_notices_what_no_controller_says(mute, observer, client, kind):
    arm = FaultyArm(observer, client, mute)
    arm.fail(kind, 0.2)
    trial = arm.trial(seed=1)
    if kind:
        assert trial.status.value == "failed"
        assert "stroke left its path" in trial.note
    else:
        assert (trial.status.value, trial.note) == ("done", "")
    assert arm.stands(), trial.note
