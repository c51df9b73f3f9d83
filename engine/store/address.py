"""Where a store is: a file, or a database at an address that is told without its password."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote, urlsplit

from msgspec import Struct

SCHEMES = ("postgresql", "postgres")


class ServerAddress(Struct, frozen=True):
    """A PostgreSQL database, and where in it the tables are. Its text never holds the password.

    Attributes:
        url: as libpq takes it, password included.
        schema: of the tables; `None` for the one that the server takes first for this user.
        prefix: what the names of all tables begin with, so that several stores fit in one schema.
    """

    url: str
    schema: str | None = None
    prefix: str = ""

    def __str__(self) -> str:
        return shown_url(self.url)

    def __repr__(self) -> str:
        return f"<ServerAddress {self}>"


StoreAddress: TypeAlias = Path | ServerAddress


def shown_url(url: str) -> str:
    """A URL as it may be shown: whom, where and which database, nothing else."""
    try:
        parts = urlsplit(url)
        user, host = unquote(parts.username or ""), parts.netloc.rpartition("@")[2]
    except ValueError:
        return f"{url.partition('://')[0]}://..."
    return f"{parts.scheme}://{f'{user}@' if user else ''}{host}{parts.path}"
