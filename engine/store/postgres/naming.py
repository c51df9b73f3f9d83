"""Statements as a server takes them: tables by their full names, parameters as psycopg writes them."""

# ruff: noqa: S608 -- names are quoted here, every value is a parameter

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from engine.store.postgres.ddl import POSTGRES

TABLES = tuple(found for text in POSTGRES for found in re.findall(r"^\s*CREATE TABLE (\w+)", text))
"""Names of all tables, without a prefix."""

_NAME = "|".join(TABLES)
_USED = re.compile(rf"\b(INTO|FROM|JOIN|UPDATE) ({_NAME})\b( AS\b)?")
_DEFINED = re.compile(rf"\b(TABLE|ON|REFERENCES) ({_NAME})\b")
_OWN = re.compile(r"\b(INDEX|CONSTRAINT) (\w+)")
_INSERT = re.compile(r"INSERT INTO (\w+) \(([^)]*)\) VALUES \([?, ]*\)(.*)", re.DOTALL)
_KEY = re.compile(r" ON CONFLICT \(([^)]*)\) DO UPDATE ")


class Insert(Struct, frozen=True):
    """A statement that inserts all its rows at once: they are its one parameter, a JSON array of objects.

    `key` are the places of the columns by which a later row takes an earlier one's stead, if it does. (A statement of
    PostgreSQL does not change one row twice.)
    """

    sql: str
    columns: tuple[str, ...]
    key: tuple[int, ...]


class Naming(Struct, frozen=True):
    """The schema and the prefix of a store's tables."""

    schema: str
    prefix: str

    def table(self, name: str) -> str:
        """The full name of a table, quoted."""
        return f"{quoted(self.schema)}.{quoted(self.prefix + name)}"

    def statement(self, sql: str) -> str:
        """A statement of `engine.store.statements` for this store."""
        return _statement(self, sql)

    def insert(self, sql: str) -> Insert | None:
        """A statement that inserts one row as one that inserts many; `None` for every other statement."""
        return _insert(self, sql)

    def numbered(self, sql: str) -> str:
        """What `statement` or `insert` returned, with marks as the server itself takes them: `$1`, `$2`."""
        return _numbered(sql)

    def definition(self, sql: str) -> str:
        """A statement that defines tables and indexes; indexes are in the schema of their table by themselves."""
        owned = _OWN.sub(lambda found: f"{found[1]} {quoted(self._prefixed(found[2]))}", sql)
        return _DEFINED.sub(lambda found: f"{found[1]} {self.table(found[2])}", owned)

    def migration(self, sql: str) -> str:
        """A statement of a migration, which may define or change; its parameters are psycopg's already."""
        doubled = Naming(self.schema.replace("%", "%%"), self.prefix.replace("%", "%%"))
        return _with_names(doubled, doubled.definition(sql))

    def _prefixed(self, name: str) -> str:
        return name if name.startswith(self.prefix) else self.prefix + name


def quoted(name: str) -> str:
    """A name that means itself, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


@lru_cache(maxsize=512)
def _statement(naming: Naming, sql: str) -> str:
    return _with_names(naming, sql).replace("%", "%%").replace("?", "%s")


@lru_cache(maxsize=512)
def _numbered(sql: str) -> str:
    first, *rest = sql.split("%s")
    return "".join((first, *(f"${number}{part}" for number, part in enumerate(rest, 1)))).replace("%%", "%")


@lru_cache(maxsize=64)
def _insert(naming: Naming, sql: str) -> Insert | None:
    found = _INSERT.fullmatch(sql)
    if found is None:
        return None
    table, names, rest = found.groups()
    columns = tuple(names.split(", "))
    keyed = _KEY.match(rest)
    key = tuple(columns.index(name) for name in keyed[1].split(", ")) if keyed else ()
    rows = f"json_populate_recordset(NULL::{naming.table(table)}, ?::json)"
    whole = f"INSERT INTO {table} ({names}) SELECT {names} FROM {rows}{rest}"
    return Insert(_statement(naming, whole), columns, key)


def _with_names(naming: Naming, sql: str) -> str:
    """The tables' full names, each with its plain one as an alias, by which columns may be qualified."""
    return _USED.sub(
        lambda found: f"{found[1]} {naming.table(found[2])}{found[3] or f' AS {found[2]}'}",
        sql,
    )
