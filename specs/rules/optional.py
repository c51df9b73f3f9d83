"""Reading other tasks: only what is upstream, and only what is there by then (FLOW320, 324, 331, 332)."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from specs.context import FlowContext, Rule
from specs.diagnostics import Diagnostic, Edit, Fix
from specs.expressions.analysis import Analysis, Part
from specs.expressions.errors import ExpressionError
from specs.expressions.guards import Facts, Read, ended, is_defined, known_if, reads
from specs.expressions.nodes import Expression, Filter
from specs.expressions.parse import parse
from specs.expressions.reach import Reach
from specs.expressions.report import Reporter, place_of
from specs.expressions.scope import tasks_of
from specs.expressions.uses import Reader, Use
from specs.model.task import TaskSpec

_OF_SUCCESS = frozenset({"output"})
_OF_FAN_OUT = frozenset({"outputs", "results", "counts"})


def reads_of_tasks(context: FlowContext) -> Iterator[Diagnostic]:
    """What an expression reads of another task is upstream, has ended, and is not undefined."""
    checker = _Checker(context)
    for read in context.expressions.reads:
        if read.use.reader.kind in ("task", "hook", "outputs"):
            for part in read.parts:
                yield from checker.check(read.use, part)


class _At(Struct, frozen=True):
    """A read of task `upstream` by a place, with the graph that `upstream` is in."""

    use: Use
    part: Part
    read: Read
    upstream: str
    hook: str
    reach: Reach

    @property
    def path(self) -> str:
        return ".".join((self.read.reference.root, *self.read.reference.keys[:2]))

    def span(self, keys: int | None = None) -> tuple[int, int]:
        """The whole path, or the span of one of its keys."""
        reference = self.read.reference
        start, end = (reference.start, reference.end) if keys is None else reference.spans[keys]
        return self.part.offset + start, self.part.offset + end


class _Checker:
    def __init__(self, context: FlowContext) -> None:
        self.context = context
        self.reporter = Reporter(context)
        self.analysis: Analysis = context.expressions
        self.misnamed = {
            (graph.prefix, task) for graph in context.graphs for task in graph.misnamed
        }  # such a task may well have meant what it reads
        self.misguarded = {
            (read.use.reader.hook, read.use.reader.task)
            for read in self.analysis.reads
            if read.use.reader.stage == "if" and any(map(_is_misnamed, read.parts))
        }  # what such a condition makes sure of is not known
        self.reported: set[tuple[str, str, str]] = set()
        self.after_success: dict[str, int] = {}

    def check(self, use: Use, part: Part) -> Iterator[Diagnostic]:
        refused = {(problem.start, problem.end) for problem in part.inferred.problems}
        for read in reads(part.expression):
            at = self._locate(use, part, read)
            if at is None or refused.intersection(read.reference.spans):
                continue
            problem = self._order(at)
            if problem is not None:
                yield from self._once(use.reader, at.upstream, problem)
            elif self._is_settled(at):
                yield from self._presence(at)

    def _locate(self, use: Use, part: Part, read: Read) -> _At | None:
        reference = read.reference
        if reference.root != "tasks" or not reference.keys:
            return None
        upstream, reader = reference.keys[0], use.reader
        for hook in (reader.hook, ""):
            reach = self.analysis.reach(hook)
            if reach is not None and upstream in tasks_of(self.context.flow, hook):
                return _At(use, part, read, upstream, hook, reach)
        return None

    def _once(self, reader: Reader, upstream: str, diagnostic: Diagnostic) -> Iterator[Diagnostic]:
        key = (reader.hook, reader.task, upstream)
        if key not in self.reported:
            self.reported.add(key)
            yield diagnostic

    # --- order ------------------------------------------------------------------------------------------------------------

    def _is_settled(self, at: _At) -> bool:
        """Whether anything can be said: not on a cycle, nor where an edge names a task that does not exist."""
        reader = at.use.reader
        if at.upstream in at.reach.unordered:
            return False
        if reader.kind == "outputs" or reader.hook != at.hook:
            return True
        return reader.task not in at.reach.unordered and (at.reach.graph.prefix, reader.task) not in self.misnamed

    def _order(self, at: _At) -> Diagnostic | None:
        """FLOW320 or FLOW324, when a task does not come after what it reads."""
        reader = at.use.reader
        if reader.kind == "outputs" or reader.hook != at.hook or not self._is_settled(at):
            return None
        if at.upstream == reader.task:
            if reader.stage == "undo":
                return None
            way_out = "in `until` read `task.output`; elsewhere there is none yet"
            message = f"`{reader.task}` reads itself, which is not upstream"
            return self.reporter.at("FLOW320", at.use, at.span(1), message, help=way_out)
        if at.reach.has_ended(at.upstream, reader.task):
            return None
        if at.reach.has_started(at.upstream, reader.task):
            message = f"`{at.upstream}` has only started when `{reader.task}` runs"
            service = at.reach.graph.tasks[at.upstream].service
            way_out = f"write `{'after_end' if service else 'after'}: [{at.upstream}]`"
            return self.reporter.at("FLOW324", at.use, at.span(1), message, help=way_out)
        message = f"`{reader.task}` reads `{at.upstream}`, which is not upstream"
        way_out = f"add `{at.upstream}` to `after` of `{reader.task}`"
        fix = self._add_edge(at)
        return self.reporter.at("FLOW320", at.use, at.span(1), message, help=way_out, fix=fix)

    def _add_edge(self, at: _At) -> Fix | None:
        """Name the task in `after`: in the list that is there, or in a line of its own before the task's first key."""
        reader, places = at.use.reader, self.context.places
        if at.reach.has_started(reader.task, at.upstream):
            return None  # it would make a cycle
        task = tasks_of(self.context.flow, reader.hook)[reader.task]
        path = ("hooks", reader.hook, reader.task) if reader.hook else ("tasks", reader.task)
        if task.after_complete or places.inherited((*path, task.action)):
            return None
        target = (*path, "after", 0) if task.after else (*path, task.action)
        place = places.place(target, key=not task.after)
        source, start = place.source, place.start
        before = source.line(source.position(start)[0])[: source.position(start)[1] - 1]
        if task.after:
            separator = ", " if not before.strip().endswith("-") else f"\n{before}"
            text = f"{at.upstream}{separator}"
        elif before.strip():
            text = f"after: [{at.upstream}], "
        else:
            text = f"after: [{at.upstream}]\n{before}"
        return Fix(f"add `{at.upstream}` to `after`", (Edit(type(place)(source, start, start), text),))

    # --- presence ---------------------------------------------------------------------------------------------------------

    def _facts(self, at: _At) -> int:
        reader = at.use.reader
        told = at.read.facts | self._own_condition(reader)
        if reader.kind == "outputs" or (reader.hook == "success" and not at.hook):
            return at.reach.with_facts(self._success(at), told, run_succeeded=True)
        if reader.hook != at.hook:
            return at.reach.with_facts(0, told)
        facts = (at.reach.before_condition if reader.stage == "if" else at.reach.known)[reader.task]
        if reader.stage == "undo":
            told |= ended(reader.task, ("succeeded",))
        return at.reach.with_facts(facts, told, reader=reader.task)

    def _success(self, at: _At) -> int:
        if at.hook not in self.after_success:
            self.after_success[at.hook] = at.reach.after_success()
        return self.after_success[at.hook]

    def _own_condition(self, reader: Reader) -> Facts:
        """What the `if` of a hook task, or of a task, makes sure of for its other fields."""
        if reader.kind == "outputs" or reader.stage == "if":
            return frozenset()
        task: TaskSpec = tasks_of(self.context.flow, reader.hook)[reader.task]
        condition = _parsed(task.condition)
        return known_if(condition.root, outcome=True) if condition is not None else frozenset()

    def _presence(self, at: _At) -> Iterator[Diagnostic]:
        field = at.read.reference.keys[1] if len(at.read.reference.keys) > 1 else ""
        facts = self._facts(at)
        there = self._is_there(at, field, facts)
        if there and field == "output" and self._is_optional(at):
            yield from self._optional_output(at)
        elif there:
            yield from self._needless_default(at, field)
        elif not at.read.may_be_undefined and not self._is_misguarded(at):
            did = "fail" if field == "error" else "succeed" if at.reach.ran(at.upstream, facts) else ""
            message = (
                f"{_subject(at.use.reader)} although `{at.upstream}` did not{' ' + did if did else ''}, "
                f"and then `{at.path}` is undefined"
            )
            yield self.reporter.at("FLOW331", at.use, at.span(), message, help=_way_out(at, field))

    def _is_misguarded(self, at: _At) -> bool:
        """Whether a guard may have been meant that names a task which does not exist."""
        return (at.use.reader.hook, at.use.reader.task) in self.misguarded or _is_misnamed(at.part)

    def _is_there(self, at: _At, field: str, facts: int) -> bool:
        if field in _OF_SUCCESS:
            return at.reach.succeeded(at.upstream, facts)
        if field in _OF_FAN_OUT:
            return at.reach.ran(at.upstream, facts)
        return field != "error" or at.reach.failed(at.upstream, facts)

    def _is_optional(self, at: _At) -> bool:
        keys = at.read.reference.keys
        task = tasks_of(self.context.flow, at.hook)[at.upstream]
        output = task.outputs.get(keys[2]) if len(keys) > 2 else None
        return output is not None and output.optional

    def _optional_output(self, at: _At) -> Iterator[Diagnostic]:
        path = ".".join(("tasks", *at.read.reference.keys[:3]))
        known = at.read.facts | self._own_condition(at.use.reader)
        if at.read.may_be_undefined or is_defined(known, path):
            return
        message = f"`{path}` is optional: `{at.upstream}` can succeed without it, and then it is undefined"
        way_out = f"add `| default(...)`, or guard it with `{path} is defined`"
        yield self.reporter.at("FLOW331", at.use, at.span(), message, help=way_out)

    def _needless_default(self, at: _At, field: str) -> Iterator[Diagnostic]:
        keys = at.read.reference.keys
        if at.read.default is None or field != "output" or len(keys) != 3:
            return
        if keys[2] in tasks_of(self.context.flow, at.hook)[at.upstream].outputs:
            yield needless_default(self.reporter, at.use, at.part, at.read, at.read.default)


