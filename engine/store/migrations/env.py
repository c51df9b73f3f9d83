"""What Alembic executes to migrate: on the connection it is handed, in the transaction that is open on it."""

from __future__ import annotations

from alembic import context

from engine.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=context.config.attributes.get("version_table", "schema_version"),
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
