"""Fits on disk: found again, never believed when damaged, never in the way."""

from dataclasses import replace

import numpy as np
import pytest
import toy

from icpi_ros.core.files import CACHE
from icpi_ros.learn.dataset.dataset import shipped
from icpi_ros.learn.outcome.fitting import kept_fits as fit
from icpi_ros.learn.outcome.model import _cached, fit_name, outcome_model
from icpi_ros.learn.outcome.ship_fits import tasks_with_sets
from icpi_ros.tasks.slide import SLIDE

VALUES = np.array([1.0, -2.5, 1e-300])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    return tmp_path / "cache" / "fits"


def never():
    raise AssertionError("computed again")


def test_what_was_computed_is_found_again_bit_by_bit(folder):
    assert fit.stored("a", 3, lambda: VALUES) is VALUES
    assert fit.stored("a", 3, never).tobytes() == VALUES.tobytes()
    assert [path.name for path in folder.iterdir()] == ["a.npy"]


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"pickle", b"PK\x03\x04", None])
def test_a_damaged_file_counts_as_none(folder, damage):
    fit.stored("a", 3, lambda: VALUES)
    content = (folder / "a.npy").read_bytes()
    (folder / "a.npy").write_bytes(content[:-1] if damage is None else damage)
    assert fit.stored("a", 3, lambda: 2.0 * VALUES).tolist() == (2.0 * VALUES).tolist()
    assert fit.stored("a", 3, never).tolist() == (2.0 * VALUES).tolist()


@pytest.mark.parametrize("other", [np.ones(4), np.array([1.0, np.nan, 0.0]), np.ones(3, np.int64)])
def test_a_vector_of_another_kind_counts_as_none(folder, other):
    folder.mkdir(parents=True)
    np.save(folder / "a.npy", other)
    assert fit.stored("a", 3, lambda: VALUES) is VALUES


def test_objects_are_never_unpickled(folder):
    folder.mkdir(parents=True)
    np.save(folder / "a.npy", np.array([never], dtype=object), allow_pickle=True)
    assert fit.stored("a", 3, lambda: VALUES) is VALUES


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv(CACHE, str(tmp_path / "file"))
    assert fit.stored("a", 3, lambda: VALUES) is VALUES


def test_a_user_without_a_home_has_no_cache(monkeypatch):
    monkeypatch.delenv(CACHE)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(fit.Path, "home", homeless)
    assert fit.stored("a", 3, lambda: VALUES) is VALUES


def test_a_relative_cache_folder_does_not_count(monkeypatch, tmp_path):
    monkeypatch.delenv(CACHE)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    assert fit.folder() == tmp_path / ".cache/icpi/fits"


def test_the_oldest_go(folder, monkeypatch):
    monkeypatch.setattr(fit, "MAX_FILES", 3)
    for number in range(6):
        fit.stored(f"{number}", 3, lambda: VALUES)
    assert len(list(folder.iterdir())) == 3
    fit.stored("5", 3, never)


def test_every_array_and_text_counts():
    arrays = (np.arange(4.0), np.arange(4))
    keys = {
        fit.key_of(arrays),
        fit.key_of(arrays, "a"),
        fit.key_of(arrays, "a", "b"),
        fit.key_of(arrays[::-1]),
        fit.key_of((arrays[0].reshape(2, 2), arrays[1])),
        fit.key_of((arrays[0] + 1e-16, arrays[1])),
        fit.key_of((np.nextafter(arrays[0], 9.0), arrays[1])),
    }
    assert len(keys) == 7


def test_a_model_out_of_the_cache_is_the_same(folder, monkeypatch):
    data = toy.dataset(draws=5, size=50)
    at = toy.SPACE.normalise(data.theta[:5])
    models = []
    for _ in range(2):
        _cached.cache_clear()
        models.append(outcome_model(data, toy.SPACE, toy.MASK))
        monkeypatch.setattr("scipy.optimize.minimize", never)
    one, other = (model.predict(at)[0] for model in models)
    assert one.tobytes() == other.tobytes()


def test_every_shipped_data_set_has_its_fits():
    names = {fit_name(shipped(t), t.space, t.cost_mask) for t in tasks_with_sets()}
    found = {f"{name}{part}" for name in names for part in ("", "-beside", "-together")}
    assert found == {path.stem for path in fit.SHIPPED.glob("*.npy")}, (
        "run: python -m icpi_ros.learn.outcome.ship_fits"
    )


def test_errors_alone_have_the_shipped_fit_too(folder, monkeypatch):
    monkeypatch.setattr("scipy.optimize.minimize", never)
    _cached.cache_clear()
    model = outcome_model(shipped(SLIDE), SLIDE.space, SLIDE.cost_mask, paths=False)
    assert model.path is None


def test_a_shipped_fit_is_taken_for_its_own_data_only(tmp_path, monkeypatch):
    data = toy.dataset(draws=5, size=50)
    other = replace(data, label_cost=data.label_cost + 1e-9)
    own = np.linspace(-0.5, 0.5, 2 + 6 + 5 * 4)
    here = "icpi_ros.learn.outcome.fitting.kept_fits.stored"
    monkeypatch.setattr(here, lambda _key, size, _compute: np.full(size, 0.1))
    monkeypatch.setattr(fit, "SHIPPED", tmp_path)
    fit.keep(tmp_path / f"{fit_name(data, toy.SPACE, toy.MASK)}.npy", own)
    _cached.cache_clear()
    lengths = [outcome_model(one, toy.SPACE, toy.MASK).length for one in (data, other)]
    _cached.cache_clear()
    assert np.allclose(np.log(lengths), [own[:2], [0.1, 0.1]])
