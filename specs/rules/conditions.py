"""Types of expressions: conditions that are none, values that do not compare, texts that cannot be (FLOW311-316, 340)."""

from __future__ import annotations

from collections.abc import Iterator

from specs.context import FlowContext, Rule
from specs.diagnostics import Diagnostic
from specs.expressions.analysis import Part, Read
from specs.expressions.errors import EvaluationError
from specs.expressions.evaluate import evaluate
from specs.expressions.infer import boolean_help
from specs.expressions.references import references
from specs.expressions.report import Reporter, findings_of
from specs.expressions.scope import tasks_of
from specs.expressions.types import ANY, WRITABLE, Type, declared, fits
from specs.expressions.uses import Use
from specs.model.task import TaskSpec, UndoSpec

_IN_TEXT = "write `| tojson`, or `| join(', ')` for a list"


def ill_typed_operations(context: FlowContext) -> Iterator[Diagnostic]:
    """Values of one type are compared, with what they can be, and operators are given what they are defined for."""
    yield from findings_of(context, ("FLOW311", "FLOW313", "FLOW314", "FLOW315"))


def conditions(context: FlowContext) -> Iterator[Diagnostic]:
    """A condition is a boolean that may come out either way."""
    reporter = Reporter(context)
    for read in context.expressions.reads:
        if read.use.form == "condition" and read.parts:
            yield from _condition(reporter, read.use, read.parts[0])


def _condition(reporter: Reporter, use: Use, part: Part) -> Iterator[Diagnostic]:
    found = part.inferred.type
    if found.is_known and found.kind != "bool":
        message = f"a condition must be a boolean, this is {found}"
        yield reporter.at("FLOW312", use, _whole(part), message, help=boolean_help(found))
    elif (
        not part.inferred.problems and not references(part.expression) and not _is_told_elsewhere(reporter.context, use)
    ):
        outcome = _outcome(part)
        if outcome is not None:
            way_out = "leave it out" if outcome == "true" else "write what it depends on, or take the task out"
            yield reporter.at("FLOW311", use, _whole(part), f"condition is always {outcome}", help=way_out)


def _is_told_elsewhere(context: FlowContext, use: Use) -> bool:
    """Whether a literal is the reason of another finding: a filter without effect, or arms that are never taken."""
    outcome = use.text.strip().lower()
    if use.path[-1] == "where":
        return outcome in ("true", "false")
    below = use.path[-3:]
    arms = tasks_of(context.flow, use.reader.hook)[use.reader.task].branch if below[0] == "branch" else None
    return outcome == "true" and arms is not None and below[1] != len(arms) - 1


def _outcome(part: Part) -> str | None:
    try:
        value = evaluate(part.expression, {})
    except EvaluationError:
        return None
    return "true" if value is True else "false" if value is False else None


def _whole(part: Part) -> tuple[int, int]:
    root = part.expression.root
    return part.offset + root.start, part.offset + root.end


def values_in_texts(context: FlowContext) -> Iterator[Diagnostic]:
    """Only what has a written form stands inside a text, or where only a text can stand."""
    reporter = Reporter(context)
    for read in context.expressions.reads:
        if read.template is None:
            continue
        if read.template.single is None or read.use.want in ("text", "string"):
            for part in read.parts:
                if _unwritable(part.inferred.type):
                    message = f"{part.inferred.type} inside text"
                    yield reporter.at("FLOW315", read.use, _whole(part), message, help=_IN_TEXT)
        elif read.use.want == "argument":
            yield from _argument(reporter, read.use, read.parts[0])


def _argument(reporter: Reporter, use: Use, part: Part) -> Iterator[Diagnostic]:
    found = part.inferred.type
    element = found.items or ANY if found.kind == "list" else found
    if element.kind == "map":
        yield reporter.at(
            "FLOW316", use, _whole(part), "a map as an argument", help="write `| tojson`, or read one key"
        )
    elif _unwritable(element):
        yield reporter.at("FLOW315", use, _whole(part), f"{element} as an argument", help=_IN_TEXT)


def _unwritable(found: Type) -> bool:
    return found.is_known and found.kind not in WRITABLE


def values_of_fields(context: FlowContext) -> Iterator[Diagnostic]:
    """A value fits the field it is given to: a parameter, a field of a connector, a list of items, a duration."""
    reporter = Reporter(context)
    for read in context.expressions.reads:
        wanted = _wanted(context, read)
        if not read.parts or wanted is None:
            continue
        what, fit = wanted
        if fit is not None and read.type.is_known and not fit:
            span = _whole(read.parts[0]) if len(read.parts) == 1 else None
            message = f"`{read.use.field}` is {what}, the expression gives {read.type}"
            yield reporter.at("FLOW340", read.use, span, message, help=_conversion(what, read.type))


def _wanted(context: FlowContext, read: Read) -> tuple[str, bool | None] | None:
    """What a field takes, in words, and whether the value is that."""
    found = read.type
    match read.use.want:
        case "list":
            return "a list", found.kind == "list"
        case "scalar":
            return "a text, a number or a boolean", found.kind in WRITABLE
        case "duration":
            return "a duration", found.kind in ("duration", "string", "path")
        case "instant":
            return "an instant", found.kind in ("datetime", "date", "string", "path")
        case "field":
            wanted = _field_type(context, read.use)
            return None if wanted is None else (str(wanted), fits(found, wanted))
    return None


def _field_type(context: FlowContext, use: Use) -> Type | None:
    name = str(use.path[-1])
    if use.reader.kind == "trigger":
        param = context.flow.params.get(name)
        return declared(param.type, param.items) if param is not None else None
    owner = _owner(context, use)
    if owner.flow is not None:
        child = context.children.get(owner.flow)
        param = child.flow.params.get(name) if child is not None else None
        return declared(param.type, param.items) if param is not None else None
    return _connector_field(context, owner.use, name) if owner.use is not None else None


def _owner(context: FlowContext, use: Use) -> TaskSpec | UndoSpec:
    """The task, or its undo, whose `with` a place is in."""
    tasks = getattr(context.flow.hooks, use.reader.hook) if use.reader.hook else context.flow.tasks
    task: TaskSpec = tasks[use.reader.task]
    return task.undo if use.reader.stage == "undo" and task.undo is not None else task


def _connector_field(context: FlowContext, use: str, name: str) -> Type | None:
    type_name, _, action = use.partition(".")
    configured = context.flow.connectors.get(type_name)
    catalogue = context.catalogue
    actions = catalogue.actions(configured.type if configured else type_name) if catalogue else None
    spec = actions.get(action) if actions else None
    field = spec.fields.get(name) if spec else None
    return declared(field.type) if field is not None else None


def _conversion(what: str, found: Type) -> str | None:
    by_target = {"int": "| int", "float": "| float", "string": "| string", "date": "| date", "datetime": "| datetime"}
    if what == "bool":
        return boolean_help(found)
    return f"convert it with `{by_target[what]}`" if what in by_target else None


RULES: tuple[Rule, ...] = (ill_typed_operations, conditions, values_in_texts, values_of_fields)
