"""Opening a store wherever it is: a path is a file, an address a database. What is not used is not imported."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from engine.store.address import StoreAddress
from engine.store.port import Store


def open_store(address: StoreAddress, *, create: bool, now: datetime | None) -> Store:
    """The store at `address`, made if there is none unless `create` is false, and upgraded if `now` tells the instant.

    Raises:
        StoreError: it cannot be opened or made; the classes and texts say why.
    """
    if isinstance(address, Path):
        from engine.store.sqlite import SqliteStore

        return SqliteStore.open(address, create=create, now=now)
    from engine.store.postgres.store import PostgresStore

    return PostgresStore.open(address, create=create, now=now)


def find_store(address: StoreAddress, *, now: datetime | None) -> Store | None:
    """The store at `address` as `open_store` gives it, `None` where there is none; it never makes one."""
    if isinstance(address, Path):
        from engine.store import places

        there = places.exists(places.resolve_store(address))
        return open_store(address, create=False, now=now) if there else None
    from engine.store.postgres.store import PostgresStore

    return PostgresStore.find(address, now=now)
