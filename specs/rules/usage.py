"""What is declared and never used (FLOW601, 602, 604, 605); off unless asked for. Templates: `specs/inheritance.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from specs.context import FlowContext, Path, Rule
from specs.diagnostics import Diagnostic, Fix
from specs.expressions.analysis import Part
from specs.expressions.references import Reference, references
from specs.shapes import entry_removal

_EVERYTHING = "*"
"""Stands for all names of a root that is read as a whole."""

_MISNAMED = frozenset({"FLOW302", "FLOW303", "FLOW304", "FLOW318", "FLOW321", "FLOW322"})
"""Codes of names in expressions that do not exist."""


def unused_parameters(context: FlowContext) -> Iterator[Diagnostic]:
    """Every parameter is read somewhere."""
    used = _used(context, "params")
    for name in context.flow.params:
        if used is not None and not used & {name, _EVERYTHING}:
            yield _unused(context, "FLOW601", ("params", name), f"parameter `{name}` is never used")


def unused_secrets(context: FlowContext) -> Iterator[Diagnostic]:
    """Every secret is given to something."""
    used = _used(context, "secrets")
    if used is None or not context.flow.secrets:
        return
    named = used | _secrets_by_name(context)
    for name in context.flow.secrets:
        if not named & {name, _EVERYTHING}:
            yield _unused(context, "FLOW602", ("secrets", name), f"secret `{name}` is never used")


def _secrets_by_name(context: FlowContext) -> set[str]:
    """Secrets that signatures and connectors are given by their name."""
    flow = context.flow
    signatures = (one.webhook.signature for one in flow.triggers.values() if one.webhook is not None)
    found = {signature.secret for signature in signatures if signature is not None}
    owners = [connector.with_ for connector in flow.connectors.values()]
    for graph in context.graphs:
        for _, spec in graph.having("with_", "undo"):
            owners += [spec.with_, spec.undo.with_ if spec.undo is not None else {}]
    for fields in owners:
        found |= {value for name, value in fields.items() if name.endswith("_secret") and isinstance(value, str)}
    return found


def unused_pools_and_connectors(context: FlowContext) -> Iterator[Diagnostic]:
    """Every pool is taken and every connector is spoken to; silent of pools where one is taken that is not declared."""
    flow = context.flow
    if not flow.pools and not flow.connectors:
        return
    pools = {connector.pool for connector in flow.connectors.values()}
    connectors = {trigger.queue.connector for trigger in flow.triggers.values() if trigger.queue is not None}
    for graph in context.graphs:
        for _, spec in graph.having("pool", "use", "undo"):
            pools |= {spec.pool} if isinstance(spec.pool, str) else set(spec.pool or ())
            for owner in (spec, spec.undo):
                if owner is not None and owner.use is not None:
                    connectors.add(owner.use.partition(".")[0])
    for section, word, declared, used in (
        ("pools", "pool", flow.pools if pools <= {None, *flow.pools} else {}, pools),
        ("connectors", "connector", flow.connectors, connectors),
    ):
        for name in declared:
            if name not in used and not context.places.inherited((section, name)):
                yield _unused(context, "FLOW604", (section, name), f"{word} `{name}` is never used")


def unused_values(context: FlowContext) -> Iterator[Diagnostic]:
    """Every value of a `set` task is read by another task."""
    read = _outputs_read(context)
    if read is None:
        return
    for graph in context.graphs:
        for task, spec in graph.having("set"):
            for name in spec.set or ():
                if not read.get(task, frozenset()) & {name, _EVERYTHING}:
                    path = (*graph.prefix, task, "set", name)
                    fix = len(spec.set or ()) > 1
                    yield _unused(context, "FLOW605", path, f"the value `{name}` of `{task}` is never used", fix=fix)


def _outputs_read(context: FlowContext) -> Mapping[str, set[str]] | None:
    """By task, the keys of its output that are read; `None` where that cannot be told."""
    everything = _references(context)
    if everything is None:
        return None
    read: dict[str, set[str]] = {}
    for one in everything:
        if one.root == "tasks" and not one.keys:
            return None
        if one.root == "tasks" and (len(one.keys) == 1 or one.keys[1] in ("output", "outputs", "results")):
            is_one = one.keys[1:2] == ("output",) and len(one.keys) > 2
            read.setdefault(one.keys[0], set()).add(one.keys[2] if is_one else _EVERYTHING)
    return read


def _used(context: FlowContext, root: str) -> set[str] | None:
    """The names read of a root; `None` where an expression cannot be read, or names what does not exist."""
    everything = _references(context)
    if everything is None:
        return None
    return {one.keys[0] if one.keys else _EVERYTHING for one in everything if one.root == root}


def _references(context: FlowContext) -> tuple[Reference, ...] | None:
    reads = context.expressions.reads
    if any(read.error is not None or any(map(_is_misnamed, read.parts)) for read in reads):
        return None
    return tuple(one for read in reads for part in read.parts for one in references(part.expression))


def _is_misnamed(part: Part) -> bool:
    """Whether an expression names what does not exist: what was meant may seem not to be used."""
    return any(problem.code in _MISNAMED for problem in part.inferred.problems)


def _unused(context: FlowContext, code: str, path: Path, message: str, *, fix: bool = True) -> Diagnostic:
    key = context.places.place(path, key=True)
    removal: Fix | None = entry_removal(key, context.places.place(path)) if fix else None
    return context.finding(code, path, message, key=True, help="remove it, or use it", fix=removal)


RULES: tuple[Rule, ...] = (unused_parameters, unused_secrets, unused_pools_and_connectors, unused_values)
