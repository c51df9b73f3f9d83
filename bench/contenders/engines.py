"""Peers whose flows are Python programs with a store: Prefect, DBOS, Dagster, Airflow."""

from __future__ import annotations

import re

from bench.contender import PROGRAMS, Case, Command, Contender, Kind, Prepare
from bench.contenders.versions import of_package, python_of
from bench.shapes import Work

_COUNTED = re.compile(r"^done (\d+)$", re.MULTILINE)


def _program(peer: str, *, remark: str = "") -> Prepare:
    """The peer's program of `bench/programs`, started with the graph; it prints `done N`."""

    def prepare(case: Case) -> Command:
        argv = (python_of(peer), str(PROGRAMS / f"{peer}_flow.py"), str(case.write_json()), case.work.value)
        return Command(argv, {f"{peer.upper()}_HOME": str(case.state)}, remark)

    return prepare


def _count(case: Case, output: str) -> int:  # noqa: ARG001 - the signature of `Count`
    found = _COUNTED.search(output)
    return int(found[1]) if found else 0


def _peer(name: str, package: str, *, remark: str = "", calls: bool = True, most: int | None = None) -> Contender:
    peer = name.lower()
    works = {Work.RUN: _program(peer, remark=remark)}
    if calls:
        works[Work.CALLS] = _program(peer, remark=remark)
    return Contender(name, Kind.PEER, of_package(peer, package), works, _count, most=most)


PREFECT = _peer("Prefect", "prefect", remark="with the server it starts for itself")
DBOS = _peer("DBOS", "dbos", remark="knows no graphs: level by level")
DAGSTER = _peer("Dagster", "dagster", remark="one task at a time, in its own process", most=2_000)
AIRFLOW = _peer(
    "Airflow", "apache-airflow", remark="`dags test`, setting up its database included", calls=False, most=1
)
