"""The SQLite store does what every store does, in a file and in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.store.port import Store
from engine.store.sqlite import SqliteStore

from .conformance import StoreConformance


class TestFile(StoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = SqliteStore.open(tmp_path / "flow.db")
        yield store
        store.close()


class TestMemory(StoreConformance):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        store = SqliteStore.in_memory()
        yield store
        store.close()