def needless_default(reporter: Reporter, use: Use, part: Part, read: Read, filter_: Filter) -> Diagnostic:
    """FLOW332 for a path that is always defined; the fix takes the filter away."""
    path = ".".join((read.reference.root, *read.reference.keys))
    start, end = part.offset + filter_.of.end, part.offset + filter_.end
    rest = part.expression.text[filter_.of.end : filter_.end]
    place = place_of(reporter.context, use, (start, end))
    fix = None
    if place is not None and rest.lstrip().startswith("|") and not reporter.context.places.inherited(use.path):
        fix = Fix("take `default` away", (Edit(place, ""),))
    span = (part.offset + filter_.name_start, end)
    return reporter.at(
        "FLOW332", use, span, f"`default` is never used: `{path}` is always defined", fix=fix, help="take it away"
    )


def needless_defaults(context: FlowContext) -> Iterator[Diagnostic]:
    """`default` on a parameter: it has a value in every run, `none` included."""
    reporter = Reporter(context)
    for read in context.expressions.reads:
        for part in read.parts:
            if "default" in part.expression.text:
                for each in reads(part.expression):
                    keys = each.reference.keys
                    known = each.reference.root == "params" and len(keys) == 1 and keys[0] in context.flow.params
                    if known and each.default is not None and each.default.of.end == each.reference.end:
                        yield needless_default(reporter, read.use, part, each, each.default)


def _is_misnamed(part: Part) -> bool:
    """Whether the expression looks at what does not exist."""
    return any(problem.code in ("FLOW302", "FLOW303", "FLOW304") for problem in part.inferred.problems)


def _parsed(condition: object) -> Expression | None:
    try:
        return parse(condition) if isinstance(condition, str) else None
    except ExpressionError:
        return None


def _subject(reader: Reader) -> str:
    if reader.kind == "outputs":
        return "the run can succeed"
    return f"`{f'hooks.{reader.hook}.{reader.task}' if reader.hook else reader.task}` can run"


def _way_out(at: _At, field: str) -> str:
    reader = at.use.reader
    if field == "error":
        return f"add `| default(...)`, or guard it with `tasks.{at.upstream}.status == 'failed'`"
    if reader.kind == "outputs":
        return "add `| default(...)`"
    if reader.hook != at.hook:
        return f"add `| default(...)`, or guard it with `tasks.{at.upstream}.status == 'succeeded'`"
    return (
        f"add `| default(...)`, or make `{reader.task}` run only after `{at.upstream}`, for example with `join: strict`"
    )


RULES: tuple[Rule, ...] = (reads_of_tasks, needless_defaults)
