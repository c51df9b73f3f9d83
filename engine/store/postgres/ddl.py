"""The schema as text for PostgreSQL, so that a new store is made without importing SQLModel.

Written by `engine.store.postgres.rendering.render_ddl`; a test holds the two to be the same.
"""

from __future__ import annotations

POSTGRES: tuple[str, ...] = (
    """
CREATE TABLE attempts (
    run_id TEXT COLLATE "C" NOT NULL,
    task TEXT COLLATE "C" NOT NULL,
    item BIGINT NOT NULL,
    round BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    exit_code BIGINT,
    signal TEXT COLLATE "C",
    error TEXT COLLATE "C",
    child_run TEXT COLLATE "C",
    PRIMARY KEY (run_id, task, item, round, attempt)
)
""",
    """
CREATE TABLE engines (
    id TEXT COLLATE "C" NOT NULL,
    started_at BIGINT NOT NULL,
    clock TEXT COLLATE "C" NOT NULL,
    beat_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    beats BIGINT NOT NULL,
    retired BOOLEAN NOT NULL,
    PRIMARY KEY (id)
)
""",
    """
CREATE TABLE events (
    run_id TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    task TEXT COLLATE "C",
    item BIGINT,
    data TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (run_id, seq)
)
""",
    """
CREATE TABLE inbox (
    id TEXT COLLATE "C" NOT NULL,
    run_id TEXT COLLATE "C" NOT NULL,
    command TEXT COLLATE "C" NOT NULL,
    data TEXT COLLATE "C" NOT NULL,
    asked_by TEXT COLLATE "C" NOT NULL,
    asked_at BIGINT NOT NULL,
    done_at BIGINT,
    answer TEXT COLLATE "C",
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
    id TEXT COLLATE "C" NOT NULL,
    flow TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    params TEXT COLLATE "C" NOT NULL,
    trigger TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    labels TEXT COLLATE "C" NOT NULL,
    priority BIGINT NOT NULL,
    parent_run TEXT COLLATE "C",
    parent_task TEXT COLLATE "C",
    scheduled_at BIGINT,
    started_at BIGINT,
    ended_at BIGINT,
    error TEXT COLLATE "C",
    outputs TEXT COLLATE "C",
    warnings BIGINT NOT NULL,
    noop BOOLEAN NOT NULL,
    undo TEXT COLLATE "C",
    seq BIGINT NOT NULL,
    token BIGINT NOT NULL,
    owner TEXT COLLATE "C",
    reversed_id TEXT COLLATE "C" NOT NULL,
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
    digest TEXT COLLATE "C" NOT NULL,
    flow TEXT COLLATE "C" NOT NULL,
    files TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (digest)
)
""",
    """
CREATE TABLE tasks (
    run_id TEXT COLLATE "C" NOT NULL,
    task TEXT COLLATE "C" NOT NULL,
    item BIGINT NOT NULL,
    key TEXT COLLATE "C",
    state TEXT COLLATE "C" NOT NULL,
    round BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    position BIGINT NOT NULL,
    queued_at BIGINT,
    started_at BIGINT,
    ended_at BIGINT,
    error TEXT COLLATE "C",
    cause TEXT COLLATE "C",
    counts TEXT COLLATE "C",
    PRIMARY KEY (run_id, task, item)
)
""",
)
