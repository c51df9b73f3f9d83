"""`use` and the connectors it names, by their signatures (FLOW222 to 224). Silent where no catalogue is at hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from specs.context import ActionSpec, Catalogue, FieldSpec, FlowContext, Path, Rule
from specs.diagnostics import Diagnostic
from specs.literals import has_expression, shown_value, type_misfit
from specs.model import FlowSpec
from specs.rules.edits import Hints
from specs.suggest import listed

SECRET = "_secret"  # noqa: S105 - the end of a field's name
"""A secret field `x` may be given as `x_secret`, by the name of the secret."""


class _Use(Struct, frozen=True):
    """A `use` action of a task or of its `undo`, at `path`; `arguments` are what stands in `with` beside it."""

    text: str
    path: Path
    arguments: Mapping[str, Any]


def _uses(context: FlowContext) -> Iterator[_Use]:
    for graph in context.graphs:
        for task, spec in graph.having("use", "undo"):
            path = (*graph.prefix, task)
            if spec.use is not None:
                yield _Use(spec.use, path, spec.with_)
            if spec.undo is not None and spec.undo.use is not None:
                yield _Use(spec.undo.use, (*path, "undo"), spec.undo.with_)


def unknown_type(context: FlowContext) -> Iterator[Diagnostic]:
    """Every configured connector is of a type that is installed."""
    if context.catalogue is None:
        return
    hints = Hints()
    for name, connector in context.flow.connectors.items():
        if context.catalogue.actions(connector.type) is None:
            known = context.catalogue.types()
            path = ("connectors", name, "type")
            yield context.finding(
                "FLOW222",
                path,
                f"unknown connector type `{connector.type}`",
                help=hints.help(connector.type, known),
                fix=hints.fix(context, path, connector.type, known),
            )


def unknown_queue_connector(context: FlowContext) -> Iterator[Diagnostic]:
    """The connector a queue trigger listens to is configured in the flow."""
    hints = Hints()
    for name, trigger in context.flow.triggers.items():
        if trigger.queue is not None and trigger.queue.connector not in context.flow.connectors:
            path = ("triggers", name, "queue", "connector")
            wanted, known = trigger.queue.connector, context.flow.connectors
            yield context.finding(
                "FLOW222",
                path,
                f"unknown connector `{wanted}`",
                help=hints.help(wanted, known, f"configure it: `connectors: {{{wanted}: {{type: ...}}}}`"),
                fix=hints.fix(context, path, wanted, known),
            )


def unknown_action(context: FlowContext) -> Iterator[Diagnostic]:
    """Every `use` names a connector and one of its actions."""
    if context.catalogue is None:
        return
    hints = Hints()
    for use in _uses(context):
        connector, dot, action = use.text.partition(".")
        if has_expression(use.text):
            continue  # no expression may stand here, which is told of where expressions are
        path = (*use.path, "use")
        actions = _actions(context.flow, context.catalogue, connector)
        if not dot or not connector or not action:
            message, help_ = f"`{use.text}` is not a connector and its action", "write `connector.action`"
            yield context.finding("FLOW222", path, message, help=help_)
        elif actions and action not in actions:
            yield context.finding(
                "FLOW222",
                path,
                f"`{connector}` has no action `{action}`",
                help=hints.help(action, actions),
                fix=hints.fix(context, path, use.text, [f"{connector}.{name}" for name in actions]),
            )
        elif actions is None and connector not in context.flow.connectors:
            known = [*context.flow.connectors, *context.catalogue.unconfigured()]
            yield context.finding(
                "FLOW222",
                path,
                f"unknown connector `{connector}`",
                help=_configure(connector) if connector in context.catalogue.types() else hints.help(connector, known),
                fix=hints.fix(context, path, use.text, [f"{name}.{action}" for name in known]),
            )


def _configure(connector: str) -> str:
    return f"it needs to be configured: `connectors: {{{connector}: {{type: {connector}, with: ...}}}}`"


def _actions(flow: FlowSpec, catalogue: Catalogue, connector: str) -> Mapping[str, ActionSpec] | None:
    """The actions of a connector: `None` for an unknown one, empty where only its code knows them.

    A type that needs no configuration is a connector by itself, and so is one whose code alone can tell.
    """
    if connector in flow.connectors:
        return catalogue.actions(flow.connectors[connector].type)
    actions = catalogue.actions(connector)
    return actions if not actions or connector in catalogue.unconfigured() else None


def _known_uses(context: FlowContext) -> Iterator[tuple[_Use, ActionSpec]]:
    if context.catalogue is not None:
        for use in _uses(context):
            connector, _, action = use.text.partition(".")
            actions = _actions(context.flow, context.catalogue, connector)
            if actions is not None and action in actions:
                yield use, actions[action]


def fields_of_action(context: FlowContext) -> Iterator[Diagnostic]:
    """`with` has the fields of the action: all it needs, none it does not know."""
    hints = Hints()
    for use, action in _known_uses(context):
        for field in use.arguments:
            if field not in action.fields and not _is_secret_name(field, action):
                path = (*use.path, "with", field)
                yield context.finding(
                    "FLOW223",
                    path,
                    f"`{use.text}` has no field `{field}`",
                    key=True,
                    help=hints.help(field, action.fields, "it takes no fields"),
                )
        for field, spec in action.fields.items():
            if spec.required and field not in use.arguments and field + SECRET not in use.arguments:
                yield context.finding(
                    "FLOW223",
                    (*use.path, "use"),
                    f"`{use.text}` needs `{field}`",
                    help=f"add it under `with`: `{field}: ...`",
                )


def _is_secret_name(field: str, action: ActionSpec) -> bool:
    spec = action.fields.get(field.removesuffix(SECRET)) if field.endswith(SECRET) else None
    return spec is not None and spec.secret


def values_of_fields(context: FlowContext) -> Iterator[Diagnostic]:
    """A literal in `with` is of its field's type and one of its choices."""
    for use, action in _known_uses(context):
        for field, value in use.arguments.items():
            problem = _problem(value, action.fields[field]) if field in action.fields else None
            if problem is not None:
                message = f"`with.{field}`: expected {problem}, found {shown_value(value)}"
                yield context.finding("FLOW224", (*use.path, "with", field), message, help=f"write {problem}")


def _problem(value: object, field: FieldSpec) -> str | None:
    """What a field wants instead of `value`, `None` when it fits or cannot be known before the run."""
    if has_expression(value):
        return None
    wrong = type_misfit(value, field.type)
    if wrong is not None:
        return wrong.wanted
    return f"one of {listed(field.choices)}" if field.choices and value not in field.choices else None


RULES: tuple[Rule, ...] = (
    unknown_type,
    unknown_queue_connector,
    unknown_action,
    fields_of_action,
    values_of_fields,
)
