"""What an arm was commanded last and how it followed: kept, shown, and unknown in older stores."""

import csv
import json
import math
import shutil
import sqlite3

import numpy as np
import pytest
from old_stores import SCHEMA_1
from toy_task import TOY, rollout

from icpi_ros.cli.main import main
from icpi_ros.core.types import Proposal, Tracking, Trial, TrialStatus
from icpi_ros.llm.client.budget import Spending
from icpi_ros.report.run.export import record_json
from icpi_ros.report.run.text import tracking_lines, tracking_text
from icpi_ros.runs.run import Run
from icpi_ros.runs.store.rows import SCHEMA_VERSION
from icpi_ros.runs.store.store import RunConfig, TrialStore
from icpi_ros.tasks import TASKS

STROKE = Tracking("stroke", 0.0123, "elbow_joint", 0.31)
STOPPED = Tracking("approach, then stopped", 0.11, "wrist_1_joint", 1.5)
CONFIG = RunConfig("toy-push", "random", (0.6, 0.42), budget=3)
THETA = np.array([1.0, 0.1])


@pytest.fixture(autouse=True)
def toy_registered(monkeypatch):
    monkeypatch.setattr(TASKS, "get", lambda name: TOY)


def trial(number, **more):
    seen = rollout(THETA)
    error = TOY.error(seen, TOY.default_goal)
    found = {"status": TrialStatus.DONE, "error": error, "cost": TOY.cost(error), "seconds": 1.5}
    return Trial(number, THETA, Proposal(THETA, "random"), **found | more)


def filled(path, *trackings):
    with TrialStore(path) as store:
        run_id = store.create_run(CONFIG)
        for number, tracking in enumerate(trackings):
            store.begin_trial(run_id, number, THETA, Proposal(THETA, "random"), projected=False)
            store.finish_trial(run_id, trial(number, tracking=tracking))
    return run_id


def test_tracking_comes_back_from_the_store(tmp_path):
    run_id = filled(tmp_path / "t.db", STROKE, Tracking(), STOPPED)
    with TrialStore(tmp_path / "t.db") as store:
        first, none, last = store.trials(run_id)
    assert (first.tracking, last.tracking) == (STROKE, STOPPED)
    assert none.tracking.motion == ""
    assert math.isnan(none.tracking.error)
    assert not none.tracking.known


def old_store(path):
    """A store of schema 1 with one trial that is done and one that is half-run."""
    seen, theta = rollout(THETA), THETA.astype("<f8").tobytes()
    row = (theta, 0, theta, "random", "", 0.1, "{}", seen.times.tobytes(), seen.positions.tobytes())
    names = "theta, projected, proposal_theta, provenance, fallback_reason, latency, details, times"
    with sqlite3.connect(path) as db:
        db.executescript(SCHEMA_1)
        run = ("old", "2026-01-01", "toy-push", "random", 3, json.dumps(CONFIG.as_dict()))
        columns = "run_id, created, task, improver, budget, config"
        db.execute(f"INSERT INTO runs ({columns}) VALUES (?, ?, ?, ?, ?, ?)", run)
        for number, status in enumerate(("done", "running")):
            db.execute(
                f"INSERT INTO trials (run_id, number, attempt, status, started, {names}, positions)"
                " VALUES ('old', ?, 1, ?, '2026', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (number, status, *row),
            )
    db.close()
    return path


def version(path):
    with sqlite3.connect(path) as db:
        return db.execute("PRAGMA user_version").fetchone()[0]


