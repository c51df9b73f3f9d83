"""The first schema: runs, their logs, and the projections beside them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables."""
    _specs()
    _runs()
    _tasks()
    _attempts()
    _events()


def _specs() -> None:
    op.create_table(
        "specs",
        _text("digest"),
        _text("flow"),
        _text("files"),
        _instant("created_at"),
        sa.PrimaryKeyConstraint("digest"),
    )


def _runs() -> None:
    op.create_table(
        "runs",
        _text("id"),
        _text("flow"),
        _text("digest"),
        _text("state"),
        _text("params"),
        _text("trigger"),
        _instant("created_at"),
        _text("labels"),
        _integer("priority"),
        _text("parent_run", nullable=True),
        _text("parent_task", nullable=True),
        _instant("scheduled_at", nullable=True),
        _instant("started_at", nullable=True),
        _instant("ended_at", nullable=True),
        _text("error", nullable=True),
        _text("outputs", nullable=True),
        _integer("warnings"),
        sa.Column("noop", sa.Boolean(), nullable=False),
        _text("undo", nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        _text("owner", nullable=True),
        _text("reversed_id"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_runs_created", "runs", ["created_at", "id"])
    op.create_index("ix_runs_flow", "runs", ["flow", "created_at", "id", "parent_run"])
    op.create_index("ix_runs_state", "runs", ["state", "created_at", "id", "parent_run"])
    op.create_index("ix_runs_flow_state", "runs", ["flow", "state", "created_at", "id", "parent_run"])
    op.create_index("ix_runs_parent", "runs", ["parent_run", "created_at", "id"])
    op.create_index("ix_runs_id", "runs", ["id", "created_at"])
    op.create_index("ix_runs_reversed", "runs", ["reversed_id", "created_at", "id"])


def _tasks() -> None:
    op.create_table(
        "tasks",
        _text("run_id"),
        _text("task"),
        _integer("item"),
        _text("key", nullable=True),
        _text("state"),
        _integer("round"),
        _integer("attempts"),
        _integer("position"),
        _instant("queued_at", nullable=True),
        _instant("started_at", nullable=True),
        _instant("ended_at", nullable=True),
        _text("error", nullable=True),
        _text("cause", nullable=True),
        _text("counts", nullable=True),
        sa.PrimaryKeyConstraint("run_id", "task", "item"),
        sqlite_with_rowid=False,
    )


def _attempts() -> None:
    op.create_table(
        "attempts",
        _text("run_id"),
        _text("task"),
        _integer("item"),
        _integer("round"),
        _integer("attempt"),
        _text("state"),
        _instant("started_at"),
        _instant("ended_at", nullable=True),
        sa.Column("exit_code", sa.BigInteger(), nullable=True),
        _text("signal", nullable=True),
        _text("error", nullable=True),
        _text("child_run", nullable=True),
        sa.PrimaryKeyConstraint("run_id", "task", "item", "round", "attempt"),
        sqlite_with_rowid=False,
    )


def _events() -> None:
    op.create_table(
        "events",
        _text("run_id"),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        _instant("at"),
        _text("type"),
        _text("task", nullable=True),
        sa.Column("item", sa.Integer(), nullable=True),
        _text("data"),
        sa.PrimaryKeyConstraint("run_id", "seq"),
        sqlite_with_rowid=False,
    )


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _integer(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[int]:
    """Microseconds since 1970 in UTC."""
    return sa.Column(name, sa.BigInteger(), nullable=nullable)
