"""What a process does that writes to a store beside others, and what such processes must leave behind."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from msgspec.structs import replace

from engine.store.address import ServerAddress, StoreAddress
from engine.store.opening import open_store
from engine.store.port import Store
from engine.store.rows import RunFilter

from .samples import NOW, attempt, continuing, inserting, run, task

HERE = Path(__file__)


def write_runs(address: StoreAddress, name: str, count: int) -> None:
    """What a writing process does: runs of its own, each in commits of several rows; says so after each commit."""
    with closing(open_store(address, create=True, now=NOW)) as store:
        for number in range(count):
            row = run(f"{name}-{number}")
            store.commit([inserting(row)])
            for step in range(4):
                tasks = (task(row.id, f"t{step}"), task(row.id, f"u{step}"))
                store.commit([continuing(row, events=3, tasks=tasks, attempts=(attempt(row.id, f"t{step}"),))])
                row = replace(row, seq=row.seq + 3)
                os.write(1, b"%d %d\n" % (number, row.seq))


def start_writer(address: StoreAddress, name: str, count: int) -> subprocess.Popen[str]:
    """A process of its own that writes runs."""
    if isinstance(address, ServerAddress):
        where = f"ServerAddress({address.url!r}, {address.schema!r}, {address.prefix!r})"
    else:
        where = f"Path({str(address)!r})"
    code = (
        f"import sys; sys.path[:0] = [{str(HERE.parents[3])!r}, {str(HERE.parents[1])!r}]\n"
        "from pathlib import Path\n"
        "from engine.store.address import ServerAddress\n"
        "from store.sharing import write_runs\n"
        f"write_runs({where}, {name!r}, {count})"
    )
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def check_whole(store: Store) -> int:
    """Every run has the rows of whole commits only; returns how many runs there are."""
    page = store.runs(RunFilter(), limit=10_000)
    for row in page.items:
        steps = (row.seq - 1) // 3
        assert [event.seq for event in store.events(row.id)] == list(range(1, 3 * steps + 2))
        assert len(store.tasks(row.id)) == 2 * steps
        assert len(store.attempts(row.id)) == steps
    return len(page.items)
