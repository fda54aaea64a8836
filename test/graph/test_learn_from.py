"""A graph learns from the earlier runs of its store, as it was started."""

import pytest

from icpi_ros.ros.clients.improve_client import Callbacks, ImproveRequest
from icpi_ros.runs.store.store import TrialStore

from .command_line import icpi
from .conftest import HANG, NAMESPACE, RunningGraph


@pytest.fixture(scope="module")
def learning(tmp_path_factory, domain):
    folder = tmp_path_factory.mktemp("learning")
    with RunningGraph(folder, learn_from="store") as graph:
        yield graph


def test_the_second_run_learns_from_the_first(learning, client):
    client.connect(HANG, learning.death)
    calls = Callbacks(lambda *run: None, lambda trial: None, learning.death)
    request = ImproveRequest("slide", "knn", budget=2, seed=3)
    first = client.improve(request, calls)
    assert first.error_code == 0, first.error_msg

    given = "run --attach --task slide --improver knn --trials 2 --seed 4"
    second = icpi([*given.split(), "--namespace", NAMESPACE, "--store", learning.store])
    out, error = second.communicate(timeout=HANG)
    assert second.returncode == 0, error
    told = "learns from 1 earlier run of this store (2 trials)"
    assert f"{told}: --learn-from none leaves them out" in out
    with TrialStore(learning.store) as store:
        latest = store.run(store.runs()[-1].run_id)
        assert latest.config.learned_from == {first.run_id: 2}
        assert not store.run(first.run_id).config.learned_from
    assert f"it {told}" in learning.text()
