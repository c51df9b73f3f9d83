"""What must hold of the rows among themselves, as queries for the runs of which it does not hold.

None of it needs a flow; that a log makes the rows beside it is proven by folding it (`engine.operations.replaying`).
"""

# ruff: noqa: S608 -- statements are put together from words in this file; every value is a parameter

from __future__ import annotations

from engine.states import RunState
from engine.store.statements import Query

MOST_FLAWS = 100
"""Of each kind; a store that has more is beyond being told run by run."""

_FINAL = ", ".join(f"'{state}'" for state in RunState if state.is_final)
_NOT_THERE = "NOT IN (SELECT id FROM runs)"
_COUNTED = "(SELECT count(*) FROM events WHERE events.run_id = runs.id)"

RULES: tuple[tuple[str, str], ...] = (
    (f"SELECT DISTINCT run_id FROM events WHERE run_id {_NOT_THERE}", "there are events of it, and no run"),
    (f"SELECT DISTINCT run_id FROM tasks WHERE run_id {_NOT_THERE}", "there are tasks of it, and no run"),
    (f"SELECT DISTINCT run_id FROM attempts WHERE run_id {_NOT_THERE}", "there are attempts of it, and no run"),
    ("SELECT id FROM runs WHERE digest NOT IN (SELECT digest FROM specs)", "the files of its flow are missing"),
    (f"SELECT id FROM runs WHERE parent_run {_NOT_THERE}", "the run it is part of is missing"),
    (f"SELECT id FROM runs WHERE seq <> {_COUNTED}", "its log has gaps, or does not end where the run says"),
    ("SELECT id FROM runs WHERE seq < 1 OR token < 0", "the numbers that keep two engines apart are none"),
    (f"SELECT id FROM runs WHERE owner IS NOT NULL AND state IN ({_FINAL})", "it has ended, and is held by an engine"),
)
"""Queries for ids of runs, and what is wrong with those they find."""


def rule_query(sql: str) -> Query:
    """The first runs that a rule finds, in order."""
    return Query(f"{sql} ORDER BY 1 LIMIT ?", (MOST_FLAWS,))


def list_ids(*, after: str, limit: int) -> Query:
    """Ids above `after`, in order; an index has them all, so this works although rows are damaged."""
    return Query("SELECT id FROM runs WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
