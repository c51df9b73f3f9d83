"""Requests that ancestors run again: who may be asked, what is reset, and what may have seen the old round."""

from __future__ import annotations

from typing import Any

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from specs.graph import FlowGraph, reset_members
from specs.model import FlowSpec
from tests.specs.rules.checking import codes, found, only

CHAIN = """tasks:
  a: {run: x}
  b: {run: x, after: [a]}
  c: {run: x, after: [b], retry_upstream: {tasks: [a], rounds: 2}}
"""


def graph_of(**tasks: dict[str, Any]) -> FlowGraph:
    written = {name: {"run": "x", **task} for name, task in tasks.items()}
    return FlowGraph(FlowSpec.model_validate({"version": 1, "tasks": written}).tasks)


def test_a_request_upstream_is_fine() -> None:
    assert codes(CHAIN) == []


def test_only_tasks_upstream_are_asked() -> None:
    text = CHAIN.replace("tasks: [a]", "tasks: [a, c, z]") + "  z: {run: x}\n"
    assert [one.message for one in found(text, "FLOW240")] == [
        "`c` can only ask tasks upstream of it to run again; it cannot ask itself",
        "`c` can only ask tasks upstream of it to run again; `z` is not",
    ]


def test_a_start_edge_leads_upstream_and_before_complete_does_not() -> None:
    start = "tasks:\n  a: {run: x, service: true}\n  c: {run: x, after_start: [a], retry_upstream: {tasks: [a], rounds: 1}}\n"
    held = "tasks:\n  a: {run: x, before_complete: [c]}\n  c: {run: x, retry_upstream: {tasks: [a], rounds: 1}}\n"
    assert found(start, "FLOW240") == []
    assert len(found(held, "FLOW240")) == 1


def test_a_task_beside_the_reset_set_may_have_seen_the_old_round() -> None:
    text = CHAIN + "  w: {run: x, after: [b]}\n"
    finding = only(text, "FLOW241")
    assert finding.message == "`w` depends on `b`, is not reset with it and may have seen the old round"
    assert finding.help == "write `scope: descendants` to reset it as well"
    assert codes(text.replace("rounds: 2", "rounds: 2, scope: descendants")) == []


def test_a_task_that_only_reads_a_member_depends_on_it() -> None:
    text = CHAIN.replace("a: {run: x}", "a: {run: x, outputs: {o: {}}}")
    text += '  s: {run: x, after: [b]}\n  w: {exec: [echo, "${{ tasks.a.output.o }}"], after: [s]}\n'
    assert [one.message[:20] for one in found(text, "FLOW241")] == ["`s` depends on `b`, ", "`w` depends on `a`, "]


def test_what_waits_for_the_asking_task_waits_for_the_new_round() -> None:
    assert codes(CHAIN + "  w: {run: x, after: [b, c]}\n  v: {run: x, after: [w, a]}\n") == []


def test_a_join_of_some_edges_need_not_have_waited() -> None:
    text = CHAIN + "  w: {run: x, after: [b, c], join: any}\n"
    assert len(found(text, "FLOW241")) == 1


def test_an_arm_of_a_branch_in_the_set_depends_on_it() -> None:
    text = "params: {x: {type: bool}}\n" + CHAIN.replace(
        "b: {run: x, after: [a]}", "b: {after: [a], branch: [{if: params.x, then: [w]}]}"
    )
    assert only(text + "  w: {run: x}\n", "FLOW241").message.startswith("`w` depends on `b`")


def test_approvals_and_undo_in_the_set_are_told_of() -> None:
    text = """tasks:
  a: {run: x}
  ok: {after: [a], approval: {prompt: sure, approvers: [me]}}
  b: {run: x, after: [ok], undo: {run: y}}
  c: {run: x, after: [b], retry_upstream: {tasks: [a], rounds: 2}}
"""
    assert [one.message for one in found(text, "FLOW242")] == [
        "the reset set of `c` holds a task with `undo`: `b` will act again",
        "the reset set of `c` holds an approval: `ok` will ask again",
    ]


def test_the_rounds_of_all_tasks_stay_within_the_limit() -> None:
    text = "limits: {resets: 3}\n" + CHAIN + "  d: {run: x, after: [c], retry_upstream: {tasks: [b], rounds: 2}}\n"
    finding = only(text, "FLOW243")
    assert finding.message == "the sum of `rounds` is 4, which exceeds `limits.resets` (3)"
    assert codes(text.replace("resets: 3", "resets: 4")) == []


# --- the reset set ----------------------------------------------------------------------------------------------------


def test_the_set_is_what_lies_between() -> None:
    graph = graph_of(
        o={}, a={"after": ["o"]}, b={"after": ["a"]}, side={"after": ["a"]}, c={"after": ["b"]}, z={"after": ["c"]}
    )
    assert reset_members(graph, ["a"], "c", "between") == ("a", "b", "c")
    assert reset_members(graph, ["a"], "c", "descendants") == ("a", "b", "side", "c", "z")


def test_recovering_handlers_of_members_are_members() -> None:
    graph = graph_of(
        a={}, c={"after": ["a"]}, h={"after_failure": ["a"], "recovers": True}, g={"after_failure": ["h"], "recovers": True},
        n={"after_failure": ["a"]},
    )  # fmt: skip
    assert reset_members(graph, ["a"], "c", "between") == ("a", "c", "h", "g")


def test_tasks_on_the_start_of_a_service_in_the_set_are_members() -> None:
    graph = graph_of(
        a={},
        s={"after": ["a"], "service": True},
        t={"after_start": ["s"]},
        c={"after_start": ["s"]},
        p={"after": ["a"]},
    )
    assert reset_members(graph, ["a"], "c", "between") == ("a", "s", "t", "c")


def test_a_service_that_a_member_waits_on_is_no_member() -> None:
    graph = graph_of(s={"service": True}, a={}, c={"after": ["a"], "after_start": ["s"]})
    assert reset_members(graph, ["a"], "c", "between") == ("a", "c")


def test_what_must_end_before_the_asking_task_is_between() -> None:
    graph = graph_of(a={}, n={"after": ["a"], "before_complete": ["c"]}, c={"after": ["a"]})
    assert reset_members(graph, ["a"], "c", "between") == ("a", "n", "c")


@given(st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] < pair[1]), max_size=25))
def test_the_set_between_is_every_task_on_a_path(edges: set[tuple[int, int]]) -> None:
    graph = graph_of(**{f"t{n}": {"after": [f"t{up}" for up, task in sorted(edges) if task == n]} for n in range(10)})
    reference: nx.DiGraph[Any] = nx.DiGraph(edges)
    reference.add_nodes_from(range(10))
    between = {0, 9} | (nx.descendants(reference, 0) & nx.ancestors(reference, 9))
    assert reset_members(graph, ["t0"], "t9", "between") == tuple(f"t{n}" for n in sorted(between))
