"""Edges, cycles and services."""

from __future__ import annotations

from itertools import pairwise

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.cycles import cycles
from specs.graph import FlowGraph
from specs.model import FlowSpec
from tests.specs.rules.checking import codes, fixed, found, marked, only


def test_an_edge_to_a_task_that_does_not_exist_is_found_at_its_name_with_the_nearest_one() -> None:
    text = "tasks:\n  fetch: {run: x}\n  load:\n    after: [{task: fecth, timeout: 5m}]\n    run: y\n"
    finding = only(text, "FLOW201")
    assert finding.message == "`load` waits for `fecth`, which does not exist"
    assert (marked(finding), finding.help) == ("fecth", "did you mean `fetch`?")
    assert codes(fixed(finding)) == []


def test_an_unknown_task_leads_to_no_other_finding() -> None:
    assert codes("tasks:\n  a: {run: x, after: [b, nope], join: 2}\n  b: {run: x}\n") == ["FLOW201"]


def test_a_task_asked_for_a_new_round_exists_too() -> None:
    text = "tasks:\n  a: {run: x}\n  b: {run: x, after: [a], retry_upstream: {tasks: [aa], rounds: 1}}\n"
    assert codes(text) == ["FLOW201"]
    assert only(text, "FLOW201").message == "`b` asks for a new round of `aa`, which does not exist"


def test_hooks_of_one_kind_do_not_see_the_tasks_of_another() -> None:
    text = "tasks: {a: {run: x}}\nhooks:\n  failure:\n    tell: {run: x, after: [a]}\n  success: {a: {run: x}}\n"
    assert codes(text) == ["FLOW201"]


def test_a_task_that_waits_for_itself_is_no_cycle() -> None:
    finding = only("tasks: {a: {run: x, after: [a]}}\n", "FLOW202")
    assert (finding.message, marked(finding)) == ("`a` waits for itself", "a")
    assert codes("tasks: {a: {run: x, before_complete: [a]}}\n") == ["FLOW202"]


def test_a_task_named_twice_in_a_list_is_removed_once() -> None:
    flow = "tasks:\n  a: {run: x}\n  b:\n    run: x\n    after:\n      - a\n      - a\n"
    finding = only(flow, "FLOW203")
    assert finding.message == "`a` occurs twice in `after`"
    assert fixed(finding) == "version: 1\n" + flow.replace("      - a\n      - a\n", "      - a\n")
    in_line = only("tasks:\n  a: {run: x}\n  b: {run: x, after: [a, a]}\n", "FLOW203")
    assert "after: [a]}" in fixed(in_line)


def test_after_and_its_long_name_are_one_list() -> None:
    finding = only("tasks:\n  a: {run: x}\n  b: {run: x, after: [a], after_complete: [a]}\n", "FLOW203")
    assert finding.message == "`a` occurs twice in `after` and `after_complete`, which are one list"


def test_the_same_task_in_lists_of_different_kinds_is_not_named_twice() -> None:
    text = "tasks:\n  a: {run: x}\n  b: {run: x, after_end: [a], before_complete: []}\n  c: {run: x, after: [a, b]}\n"
    assert found(text, "FLOW203") == []


def test_success_and_failure_of_one_task_cannot_both_be_wanted() -> None:
    finding = only("tasks:\n  a: {run: x}\n  b: {run: x, after: [a], after_failure: [a]}\n", "FLOW204")
    assert finding.message == "`b` wants `a` both succeeded and failed"
    assert [label.place.start for label in finding.labels] == [finding.place.source.text.index("a]")]


def test_an_arm_of_a_branch_cannot_handle_its_failure() -> None:
    text = "tasks:\n  r: {branch: [{if: params.x, then: [h]}]}\n  h: {run: x, after_failure: [r], recovers: true}\n"
    assert only("params: {x: {type: bool}}\n" + text, "FLOW204").message == "`h` wants `r` both succeeded and failed"


