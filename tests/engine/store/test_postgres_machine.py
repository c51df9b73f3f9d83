"""The PostgreSQL store against a dictionary, with a server that drops its connections at any moment."""

from __future__ import annotations

from contextlib import ExitStack

import psycopg
from hypothesis import settings
from hypothesis.stateful import rule

from engine.store.port import Store
from engine.store.postgres.store import PostgresStore
from tests.servers import own_schema, some_server

from .test_store_machine import StoreMachine


class PostgresMachine(StoreMachine):
    def make(self) -> Store:
        self.held = ExitStack()
        self.address = self.held.enter_context(own_schema(self.held.enter_context(some_server())))
        return self.open()

    def open(self) -> Store:
        return PostgresStore.open(self.address)

    def remove(self) -> None:
        self.held.close()

    @rule()
    def connections_are_dropped(self) -> None:
        assert isinstance(self.store, PostgresStore)
        assert self.store._writer is not None
        with psycopg.connect(self.address.url, autocommit=True) as other:
            pids = [self.store._writer.info.backend_pid, *(each.info.backend_pid for each in self.store._readers._idle)]
            other.execute("SELECT pg_terminate_backend(pid, 30000) FROM unnest(%s) AS pid", (pids,))


TestPostgresMachine = PostgresMachine.TestCase
TestPostgresMachine.settings = settings(max_examples=8, stateful_step_count=20, deadline=None)
