"""The schema in PostgreSQL's words, rendered from the same tables as SQLite's; imports SQLModel, so `run` never does.

Three things differ from what SQLAlchemy would write. Text sorts by its bytes, as in SQLite, so that lists and the search
for a part of an id do not depend on the server's language. Whole numbers have 64 bits, as in SQLite. And tables without
row ids are none.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects.postgresql.base import PGTypeCompiler
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from engine.store.tables import METADATA, statements_of


class StoreTypes(PGTypeCompiler):
    """Types of columns as a store has them."""

    def visit_TEXT(self, type_: Any, **kw: Any) -> str:  # noqa: ARG002, N802 -- SQLAlchemy's signature and name
        """Text of any length, sorted by its bytes."""
        return 'TEXT COLLATE "C"'

    def visit_INTEGER(self, type_: Any, **kw: Any) -> str:  # noqa: ARG002, N802 -- SQLAlchemy's signature and name
        """What SQLite holds in a column of that name."""
        return "BIGINT"


def store_dialect() -> PGDialect_psycopg:
    """PostgreSQL's dialect with the types of a store."""
    dialect = PGDialect_psycopg()  # type: ignore[no-untyped-call]
    dialect.type_compiler_instance = StoreTypes(dialect)
    return dialect


def postgres_statements() -> tuple[str, ...]:
    """The statements that make an empty schema: tables and indexes by name."""
    return tuple(text for table in METADATA.sorted_tables for text in statements_of(table, store_dialect()))


def render_ddl() -> str:
    """The whole text of `engine/store/postgres/ddl.py`."""
    statements = "".join(f'    """\n{text}\n""",\n' for text in postgres_statements())
    return _DDL_MODULE.format(statements=statements)


_DDL_MODULE = '''"""The schema as text for PostgreSQL, so that a new store is made without importing SQLModel.

Written by `engine.store.postgres.rendering.render_ddl`; a test holds the two to be the same.
"""

from __future__ import annotations

POSTGRES: tuple[str, ...] = (
{statements})
'''
