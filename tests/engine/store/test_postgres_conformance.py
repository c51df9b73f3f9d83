"""The PostgreSQL store does what every store does, in a schema and with a prefix that need quoting."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from engine.store.address import ServerAddress
from engine.store.port import Store
from engine.store.postgres.store import PostgresStore

from .conformance import StoreConformance


class TestSchema(StoreConformance):
    @pytest.fixture
    def store(self, address: ServerAddress) -> Iterator[Store]:
        store = PostgresStore.open(address)
        yield store
        store.close()


class TestPrefix(StoreConformance):
    @pytest.fixture
    def store(self, address: ServerAddress) -> Iterator[Store]:
        store = PostgresStore.open(replace(address, prefix='Odd "prefix" % '))
        yield store
        store.close()
