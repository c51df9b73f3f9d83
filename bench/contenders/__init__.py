"""Everything that is measured, in the order of the table."""

from __future__ import annotations

from bench.contender import Contender
from bench.contenders.checkers import ACTIONLINT
from bench.contenders.engines import AIRFLOW, DAGSTER, DBOS, PREFECT
from bench.contenders.floors import CALL_POOL, MAKE, NINJA, PYTHON, SPAWN, XARGS
from bench.contenders.flowctl import FLOWCTL
from bench.contenders.runners import DAGU, DOIT, LUIGI, SNAKEMAKE

CONTENDERS: tuple[Contender, ...] = (
    FLOWCTL,
    XARGS,
    SPAWN,
    MAKE,
    NINJA,
    CALL_POOL,
    PYTHON,
    DAGU,
    DOIT,
    LUIGI,
    SNAKEMAKE,
    PREFECT,
    DBOS,
    DAGSTER,
    AIRFLOW,
    ACTIONLINT,
)

__all__ = ["CONTENDERS"]
