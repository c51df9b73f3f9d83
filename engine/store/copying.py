"""Copying a store in a file while others write to it. A copy is proven to be whole before it gets its name."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from engine.errors import StoreDamaged, StoreError, StoreUnavailable
from engine.store import places
from engine.store.backups import PARTIAL, way_back
from engine.store.connections import connect_writer
from engine.store.looking import looking


def back_up(store: Path, target: Path, *, holds_lock: bool = False) -> None:
    """Copy a consistent state, log included, without keeping anybody from writing; the copy has its name only when it is
    proven to be whole, and on the disk. `holds_lock`: the caller has the store's lock.

    Raises:
        StoreError: there is a file of that name.
        StoreUnavailable: the copy cannot be written.
        StoreDamaged: the store is damaged, so that there is nothing to back up.
    """
    if os.path.lexists(target):
        raise StoreError(f"the backup `{target}` exists already", hint="move it away, or name another file")
    partial = places.beside(target, PARTIAL)
    try:
        _remove(partial)
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            _copy(store, partial, holds_lock=holds_lock)
            _prove(store, partial)
            os.link(partial, target)  # unlike a rename, never in place of a file that came meanwhile
        finally:
            _remove(partial)
        places.sync_folder(target.parent)
    except FileExistsError as error:
        raise StoreError(f"the backup `{target}` exists already", hint="move it away, or name another file") from error
    except OSError as error:
        raise StoreUnavailable(f"cannot write the backup `{target}`: {(error.strerror or '').lower()}") from error


def _copy(store: Path, partial: Path, *, holds_lock: bool) -> None:
    # The whole copy is one reading transaction, which in a store with a log keeps nobody from writing.
    with looking(store, holds_lock=holds_lock) as source, closing(connect_writer(partial)) as target:
        source.backup(target)


def _prove(store: Path, partial: Path) -> None:
    with closing(sqlite3.connect(f"{partial.as_uri()}?mode=ro&immutable=1", uri=True)) as copy:
        found = copy.execute("PRAGMA integrity_check(1)").fetchone()
    if found is None or found[0] != "ok":
        raise StoreDamaged(
            f"the store `{store}` is damaged, and so would be a backup of it: {found[0] if found else 'no answer'}",
            hint=way_back(str(store)),
        )


def _remove(partial: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        places.beside(partial, suffix).unlink(missing_ok=True)
