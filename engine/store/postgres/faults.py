"""What a server's errors mean for a caller: each becomes one error of the store, with its name and a way out.

What passes by itself (a server that restarts, a network that is back in a moment) is `transient`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from msgspec import Struct

from engine.errors import StoreConflict, StoreDamaged, StoreError, StoreUnavailable


class _Reason(Struct, frozen=True):
    """Why a store cannot be used, and what to do about it."""

    why: str
    hint: str | None = None
    transient: bool = False


_PERMISSION = "ask the database's owner for the right, or name a schema of your own with `db.schema`"
_PASSWORD = "check user and password in `FLOWCTL_DB_URL`; libpq also reads `PGPASSWORD` and `~/.pgpass`"  # noqa: S105
_GONE = _Reason("the connection to the server was lost", "see whether the server runs", transient=True)

_STATES: dict[str, _Reason] = {
    "25006": _Reason("the server takes no writes (is it a standby?)", "name the primary server", transient=True),
    "28000": _Reason("the server does not let this user in", _PASSWORD),
    "28P01": _Reason("the password is wrong", _PASSWORD),
    "3D000": _Reason("there is no such database", "make it with `createdb`, or name another"),
    "3F000": _Reason("there is no such schema", "make it, or name another with `db.schema`"),
    "42501": _Reason("permission denied", _PERMISSION),
    "53100": _Reason("the disk of the server is full", "free some space there", transient=True),
    "53200": _Reason("the server's memory is used up", transient=True),
    "53300": _Reason("the server has no connection left", "raise its `max_connections`", transient=True),
    "55P03": _Reason("somebody else keeps rows locked", "look at `pg_stat_activity`", transient=True),
    "57014": _Reason("the server ended the statement", "look at its `statement_timeout`", transient=True),
    "58030": _Reason("the disk of the server reports an error", "look at the server's log", transient=True),
}
"""By SQLSTATE (PostgreSQL's manual, appendix A)."""

_CLASSES: dict[str, _Reason] = {
    "08": _GONE,
    "40": _Reason("another transaction was in the way", transient=True),
    "53": _Reason("the server lacks resources", "look at the server's log", transient=True),
    "57": _Reason("the server is shutting down or starting", "wait for it", transient=True),
}

_SAID: tuple[tuple[str, _Reason], ...] = (
    ("no password supplied", _Reason("the server asks for a password", _PASSWORD)),
    ("password authentication failed", _STATES["28P01"]),
    ("pg_hba.conf", _Reason("the server does not let this user or machine in", "see its `pg_hba.conf`")),
    (r'role ".*" does not exist', _Reason("there is no such user", _PASSWORD)),
    (r'database ".*" does not exist', _STATES["3D000"]),
    ("permission denied for database", _STATES["42501"]),
    ("too many (clients|connections)|remaining connection slots", _STATES["53300"]),
    ("starting up|shutting down|recovery", _CLASSES["57"]),
    (
        "Connection refused|No such file",
        _Reason("nothing listens there", "see whether the server runs", transient=True),
    ),
    (
        "could not translate host|resolve host|Name or service not known|failure in name resolution",
        _Reason("the host's name is not known", "check the host in the URL", transient=True),
    ),
    ("timeout|timed out", _Reason("the server does not answer", "see whether it can be reached", transient=True)),
    ("certificate|SSL", _Reason("no encrypted connection could be made", "see `sslmode` in libpq's manual")),
)
"""Why no connection was made: libpq tells it in words only."""

_BACKUP = "bring the database back from a backup; it was left as it is"
TAKEN = "23505"
"""SQLSTATE of a row that is there already."""

_TOO_LARGE = frozenset({"22003", "22021", "22P05", "54000", "54001"})


class TooLarge(ValueError):
    """A value that the server cannot hold; `engine.store.writing` says whose."""


def unreadable_url() -> StoreUnavailable:
    """The error for a URL that libpq does not take. What it says may quote the password, so it is not passed on."""
    return StoreUnavailable(
        "the URL of the store cannot be read",
        hint="write `postgresql://USER@HOST:PORT/DATABASE`, with special characters of a password as `%40` and the like",
    )


def refused(error: psycopg.Error, name: str) -> StoreUnavailable:
    """The error for a connection that was not made; `name` is the store's."""
    text = str(error)
    found = next((reason for words, reason in _SAID if re.search(words, text)), None)
    if found is None:
        found = _Reason(_last_line(text) or "no connection was made", "see whether the server runs", transient=True)
    return _unavailable(found, name)


def lost(name: str) -> StoreUnavailable:
    """The error for a connection that is no more."""
    return _unavailable(_GONE, name)


def translated(error: psycopg.Error, name: str) -> StoreError:
    """The error to raise from what a statement came to. Raises `TooLarge` for a value that the server cannot hold."""
    state = error.sqlstate or ""
    if state in _TOO_LARGE:
        raise TooLarge(_last_line(str(error))) from error
    reason = _STATES.get(state) or _CLASSES.get(state[:2])
    if reason is not None:
        return _unavailable(reason, name)
    if state == TAKEN:
        return StoreConflict(f"another writer was first, nothing was written to `{name}`")
    if state in ("42P01", "42703") or state.startswith("XX"):
        return StoreDamaged(f"the store `{name}` is damaged: {_last_line(str(error))}", hint=_BACKUP)
    if state or not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return StoreError(f"a row does not fit the store `{name}`: {_last_line(str(error))}")
    return lost(name)


@contextmanager
def translating(name: str) -> Iterator[None]:
    """Raise errors of the store in place of the driver's."""
    try:
        yield
    except psycopg.Error as error:
        raise translated(error, name) from error


def _unavailable(reason: _Reason, name: str) -> StoreUnavailable:
    message = f"cannot use the store `{name}`: {reason.why}"
    return StoreUnavailable(message, hint=reason.hint, transient=reason.transient)


def _last_line(text: str) -> str:
    """What libpq and the server say ends with the cause, after the place."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = lines[0] if lines else ""
    return said.rpartition("FATAL: ")[2].strip()
