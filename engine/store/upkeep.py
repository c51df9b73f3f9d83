"""What operators do with a store as a whole, wherever it is. Nothing here is done by the way: no upgrade, no new store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from engine.store.address import StoreAddress
from engine.store.reading import StoredRows


class Room(Struct, frozen=True):
    """How large a store was, and is; in bytes."""

    before: int
    after: int


class Upkeep(Protocol):
    """One store. What it raises is of `engine.errors.StoreError`."""

    @property
    def name(self) -> str:
        """What messages call it; never with a password."""

    def version(self) -> int:
        """Of its schema, not above our own; raises `StoreUnavailable` if there is no store, `StoreTooNew`."""

    def look(self) -> AbstractContextManager[StoredRows]:
        """Its rows, to be read and nothing else; it has our own version."""

    def damages(self) -> Iterator[str]:
        """What is wrong with its structure, a line each."""

    def migration(self) -> Sequence[str]:
        """The statements that would bring it up to date; none where it is."""

    def migrate(self, *, now: datetime) -> Path | None:
        """Bring it up to date; the backup made before, if that is ours to make."""

    def back_up(self, target: Path | None, *, now: datetime) -> Path:
        """Copy it while others write; to a name beside it where none is given. Raises `StoreError` if that is not ours."""

    def size(self) -> int:
        """How many bytes it takes."""

    def vacuum(self) -> Room:
        """Give room that is not used back; nobody else can write meanwhile."""

    def drop(self) -> None:
        """Delete it, backups excepted. The caller has made sure that nobody uses it."""

    def backups(self) -> Sequence[Path]:
        """Its backups as far as they are known, the newest first."""


def upkeep_of(address: StoreAddress) -> Upkeep:
    """The upkeep of the store at `address`."""
    if isinstance(address, Path):
        from engine.store.file_upkeep import FileUpkeep

        return FileUpkeep(address)
    from engine.store.postgres.upkeep import ServerUpkeep

    return ServerUpkeep(address)