def test_success_and_failure_can_both_be_met_where_another_failure_will_do_or_a_failure_is_allowed() -> None:
    other = "tasks:\n  a: {run: x}\n  c: {run: x}\n  b: {run: x, after: [a], after_failure: [a, c]}\n"
    allowed = "tasks:\n  a: {run: x, allow_failure: true}\n  b: {run: x, after: [a], after_failure: [a]}\n"
    either = "tasks:\n  a: {run: x}\n  b: {run: x, after: [a], after_failure: [a], join: any}\n"
    assert [found(text, "FLOW204") for text in (other, allowed, either)] == [[], [], []]


def test_recovers_needs_a_failure_to_recover() -> None:
    finding = only("tasks: {a: {run: x, recovers: true}}\n", "FLOW217")
    assert marked(finding) == "recovers"
    assert found("tasks: {a: {run: x}, b: {run: x, after_failure: [a], recovers: true}}\n", "FLOW217") == []


# --- cycles -----------------------------------------------------------------------------------------------------------

LONG_AND_SHORT = """tasks:
  a: {run: x, after: [c]}
  b: {run: x, after: [a]}
  c: {run: x, after: [b, d]}
  d: {run: x, after: [c]}
  e: {run: x, after: [d]}
"""


def test_the_shortest_cycle_is_shown_with_every_edge() -> None:
    finding = only(LONG_AND_SHORT, "FLOW210")
    assert finding.message == "cycle: `c` → `d` → `c`"
    assert [label.text for label in finding.labels] == ["`d` waits for `c`", "`c` waits for `d`"]
    assert marked(finding) == "d"


def test_each_knot_has_a_cycle_of_its_own() -> None:
    waits = {"a": "b", "b": "a", "c": "d", "d": "c"}
    text = "tasks:\n" + "".join(f"  {task}: {{run: x, after: [{upstream}]}}\n" for task, upstream in waits.items())
    assert codes(text) == ["FLOW210", "FLOW210"]


def test_waiting_for_a_task_that_one_holds_back_is_a_cycle() -> None:
    finding = only("tasks:\n  x: {run: x}\n  n: {run: x, after: [x], before_complete: [x]}\n", "FLOW210")
    assert [label.text for label in finding.labels] == ["`n` waits for `x`", "`x` is complete only after `n`"]


def test_running_beside_a_task_and_ending_before_it_is_no_cycle() -> None:
    assert codes("tasks:\n  x: {run: x}\n  n: {run: x, after_start: [x], before_complete: [x]}\n") == []


def test_two_tasks_that_hold_each_other_back_are_a_cycle() -> None:
    assert codes("tasks:\n  m: {run: x, before_complete: [n]}\n  n: {run: x, before_complete: [m]}\n") == ["FLOW210"]


def test_a_task_that_waits_on_a_service_and_for_its_end_is_a_cycle() -> None:
    text = "tasks:\n  s: {run: x, service: true}\n  t: {run: x, after_start: [s], after_end: [s]}\n"
    finding = only(text, "FLOW210")
    assert "the service `s` is stopped only after `t`" in [label.text for label in finding.labels]


def test_a_handler_may_not_come_after_what_waits_for_its_recovery() -> None:
    text = "tasks:\n  a: {run: x}\n  d: {run: x, after: [a]}\n  h: {run: x, after: [d], after_failure: [a], recovers: true}\n"
    finding = only(text, "FLOW211")
    assert finding.message == "cycle through the recovery of `a` by `h`: `d` → `h` → `d`"
    assert found(text, "FLOW210") == []


def test_the_handler_of_a_handler_takes_part_in_the_recovery() -> None:
    text = """tasks:
  a: {run: x}
  d: {run: x, after: [a]}
  h: {run: x, after_failure: [a], recovers: true}
  g: {run: x, after: [d], after_failure: [h], recovers: true}
"""
    assert only(text, "FLOW211").message == "cycle through the recovery of `a` by `g`: `d` → `g` → `d`"


def test_a_handler_that_does_not_recover_may_come_after_what_waits() -> None:
    assert (
        codes("tasks:\n  a: {run: x}\n  d: {run: x, after: [a]}\n  h: {run: x, after: [d], after_failure: [a]}\n") == []
    )


