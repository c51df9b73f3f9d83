"""DOT, Mermaid and JSON: complete, and deaf to what a text would like to be."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.drawing.dot import to_dot
from engine.drawing.json import as_json, to_json
from engine.drawing.labels import clean, columns, trim
from engine.drawing.mermaid import to_mermaid
from engine.drawing.model import NodeState, draw
from engine.states import TaskState
from tests.engine.drawing.pictures import CANARIES, every_state, everything, hostile, large

MERMAID_LINE = re.compile(
    r"flowchart TD"
    r"|  accTitle: [\w .-]+"
    r'|  n\d+[\[({]+"(?:[^"<>`;]|<br/>|#\d+;)*"[\])}]+:::[a-z]+'
    r'|  subgraph g\d+\["(?:[^"<>`;]|#\d+;)*"\]|    n\d+|  end'
    r'|  n\d+ (?:-->|-\.->|--o|-\.-)(?:\|"(?:[^"<>`;]|#\d+;)*"\|)? n\d+'
    r"|  linkStyle [\d,]+ [a-z0-9:,# -]+;|  classDef [a-z]+ [a-z0-9:,# -]+;"
)


@pytest.mark.parametrize("text", CANARIES)
def test_no_text_breaks_out_of_mermaid(text: str) -> None:
    made = to_mermaid(draw(hostile(text), expand_children=True))
    assert [line for line in made.splitlines() if not MERMAID_LINE.fullmatch(line)] == []


@given(st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_no_text_at_all_breaks_out_of_mermaid(text: str) -> None:
    made = to_mermaid(draw(hostile(text)))
    assert [line for line in made.split("\n")[:-1] if not MERMAID_LINE.fullmatch(line)] == []


@pytest.mark.parametrize("text", CANARIES)
def test_hostile_texts_add_nothing_to_the_structure(text: str) -> None:
    harmless, made = draw(hostile("plain")), draw(hostile(text))
    for write in (to_dot, to_mermaid):
        assert len(write(made).splitlines()) == len(write(harmless).splitlines())


@given(st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_no_text_at_all_adds_a_line_to_dot(text: str) -> None:
    assert len(to_dot(draw(hostile(text))).split("\n")) == len(to_dot(draw(hostile("plain"))).split("\n"))


def test_dot_names_each_kind_of_link_by_its_style() -> None:
    made = to_dot(draw(everything()))
    for style in ('style="dotted"', 'style="dashed"', 'arrowhead="odot"', 'color="#b91c1c"', "started, within 1m"):
        assert style in made
    for outline in ("diamond", "component", "cylinder"):
        assert f'shape="{outline}"' in made


def test_a_fan_out_is_one_node_with_its_counts() -> None:
    counts = {"total": 12, "succeeded": 9, "failed": 1}
    states = {"test": NodeState(TaskState.RUNNING, counts, 65.0)}
    for made in (to_dot(draw(everything(), states)), to_mermaid(draw(everything(), states))):
        assert "test ×12" in made  # noqa: RUF001 - the sign we write
        assert "running, 9/12, 1 failed, 1m05s" in made


def test_every_state_is_coloured_and_named() -> None:
    plan, states = every_state()
    dot, mermaid = to_dot(draw(plan, states)), to_mermaid(draw(plan, states))
    for state in TaskState:
        assert f" {state.value}</font></td>" in dot  # the legend
        assert f"classDef {state.value} " in mermaid


def test_a_plan_without_states_has_no_legend() -> None:
    assert "<table" not in to_dot(draw(everything()))


def test_json_holds_everything_as_written() -> None:
    text = CANARIES[1]
    made = json.loads(to_json(draw(hostile(text), {"b": NodeState(TaskState.FAILED, attempts=2)})))
    assert made["schema_version"] == 1
    assert made["flow"] == text
    assert set(made) == {"schema_version", "flow", "nodes", "edges", "groups", "waves"}
    by_id = {node["id"]: node for node in made["nodes"]}
    assert by_id["b"]["state"] == {
        "state": "failed", "counts": None, "duration_s": None, "attempts": 2, "round": 1
    }  # fmt: skip
    assert by_id["route"]["state"] is None
    assert {"from": "route", "to": "b", "kind": "arm", "label": text, "limit": None} in made["edges"]


@pytest.mark.parametrize("text", CANARIES)
def test_json_is_ascii_and_one_line_for_any_text(text: str) -> None:
    made = to_json(draw(hostile(text)))
    assert made.isascii()
    assert made.count("\n") == 1
    assert json.loads(made) == as_json(draw(hostile(text)))


def test_ten_thousand_tasks_are_drawn_whole() -> None:
    drawing = draw(large(10_000))
    assert to_dot(drawing).count(" -> ") == to_mermaid(drawing).count(" --> ") == 3 * 9_900
    assert len(as_json(drawing)["nodes"]) == 10_000  # type: ignore[arg-type]  # a list


def test_plain_formats_load_no_graph_library() -> None:
    code = (
        "import sys, engine.drawing.dot, engine.drawing.mermaid, engine.drawing.json, engine.drawing.text, "
        "engine.drawing.render; print([m for m in ('networkx', 'graphviz', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@given(st.text(max_size=300), st.integers(1, 80))
def test_a_clean_text_is_one_short_visible_line(text: str, limit: int) -> None:
    made = clean(text, limit)
    assert len(made) <= limit
    assert made.isprintable()
    assert columns(trim(made, limit)) <= limit
