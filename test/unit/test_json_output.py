"""`--json [FILE|-]`: every command that shows something can show it to a program."""

import argparse
import errno
import json
from contextlib import suppress
from unittest.mock import Mock

import pytest
from icpi_benchmarks import results
from icpi_benchmarks.cli import main as bench
from icpi_here import icpi

from icpi_ros.cli.json_output import JsonOutput, kept
from icpi_ros.cli.main import main, whole_parser
from icpi_ros.improvers import IMPROVERS
from icpi_ros.learn.dataset.dataset import shipped_path
from icpi_ros.robots import ARMS
from icpi_ros.runs.store.lease import Lease
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.sim.rollout import rollout
from icpi_ros.tasks import TASKS

SHOW_NOTHING = {"serve", "stop"}
"""A server, and a command whose answer is its exit code."""


def leaves(parser, name=""):
    """Yield every command and verb with its parser."""
    below = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if name and not (below and below[0].required):
        yield name, parser
    for action in below:
        for word, sub in action.choices.items():
            yield from leaves(sub, f"{name} {word}".strip())


@pytest.fixture(scope="module")
def parser():
    return whole_parser()


def test_every_command_that_shows_something_has_it(parser):
    without = {name for name, one in leaves(parser) if "--json" not in one._option_string_actions}
    assert without == SHOW_NOTHING