def test_a_join_over_a_task_and_its_fallback_is_no_cycle() -> None:
    text = "tasks:\n  a: {run: x}\n  h: {run: x, after_failure: [a], recovers: true}\n  d: {run: x, after: [a, h]}\n"
    assert codes(text) == []


def test_a_long_cycle_is_cut_and_counted() -> None:
    ring = "".join(f"  t{n}: {{run: x, after: [t{(n - 1) % 3000}]}}\n" for n in range(3000))
    finding = only("tasks:\n" + ring, "FLOW210")
    assert finding.message.endswith("`t0` (3000 tasks)")
    assert len(finding.message) < 400
    assert len(finding.labels) == 20


EDGES = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20)


@given(EDGES)
def test_a_cycle_is_found_exactly_where_there_is_one_and_it_is_a_shortest_of_its_knot(
    pairs: list[tuple[int, int]],
) -> None:
    edges = {(upstream, task) for upstream, task in pairs if upstream != task}
    tasks = {f"t{n}": {"run": "x", "after": [f"t{up}" for up, task in sorted(edges) if task == n]} for n in range(8)}
    graph = FlowGraph(FlowSpec.model_validate({"version": 1, "tasks": tasks}).tasks)
    reference: nx.DiGraph[str] = nx.DiGraph((f"t{up}", f"t{task}") for up, task in edges)
    knots = [reference.subgraph(knot) for knot in nx.strongly_connected_components(reference) if len(knot) > 1]
    lengths = sorted(min(len(cycle) for cycle in nx.simple_cycles(knot)) for knot in knots)
    shown = list(cycles(graph))
    assert sorted(len(cycle.steps) for cycle in shown) == lengths
    for cycle in shown:
        ring = [*cycle.tasks, cycle.tasks[0]]
        assert all(reference.has_edge(before, later) for before, later in pairwise(ring))


# --- services ---------------------------------------------------------------------------------------------------------


def test_after_a_service_is_moved_to_after_start() -> None:
    text = "tasks:\n  db: {run: x, service: true}\n  a:\n    after:\n      - db\n    run: y\n"
    finding = only(text, "FLOW215")
    assert codes(fixed(finding)) == []
    assert "after_start:\n      - db\n" in fixed(finding)


def test_the_other_entries_of_the_list_stay_where_they_are() -> None:
    block = "tasks:\n  db: {run: x, service: true}\n  b: {run: x}\n  a:\n    after: [db, b]\n    run: y\n"
    flow = "tasks:\n  db: {run: x, service: true}\n  b: {run: x}\n  a: {run: y, after: [b, db]}\n"
    assert "    after_start: [db]\n    after: [b]\n" in fixed(only(block, "FLOW215"))
    assert "{run: y, after_start: [db], after: [b]}" in fixed(only(flow, "FLOW215"))
    assert codes(fixed(only(block, "FLOW215"))) == codes(fixed(only(flow, "FLOW215"))) == []


def test_the_end_and_the_failure_of_a_service_can_be_waited_for() -> None:
    text = "tasks:\n  s: {run: x, service: true}\n  t: {run: x, after_start: [s]}\n  u: {run: x, after_end: [s]}\n"
    assert codes(text) == []


def test_after_start_of_a_plain_task_is_met_early() -> None:
    finding = only("tasks:\n  a: {run: x}\n  b: {run: x, after_start: [a]}\n", "FLOW216")
    assert finding.message == "`a` is not a service; `after_start` is met as soon as its process starts"


def test_a_service_that_nothing_waits_on_is_told_of() -> None:
    assert (
        only("tasks: {s: {run: x, service: true}}\n", "FLOW221").message == "service `s`: nothing waits for its start"
    )


@pytest.mark.parametrize(
    ("tasks", "code"),
    [
        ("{load: {run: x, after: [laod]}, tell: {run: x}}", "FLOW201"),
        ("{load: {branch: [{else: [laod]}]}, tell: {run: x}}", "FLOW206"),
    ],
)
def test_a_task_is_not_proposed_to_itself(tasks: str, code: str) -> None:
    finding = only(f"tasks: {tasks}\n", code)
    assert (finding.help, finding.fix) == ("known here: `tell`", None)
