"""What a server can be: not there, not ours, too old, in use by several at once. Each case is told in one line."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from msgspec.structs import replace

from engine.errors import StoreDamaged, StoreError, StoreTooNew, StoreUnavailable
from engine.store import ddl
from engine.store.address import ServerAddress
from engine.store.postgres.connections import check_server
from engine.store.postgres.naming import Naming, quoted
from engine.store.postgres.store import PostgresStore
from tests.servers import PrivateServer, free_port

from .samples import NOW, inserting, run

ROOT = Path(__file__).parents[3]
PASSWORD = "s3cret@hunter"
IN_URL = "s3cret%40hunter"


@pytest.fixture(scope="module")
def guarded(own_server: PrivateServer) -> PrivateServer:
    """A server that asks `ada` for a password, has databases of two encodings, and one connection for nobody."""
    own_server.let_in("host all ada 127.0.0.1/32 scram-sha-256\nhost all carol 127.0.0.1/32 reject")
    with psycopg.connect(own_server.url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE ada LOGIN PASSWORD '{PASSWORD}'")
        connection.execute("CREATE ROLE bob LOGIN")
        connection.execute("CREATE ROLE carol LOGIN")
        connection.execute("CREATE ROLE dave LOGIN CONNECTION LIMIT 0")
        connection.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    return own_server


@pytest.mark.parametrize(
    ("who", "database", "said"),
    [
        ("ada:wr0ng", "postgres", "the password is wrong"),
        ("ada", "postgres", "the server asks for a password"),
        ("nobody", "postgres", "there is no such user"),
        ("carol", "postgres", "the server does not let this user or machine in"),
        ("dave", "postgres", "the server has no connection left"),
        ("postgres", "nothing", "there is no such database"),
        ("bob", "postgres", "permission denied"),
        ("postgres", "postgres?options=-c%20default_transaction_read_only%3Don", "the server takes no writes"),
    ],
)
def test_a_server_that_refuses_is_told_of_in_one_line(
    guarded: PrivateServer, who: str, database: str, said: str
) -> None:
    url = f"postgresql://{who}@127.0.0.1:{guarded.port}/{database}"
    with pytest.raises(StoreUnavailable) as caught:
        PostgresStore.open(ServerAddress(url))
    user, shown = who.partition(":")[0], database.partition("?")[0]
    place = f"postgresql://{user}@127.0.0.1:{guarded.port}/{shown}"
    assert str(caught.value).startswith(f"cannot use the store `{place}`: {said}")
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    assert "wr0ng" not in f"{caught.value}{caught.value.hint}"


def test_the_right_password_lets_in_and_is_never_shown(guarded: PrivateServer) -> None:
    with psycopg.connect(guarded.url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS ada AUTHORIZATION ada")
    address = ServerAddress(f"postgresql://ada:{IN_URL}@127.0.0.1:{guarded.port}/postgres")
    with closing(PostgresStore.open(address)) as store:
        store.commit([inserting(run("r1"))])
        assert store.run("r1") == run("r1")
        assert "hunter" not in f"{store._name}{address!r}"


def test_nothing_that_listens_may_pass_by_itself() -> None:
    with pytest.raises(StoreUnavailable, match="nothing listens there") as caught:
        PostgresStore.open(ServerAddress(f"postgresql://postgres@127.0.0.1:{free_port()}/postgres"))
    assert caught.value.transient


def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"postgresql://postgres@127.0.0.1:{mute.getsockname()[1]}/postgres?connect_timeout=2"
        with pytest.raises(StoreUnavailable, match="does not answer") as caught:
            PostgresStore.open(ServerAddress(url))
    assert caught.value.transient


def test_a_url_that_cannot_be_read_is_not_quoted() -> None:
    with pytest.raises(StoreUnavailable, match="cannot be read") as caught:
        PostgresStore.open(ServerAddress("postgresql://ada:hunter%zz@127.0.0.1/db?nonsense=hunter"))
    assert "hunter" not in f"{caught.value}{caught.value.hint}"


def test_a_database_of_another_encoding_is_refused(guarded: PrivateServer) -> None:
    with pytest.raises(StoreError, match="keeps text as LATIN1"):
        PostgresStore.open(ServerAddress(guarded.url.removesuffix("postgres") + "latin"))


def test_a_server_that_is_too_old_is_refused() -> None:
    check_server(130_000, "UTF8", name="x")
    with pytest.raises(StoreError, match="is PostgreSQL 12, and a store needs 13"):
        check_server(120_017, "UTF8", name="x")


def test_looking_for_a_store_makes_none(address: ServerAddress) -> None:
    assert PostgresStore.find(address) is None
    with pytest.raises(StoreUnavailable, match="there is no store"):
        PostgresStore.open(address, create=False)
    with psycopg.connect(address.url) as connection:
        found = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (address.schema,))
        assert found.fetchone() is None


def test_two_stores_in_one_schema_know_nothing_of_each_other(address: ServerAddress) -> None:
    one, other = replace(address, prefix="a_"), replace(address, prefix="b_")
    with closing(PostgresStore.open(one)) as first, closing(PostgresStore.open(other)) as second:
        first.commit([inserting(run("r1"))])
        assert second.run("r1") is None
        assert PostgresStore.find(address) is None


def test_the_schema_is_the_one_the_server_takes_first(address: ServerAddress) -> None:
    PostgresStore.open(address).close()
    assert address.schema is not None
    path = quoted(address.schema).replace("%", "%25").replace(" ", "%5C%20").replace('"', "%22")
    with closing(PostgresStore.open(ServerAddress(f"{address.url}?options=-csearch_path%3D{path}"))) as store:
        assert store._naming == Naming(address.schema, "")


def change(address: ServerAddress, statement: str) -> None:
    naming = Naming(address.schema or "", "")
    with psycopg.connect(address.url, autocommit=True) as connection:
        connection.execute(statement.format(*(naming.table(name) for name in ("schema_version", "tasks"))))


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DROP TABLE {1}", "tables are missing"),
        ("DELETE FROM {0}", "it has no version"),
        ("UPDATE {0} SET version_num = 'soon'", "it has no version"),
    ],
)
def test_a_damaged_store_is_left_as_it_is(address: ServerAddress, statement: str, said: str) -> None:
    PostgresStore.open(address).close()
    change(address, statement)
    for _ in range(2):
        with pytest.raises(StoreDamaged, match=said):
            PostgresStore.open(address, now=NOW)


def test_a_store_of_a_later_flowctl_is_refused(address: ServerAddress) -> None:
    PostgresStore.open(address).close()
    change(address, f"UPDATE {{0}} SET version_num = '{ddl.VERSION + 1:04}'")
    with pytest.raises(StoreTooNew, match=f"has version {ddl.VERSION + 1}"):
        PostgresStore.open(address, now=NOW)


def test_a_store_of_an_earlier_flowctl_is_upgraded_only_by_those_who_may(address: ServerAddress) -> None:
    PostgresStore.open(address).close()
    change(address, "UPDATE {0} SET version_num = '0001'")
    with pytest.raises(StoreError, match="earlier flowctl"):
        PostgresStore.open(address)


def test_of_many_that_make_a_store_at_once_one_does(address: ServerAddress) -> None:
    start, problems = threading.Barrier(6), list[Exception]()

    def make(number: int) -> None:
        start.wait()
        try:
            with closing(PostgresStore.open(address)) as store:
                store.commit([inserting(run(f"r{number}"))])
        except StoreError as error:
            problems.append(error)

    makers = [threading.Thread(target=make, args=(n,)) for n in range(6)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert problems == []
    with closing(PostgresStore.open(address)) as store:
        assert [store.run(f"r{n}") for n in range(6)] == [run(f"r{n}") for n in range(6)]


def flowctl(tmp_path: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flowctl", *arguments],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "FLOWCTL_HOME": str(tmp_path / "home"), **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_program_says_what_is_wrong_and_shows_no_password(tmp_path: Path, guarded: PrivateServer) -> None:
    url = f"postgresql://ada:wr0ng@127.0.0.1:{guarded.port}/postgres"
    done = flowctl(tmp_path, "runs", "--json", FLOWCTL_DB_URL=url)
    assert done.returncode == 1
    error = json.loads(done.stderr)
    assert error["code"] == "store_unavailable"
    assert error["message"].endswith("the password is wrong")
    assert "wr0ng" not in done.stdout + done.stderr
    plain = flowctl(tmp_path, "runs", "--store", url)
    assert plain.returncode == 1
    assert plain.stderr.startswith("error: cannot use the store `postgresql://ada@127.0.0.1:")
    assert "wr0ng" not in plain.stderr


def test_the_driver_says_nothing_by_itself() -> None:
    said = "import logging; logging.getLogger('psycopg').warning('error ignored terminating')"
    program = f"import engine.store.postgres.connections; {said}"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""
