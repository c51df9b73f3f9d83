"""Pools, the size of a flow, and parts the engine does not honour."""

from __future__ import annotations

import pytest

from specs.rules.honoured import NOT_HONOURED, blocking
from tests.specs.rules.checking import check, codes, found, marked, only


def test_more_slots_than_the_pool_has_are_never_free() -> None:
    finding = only("pools: {db: {slots: 4}}\ntasks: {a: {run: x, pool: {db: 9}}}\n", "FLOW219")
    assert finding.message == "`a` wants 9 of 4 slots of `db` and can never start"
    assert marked(finding) == "9"
    assert codes("pools: {db: {slots: 4}}\ntasks: {a: {run: x, pool: {db: 4}}}\n") == []


def test_a_pool_that_no_file_declares_has_one_slot() -> None:
    text = "pools: {warehouse: {slots: 4}}\ntasks: {a: {run: x, pool: warehous}, b: {run: x, pool: {warehous: 2}}}\n"
    warning = only(text, "FLOW226")
    assert warning.message == "no file declares the pool `warehous`, so it has one slot"
    assert warning.help == "did you mean `warehouse`?"
    assert only(text, "FLOW219").message == "`b` wants 2 of 1 slots of `warehous` and can never start"


@pytest.mark.parametrize("pool", ["db", "{db: 1}"])
def test_a_pool_that_no_file_declares_is_told_at_its_name(pool: str) -> None:
    assert marked(only(f"tasks: {{pool: {{run: x, pool: {pool}}}}}\n", "FLOW226")) == "db"


def test_a_pool_that_a_sub_flow_declares_is_declared() -> None:
    child = "pools: {gpu: {slots: 2}}\ntasks: {x: {run: x}}\n"
    assert codes("tasks: {a: {run: x, pool: gpu}, s: {flow: child.yaml}}\n", child=child) == []


def test_a_service_and_a_task_that_waits_on_it_fit_their_pool_together() -> None:
    service = "  s: {run: x, service: true, pool: db}\n"
    text = f"pools: {{db: {{slots: 2}}}}\ntasks:\n{service}  t: {{run: x, after_start: [s], pool: {{db: 2}}}}\n"
    finding = only(text, "FLOW219")
    assert "want 3 of 2 slots of `db`" in finding.message
    assert codes(text.replace("slots: 2", "slots: 3")) == []


def test_a_flow_has_no_more_tasks_than_its_limit() -> None:
    text = "limits: {tasks: 2}\ntasks: {a: {run: x}, b: {run: x}, c: {run: x}}\n"
    assert only(text, "FLOW270").message == "3 tasks, limit 2"


# --- not honoured -----------------------------------------------------------------------------------------------------

USES = """sla: {max_duration: 1h}
triggers: {t: {every: 1h}}
tasks:
  ok: {approval: {prompt: sure, approvers: [me]}}
  a: {run: x, service: false, dead_letter: true}
"""


def test_what_is_not_honoured_is_told_at_its_key() -> None:
    shown = [field.shown for field in NOT_HONOURED]
    messages = {one.message for one in found(USES, "FLOW190")}
    for key in ("`approval`", "`sla`", "`triggers`"):
        told = f"{key} is part of the language, but this engine does not honour it yet"
        assert (told in messages) == (key in shown)


def test_a_default_that_is_written_out_asks_for_nothing() -> None:
    assert not [one for one in found(USES, "FLOW190") if one.path[:2] == ("tasks", "a")]


def test_only_what_changes_a_run_makes_it_refuse() -> None:
    context = check(USES).context
    assert context is not None
    blocked = {one.path[-1] for one in blocking(context)}
    assert blocked == {field.path[-1] for field in NOT_HONOURED if field.path[-1] == "approval"}
    assert all(one.severity == "error" for one in blocking(context))


def test_what_many_tasks_inherit_is_told_of_once() -> None:
    text = "pools: {db: {slots: 2}}\ndefaults: {worker: gpu}\ntasks: {a: {run: x}, b: {run: y}}\n"
    assert len(found(text, "FLOW190")) == any(field.path[-1] == "worker" for field in NOT_HONOURED)


def test_a_sub_flow_makes_a_run_refuse_as_well() -> None:
    context = check("tasks: {s: {flow: child.yaml}}\n", child="tasks: {a: {run: x, worker: gpu}}\n").context
    assert context is not None
    assert len(blocking(context)) == any(field.path[-1] == "worker" for field in NOT_HONOURED)
