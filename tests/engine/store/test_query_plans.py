"""Every read enters an index, and lists of runs come out of it in order: none reads what it does not return."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from engine.store import statements
from engine.store.codec import micros
from engine.store.rows import RunFilter
from engine.store.sqlite import SqliteStore
from engine.store.statements import Query

from .samples import NOW, inserting, run

BEFORE, AFTER = (micros(NOW) - 1, "r"), (micros(NOW) + 1, "r")


@pytest.fixture(scope="module")
def store() -> Iterator[SqliteStore]:
    store = SqliteStore.in_memory()
    store.commit([inserting(run(f"r{n}", created=n)) for n in range(10)])
    yield store
    store.close()


def plan(store: SqliteStore, query: Query) -> list[str]:
    return [row[3] for row in store._writer.execute("EXPLAIN QUERY PLAN " + query.sql, query.values)]


@pytest.mark.parametrize(
    ("flow", "states", "since", "until", "after", "top"),
    list(
        product(
            (None, "etl"),
            (None, ("failed",), ("failed", "running", "queued")),
            (None, NOW),
            (None, NOW),
            (None, BEFORE, AFTER),
            (True, False),
        )
    ),
)
def test_a_list_of_runs_walks_the_index_that_fits_its_filter(
    store: SqliteStore,
    flow: str | None,
    states: tuple[str, ...] | None,
    since: object,
    until: object,
    after: tuple[int, str] | None,
    top: bool,
) -> None:
    where = RunFilter(flow, states, since, until, top)  # type: ignore[arg-type]
    steps = plan(store, statements.list_runs(where, limit=20, after=after))
    named = {(True, True): "flow_state", (True, False): "flow", (False, True): "state"}
    index = named.get((flow is not None, states is not None), "parent" if top else "created")
    walks = [step for step in steps if "runs" in step]
    assert len(walks) == len(states or (None,))
    for step in walks:
        assert f"USING INDEX ix_runs_{index}" in step
        assert "SEARCH" in step or (index, since, until, after) == ("created", None, None, None)
        if after is not None or until is not None:
            assert "<" in step
    if states is None or len(states) == 1:
        assert len(steps) == 1  # nothing is sorted


@pytest.mark.parametrize(
    "query",
    [
        Query(statements.SELECT_ID, ("r",)),
        Query(statements.SELECT_FENCE, ("r",)),
        Query(statements.SELECT_RUN, ("r",)),
        Query(statements.SELECT_SPEC, ("d",)),
        Query(statements.SELECT_CHILDREN, ("r",)),
        Query(statements.SELECT_LATEST, ()),
        Query(statements.SELECT_TASKS, ("r",)),
        Query(statements.SELECT_ITEMS, ("r",)),
        statements.matching_ids("abcd", limit=3),
        statements.list_attempts("r", task=None, item=None),
        statements.list_attempts("r", task="t", item=3),
        statements.list_events("r", after=3, limit=None),
        statements.list_events("r", after=3, limit=9),
        statements.list_held("engine", after="r", limit=9),
        statements.list_held(None, after="", limit=9),
        Query(statements.SELECT_MESSAGE, ("m",)),
        Query(statements.SELECT_ASKED, ("engine",)),
        Query(statements.ANSWER_MESSAGE, (1, "{}", "m")),
        Query(statements.RETIRE_ENGINE, ("engine",)),
        Query(statements.END_LEASE, ("engine",)),
        Query(statements.UPDATE_RUN_STATE, ("a", "r", "a")),
        Query(statements.UPDATE_RUN, (None,) * statements.UPDATE_RUN.count("?")),
    ],
)
def test_no_other_statement_reads_a_whole_table(store: SqliteStore, query: Query) -> None:
    steps = plan(store, query)
    assert any(step.startswith("SEARCH") for step in steps)
    assert not any(step.startswith("SCAN") for step in steps)


def test_children_and_the_latest_run_come_in_order_from_an_index(store: SqliteStore) -> None:
    for query in (Query(statements.SELECT_CHILDREN, ("r",)), Query(statements.SELECT_LATEST, ())):
        assert len(plan(store, query)) == 1