def test_an_older_store_is_read_written_and_keeps_what_it_had(tmp_path):
    path = old_store(tmp_path / "old.db")
    before = shutil.copy(path, tmp_path / "copy.db")
    assert version(path) == 1
    with TrialStore(path) as store:
        done, running = store.trials("old")
        assert done.status is TrialStatus.DONE
        assert done.tracking.motion == ""
        assert math.isnan(done.tracking.time)
        np.testing.assert_array_equal(done.trajectory.positions, rollout(THETA).positions)
        assert running.status is TrialStatus.RUNNING
        assert store.mark_interrupted("old") == [1]
        store.begin_trial("old", 1, THETA, Proposal(THETA, "random"), projected=False)
        store.finish_trial("old", trial(1, tracking=STROKE))
    assert version(path) == SCHEMA_VERSION
    with TrialStore(path) as again:  # nothing is upgraded twice
        assert again.trials("old")[1].tracking == STROKE
    with sqlite3.connect(before) as old, sqlite3.connect(path) as new:
        query = "SELECT theta, times, positions, details FROM trials WHERE number = 0"
        assert old.execute(query).fetchall() == new.execute(query).fetchall()


def test_an_older_program_that_has_the_store_open_goes_on_writing(tmp_path):
    path = old_store(tmp_path / "old.db")
    program = sqlite3.connect(path, isolation_level=None)
    program.execute("PRAGMA journal_mode = WAL")
    assert program.execute("SELECT COUNT(*) FROM trials").fetchone() == (2,)
    with TrialStore(path) as store:
        change = "UPDATE trials SET status = 'done', note = 'by the old one' WHERE number = 1"
        program.execute(change)
        assert store.trials("old")[1].note == "by the old one"
    program.close()


def test_a_new_and_an_upgraded_store_have_the_same_columns(tmp_path):
    def columns(path):
        TrialStore(path).close()
        with sqlite3.connect(path) as db:
            return {row[1:5] for row in db.execute("PRAGMA table_info(trials)")}

    assert columns(old_store(tmp_path / "old.db")) == columns(tmp_path / "new.db")


def test_tracking_is_kept_whatever_becomes_of_the_trial(tmp_path):
    with TrialStore(tmp_path / "t.db") as store:
        run = Run(TOY, improver="random", trials=3, seed=0, storage=store)
        run.ask()
        run.followed(STOPPED, "release at 0.3 s")
        assert run.fail("the arm's state is unknown").tracking == STOPPED
        (trial,) = store.trials(run.run_id)
        assert (trial.tracking, trial.note) == (
            STOPPED,
            "the arm's state is unknown; release at 0.3 s",
        )
        run.close()


def test_tracking_as_text():
    assert tracking_text(STROKE) == "stroke: elbow_joint 0.0123 rad off at 0.31 s"
    assert tracking_text(Tracking()) == ""
    assert tracking_text(Tracking("retreat")) == "retreat: not seen to follow"
    lines = tracking_lines([trial(0, tracking=STROKE), trial(1), trial(2, tracking=STOPPED)])
    assert lines == [
        "arm in trial 2 (worst): approach, then stopped: wrist_1_joint 0.1100 rad off at 1.50 s"
    ]


def test_the_report_of_a_run_shows_it(tmp_path, capsys):
    path = tmp_path / "t.db"
    run_id = filled(path, STROKE, STOPPED)
    given = ["report", run_id, "--store", str(path)]
    assert main(given) == 0
    said = capsys.readouterr().out
    files = ["--html", str(tmp_path / "run.html"), "--csv", str(tmp_path / "run.csv")]
    assert main([*given, *files]) == 0
    assert "arm in trial 1 (worst): approach, then stopped: wrist_1_joint 0.1100 rad off" in said
    page = (tmp_path / "run.html").read_text()
    assert "What the arm was commanded last" in page
    assert "0.0123" in page
    with (tmp_path / "run.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert (rows[0]["last_motion"], rows[0]["tracking_error"]) == ("stroke", "0.0123")
    assert (rows[0]["tracking_joint"], rows[0]["tracking_seconds"]) == ("elbow_joint", "0.31")


def test_the_json_of_a_run_has_it():
    trials = [trial(0, tracking=STROKE), trial(1)]
    told = record_json("run", CONFIG, trials, Spending())["trials"]
    assert told[0]["tracking"] == {
        "motion": "stroke", "error": 0.0123, "joint": "elbow_joint", "time": 0.31
    }  # fmt: skip
    assert told[1]["tracking"] is None
