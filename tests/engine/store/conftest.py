"""What tests of stores share: a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.store.address import ServerAddress
from tests.servers import PrivateServer, own_schema, private_server, some_server


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A server that answers."""
    with some_server() as url:
        yield url


@pytest.fixture
def address(server_url: str) -> Iterator[ServerAddress]:
    """A place for a store, with nothing there."""
    with own_schema(server_url) as address:
        yield address


@pytest.fixture(scope="session")
def own_server() -> Iterator[PrivateServer]:
    """A server that tests may stop, as long as they start it again."""
    with private_server() as server:
        yield server
