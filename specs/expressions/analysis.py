"""One pass over all expressions of a flow: parsed, typed, and what each reads; shared by the rules that look at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from specs.expressions.errors import ExpressionError
from specs.expressions.guards import NOTHING, Facts, ended, known_if, not_ended
from specs.expressions.infer import Inferred, infer
from specs.expressions.nodes import Expression, Template
from specs.expressions.parse import parse
from specs.expressions.reach import Guards, Reach
from specs.expressions.references import as_reference
from specs.expressions.scope import Scope
from specs.expressions.templates import contains_template, parse_template
from specs.expressions.types import ANY, STRING, Type, join, list_of, map_of, of_value
from specs.expressions.uses import Reader, Use, uses
from specs.graph import FlowGraph, Link

if TYPE_CHECKING:
    from specs.context import FlowContext


_EARLIER_ARMS = 16
"""How many arms before one are looked at for what their being false tells; more would make long branches slow."""


class Part(Struct, frozen=True):
    """An expression inside a text: where it starts there, its type and its problems."""

    expression: Expression
    offset: int
    inferred: Inferred


class Read(Struct, frozen=True):
    """A use with what was read of it: its parts, or the error that kept it from being read."""

    use: Use
    parts: tuple[Part, ...] = ()
    error: ExpressionError | None = None
    template: Template | None = None

    @property
    def type(self) -> Type:
        """The type of the whole value: of the expression when it is exactly one, else of a text."""
        if self.template is not None and self.template.single is None:
            return STRING
        return self.parts[0].inferred.type if self.parts else ANY


class Analysis:
    """What is known of the expressions of one flow."""

    def __init__(self, context: FlowContext) -> None:
        self.flow = context.flow
        self._context = context
        self.scope = Scope(context.flow, _ChildOutputs(context), context.catalogue)
        self._conditions: dict[tuple[str, str], Facts] = {}
        for graph in context.graphs:
            self._learn_types(graph)

    @cached_property
    def reads(self) -> tuple[Read, ...]:
        """Every use of the flow, in file order."""
        return tuple(self._read(use) for use in uses(self.flow, self.scope.takes_secrets))

    @cached_property
    def output_types(self) -> Mapping[str, Type]:
        """The types of the flow's `outputs`, as a calling flow sees them."""
        reader = Reader("outputs")
        return {name: self._type_of(value, reader) for name, value in self.flow.outputs.items()}

    def reach(self, hook: str = "") -> Reach | None:
        """What has happened when a task of the flow, or of a kind of hook, runs; `None` when there are no such tasks."""
        return self._reaches.get(hook)

    @cached_property
    def _reaches(self) -> Mapping[str, Reach]:
        return {_hook_of(graph): Reach(graph, self._guards(graph)) for graph in self._context.graphs}

    # --- parsing and typing -----------------------------------------------------------------------------------------------

    def _read(self, use: Use) -> Read:
        if use.form in ("literal", "script"):
            return Read(use)
        try:
            if use.form == "template":
                template = parse_template(use.text)
                expressions = [part for part in template.parts if isinstance(part, Expression)]
                return Read(use, self._parts(use, expressions, template.offsets), template=template)
            if contains_template(use.text) or use.text.lstrip().startswith("{{"):
                return Read(use, error=_braces(use.text))
            return Read(use, self._parts(use, [parse(use.text)], (0,)))
        except ExpressionError as error:
            return Read(use, error=error)

    def _parts(self, use: Use, expressions: list[Expression], offsets: tuple[int, ...]) -> tuple[Part, ...]:
        roots = self.scope.roots(use.reader, use.field)
        return tuple(
            Part(expression, offset, infer(expression, roots))
            for expression, offset in zip(expressions, offsets, strict=True)
        )

    def _learn_types(self, graph: FlowGraph) -> None:
        """Types of items and of `set` values, upstream first: those downstream are made of them."""
        hook = _hook_of(graph)
        typed = {name for name, _ in graph.having("fan_out", "set")}
        for name in graph.topological() if typed else ():
            if name not in typed:
                continue
            task = graph.tasks[name]
            reader = Reader("hook" if hook else "task", name, hook=hook)
            if task.fan_out is not None:
                self.scope.learn_item(hook, name, self._item_type(task.fan_out, reader))
            if task.set is not None:
                within = replace(reader, item=task.fan_out is not None)
                types = {key: self._type_of(value, within) for key, value in task.set.items()}
                self.scope.learn_set(hook, name, types)

    def _item_type(self, fan_out: Any, reader: Reader) -> Type:
        if fan_out.matrix is not None:
            axes = {axis: self._element_type(values, reader) for axis, values in fan_out.matrix.items()}
            return ANY if fan_out.include else map_of(axes)
        element = self._element_type(fan_out.items, reader)
        return list_of(element) if fan_out.batch > 1 else element

    def _element_type(self, items: Any, reader: Reader) -> Type:
        if isinstance(items, list):
            return join([of_value(item) for item in items])
        found = self._type_of_bare(items, reader)
        return found.items or ANY if found.kind == "list" else ANY

    def _type_of_bare(self, text: object, reader: Reader) -> Type:
        try:
            return infer(parse(text), self.scope.roots(reader, "")).type if isinstance(text, str) else ANY
        except ExpressionError:
            return ANY  # reported where it stands

    def _type_of(self, value: object, reader: Reader) -> Type:
        if not isinstance(value, str) or not contains_template(value):
            return of_value(value)
        try:
            single = parse_template(value).single
        except ExpressionError:
            return ANY  # reported where it stands
        return infer(single, self.scope.roots(reader, "")).type if single is not None else STRING

    # --- guards -----------------------------------------------------------------------------------------------------------

    def _guards(self, graph: FlowGraph) -> Guards:
        return Guards(
            of_task=lambda task: _facts_of(graph.tasks[task].condition, outcome=True),
            of_arm=lambda link: _arm_facts(graph, link),
        )


