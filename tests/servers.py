"""PostgreSQL servers for tests: the one that runs already, or one of our own; each test has a schema to itself.

`FLOWCTL_TEST_POSTGRES` names a server by URL. Without it the usual address is tried, and if nobody answers there a
server is started from the installed programs, in a folder that is gone when the tests have ended. A test that needs a
server fails where none can be had.
"""

from __future__ import annotations

import getpass
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from engine.store.address import ServerAddress
from engine.store.postgres.naming import quoted

VARIABLE = "FLOWCTL_TEST_POSTGRES"
USUAL = "postgresql://postgres@127.0.0.1:5432/postgres"
START_S = 60


class PrivateServer:
    """A server of a test's own, which may be killed and started again; its data are below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / "data"
        self.port = free_port()
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        settings = f"port = {self.port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n"
        with (self._data / "postgresql.conf").open("a") as file:
            file.write(settings + "max_connections = 60\nshared_buffers = 16MB\n")
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        log = str(self._folder / "log")
        self._run("pg_ctl", "start", "-w", "-t", str(START_S), "-D", str(self._data), "-l", log)

    def stop(self, mode: str = "immediate") -> None:
        """End the server; `immediate` is a crash that it recovers from at its next start."""
        self._run("pg_ctl", "stop", "-w", "-t", str(START_S), "-m", mode, "-D", str(self._data))

    def let_in(self, rule: str) -> None:
        """Have `pg_hba.conf` begin with a rule."""
        file = self._data / "pg_hba.conf"
        file.write_text(f"{rule}\n{file.read_text()}")
        self._run("pg_ctl", "reload", "-D", str(self._data))

    def pid(self) -> int:
        return int((self._data / "postmaster.pid").read_text().splitlines()[0])

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(_programs() / program), *arguments]
        done = subprocess.run(
            command,
            user=_user(),
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"


@contextmanager
def private_server() -> Iterator[PrivateServer]:
    """A server for the length of a `with`."""
    folder = Path(tempfile.mkdtemp(prefix="flowctl-pg-"))
    if os.geteuid() == 0:
        os.chown(folder, pwd.getpwnam("postgres").pw_uid, -1)
    # Ends the server and removes its folder when nobody holds its stdin any more, however this process ends.
    ending = '"$1" stop -m immediate -D "$2/data"; rm -rf "$2"'
    guard = subprocess.Popen(
        ["sh", "-c", f"cat; {ending}", "sh", str(_programs() / "pg_ctl"), str(folder)],
        user=_user(),
        cwd="/",
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield PrivateServer(folder)
    finally:
        guard.communicate(timeout=START_S)


@contextmanager
def some_server() -> Iterator[str]:
    """The URL of a server that answers, for the length of a `with`."""
    named = os.environ.get(VARIABLE)
    if named:
        yield named
    elif _answers(USUAL):
        yield USUAL
    else:
        with private_server() as server:
            yield server.url


@contextmanager
def own_schema(url: str) -> Iterator[ServerAddress]:
    """An address whose schema is there for one test, and is gone afterwards; the name is one that must be quoted."""
    schema = f'test "{getpass.getuser()}" {secrets.token_hex(6)} 5% '
    try:
        yield ServerAddress(url, schema=schema)
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {quoted(schema)} CASCADE")


def _user() -> str | None:
    """The server refuses to run as root; it is started by the user that its packages have made."""
    return "postgres" if os.geteuid() == 0 else None


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


def _programs() -> Path:
    """Where the server's programs are: the newest of those that Debian keeps apart, or wherever `PATH` finds them."""
    kept = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = str(kept[-1]) if kept else shutil.which("initdb")
    assert found, "there is no PostgreSQL: install it (`apt-get install postgresql`), or name a server in " + VARIABLE
    return Path(found).parent
