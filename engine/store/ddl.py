"""The schema as text, so that a new store is made without importing SQLModel.

Written by `engine.store.tables.render_ddl`; a test holds the two to be the same.
"""

from __future__ import annotations

VERSION = 2
"""The schema this code reads and writes: the number of the last migration."""

REVISION = f"{VERSION:04}"
"""The same as Alembic writes it."""

SQLITE: tuple[str, ...] = (
    """
CREATE TABLE attempts (
    run_id TEXT NOT NULL,
    task TEXT NOT NULL,
    item INTEGER NOT NULL,
    round INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    state TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    exit_code BIGINT,
    signal TEXT,
    error TEXT,
    child_run TEXT,
    PRIMARY KEY (run_id, task, item, round, attempt)
)
 WITHOUT ROWID
""",
    """
CREATE TABLE engines (
    id TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    clock TEXT NOT NULL,
    beat_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    beats BIGINT NOT NULL,
    retired BOOLEAN NOT NULL,
    PRIMARY KEY (id)
)
""",
    """
CREATE TABLE events (
    run_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    type TEXT NOT NULL,
    task TEXT,
    item INTEGER,
    data TEXT NOT NULL,
    PRIMARY KEY (run_id, seq)
)
 WITHOUT ROWID
""",
    """
CREATE TABLE inbox (
    id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    command TEXT NOT NULL,
    data TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    asked_at BIGINT NOT NULL,
    done_at BIGINT,
    answer TEXT,
    PRIMARY KEY (id)
)
""",
    """
CREATE INDEX ix_inbox_open ON inbox (done_at, asked_at, id)
""",
    """
CREATE INDEX ix_inbox_run ON inbox (run_id)
""",
    """
CREATE TABLE runs (
    id TEXT NOT NULL,
    flow TEXT NOT NULL,
    digest TEXT NOT NULL,
    state TEXT NOT NULL,
    params TEXT NOT NULL,
    "trigger" TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    labels TEXT NOT NULL,
    priority INTEGER NOT NULL,
    parent_run TEXT,
    parent_task TEXT,
    scheduled_at BIGINT,
    started_at BIGINT,
    ended_at BIGINT,
    error TEXT,
    outputs TEXT,
    warnings INTEGER NOT NULL,
    noop BOOLEAN NOT NULL,
    undo TEXT,
    seq BIGINT NOT NULL,
    token BIGINT NOT NULL,
    owner TEXT,
    reversed_id TEXT NOT NULL,
    PRIMARY KEY (id)
)
""",
    """
CREATE INDEX ix_runs_created ON runs (created_at, id)
""",
    """
CREATE INDEX ix_runs_flow ON runs (flow, created_at, id, parent_run)
""",
    """
CREATE INDEX ix_runs_flow_state ON runs (flow, state, created_at, id, parent_run)
""",
    """
CREATE INDEX ix_runs_id ON runs (id, created_at)
""",
    """
CREATE INDEX ix_runs_parent ON runs (parent_run, created_at, id)
""",
    """
CREATE INDEX ix_runs_reversed ON runs (reversed_id, created_at, id)
""",
    """
CREATE INDEX ix_runs_state ON runs (state, created_at, id, parent_run)
""",
    """
CREATE TABLE schema_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT schema_version_pkc PRIMARY KEY (version_num)
)
""",
    """
CREATE TABLE specs (
    digest TEXT NOT NULL,
    flow TEXT NOT NULL,
    files TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (digest)
)
""",
    """
CREATE TABLE tasks (
    run_id TEXT NOT NULL,
    task TEXT NOT NULL,
    item INTEGER NOT NULL,
    "key" TEXT,
    state TEXT NOT NULL,
    round INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    position INTEGER NOT NULL,
    queued_at BIGINT,
    started_at BIGINT,
    ended_at BIGINT,
    error TEXT,
    cause TEXT,
    counts TEXT,
    PRIMARY KEY (run_id, task, item)
)
 WITHOUT ROWID
""",
)
