"""Engines on one PostgreSQL are killed, and so is the server: the same guarantees as on a file."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.faults.rig import PATIENCE_S, Rig
from tests.servers import own_schema, private_server, some_server

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("FLOWCTL_TEST_SERVER_KILLS", "6"))
"""`make soak` asks for 100."""

RUNS = int(os.environ.get("FLOWCTL_TEST_SERVER_RUNS", "24"))
"""`make soak` asks for 5,000."""

AT_ONCE = 4
SEED = int(os.environ.get("FLOWCTL_TEST_SEED", "2026"))

SMALL = """
version: 1
name: small
env: {LEDGER: "%(ledger)s"}
tasks:
  a: {run: %(step)s, outputs: {who: {type: string}}}
  b: {run: %(step)s, outputs: {who: {type: string}}, after: [a]}
outputs: {last: "${{ tasks.b.output.who }}"}
"""


def test_kills_of_engines_on_one_database_lose_and_repeat_nothing(tmp_path: Path) -> None:
    draw = random.Random(SEED)
    with some_server() as url, own_schema(url) as address:
        rig = Rig(tmp_path, environ={"FLOWCTL_DB_URL": address.url, "FLOWCTL_DB_SCHEMA": address.schema or ""})
        flow = rig.flow()
        kills = 0
        while kills < KILLS:
            other = rig.start("run", str(flow), "--json")
            kills += rig.run_until_killed(flow, draw.uniform(0, 0.6), acknowledged=draw.random() < 0.8)
            kills += rig.kill(other, draw.uniform(0, 0.6))
        assert rig.settle() == 0, rig.told()
        rig.judge()


def test_a_server_that_dies_again_and_again_costs_nothing_but_time(tmp_path: Path) -> None:
    """Runs that are under way when the server dies go on when it is back; none fails for it."""
    with private_server() as server, own_schema(server.url) as address:
        rig = Rig(tmp_path, environ={"FLOWCTL_DB_URL": address.url, "FLOWCTL_DB_SCHEMA": address.schema or ""})
        flow = rig.flow(SMALL)
        begun = 0
        while begun < RUNS:
            runs = [rig.start("run", str(flow), "--json") for _ in range(AT_ONCE)]
            begun += AT_ONCE
            rig.await_acknowledged(begun)
            server.stop()
            server.start()
            codes = [run.wait(PATIENCE_S) for run in runs]
            assert codes == [0] * AT_ONCE, rig.told()
        assert len(rig.acknowledged()) == begun
        rig.judge()