class _ChildOutputs(Mapping[str, "Mapping[str, Type] | None"]):
    """Types of the outputs of sub-flows by the text of `flow:`, worked out when asked for."""

    def __init__(self, context: FlowContext) -> None:
        self._children = context.children
        self._nesting = context.nesting

    def __getitem__(self, flow: str) -> Mapping[str, Type] | None:
        child = self._children[flow]
        is_endless = child is not None and self._nesting.leads_into_a_circle(child.name)
        return None if child is None or is_endless else child.expressions.output_types

    def __iter__(self) -> Iterator[str]:
        return iter(self._children)

    def __len__(self) -> int:
        return len(self._children)


def _hook_of(graph: FlowGraph) -> str:
    return str(graph.prefix[1]) if len(graph.prefix) > 1 else ""


def _braces(text: str) -> ExpressionError:
    stripped = text.strip()
    start = text.index(stripped)
    inner = stripped.removeprefix("$").removeprefix("{{").removesuffix("}}").strip()
    return ExpressionError(
        "FLOW310",
        "this field is an expression already",
        start=start,
        end=start + len(stripped),
        help=f"without braces: `{inner}`" if "{{" not in inner else "write it without braces",
    )


def _facts_of(condition: object, *, outcome: bool) -> Facts:
    if not isinstance(condition, str):
        return NOTHING
    try:
        return known_if(parse(condition).root, outcome=outcome)
    except ExpressionError:
        return NOTHING  # reported where it stands


def _arm_facts(graph: FlowGraph, link: Link) -> Facts:
    """What it means that an arm was taken: its condition held and none before it did."""
    task = graph.tasks[link.upstream]
    below = link.path[len(graph.prefix) + 1 :]
    if task.branch is not None and isinstance(below[1], int):
        number = below[1]
        facts = _facts_of(task.branch[number].condition, outcome=True)
        for earlier in task.branch[max(0, number - _EARLIER_ARMS) : number]:
            facts |= _facts_of(earlier.condition, outcome=False)
        return facts
    if task.switch is not None:
        value = task.switch.value
        reference = as_reference(parse(value).root) if isinstance(value, str) and _parses(value) else None
        if reference is not None and reference.root == "tasks" and reference.keys[1:] == ("status",):
            of = reference.keys[0]
            return ended(of, (below[2],)) if below[1] == "cases" else not_ended(of, task.switch.cases)
    return NOTHING


def _parses(text: str) -> bool:
    try:
        parse(text)
    except ExpressionError:
        return False
    return True
