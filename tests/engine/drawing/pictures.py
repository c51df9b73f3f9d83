"""A plan with everything a picture can show, and texts that try to get out of one."""

from __future__ import annotations

from datetime import timedelta

from engine.drawing.model import NodeState
from engine.plan import Edge, EdgeKind, Plan, RetryPolicy, RetryUpstream
from engine.states import TaskState
from tests.engine.plans import make_plan

CANARIES = (
    '"] --> x[',
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    '"; n0 -> evil; "',
    "\\N\\G\\E\\\\",
    "ends with \\",
    "a\nb\r\nc\td\x00e\x1b[2Jf\x9bg",
    "\u202egnp.exe\u2066\u200b",
    "javascript:alert(1)",
    "&lt;b&gt; &amp; &#60;",
    "]]> --> <!-- -->",
    "%%{init: {}}%% ; end",
    "`**bold**`",
    "\ud800 lone surrogate",
    "}}} subgraph end",
    "長い名前" * 30,
    "x" * 10_240,
    "",
)


def everything() -> Plan:
    """Each kind of link, node and frame at least once."""
    child = make_plan({"probe": {}, "cut": {"after": ["probe"], "fan_out": 3}}, name="one")
    slow = Edge(EdgeKind.AFTER_START, "database", timedelta(minutes=1), "skip")
    return make_plan(
        {
            "checkout": {},
            "lint": {"after": ["checkout"], "if": "params.lint"},
            "database": {"after": ["checkout"], "service": True, "exec": ["postgres"]},
            "test": {"after": ["checkout"], "after_start": [slow], "fan_out": 12},
            "coverage": {"after_start": ["test"], "before_complete": ["test"]},
            "check": {
                "after": ["test", "lint"],
                "retry_upstream": RetryUpstream(("checkout",), 2, ("any",), timedelta(0), ()),
            },
            "route": {"after": ["check"], "branch": [("params.ref == 'main'", ["deploy"]), (None, ["report"])]},
            "deploy": {"undo": {"run": "./rollback"}, "retry": RetryPolicy(attempts=3)},
            "report": {"allow_failure": True},
            "fallback": {"after_failure": ["deploy"], "recovers": True},
            "size": {"after_end": ["deploy"], "switch": ("params.size", {"big": ["media"], 3: ["media"]}, ["tidy"])},
            "media": {"flow": "flows/one.yaml"},
            "tidy": {"join": "any"},
        },
        hooks={"failure": {"tell": {}}, "success": {"tell": {}}},
        children={"flows/one.yaml": child},
        name="ci",
    )


def hostile(text: str) -> Plan:
    """The text wherever a flow's author can put one."""
    return make_plan(
        {
            f"a{text}": {"if": text or "x", "flow": text},
            "route": {"after": [f"a{text}"], "branch": [(text or "x", ["b"])]},
            "b": {},
            "choose": {"switch": (text or "x", {text: ["c"]}, None)},
            "c": {},
        },
        name=text,
        hooks={"failure": {text: {}}},
        children={text: make_plan({f"in{text}": {}}, name=text)},
    )


def every_state() -> tuple[Plan, dict[str, NodeState]]:
    """A plan with one task in each state."""
    plan = make_plan({state.value: {} for state in TaskState}, name="states")
    return plan, {state.value: NodeState(state) for state in TaskState}


def large(tasks: int, layer: int = 100) -> Plan:
    """Layers of `layer` tasks, each after three of the layer above."""
    words = {}
    for number in range(tasks):
        above = number - layer
        needs = [f"t{above - above % layer + (above + shift) % layer}" for shift in (0, 1, 7)] if above >= 0 else []
        words[f"t{number}"] = {"after": needs}
    return make_plan(words, name="large")
