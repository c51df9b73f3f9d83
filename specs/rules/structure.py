"""What the schema alone cannot say of a well-formed flow: parameters, patterns, and text that other readers take for
something else (FLOW113, 115, 119, 120, 122, 127, 128)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from specs.context import FlowContext, Path, Rule
from specs.diagnostics import Diagnostic, Edit, Fix
from specs.literals import has_expression, misfit
from specs.model import ParamSpec, TaskSpec
from specs.model.parts import HoursSpec, RetrySpec
from specs.patterns import pattern_problem
from specs.scalars import WrittenInt, shortened, written_form
from specs.suggest import listed, nearest

_NUMBERS = frozenset({"int", "float"})
_WITH_LENGTH = frozenset({"string", "path", "list", "map", "json"})
_TEXTS = frozenset({"string", "path"})
_ONLY_WITH = {
    "min": _NUMBERS,
    "max": _NUMBERS,
    "min_length": _WITH_LENGTH,
    "max_length": _WITH_LENGTH,
    "pattern": _TEXTS,
    "items": frozenset({"list"}),
}


def parameter_keys(context: FlowContext) -> Iterator[Diagnostic]:
    """A parameter has only keys that its type knows, and a lower bound that is not above the upper one."""
    for path, param in _params(context):
        for key, types in _ONLY_WITH.items():
            if getattr(param, key) is not None and param.type not in types:
                message = f"`{key}` and `type: {param.type}` exclude each other"
                listed = ", ".join(f"`{name}`" for name in sorted(types))
                yield context.finding("FLOW115", (*path, key), message, key=True, help=f"`{key}` is for {listed}")
        for low, high in (("min", "max"), ("min_length", "max_length")):
            least, most = getattr(param, low), getattr(param, high)
            if least is not None and most is not None and least > most:
                message = f"`{low}` {least} is above `{high}` {most}"
                yield context.finding("FLOW119", (*path, low), message, help="no value fits")


def parameter_default(context: FlowContext) -> Iterator[Diagnostic]:
    """A default fits the type, the choices, the bounds and the pattern; so do the choices the type."""
    for path, param in _params(context):
        only_type = ParamSpec(type=param.type, items=param.items)
        for index, choice in enumerate(param.choices or ()):
            wrong = misfit(choice, only_type)
            if wrong is not None:
                message = f"a choice does not fit: expected {wrong.wanted}, found {wrong.found}"
                yield context.finding("FLOW127", (*path, "choices", index), message)
        if param.required or has_expression(param.default):
            continue
        wrong = misfit(param.default, param)
        if wrong is not None:
            message = f"`default` does not fit: expected {wrong.wanted}, found {wrong.found}"
            yield context.finding("FLOW127", (*path, "default"), message, help=_boolean_help(param))
        elif _misses_pattern(param):
            message = f"`default` does not fit: `{shortened(param.default)}` does not match the pattern"
            yield context.finding("FLOW127", (*path, "default"), message, help="the whole text must match")


def patterns(context: FlowContext) -> Iterator[Diagnostic]:
    """Every pattern can be matched in linear time."""
    for path, pattern in _patterns(context):
        problem = pattern_problem(pattern)
        if problem is not None:
            help_ = None
            if "repetition" in problem:
                help_ = "let what follows a repetition begin with a character the repetition leaves out: `[^@]+@`"
            yield context.finding("FLOW128", path, f"the pattern {problem}", help=help_)


def read_otherwise(context: FlowContext) -> Iterator[Diagnostic]:
    """Plain text that YAML 1.1 readers take for a boolean, a time or an octal number."""
    for path, value in _loose_values(context):
        reading = _reading(value)
        if reading is None:
            continue
        place = context.places.place(path)
        written = place.source.text[place.start : place.end]
        if written != written_form(value):  # in quotes, or an alias
            continue
        kind = f"is the number {int(value)}" if isinstance(value, int) else "is text"
        quoted = f'"{written}"'
        help_ = f"write `{quoted}`" + (f", or `{reading}`" if reading in ("true", "false") else "")
        fix = Fix("put it in quotes", (Edit(place, quoted),))
        message = f"`{written}` {kind} here, YAML 1.1 tools read {reading}"
        yield context.finding("FLOW122", path, message, help=help_, fix=fix)


def written_forms(context: FlowContext) -> Iterator[Diagnostic]:
    """Texts with a form of their own have it: jitter, callables, sources of secrets, operating hours."""
    for path, text, form in _formed(context):
        if "${{" not in text and form.pattern.fullmatch(text) is None:
            message = f"`{shortened(text)}` is not {form.what}"
            yield context.finding("FLOW120", path, message, help=f"write {form.example}")


def shells(context: FlowContext) -> Iterator[Diagnostic]:
    """A shell is one of those the engine knows how to start, or an argv."""
    for path, task in _having(context, "shell"):
        if isinstance(task.shell, str) and task.shell not in SHELLS and "${{" not in task.shell:
            near = nearest(task.shell, SHELLS)
            place = context.places.place((*path, "shell"))
            fix = Fix(f"write `{near}`", (Edit(place, near),)) if near else None
            message = f"`{shortened(task.shell)}` is none of {listed(SHELLS)}"
            help_ = f"did you mean `{near}`?" if near else "any other is a list: the program and its arguments"
            yield context.finding("FLOW113", (*path, "shell"), message, help=help_, fix=fix)
        elif isinstance(task.shell, list) and not task.shell:
            yield context.finding("FLOW119", (*path, "shell"), "`shell` is empty: at least one element is needed")


RULES: tuple[Rule, ...] = (parameter_keys, parameter_default, patterns, written_forms, shells, read_otherwise)


# --- parameters and patterns ------------------------------------------------------------------------------------------


def _params(context: FlowContext) -> Iterator[tuple[Path, ParamSpec]]:
    for name, param in context.flow.params.items():
        yield ("params", name), param
    for path, task in _having(context, "approval"):
        if task.approval is not None:
            for name, param in task.approval.fields.items():
                yield (*path, "approval", "fields", name), param


def _misses_pattern(param: ParamSpec) -> bool:
    if param.pattern is None or not isinstance(param.default, str) or pattern_problem(param.pattern) is not None:
        return False
    return re.fullmatch(param.pattern, param.default) is None


def _boolean_help(param: ParamSpec) -> str | None:
    if param.type == "bool" and isinstance(param.default, str) and param.default.lower() in _BOOLEANS:
        return f"write `{_BOOLEANS[param.default.lower()]}`"
    return None


def _patterns(context: FlowContext) -> Iterator[tuple[Path, str]]:
    for path, param in _params(context):
        if param.pattern is not None:
            yield (*path, "pattern"), param.pattern
    for path, task in _having(context, "retry", "undo", "retry_upstream"):
        if task.retry is not None:
            yield from _retry_patterns((*path, "retry"), task.retry)
        if task.undo is not None and task.undo.retry is not None:
            yield from _retry_patterns((*path, "undo", "retry"), task.undo.retry)
        if task.retry_upstream is not None:
            yield from _error_patterns((*path, "retry_upstream", "errors"), task.retry_upstream.errors)


def _retry_patterns(path: Path, retry: RetrySpec) -> Iterator[tuple[Path, str]]:
    yield from _error_patterns((*path, "errors"), retry.errors or [])
    yield from _error_patterns((*path, "never"), retry.never or [])
    if retry.rate_limit is not None:
        for index, pattern in enumerate(retry.rate_limit.match or ()):
            yield (*path, "rate_limit", "match", index), pattern


def _error_patterns(path: Path, errors: list[str]) -> Iterator[tuple[Path, str]]:
    for index, error in enumerate(errors):
        if error.startswith("output~"):
            yield (*path, index), error.removeprefix("output~")


def _having(context: FlowContext, *keys: str) -> Iterator[tuple[Path, TaskSpec]]:
    """The tasks, of hooks too, for which one of these fields is given."""
    for graph in context.graphs:
        for name, task in graph.having(*keys):
            yield (*graph.prefix, name), task


# --- texts with a form ------------------------------------------------------------------------------------------------

SHELLS = ("sh", "bash", "python")


class _Form(Struct, frozen=True):
    pattern: re.Pattern[str]
    what: str
    example: str


_JITTER = _Form(
    re.compile(r"full|equal|none|(?:100|[1-9]?\d(?:\.\d+)?)%"), "a jitter", "`full`, `equal`, `none` or a share: `20%`"
)
_CALLABLE = _Form(
    re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*"),
    "the name of a callable",
    "`package.module:function`",
)
_SECRET_SOURCE = _Form(
    re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:/.+|(?!env:|file:)[A-Za-z][\w.-]*:.+"),
    "a source of secrets",
    "`env:NAME`, `file:/path` or `PROVIDER:key`",
)
_DAYS = _Form(
    re.compile(r"(?:mon|tue|wed|thu|fri|sat|sun)(?:-(?:mon|tue|wed|thu|fri|sat|sun))?"),
    "a day or a range of days",
    "`mon` or `mon-fri`",
)
_TIME = _Form(re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d|24:00"), "a time of day", "`08:00`, in quotes")


def _formed(context: FlowContext) -> Iterator[tuple[Path, str, _Form]]:
    for name, secret in context.flow.secrets.items():
        yield ("secrets", name, "from"), secret.source, _SECRET_SOURCE
    yield from _hours_forms(("hours",), context.flow.hours)
    for name, trigger in context.flow.triggers.items():
        yield from _hours_forms(("triggers", name, "hours"), trigger.hours)
    for path, task in _having(context, "call", "retry", "undo"):
        if task.call is not None:
            yield (*path, "call"), task.call, _CALLABLE
        if task.retry is not None and task.retry.jitter is not None:
            yield (*path, "retry", "jitter"), task.retry.jitter, _JITTER
        if task.undo is not None and task.undo.call is not None:
            yield (*path, "undo", "call"), task.undo.call, _CALLABLE
        if task.undo is not None and task.undo.retry is not None and task.undo.retry.jitter is not None:
            yield (*path, "undo", "retry", "jitter"), task.undo.retry.jitter, _JITTER


def _hours_forms(path: Path, hours: HoursSpec | None) -> Iterator[tuple[Path, str, _Form]]:
    if hours is None:
        return
    for index, day in enumerate(hours.days or ()):
        yield (*path, "days", index), day, _DAYS
    for key, text in (("start", hours.start), ("end", hours.end)):
        if text is not None:
            yield (*path, key), text, _TIME


# --- readings of YAML 1.1 ---------------------------------------------------------------------------------------------

_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_SEXAGESIMAL = re.compile(r"[-+]?[1-9][0-9]*(?::[0-5]?[0-9])+")
_UNDERSCORED = re.compile(r"[-+]?[0-9][0-9_]*")


def _reading(value: object) -> str | None:
    """What a YAML 1.1 reader makes of a plain value that is something else here; `None` when it is the same."""
    if isinstance(value, WrittenInt):
        digits = value.written.lstrip("+-")
        is_octal = len(digits) > 1 and digits[0] == "0" and digits.isdigit() and not set(digits) & {"8", "9"}
        return str(int(digits, 8)) if is_octal else None
    if not isinstance(value, str) or not 0 < len(value) <= 20:
        return None
    if len(value) > 1 and value.lower() in _BOOLEANS and value in (value.lower(), value.upper(), value.capitalize()):
        return _BOOLEANS[value.lower()]
    if _SEXAGESIMAL.fullmatch(value):
        total = 0
        for part in value.lstrip("+-").split(":"):
            total = total * 60 + int(part)
        return f"the number {-total if value.startswith('-') else total}"
    if "_" in value and _UNDERSCORED.fullmatch(value):
        return f"the number {value.replace('_', '')}"
    return None


def _loose_values(context: FlowContext) -> Iterator[tuple[Path, Any]]:
    """The values whose type nothing but their writing tells: environments, arguments by name, labels, defaults."""
    for section in ("env", "labels", "outputs"):
        yield from _entries((section,), getattr(context.flow, section))
    for name, connector in context.flow.connectors.items():
        yield from _entries(("connectors", name, "with"), connector.with_)
    for path, param in _params(context):
        if param.type != "bool":
            yield (*path, "default"), param.default
    for path, task in _having(context, "env", "with_", "set", "labels", "undo"):
        yield from _entries((*path, "env"), task.env)
        yield from _entries((*path, "with"), task.with_)
        yield from _entries((*path, "set"), task.set or {})
        yield from _entries((*path, "labels"), task.labels)
        if task.undo is not None:
            yield from _entries((*path, "undo", "env"), task.undo.env)


def _entries(path: Path, values: dict[str, Any]) -> Iterator[tuple[Path, Any]]:
    for key, value in values.items():
        yield (*path, key), value
