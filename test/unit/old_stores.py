"""What stores of earlier versions were made with, for tests of their migration."""

SCHEMA_1 = """\
CREATE TABLE runs (
    run_id   TEXT PRIMARY KEY,
    created  TEXT NOT NULL,
    task     TEXT NOT NULL,
    improver TEXT NOT NULL,
    budget   INTEGER NOT NULL,
    config   TEXT NOT NULL,
    state    TEXT NOT NULL DEFAULT 'open'
             CHECK (state IN ('open', 'finished', 'failed', 'cancelled')),
    note     TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE trials (
    run_id          TEXT NOT NULL REFERENCES runs (run_id),
    number          INTEGER NOT NULL CHECK (number >= 0),
    attempt         INTEGER NOT NULL CHECK (attempt >= 1),
    status          TEXT NOT NULL,
    started         TEXT NOT NULL,
    finished        TEXT,
    theta           BLOB NOT NULL,
    projected       INTEGER NOT NULL,
    proposal_theta  BLOB NOT NULL,
    provenance      TEXT NOT NULL,
    fallback_reason TEXT NOT NULL,
    latency         REAL NOT NULL,
    predicted_cost  REAL,
    predicted_std   REAL,
    details         TEXT NOT NULL,
    error           BLOB,
    cost            REAL,
    best_cost       REAL,
    seconds         REAL NOT NULL DEFAULT 0,
    moving          REAL,
    times           BLOB,
    positions       BLOB,
    note            TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (run_id, number, attempt)
) STRICT;
CREATE UNIQUE INDEX one_running_trial ON trials (run_id) WHERE status = 'running';
PRAGMA application_id = 0x49435049;
PRAGMA user_version = 1;
"""
SCHEMA_2 = SCHEMA_1.replace(
    """    note            TEXT NOT NULL DEFAULT '',
    PRIMARY KEY""",
    """    note            TEXT NOT NULL DEFAULT '',
    last_motion     TEXT NOT NULL DEFAULT '',
    tracking_error  REAL,
    tracking_joint  TEXT NOT NULL DEFAULT '',
    tracking_time   REAL,
    PRIMARY KEY""",
).replace("user_version = 1", "user_version = 2")
