"""A host for all tests of a module, and a server on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.connectors.local_server import Server, serving
from tests.engine.runners.bench import Bench


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        yield made


@pytest.fixture(scope="module")
def host_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("bench"))
    yield made
    made.close()


@pytest.fixture
def bench(host_bench: Bench, tmp_path: Path) -> Bench:
    """One host for all tests of a module, an empty run directory for each."""
    host_bench.run_dir = tmp_path / "work"
    host_bench.run_dir.mkdir()
    return host_bench
