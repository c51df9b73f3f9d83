"""Calls of other flows: found, given what they need, not calling back (FLOW250 to 255; what is read
of them, FLOW256, is checked with the expressions)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from specs.context import FlowContext, Path, Rule
from specs.diagnostics import Diagnostic
from specs.literals import argument_misfit
from specs.model import FlowSpec
from specs.rules.edits import Hints

SHOWN = 10
"""Flows of a chain or a circle that a message lists."""


class _Call(Struct, frozen=True):
    """A `flow` action of a task or of its `undo`, at `path`; `arguments` are what stands in `with` beside it."""

    flow: str
    path: Path
    arguments: Mapping[str, Any]


def _calls(context: FlowContext) -> Iterator[_Call]:
    for graph in context.graphs:
        for task, spec in graph.having("flow", "undo"):
            path = (*graph.prefix, task)
            if spec.flow is not None:
                yield _Call(spec.flow, path, spec.with_)
            if spec.undo is not None and spec.undo.flow is not None:
                yield _Call(spec.undo.flow, (*path, "undo"), spec.undo.with_)


def flow_not_found(context: FlowContext) -> Iterator[Diagnostic]:
    """Every flow that is called can be had."""
    for call in _calls(context):
        reason = context.unreadable.get(call.flow)
        if call.flow in context.children and context.children[call.flow] is None:
            message = f"flow `{call.flow}` not found"
        elif reason is not None:
            message = f"flow `{call.flow}` cannot be used"
        else:
            continue
        yield context.finding(
            "FLOW250",
            (*call.path, "flow"),
            message,
            help=reason or "write the path of its file, from the folder of this one",
        )


def _found(context: FlowContext) -> Iterator[tuple[_Call, FlowSpec]]:
    for call in _calls(context):
        child = context.children.get(call.flow)
        if child is not None:
            yield call, child.flow


def missing_parameter(context: FlowContext) -> Iterator[Diagnostic]:
    """A call gives every parameter that has no default."""
    for call, flow in _found(context):
        missing = [name for name, param in flow.params.items() if param.required and name not in call.arguments]
        for name in missing:
            yield context.finding(
                "FLOW251",
                (*call.path, "flow"),
                f"`{call.flow}` needs the parameter `{name}`",
                help=f"add it under `with`: `{name}: ...`",
            )


def unknown_parameter(context: FlowContext) -> Iterator[Diagnostic]:
    """A call gives nothing that the flow does not take."""
    hints = Hints()
    for call, flow in _found(context):
        for name in call.arguments:
            if name not in flow.params:
                path = (*call.path, "with", name)
                yield context.finding(
                    "FLOW252",
                    path,
                    f"`{call.flow}` has no parameter `{name}`",
                    key=True,
                    help=hints.help(name, flow.params, "it takes no parameters"),
                )


def wrong_parameter(context: FlowContext) -> Iterator[Diagnostic]:
    """A literal that a call gives fits the parameter's declaration, without any conversion."""
    for call, flow in _found(context):
        for name, value in call.arguments.items():
            declared = flow.params.get(name)
            wrong = argument_misfit(value, declared) if declared is not None else None
            if wrong is not None:
                yield context.finding(
                    "FLOW253",
                    (*call.path, "with", name),
                    f"`{name}` of `{call.flow}` is {wrong.wanted}, given {wrong.found}",
                    help="values for another flow are not converted; write one of the declared type",
                )


# --- how deep ---------------------------------------------------------------------------------------------------------


def calls_in_a_circle(context: FlowContext) -> Iterator[Diagnostic]:
    """No flow reaches itself through the flows it calls."""
    for call in _calls(context):
        child = context.children.get(call.flow)
        circle = context.nesting.circle(context.name, child.name) if child is not None else []
        if circle:
            names = [*(f"`{name}`" for name in circle[:SHOWN]), *(["…"] if len(circle) > SHOWN else [])]
            yield context.finding(
                "FLOW254",
                (*call.path, "flow"),
                f"flows call each other: {' → '.join([*names, names[0]])}",
                help="a loop is `retry_upstream`, `repeat` or a fan-out, never a flow that calls itself",
            )


def nested_too_deep(context: FlowContext) -> Iterator[Diagnostic]:
    """Flows call flows no deeper than `limits.flow_depth`; of calls without end that is not said."""
    limit = context.flow.limits.flow_depth
    for call in _calls(context):
        child = context.children.get(call.flow)
        depth = context.nesting.depths.get(child.name, 0) if child is not None else 0
        if child is not None and depth > limit:
            chain = context.nesting.chain(child.name, SHOWN)
            yield context.finding(
                "FLOW255",
                (*call.path, "flow"),
                f"flows nest {depth} deep, limit {limit}",
                help=f"the chain is {' → '.join([*chain, *(['...'] if depth > SHOWN else [])])}",
            )


RULES: tuple[Rule, ...] = (
    flow_not_found,
    missing_parameter,
    unknown_parameter,
    wrong_parameter,
    calls_in_a_circle,
    nested_too_deep,
)
