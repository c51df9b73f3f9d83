"""What a picture holds before it has a format."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from engine.drawing.facts import size_of
from engine.drawing.model import EXPANDED_NODES, Drawing, Link, LinkKind, NodeState, Shape, draw, nested
from engine.drawing.palette import LOOKS
from engine.plan import FanOut
from engine.states import TaskState
from tests.engine.drawing.pictures import everything
from tests.engine.plans import make_expression, make_fan_out, make_plan, make_task, make_value


def link(drawing: Drawing, source: str, target: str, kind: LinkKind) -> Link:
    """The one link of this kind between two nodes."""
    (found,) = [one for one in drawing.links if (one.source, one.target, one.kind) == (source, target, kind)]
    return found


def test_every_task_is_one_node_and_every_edge_one_link() -> None:
    drawing = draw(everything())
    assert [node.id for node in drawing.nodes] == list(everything().tasks)
    assert link(drawing, "checkout", "lint", LinkKind.AFTER).text == ""
    assert link(drawing, "test", "coverage", LinkKind.AFTER_START).text == "started"
    assert link(drawing, "deploy", "size", LinkKind.AFTER_END).text == "ended"
    assert link(drawing, "deploy", "fallback", LinkKind.AFTER_FAILURE).text == "failed, recovers"
    assert link(drawing, "coverage", "test", LinkKind.BEFORE_COMPLETE).text == "before complete"
    assert link(drawing, "check", "checkout", LinkKind.RETRY_UPSTREAM).text == "again, at most 2 times"
    assert link(drawing, "deploy", "undo.deploy", LinkKind.UNDO).text == "undo"


def test_arms_are_labelled_by_what_takes_them() -> None:
    drawing = draw(everything())
    assert link(drawing, "route", "deploy", LinkKind.ARM).text == "params.ref == 'main'"
    assert link(drawing, "route", "report", LinkKind.ARM).text == "else"
    assert link(drawing, "size", "media", LinkKind.ARM).text == 'case "big" or case 3'
    assert link(drawing, "size", "tidy", LinkKind.ARM).text == "default"


def test_a_time_limit_of_an_edge_is_written_on_it() -> None:
    assert link(draw(everything()), "database", "test", LinkKind.AFTER_START).text == "started, within 1m, else skip"


def test_shapes_tell_sorts_of_nodes_apart() -> None:
    shapes = {node.id: node.shape for node in draw(everything()).nodes}
    assert shapes["route"] == shapes["size"] == Shape.CHOICE
    assert shapes["media"] == Shape.FLOW
    assert shapes["database"] == Shape.SERVICE
    assert shapes["checkout"] == Shape.TASK


def test_hooks_and_undo_stand_in_frames_of_their_own() -> None:
    groups = {group.id: group.nodes for group in draw(everything()).groups}
    assert groups == {
        "hooks.failure": ("hooks.failure.tell",),
        "hooks.success": ("hooks.success.tell",),
        "undo": ("undo.deploy",),
    }


def test_a_sub_flow_opens_into_a_frame_with_its_own_ids() -> None:
    states = {"media/probe": NodeState(TaskState.RUNNING)}
    drawing = draw(everything(), states, expand_children=True)
    (frame,) = [group for group in drawing.groups if group.id == "media"]
    assert frame.nodes == ("media/probe", "media/cut")
    assert link(drawing, "media", "media/probe", LinkKind.CHILD).source == "media"
    assert [node.state for node in drawing.nodes if node.id == "media/probe"] == [NodeState(TaskState.RUNNING)]


def test_sub_flows_past_the_limit_stay_closed_and_say_so() -> None:
    flow = make_plan({f"t{n}": {} for n in range(10)})
    for _ in range(8):
        flow = make_plan({f"t{n}": {"flow": "x"} for n in range(10)}, children={"x": flow})
    drawing = draw(flow, expand_children=True)
    assert len(drawing.nodes) <= EXPANDED_NODES
    assert any("10 tasks not drawn" in group.title for group in drawing.groups)


def test_frames_open_and_close_in_pairs() -> None:
    inner = make_plan({"t": {"flow": "x"}}, children={"x": make_plan({"t": {}})})
    drawing = draw(make_plan({"t": {"flow": "y"}}, children={"y": inner}), expand_children=True)
    opened = [entry[1].id if entry else None for entry in nested(drawing.groups)]
    assert opened == ["t", "t/t", None, None]


def fan_out(**fields: object) -> FanOut:
    """A fan-out over twelve numbers with these fields changed."""
    return replace(make_fan_out(12), **fields)


@pytest.mark.parametrize(
    ("made", "size"),
    [
        (fan_out(), "12"),
        (fan_out(batch=5), "3"),
        (fan_out(where=make_expression("item > 3")), "≤12"),
        (fan_out(literal=()), "0"),
        (make_fan_out("params.list"), "n"),
        (fan_out(literal=None, items=make_value(["a", "${{ params.b }}"])), "2"),
    ],
)
def test_the_size_of_a_fan_out_is_what_the_plan_knows(made: FanOut, size: str) -> None:
    assert size_of(make_task("t", {"fan_out": made})) == size


def test_an_undo_of_a_fan_out_has_no_size_of_its_own() -> None:
    assert size_of(make_task("undo.t", {"fan_out": fan_out(literal=())})) == "n"


def test_every_state_has_a_look_and_signs_of_its_own() -> None:
    assert set(LOOKS) == set(TaskState)
    for attribute in ("sign", "ascii_sign", "fill", "border"):
        assert len({getattr(look, attribute) for look in LOOKS.values()}) == len(LOOKS)


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("state", list(TaskState))
def test_texts_are_readable_on_their_colours(state: TaskState) -> None:
    bright, dark = luminance(LOOKS[state].fill), luminance(LOOKS[state].text)
    assert (bright + 0.05) / (dark + 0.05) >= 4.5