def test_completion_knows_commands_options_choices_and_files(capsys):
    code, script, err = icpi(capsys, "--print-completion", "bash")
    assert (code, err) == (0, "")
    for array, words in {
        "icpi_subparsers": ("run", "runs", "bench", "calibrate"),
        "icpi_bench_subparsers": ("sim", "soak", "bag"),
        "icpi_bench_option_strings": ("--improvers", "--json"),
        "icpi_task_subparsers": ("list", "describe"),
        "icpi_task_describe_option_strings": ("--quick",),
        "icpi_run___source_choices": ("tracked_pose", "camera"),
        "icpi_run___task_choices": TASKS,
        "icpi_run___improver_choices": IMPROVERS,
        "icpi_run___arm_choices": ARMS,
        "icpi_task_describe_pos_0_choices": TASKS,
        "icpi_improver_describe_pos_0_choices": IMPROVERS,
        "icpi_arm_check_pos_0_choices": ARMS,
    }.items():
        found = next(line for line in script.splitlines() if line.startswith(f"_shtab_{array}=("))
        assert set(words) <= set(found.partition("(")[2].rstrip(")").replace("'", "").split())
    assert "_shtab_icpi_run___json_COMPGEN=_shtab_compgen_files" in script
    assert "bench-sim" not in script
    assert icpi(capsys, "--print-completion", "zsh")[1].startswith("#compdef icpi")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Two runs of two trials; their ids are in the order of the seeds."""
    path = tmp_path_factory.mktemp("store") / "trials.sqlite"
    for seed, improver in enumerate(("ridge", "random")):
        words = ["run", "--task", "slide", "--in-process", "--improver", improver, "--trials", "2"]
        assert main([*words, "--seed", str(seed), "--store", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def ids(store):
    with TrialStore(store) as opened:
        return [run.run_id for run in opened.runs()]


SHOWN = {
    "runs": ("runs --store STORE", lambda c: {r["run_id"] for r in c}),
    "compare": ("runs compare A B --store STORE", lambda c: c["differences"]["seed"] == [0, 1]),
    "one run": ("report A --store STORE", lambda c: c["run_id"] and c["trials"]),
    "two runs": ("report A B --store STORE", lambda c: len(c) == 2 and c[0]["trials"]),
    "tasks": ("task list", lambda c: {"slide", "roll-gc"} <= {t["name"] for t in c}),
    "task": ("task describe slide --quick", lambda c: c["name"] == "slide" and "measured" not in c),
    "arms": ("arm list", lambda c: [a["tool_mass"] for a in c if a["name"] == "ur5e"]),
    "arm": ("arm check ur5e", lambda c: all(one["sound"] for one in c["checks"])),
    "arguments": ("up sim --show-args", lambda c: any(a["name"] == "task" for a in c)),
    "data set": ("dataset show DATASET", lambda c: c["examples"] and c["fingerprint"]),
    "prompt": ("prompt --task slide --option digits=6", lambda c: c[0]["role"] == "system"),
}


@pytest.mark.parametrize(("line", "right"), SHOWN.values(), ids=SHOWN)
def test_standard_output_holds_the_json_alone(line, right, store, ids, capsys):
    there = {"STORE": store, "A": ids[0], "B": ids[1], "DATASET": shipped_path("slide")}
    words = [there.get(word, word) for word in line.split()]
    code, out, err = icpi(capsys, *words, "--json")
    assert code == 0, err
    assert right(json.loads(out))
    assert err  # what is for people
    assert icpi(capsys, *words, "--json", "-")[1] == out


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ("--task slid", "no run has task 'slid': choose one of slide (did you mean 'slide'?)"),
        ("--task roll-gc", "no run has task 'roll-gc': choose one of slide"),
        ("--arm fr3", "no run has arm 'fr3': choose one of ur5e"),
        ("--backend replay", "no run has backend 'replay': choose one of in_process"),
        ("--since 2999-01-01 --task slide", "no run fits: the store has 2"),
    ],
)
def test_a_filter_that_no_run_fits_says_so(filters, words, store, capsys):
    assert icpi(capsys, "runs", "--store", store, *filters.split()) == (0, f"{words}\n", "")
    assert icpi(capsys, "runs", "--store", store, *filters.split(), "--json")[1] == "[]\n"


def test_what_one_of_two_runs_has_not_is_a_dash(store, ids, capsys):
    out = icpi(capsys, "runs", "compare", *ids, "--store", store)[1]
    assert "dataset_hash  " in out
    assert "B: -\n" in out
    assert "None" not in out


def test_a_file_gets_it_and_people_get_the_text(store, ids, tmp_path, capsys):
    file = tmp_path / "runs.json"
    code, out, err = icpi(capsys, "runs", "--store", store, "--json", file)
    assert (code, err) == (0, "")
    assert ids == [line.split()[0] for line in out.splitlines()]
    assert ids == [run["run_id"] for run in json.loads(file.read_text())]


def test_who_reads_a_file_while_it_is_written_has_all_of_the_old_one(tmp_path, monkeypatch):
    file = tmp_path / "a.json"
    output = JsonOutput(str(file))
    output.write({"a": 1})
    with file.open() as before:
        output.write({"a": 2})
        assert json.load(before) == {"a": 1}
    assert json.loads(file.read_text()) == {"a": 2}
    error = OSError(errno.ENOSPC, "no space left")
    monkeypatch.setattr("os.fsync", Mock(side_effect=error))
    with pytest.raises(OSError, match="no space left"):
        output.write({"a": 3})
    assert json.loads(file.read_text()) == {"a": 2}
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_cannot_be_replaced_is_written(tmp_path, monkeypatch):
    file = tmp_path / "mounted.json"
    file.write_text("[]")
    monkeypatch.setattr("pathlib.Path.replace", Mock(side_effect=OSError(errno.EBUSY, "busy")))
    JsonOutput(str(file)).write([1])
    assert json.loads(file.read_text()) == [1]
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_is_replaced_and_its_file_left_alone(tmp_path):
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.write_text("[]")
    target.chmod(0o644)
    link.symlink_to(target)
    JsonOutput(str(link)).write([1], secret=True)
    assert json.loads(link.read_text()) == [1]
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("[]", 0o644)


def test_a_file_of_another_user_stays_theirs(tmp_path, monkeypatch):
    file = tmp_path / "theirs.json"
    file.write_text("[]")
    number = file.stat().st_ino
    monkeypatch.setattr("os.geteuid", lambda: file.stat().st_uid + 1)
    JsonOutput(str(file)).write([1])
    assert (json.loads(file.read_text()), file.stat().st_ino) == ([1], number)


def test_what_is_not_finite_is_null(tmp_path):
    output = JsonOutput(str(tmp_path / "a.json"))
    output.write({"a": float("nan"), "b": [float("inf"), 1.5]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": None, "b": [None, 1.5]}


# --- before the work ----------------------------------------------------------------------------

REFUSED = {
    "new file in /proc": "/proc/run.json",
    "file in /proc": "/proc/version",
    "folder": "/tmp",
    "no such folder": "/nowhere/run.json",
    "read-only": "/sys/kernel/run.json",
}


@pytest.mark.parametrize("target", REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize(
    "line",
    [
        "run --task slide --in-process --trials 2 --store STORE --json",
        "run --task slide --in-process --trials 2 --store STORE --picture",
        "bench --tasks slide --json",
        "bench sim --json",
        "runs --json",
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_any_work(line, target, tmp_path, capsys):
    store = tmp_path / "trials.sqlite"
    words = [store if word == "STORE" else word for word in line.split()]
    code, out, err = icpi(capsys, *words, target)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert target in err
    assert not store.exists()


def test_a_check_leaves_no_file_and_changes_none(tmp_path):
    new, old = tmp_path / "new.json", tmp_path / "old.json"
    old.write_text("{}")
    for path in (new, old):
        JsonOutput(str(path)).check()
    assert not new.exists()
    assert old.read_text() == "{}"


# --- work that is broken off --------------------------------------------------------------------


@pytest.mark.parametrize("target", ["FILE", "-"])
def test_an_interrupted_run_writes_what_it_has_and_says_how_to_go_on(
    target, tmp_path, monkeypatch, capsys
):
    calls, file = [], tmp_path / "run.json"

    def second_is_interrupted(*args, **options):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return rollout(*args, **options)

    monkeypatch.setattr("icpi_ros.runs.in_process.rollout", second_is_interrupted)
    code, out, err = icpi(
        capsys, "run", "--task", "slide", "--in-process", "--trials", 3, "--improver", "ridge",
        "--store", tmp_path / "t.sqlite", "--json", file if target == "FILE" else "-",
    )  # fmt: skip
    assert code == 130
    content = json.loads(out if target == "-" else file.read_text())
    assert content["trials"][0]["cost"] > 0
    assert f"icpi run --resume {content['run_id']}" in (err if target == "-" else out)
    assert "icpi: interrupted" in err


def test_an_interrupted_benchmark_writes_the_finished_instances(tmp_path, monkeypatch, capsys):
    on_cell = bench._Display.on_cell

    def interrupted(self, progress):
        on_cell(self, progress)
        if progress.done == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("icpi_benchmarks.cli.main._Display.on_cell", interrupted)
    code, out, err = icpi(
        capsys, "bench", "--tasks", "slide", "--improvers", "random", "--workers", 1,
        "--instances", 3, "--trials", 2, "--json",
    )  # fmt: skip
    assert code == 130
    assert "2 of 3 instances are written" in err
    (tmp_path / "half.json").write_text(out)
    assert {row["instance"] for row in results.read(tmp_path / "half.json").rows} == {0, 1}


def test_partial_results_are_kept_but_nothing_is_not(tmp_path):
    file = tmp_path / "rows.json"
    output = JsonOutput(str(file))
    with suppress(ValueError), kept(output, []):
        raise ValueError("early")
    assert not file.exists()
    with suppress(ValueError), kept(output, []) as rows:
        rows.append({"a": 1})
        raise ValueError("late")
    assert json.loads(file.read_text()) == [{"a": 1}]
    with kept(output, []):
        pass
    assert json.loads(file.read_text()) == []


# --- icpi runs ----------------------------------------------------------------------------------

FILTERS = {
    "task": (["--task", "slide"], 2),
    "another task": (["--task", "roll-gc"], 0),
    "arm": (["--arm", "ur5e"], 2),
    "another arm": (["--arm", "fr3"], 0),
    "backend": (["--backend", "in_process"], 2),
    "another backend": (["--backend", "real_graph"], 0),
    "since an age": (["--since", "2h"], 2),
    "since a day": (["--since", "2020-01-31"], 2),
    "since a time to come": (["--since", "2999-01-31T10:00"], 0),
    "several": (["--task", "slide", "--arm", "fr3"], 0),
}


@pytest.mark.parametrize(("words", "count"), FILTERS.values(), ids=FILTERS)
def test_runs_are_filtered(words, count, store, capsys):
    code, out, _ = icpi(capsys, "runs", "--store", store, *words)
    lines = [line for line in out.splitlines() if not line.startswith("no run ")]
    assert (code, len(lines)) == (0, count)


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "5", "-1h", "9y"])
def test_a_time_that_is_none_is_refused(text, store, capsys):
    code, _, err = icpi(capsys, "runs", "--store", store, f"--since={text}")
    assert code == 2
    assert "2026-11-29T08:30" in err


def test_two_runs_are_compared(store, ids, capsys):
    code, out, _ = icpi(capsys, "runs", "--store", store, "compare", *ids)
    assert code == 0
    lines = out.splitlines()
    assert any(line.split() == ["seed", "A:", "0", "B:", "1"] for line in lines)
    assert any(line.split() == ["improver", "A:", "ridge", "B:", "random"] for line in lines)
    assert not any(line.startswith(("goal", "execution.arm")) for line in lines)
    assert [line.split()[0] for line in lines[-2:]] == ["0", "1"]
    assert "their configurations are the same" in icpi(
        capsys, "runs", "compare", ids[0], ids[0], "--store", store
    )[1]  # fmt: skip
    assert icpi(capsys, "runs", "compare", ids[0], "no-such", "--store", store)[0] == 2


@pytest.fixture
def copy(store, tmp_path):
    path = tmp_path / "trials.sqlite"
    path.write_bytes(store.read_bytes())
    return path


def listed(capsys, path):
    return [line.split()[0] for line in icpi(capsys, "runs", "--store", path)[1].splitlines()]


def test_a_run_is_deleted_when_that_is_confirmed(copy, ids, capsys, monkeypatch):
    delete = ("runs", "delete", ids[0], "--store", copy)
    code, _, err = icpi(capsys, *delete)
    assert code == 2
    assert "--yes" in err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda text: "n")
    assert icpi(capsys, *delete)[0] == 1
    assert listed(capsys, copy) == ids
    monkeypatch.setattr("builtins.input", lambda text: "y")
    assert icpi(capsys, *delete)[0] == 0
    assert listed(capsys, copy) == ids[1:]
    with TrialStore(copy) as opened:
        assert opened.trials(ids[0]) == []
        assert opened.trials(ids[1])
    assert icpi(capsys, *delete, "--yes")[0] == 2  # it is gone


def test_a_run_in_use_is_not_deleted(copy, ids, capsys):
    lease = Lease(copy, ids[1])
    try:
        code, _, err = icpi(capsys, "runs", "delete", ids[1], "--yes", "--store", copy)
    finally:
        lease.release()
    assert code == 1
    assert "is being written by process" in err
    assert listed(capsys, copy) == ids
    assert icpi(capsys, "runs", "--store", copy, "delete", ids[1], "--yes")[0] == 0


def test_a_file_that_is_not_json_is_not_overwritten(tmp_path, capsys):
    plugin = tmp_path / "mine.py"
    plugin.write_text("x = 1\n")
    assert main(["check-plugin", "--json", str(plugin)]) == 2
    assert "it is not overwritten" in capsys.readouterr().err
    assert plugin.read_text() == "x = 1\n"
