"""Where a store may lie: checks of the path that need no look into the file.

The file itself is never opened here: closing any descriptor of it would drop the locks that SQLite holds in this
process.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from engine.errors import StoreDamaged, StoreError, StoreUnavailable
from engine.store.backups import backups_of, way_back

NETWORK_KINDS = frozenset(
    {
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "smb3",
        "smbfs",
        "fuse.ceph",
        "fuse.davfs2",
        "fuse.gcsfuse",
        "fuse.glusterfs",
        "fuse.mount-s3",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
    }
)
"""File systems whose files several machines may share: there neither locks nor the shared memory of the log hold."""

_MOUNTS = Path("/proc/mounts")
_ESCAPE = re.compile(r"\\([0-7]{3})")


def resolve_store(path: Path) -> Path:
    """The file meant, free of links, so that everybody who names it finds the same lock beside it."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise StoreUnavailable(f"`{path}` is not a path to a store: {_reason(error)}") from error


def refuse_network(path: Path) -> None:
    """Raise `StoreError` if the file would lie on a network file system."""
    try:
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:  # not a system that tells
        return
    kind = filesystem_of(path, mounts)
    if kind in NETWORK_KINDS:
        raise StoreError(
            f"`{path}` is on a network file system ({kind}), where a store in a file can be damaged",
            hint="keep the store on a local disk",
        )


def filesystem_of(path: Path, mounts: Iterable[str]) -> str | None:
    """The kind of file system a whole path lies on, by lines as `/proc/mounts` has them; the last of equals counts."""
    best, kind = -1, None
    for line in mounts:
        words = line.split(" ")
        if len(words) < 3:
            continue
        point = Path(_ESCAPE.sub(lambda found: chr(int(found[1], 8)), words[1]))
        if len(point.parts) >= best and path.is_relative_to(point):
            best, kind = len(point.parts), words[2]
    return kind


def exists(path: Path) -> bool:
    """Whether there is a store to open.

    Raises:
        StoreDamaged: what is there is no store, whatever it holds.
        StoreUnavailable: nobody can tell.
    """
    found = _status(path)
    if found is None:
        _refuse_orphans(path)
        return False
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "not a regular file"
        raise StoreDamaged(f"`{path}` is {what}, not a store", hint="name another file; this one was left as it is")
    if found.st_size == 0:
        raise StoreDamaged(
            f"`{path}` is empty, which a store never is",
            hint=f"{way_back(str(path))}; or move it and the files beside it away to start with a new store",
        )
    return True


def make_parent(path: Path) -> None:
    """Make the missing folders above the store, for this user alone."""
    try:
        missing = [folder for folder in path.parents if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"cannot make the folder `{path.parent}`: {_reason(error)}") from error


def beside(path: Path, suffix: str) -> Path:
    """The companion of a store whose name ends so."""
    return path.with_name(path.name + suffix)


def sync_folder(folder: Path) -> None:
    """Make names just given in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_orphans(path: Path) -> None:
    """A log without its store holds acknowledged work, and would be taken for the log of a store made in its place."""
    log = beside(path, "-wal")
    found = _status(log)
    if found is not None and found.st_size:
        raise StoreDamaged(
            f"`{path}` is gone, but `{log.name}` beside it holds its last changes",
            hint=f"bring the store back from where it was moved, or a backup{_newest(path)}; to start with a new store, move"
            " the log away",
        )


def _newest(path: Path) -> str:
    found = backups_of(path)
    return f", the newest of which is `{found[0]}`" if found else ""


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StoreUnavailable(f"cannot open the store `{path}`: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).lower()
