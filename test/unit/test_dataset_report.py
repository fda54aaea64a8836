"""What `icpi dataset show` says and draws, and what the command refuses."""

from dataclasses import replace

import numpy as np
import pytest
from icpi_benchmarks.speed.retrieval import measure
from toy_task import TOY, ToyTask, toy_dataset

from icpi_ros.cli.main import main
from icpi_ros.core.errors import UsageError
from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.learn.dataset.dataset import coverage, fingerprint, save
from icpi_ros.report.dataset import describe_dataset, save_dataset_picture
from icpi_ros.tasks import TASKS


class Wide(ToyTask):
    """Three policy parameters, one error dimension that counts."""

    name = "toy-wide"
    space = ParameterSpace((*ToyTask.space.parameters, Parameter("lift", "m", 0.0, 0.1)))
    cost_mask = np.array([1.0, 0.0])


def wide_dataset():
    data = toy_dataset()
    extra = np.linspace(0.0, 0.1, len(data))[:, np.newaxis]
    return replace(
        data,
        task="toy-wide",
        theta=np.hstack([data.theta, extra]),
        dtheta=np.hstack([data.dtheta, -extra]),
        label_cost=np.full(len(data), 0.002),
    )


def test_coverage_is_the_share_of_cells_with_an_example():
    data = toy_dataset(size=4, draws=1)
    theta = np.array([[0.51, -0.49], [0.52, -0.48], [1.49, 0.49], [1.5, 0.5]])
    assert coverage(replace(data, theta=theta), TOY.space) == {("push", "turn"): 2 / 64}
    assert set(coverage(wide_dataset(), Wide.space)) == {
        ("push", "turn"),
        ("push", "lift"),
        ("turn", "lift"),
    }


def test_the_text_says_what_is_known_and_what_is_not():
    text = "\n".join(describe_dataset(toy_dataset(), TOY, "set.parquet"))
    for words in ("60 examples of toy-push", "physics draws: 6", "after the label: not measured",
                  "theta push:", "push x turn:", "m/s", "seed: 0", "command: toy"):  # fmt: skip
        assert words in text
    assert "after the label: mean 2.00 mm" in "\n".join(
        describe_dataset(wide_dataset(), Wide(), "")
    )


@pytest.mark.slow
@pytest.mark.parametrize(("data", "task"), [(toy_dataset(), TOY), (wide_dataset(), Wide())])
def test_pictures_of_two_and_three_parameters(data, task, tmp_path):
    path = tmp_path / "set.png"
    save_dataset_picture(path, data, task)
    assert path.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match="cannot write the picture"):
        save_dataset_picture("/proc/none/set.png", data, task)


def test_show_prints_and_draws(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(TASKS._loaded, TOY.name, TOY)
    path, picture = tmp_path / "set.parquet", tmp_path / "set.png"
    save(toy_dataset(), path, TOY)
    assert main(["dataset", "show", str(path), "--picture", str(picture)]) == 0
    shown = capsys.readouterr().out
    assert "coverage" in shown
    assert f"fingerprint: {fingerprint(toy_dataset())}" in shown
    assert picture.stat().st_size > 10_000


BUILD = ["dataset", "build", "--task", "slide", "--out", "set.parquet"]
BAD = {
    "label": (["--label", "guess"], "unknown label 'guess': choose one of brute, hindsight"),
    "physics": (["--physics", "moon"], "unknown physics 'moon': choose one of train, shifted"),
    "fewer than k": (["--examples", "19"], "examples = 19 is fewer than the k = 20"),
    "draws": (["--draws", "301"], "draws = 301 does not fit examples = 300"),
    "range text": (["--physics-range", "friction"], "expected NAME=LOW:HIGH"),
    "range name": (["--physics-range", "grip=0:1"], "physics has no 'grip': it has friction"),
    "range outside": (
        ["--physics-range", "friction=0.05:0.2"],
        "friction = 0.05 to 0.2 is outside the documented range: allowed 0.1 to 0.35",
    ),
    "range reversed": (["--goal-range", "x=0.7:0.5"], "goal range x = 0.7 to 0.5 m is empty"),
    "range twice": (
        ["--goal-range", "x=0.5:0.6", "--goal-range", "x=0.6:0.7"],
        "--goal-range x is given more than once",
    ),
    "goals of a fixed goal": (["--goals-per-draw", "3"], "slide has one fixed goal"),
    "noise": (["--label-noise", "-1"], "allowed are numbers 0 to 2"),
    "both kinds of workers": (["--workers", "2", "--dask", "tcp://a:1"], "not allowed with"),
    "out is a folder": (["--out", "/tmp"], "/tmp is a folder"),
    "out into nowhere": (["--out", "none/set.parquet"], "its folder does not exist"),
}


@pytest.mark.parametrize(("arguments", "words"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_refused_before_anything_is_written(
    arguments, words, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    try:
        code = main([*BUILD, *arguments])
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert words in capsys.readouterr().err.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_too_few_examples_for_an_improver_are_refused_at_run_time(tmp_path, capsys, monkeypatch):
    slide = TASKS.get("slide")
    from icpi_ros.learn.dataset.dataset import shipped

    save(shipped(slide).take(slice(5)), tmp_path / "few.parquet", slide)
    monkeypatch.setenv("ICPI_STORE", str(tmp_path / "t.sqlite"))
    code = main(["run", "--task", "slide", "--improver", "knn", "--in-process", "--trials", "2",
                 "--dataset", str(tmp_path / "few.parquet")])  # fmt: skip
    assert code == 2
    assert "needs at least" in capsys.readouterr().err


def test_retrieval_over_many_examples_is_quick():
    timing = measure(examples=50_000, theta=2, error=2, queries=50, k=20)
    assert np.median(timing.queries) < 0.010
    assert "50000 examples" in timing.line(50_000, 2, 2)
