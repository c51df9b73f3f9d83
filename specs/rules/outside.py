"""What comes from outside, and who may start or agree to what (FLOW417 to 422)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from specs.context import FlowContext, Path, Rule
from specs.diagnostics import Diagnostic
from specs.expressions.analysis import Part, Read
from specs.expressions.references import references
from specs.expressions.report import Reporter
from specs.expressions.uses import Use
from specs.model.parts import ParamSpec
from specs.model.task import TaskSpec, UndoSpec

_PAYLOAD = frozenset({"body", "headers", "query", "message", "messages", "files"})
"""Keys of `trigger` that hold what somebody has sent."""

_PATH_FIELDS = frozenset({"path", "to"})
_URL_FIELDS = frozenset({"url", "base_url", "endpoint"})
_HOST_START = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://[^/?#]*$")
_LONGEST = 300
MOST_PIECES = 20
"""Texts and expressions at the beginning of a URL that are looked at: the host ends before that."""

_PLAIN = re.compile(r"http://(\[[^\]]*\]|[^/:?#\s$]*)", re.IGNORECASE)
_NEAR = re.compile(r"|localhost|.*\.localhost|127(?:\.\d+){3}|\[::1\]|0\.0\.0\.0|host\.docker\.internal")


def unsigned_webhooks(context: FlowContext) -> Iterator[Diagnostic]:
    """A webhook starts runs only for those who can sign for it."""
    for name, trigger in context.flow.triggers.items():
        if trigger.webhook is not None and trigger.webhook.signature is None:
            yield context.finding(
                "FLOW417",
                ("triggers", name, "webhook"),
                "webhook without `signature`: whoever finds its path may start runs",
                key=True,
                help="add `signature: {scheme: standard, secret: NAME}`",
            )


def unguarded_parameters(context: FlowContext) -> Iterator[Diagnostic]:
    """A text from outside enters by a parameter that says what it may be."""
    reporter = Reporter(context)
    for read in context.expressions.reads:
        if read.use.reader.kind != "trigger" or read.use.path[2:3] != ("params",):
            continue
        name = str(read.use.path[-1])
        param = context.flow.params.get(name)
        if param is not None and param.type == "string" and _is_unguarded(param):
            for part in filter(_is_payload, read.parts):
                message = f"a `trigger` value goes into `{name}`, which has no `pattern`, `choices` or `max_length`"
                yield reporter.at("FLOW418", read.use, _span(part), message, help=f"add a `pattern` to `{name}`")


def _is_unguarded(param: ParamSpec) -> bool:
    return param.pattern is None and param.choices is None and param.max_length is None


def _is_payload(part: Part) -> bool:
    return any(
        one.root == "trigger" and one.keys[:1] and one.keys[0] in _PAYLOAD for one in references(part.expression)
    )


def _span(part: Part) -> tuple[int, int]:
    root = part.expression.root
    return part.offset + root.start, part.offset + root.end


def _outside_params(context: FlowContext) -> Mapping[str, ParamSpec]:
    """Parameters that a trigger fills with what it was sent, and that do not say what they may be."""
    found: dict[str, ParamSpec] = {}
    for read in context.expressions.reads:
        if read.use.reader.kind == "trigger" and read.use.path[2:3] == ("params",):
            name = str(read.use.path[-1])
            param = context.flow.params.get(name)
            is_open = param is not None and param.choices is None and param.pattern is None
            if param is not None and is_open and any(map(_is_payload, read.parts)):
                found[name] = param
    return found


def hosts_from_outside(context: FlowContext) -> Iterator[Diagnostic]:
    """Which server is spoken to is not for the sender of a message to say."""
    reporter, outside = Reporter(context), _outside_params(context)
    for read in context.expressions.reads:
        if read.template is None or str(read.use.path[-1]) not in (*_URL_FIELDS, "http"):
            continue
        parts = iter(read.parts)
        before = ""
        for piece in read.template.parts[:MOST_PIECES]:
            if isinstance(piece, str):
                before += piece[:_LONGEST]
                continue
            part = next(parts)
            if (not before or _HOST_START.search(before)) and _is_from(part, outside):
                help_ = "write the host out, or choose it among fixed ones; a path may come from outside"
                message = "the host of a URL comes from outside"
                yield reporter.at("FLOW419", read.use, _span(part), message, help=help_)
            before += "x"


def _is_from(part: Part, outside: Mapping[str, ParamSpec]) -> bool:
    by_param = any(
        one.root == "params" and one.keys[:1] and one.keys[0] in outside for one in references(part.expression)
    )
    return by_param or _is_payload(part)


def paths_from_outside(context: FlowContext) -> Iterator[Diagnostic]:
    """A path from outside is a parameter of type `path`, which is held inside of its root."""
    texts = {name: param for name, param in _outside_params(context).items() if param.type in ("string", "json")}
    reporter = Reporter(context)
    for read in context.expressions.reads:
        if _is_path_field(context, read):
            for part in read.parts:
                if _is_from(part, texts):
                    message = "a path from outside without an allowed root"
                    help_ = "take it in by a parameter with `type: path`, or limit it by a `pattern`"
                    yield reporter.at("FLOW420", read.use, _span(part), message, help=help_)


def _is_path_field(context: FlowContext, read: Read) -> bool:
    use = read.use
    if use.path[-1] == "workdir" or use.path[-2:-1] == ("artifacts",):
        return True
    if use.want != "field" or use.path[-1] not in _PATH_FIELDS:
        return False
    owner = _owner(context, use)
    return owner is not None and (owner.use or "").startswith("file.")


def _owner(context: FlowContext, use: Use) -> TaskSpec | UndoSpec | None:
    """The task, or its undo, whose `with` a place is in; `None` outside of tasks."""
    reader = use.reader
    if reader.kind not in ("task", "hook"):
        return None
    tasks: Mapping[str, TaskSpec] = getattr(context.flow.hooks, reader.hook) if reader.hook else context.flow.tasks
    task = tasks[reader.task]
    return task.undo if reader.stage == "undo" and task.undo is not None else task


def approvals_by_anyone(context: FlowContext) -> Iterator[Diagnostic]:
    """Who may agree is said."""
    for graph in context.graphs:
        for task, spec in graph.having("approval"):
            if spec.approval is not None and not spec.approval.approvers:
                yield context.finding(
                    "FLOW421",
                    (*graph.prefix, task, "approval"),
                    "approval with no `approvers`: anyone may agree",
                    key=True,
                    help='name people or groups: `approvers: ["group:release"]`',
                )


def unencrypted_requests(context: FlowContext) -> Iterator[Diagnostic]:
    """Requests to other hosts are encrypted."""
    for path, text in _urls(context):
        match = _PLAIN.match(text) if isinstance(text, str) else None
        if match is not None and not _NEAR.fullmatch(match[1].lower()):
            yield context.finding("FLOW422", path, f"plain `http://` to `{match[1]}`", help="write `https://`")


def _urls(context: FlowContext) -> Iterator[tuple[Path, object]]:
    for name, connector in context.flow.connectors.items():
        for key in _URL_FIELDS & set(connector.with_):
            yield ("connectors", name, "with", key), connector.with_[key]
    for graph in context.graphs:
        for task, spec in graph.having("with_", "undo"):
            for below, owner in (((), spec), (("undo",), spec.undo)):
                if owner is not None and owner.use is not None and "url" in owner.with_:
                    yield (*graph.prefix, task, *below, "with", "url"), owner.with_["url"]


RULES: tuple[Rule, ...] = (
    unsigned_webhooks,
    unguarded_parameters,
    hosts_from_outside,
    paths_from_outside,
    approvals_by_anyone,
    unencrypted_requests,
)
