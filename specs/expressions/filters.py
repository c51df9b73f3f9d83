"""Filters and tests (`LANGUAGE.md` 13) as data: what each takes, what it gives and what does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct

from specs.expressions import filter_lists as lists
from specs.expressions import filter_texts as texts
from specs.expressions import filter_values as values
from specs.expressions.budget import Meter
from specs.expressions.operations import Undefined, is_number, kind_of
from specs.expressions.types import ANY, DATE, DATETIME, FLOAT, INT, LIST, STRING, Type, join, list_of

Apply: TypeAlias = Callable[..., object]
Result: TypeAlias = Callable[[Type, tuple[Type, ...]], Type]

_TEXT = frozenset({"string"})
_LISTS = frozenset({"list"})
_NUMBER = frozenset({"int", "float"})
_SCALAR = frozenset({"string", "int", "float", "bool", "date", "datetime"})
_MOMENT = frozenset({"string", "date", "datetime"})
_EVERYTHING = _SCALAR | {"list", "map", "none"}


class Parameter(Struct, frozen=True):
    """An argument of a filter; `kinds` are the kinds of value it takes."""

    name: str
    kinds: frozenset[str]
    optional: bool = False


class FilterSpec(Struct, frozen=True):
    """A filter.

    Attributes:
        accepts: kinds of value that may be piped into it.
        parameters: its arguments in order.
        result: the type it gives, from the types of what is piped and of the arguments.
        apply: the function; it gets the meter of the evaluation, the piped value and the arguments.
        takes_undefined: whether it may be applied to what is undefined.
    """

    name: str
    accepts: frozenset[str]
    parameters: tuple[Parameter, ...]
    result: Result
    apply: Apply
    takes_undefined: bool = False

    @property
    def signature(self) -> str:
        """As an author writes it: `replace(old, new)`, `round(digits?)`."""
        arguments = ", ".join(each.name + "?" * each.optional for each in self.parameters)
        return f"{self.name}({arguments})" if arguments else self.name

    def problem(self, arguments: Sequence[object]) -> str | None:
        """What is wrong with these arguments, `...` standing for one that is not literal; `None` when nothing is."""
        least, most = sum(not each.optional for each in self.parameters), len(self.parameters)
        if not least <= len(arguments) <= most:
            wanted = str(most) if least == most else f"{least} to {most}"
            return f"it takes {wanted} argument{'' if wanted == '1' else 's'}, found {len(arguments)}"
        for parameter, argument in zip(self.parameters, arguments, strict=False):
            if argument is not ... and kind_of(argument) not in parameter.kinds:
                return f"`{parameter.name}` is {_listed(parameter.kinds)}, found {kind_of(argument)}"
        return None

    def accepts_type(self, value: Type) -> bool:
        """Whether a value of this type may be piped into it, as far as is known."""
        kind = "string" if value.kind == "path" else value.kind
        return not value.is_known or kind in ("duration", "size") or kind in self.accepts


def _listed(kinds: frozenset[str]) -> str:
    return " or ".join(sorted(kinds))


def _gives(kind: Type) -> Result:
    return lambda _piped, _arguments: kind


def _same(piped: Type, _arguments: tuple[Type, ...]) -> Type:
    return piped


def _element(piped: Type, _arguments: tuple[Type, ...]) -> Type:
    if piped.kind == "list":
        return piped.items or ANY
    return STRING if piped.kind in ("string", "path") else ANY


def _defaulted(piped: Type, arguments: tuple[Type, ...]) -> Type:
    return join((piped, arguments[0])) if piped.is_known else ANY


def _compacted(piped: Type, _arguments: tuple[Type, ...]) -> Type:
    return list_of(piped.items or ANY) if piped.kind == "list" else LIST


def _plucked(_piped: Type, _arguments: tuple[Type, ...]) -> Type:
    return LIST


def _summed(piped: Type, _arguments: tuple[Type, ...]) -> Type:
    items = piped.items or ANY
    return items if items.kind in _NUMBER else ANY


def _rounded(piped: Type, arguments: tuple[Type, ...]) -> Type:
    return piped if arguments else INT


def _sized(piped: Type, _arguments: tuple[Type, ...]) -> Type:
    return piped if piped.kind in _NUMBER else ANY


def _moved(piped: Type, _arguments: tuple[Type, ...]) -> Type:
    return piped if piped.kind in ("date", "datetime") else ANY


def _spec(name: str, accepts: frozenset[str], result: Result, apply: Apply, *parameters: Parameter) -> FilterSpec:
    return FilterSpec(name, accepts, parameters, result, apply)


_ALL = (
    FilterSpec("default", _EVERYTHING, (Parameter("value", _EVERYTHING),), _defaulted, values.default, True),
    _spec("length", frozenset({"string", "list", "map"}), _gives(INT), lists.length),
    _spec("lower", _TEXT, _gives(STRING), texts.lower),
    _spec("upper", _TEXT, _gives(STRING), texts.upper),
    _spec("trim", _TEXT, _gives(STRING), texts.trim),
    _spec("replace", _TEXT, _gives(STRING), texts.replace, Parameter("old", _TEXT), Parameter("new", _TEXT)),
    _spec("split", _TEXT, _gives(list_of(STRING)), texts.split, Parameter("separator", _TEXT, optional=True)),
    _spec("join", _LISTS, _gives(STRING), texts.join, Parameter("separator", _TEXT, optional=True)),
    _spec("first", _LISTS | _TEXT, _element, lists.first),
    _spec("last", _LISTS | _TEXT, _element, lists.last),
    _spec("min", _LISTS, _element, lists.smallest),
    _spec("max", _LISTS, _element, lists.largest),
    _spec("sum", _LISTS, _summed, lists.total),
    _spec("sort", _LISTS, _same, lists.in_order),
    _spec("unique", _LISTS, _same, lists.unique),
    _spec("reverse", _LISTS | _TEXT, _same, lists.backwards),
    _spec("pluck", _LISTS, _plucked, lists.pluck, Parameter("key", _TEXT)),
    _spec("compact", _LISTS, _compacted, lists.compact),
    _spec("int", _NUMBER | _TEXT, _gives(INT), values.to_int),
    _spec("float", _NUMBER | _TEXT, _gives(FLOAT), values.to_float),
    _spec("string", _SCALAR, _gives(STRING), values.to_string),
    _spec("round", _NUMBER, _rounded, values.rounded, Parameter("digits", frozenset({"int"}), optional=True)),
    _spec("abs", _NUMBER, _sized, values.absolute),
    _spec("tojson", _EVERYTHING, _gives(STRING), values.to_json_text),
    _spec("fromjson", _TEXT, _gives(ANY), values.from_json_text),
    _spec("date", _MOMENT, _gives(DATE), values.to_date),
    _spec("datetime", _MOMENT, _gives(DATETIME), values.to_datetime),
    _spec("shift", _MOMENT, _moved, values.shift, Parameter("duration", _TEXT)),
    _spec("basename", _TEXT, _gives(STRING), texts.basename),
    _spec("dirname", _TEXT, _gives(STRING), texts.dirname),
    _spec("stem", _TEXT, _gives(STRING), texts.stem),
    _spec("urlencode", _SCALAR, _gives(STRING), texts.urlencode),
    _spec("sha256", _TEXT, _gives(STRING), texts.sha256),
    _spec("b64encode", _TEXT, _gives(STRING), texts.b64encode),
    _spec("b64decode", _TEXT, _gives(STRING), texts.b64decode),
)

FILTERS: Mapping[str, FilterSpec] = {spec.name: spec for spec in _ALL}
"""Every filter by name."""

TESTS: Mapping[str, Callable[[object], bool]] = {
    "defined": lambda value: not isinstance(value, Undefined),
    "none": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and is_number(value),
    "float": lambda value: isinstance(value, float),
    "string": lambda value: isinstance(value, str),
    "mapping": lambda value: isinstance(value, Mapping),
    "sequence": lambda value: isinstance(value, list | tuple),
}
"""Every test by name; only `defined` may be asked of what is undefined."""


def apply_filter(spec: FilterSpec, meter: Meter, piped: object, arguments: Sequence[object]) -> object:
    """What a filter gives for values.

    Raises:
        EvaluationError: when a value is of a kind it does not take, or the result is too large.
    """
    values.check(spec.name, "", piped, spec.accepts)
    for parameter, argument in zip(spec.parameters, arguments, strict=False):
        values.check(spec.name, parameter.name, argument, parameter.kinds)
    return spec.apply(meter, piped, *arguments)
