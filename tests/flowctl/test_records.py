"""Runs as JSON objects, read from the store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from engine.projection import NO_ITEM
from engine.store.rows import EventRow, RunBatch, RunRow, SpecRow, TaskRow
from engine.store.sqlite import SqliteStore
from flowctl.records import summary_object

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def task(name: str, item: int, *, round_: int, counts: dict[str, Any] | None = None) -> TaskRow:
    key = None if item == NO_ITEM else str(item)
    return TaskRow("r" * 26, name, item, key, "succeeded", round_, 1, 0, counts=counts)


def summary(*rows: TaskRow) -> dict[str, Any]:
    """The summary of a run with these tasks."""
    run = RunRow("r" * 26, "flow", "0" * 64, "running", {}, {"kind": "manual"}, NOW, seq=1)
    event = EventRow(run.id, 1, NOW, "run_submitted", None, None, {})
    spec = SpecRow(run.digest, "flow", {}, NOW)
    with_store = SqliteStore.in_memory()
    with_store.commit([RunBatch(run, (event,), tuple(rows), new=True, spec=spec)])
    found: dict[str, Any] = summary_object(with_store, run)["tasks"]["a"]
    with_store.close()
    return found


def test_items_of_an_earlier_round_are_not_listed() -> None:
    counts = {"total": 1, "succeeded": 1, "failed": 0, "active": 0}
    rows = [task("a", NO_ITEM, round_=2, counts=counts), task("a", 0, round_=2), task("a", 1, round_=1)]
    found = summary(*rows)
    assert [item["index"] for item in found["items"]] == [0]
    assert found["attempts"] == 1


def test_a_fan_out_that_was_reset_and_then_skipped_has_no_items() -> None:
    assert "items" not in summary(task("a", NO_ITEM, round_=2), task("a", 0, round_=1))
