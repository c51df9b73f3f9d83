"""The graph of a plan, and that the checker refuses exactly the flows whose graph has a cycle."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import networkx as nx
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.compiling.derive import affected_by, recoverers_of
from engine.graph import plan_graph
from engine.plan import Plan
from specs.check import check_text
from tests.engine.driving import plan_of
from tests.engine.plans import make_plan, make_task

KINDS = ("after", "after_start", "after_end", "after_failure", "before_complete")
NAMES = "abcde"


def edges(text: str) -> dict[tuple[str, str], tuple[str, ...]]:
    """The edges of a flow's graph but those from starts to ends, written `a.end -> b.start`."""
    graph = plan_graph(plan_of(text))
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for before, later in graph.edges:
        kinds = graph.edges[before, later]["kinds"]
        if kinds != ("task",):
            found[".".join(before), ".".join(later)] = kinds
    return found


def test_every_task_has_a_start_before_its_end() -> None:
    graph = plan_graph(plan_of("tasks: {a: {run: x, undo: {run: y}}, b: {run: x}}\nhooks: {complete: {h: {run: x}}}"))
    assert set(graph.nodes) == {(name, side) for name in "ab" for side in ("start", "end")}
    assert set(graph.edges) == {((name, "start"), (name, "end")) for name in "ab"}
    assert graph.nodes["a", "start"] == {"task": "a"}


def test_each_kind_of_edge_joins_the_vertices_it_is_about() -> None:
    found = edges("""
    tasks:
      a: {run: x}
      b: {after: [a], run: x}
      c: {after_end: [a], after_start: [b], run: x}
      d: {after_failure: [a], run: x}
      e: {after_start: [a], before_complete: [a], run: x}
      f: {branch: [{if: true, then: [g]}]}
      g: {run: x}
    """)
    assert found == {
        ("a.end", "b.start"): ("after",),
        ("a.end", "c.start"): ("after_end",),
        ("b.start", "c.start"): ("after_start",),
        ("a.end", "d.start"): ("after_failure",),
        ("a.start", "e.start"): ("after_start",),
        ("e.end", "a.end"): ("before_complete",),
        ("f.end", "g.start"): ("arm",),
    }


def test_a_service_ends_after_those_that_waited_for_its_start() -> None:
    assert edges("tasks: {s: {run: x, service: true}, u: {after_start: [s], run: x}}") == {
        ("s.start", "u.start"): ("after_start",),
        ("u.end", "s.end"): ("service",),
    }


def test_what_waits_for_a_task_waits_for_its_recovering_handlers_too() -> None:
    found = edges("""
    tasks:
      a: {run: x}
      h: {after_failure: [a], recovers: true, run: x}
      i: {after_failure: [h], recovers: true, run: x}
      z: {after: [a], run: x}
    """)
    assert found["h.end", "z.start"] == found["i.end", "z.start"] == ("recovery",)
    assert ("h.end", "i.start") in found


def test_edges_that_agree_are_one_that_says_why() -> None:
    assert edges("tasks: {a: {run: x}, b: {after: [a], after_end: [a], run: x}}") == {
        ("a.end", "b.start"): ("after", "after_end")
    }


def test_the_library_is_imported_by_those_who_ask_only() -> None:
    code = "import sys, engine.graph; print('networkx' in sys.modules)"
    root = Path(__file__).parents[2]
    found = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"


@st.composite
def flows(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """Tasks that name any others, in any direction."""
    tasks: dict[str, dict[str, Any]] = {}
    size = draw(st.integers(2, len(NAMES)))
    for name in NAMES[:size]:
        others = [other for other in NAMES[:size] if other != name]
        words: dict[str, Any] = {}
        for other in others:
            kind = draw(st.sampled_from((*[None] * 7, *KINDS)))
            if kind:
                words.setdefault(kind, []).append(other)
        if "after_failure" in words:
            words["recovers"] = draw(st.booleans())
        form = draw(st.sampled_from(("run", "run", "service", "branch")))
        if form == "branch":
            words["branch"] = draw(st.sampled_from(others))
        elif form == "service":
            words["service"] = True
        tasks[name] = words
    return tasks


def as_flow(tasks: dict[str, dict[str, Any]]) -> bytes:
    """The flow as it is written."""
    written = {}
    for name, words in tasks.items():
        action = {"branch": [{"if": "true", "then": [words["branch"]]}]} if "branch" in words else {"run": "x"}
        written[name] = {**words, **action}
    return json.dumps({"version": 1, "tasks": written}).encode()


def as_plan(tasks: dict[str, dict[str, Any]]) -> Plan:
    """The plan as the compiler would make it if it took flows with cycles."""
    arms = {name: [by for by, words in tasks.items() if words.get("branch") == name] for name in tasks}
    made = {}
    for name, words in tasks.items():
        rest = {key: value for key, value in words.items() if key != "branch"}
        action = {"branch": [(None, (words["branch"],))]} if "branch" in words else {}
        made[name] = make_task(name, {**rest, **action}, arms=arms[name])
    recoverers = recoverers_of(made)
    whole = make_plan({})
    return Plan(
        **{
            **{field: getattr(whole, field) for field in Plan.__struct_fields__},
            "tasks": made,
            "main": tuple(made),
            "affected": affected_by(made),
            "recoverers": recoverers,
        }
    )


@given(flows())
@settings(max_examples=150, deadline=None)
def test_a_flow_is_refused_exactly_when_its_graph_has_a_cycle(tasks: dict[str, dict[str, Any]]) -> None:
    codes = {found.code for found in check_text(as_flow(tasks), "flow.yaml", None).diagnostics}
    assume("FLOW204" not in codes)  # a handler that is `after` what it handles contradicts itself
    is_refused = bool(codes & {"FLOW207", "FLOW210", "FLOW211"})
    assert is_refused == (not nx.is_directed_acyclic_graph(plan_graph(as_plan(tasks))))
