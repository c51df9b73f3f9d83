"""Alembic's environment for the store; `engine.store.upgrade` runs it."""
