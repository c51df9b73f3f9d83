"""Types of expressions: a small lattice under `any`, with what is known of lists and maps.

`any` is what nothing is known about (declared `json`, output of an unknown connector): every check lets it pass, and
the evaluator decides at run time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

Kind: TypeAlias = Literal[
    "any",
    "none",
    "bool",
    "int",
    "float",
    "string",
    "path",
    "date",
    "datetime",
    "duration",
    "size",
    "list",
    "map",
    "refused",
]


class Refusal(Struct, frozen=True):
    """Why a name or a key may not be used: what a finding needs. With `known`, the help is the nearest of those names.

    In `message` and `help`, `{key}` stands for the key that was asked for. `replacement`, when there, is what certainly
    was meant instead of the key.
    """

    code: str
    message: str
    help: str | None = None
    replacement: str | None = None


class Type(Struct, frozen=True):
    """What is known of a value.

    Attributes:
        kind: its place in the lattice; `refused` is a name that exists and may not be used here.
        items: of a list, the type of its elements.
        fields: of a map, its known keys; `None` when any key may be there.
        missing: of a map with `fields`, how an unknown key is reported.
        refusal: of `refused`, why.
        optional: the value may be undefined although its name is known.
        choices: of a text, all that it can be; `None` when it can be any.
    """

    kind: Kind = "any"
    items: Type | None = None
    fields: Mapping[str, Type] | None = None
    missing: Refusal | None = None
    refusal: Refusal | None = None
    optional: bool = False
    choices: tuple[str, ...] | None = None

    @property
    def is_known(self) -> bool:
        """Whether there is anything to check against."""
        return self.kind not in ("any", "refused")

    def __str__(self) -> str:
        """As it reads in a message: `a list of int`, `text`."""
        if self.kind == "list" and self.items is not None and self.items.is_known:
            return f"list of {self.items}"
        return "json" if self.kind == "any" else self.kind


ANY = Type()
NONE = Type("none")
BOOL = Type("bool")
INT = Type("int")
FLOAT = Type("float")
STRING = Type("string")
PATH = Type("path")
DATE = Type("date")
DATETIME = Type("datetime")
DURATION = Type("duration")
SIZE = Type("size")
LIST = Type("list", items=ANY)
MAP = Type("map")

_BY_NAME: Mapping[str, Type] = {
    "string": STRING, "int": INT, "float": FLOAT, "bool": BOOL, "date": DATE, "datetime": DATETIME,
    "duration": DURATION, "size": SIZE, "path": PATH, "json": ANY, "any": ANY, "list": LIST, "map": MAP,
}  # fmt: skip

NUMBERS = frozenset({"int", "float"})
TEXTS = frozenset({"string", "path"})
WRITABLE = frozenset({"string", "path", "int", "float", "bool", "date", "datetime", "duration", "size"})
"""Kinds that have a written form inside a text."""

_GROUPS: Mapping[str, str] = {
    **dict.fromkeys(NUMBERS, "number"),
    **dict.fromkeys(TEXTS, "text"),
    "bool": "bool", "none": "none", "date": "date", "datetime": "datetime", "list": "list", "map": "map",
}  # fmt: skip


def list_of(items: Type) -> Type:
    """The type of a list of `items`."""
    return Type("list", items=items)


def map_of(fields: Mapping[str, Type], missing: Refusal | None = None) -> Type:
    """The type of a map that has exactly these keys."""
    return Type("map", fields=fields, missing=missing)


def one_of(choices: Iterable[str]) -> Type:
    """The type of a text that is one of these."""
    return Type("string", choices=tuple(choices))


def refused(code: str, message: str, help: str | None = None, *, replacement: str | None = None) -> Type:  # noqa: A002
    """A name that may not be used here."""
    return Type("refused", refusal=Refusal(code, message, help, replacement))


def declared(name: str, items: str | None = None) -> Type:
    """The type a flow declares by name, with the type of its elements for a list."""
    if name == "list" and items is not None:
        return list_of(_BY_NAME.get(items, ANY))
    return _BY_NAME.get(name, ANY)


def of_value(value: object) -> Type:
    """The type of a literal value of the file, lists and maps by their elements."""
    match value:
        case None:
            return NONE
        case bool():
            return BOOL
        case int():
            return INT
        case float():
            return FLOAT
        case str():
            return STRING
        case list():
            return list_of(join(of_scalar(item) for item in value))
        case dict():
            return map_of({str(key): of_scalar(item) for key, item in value.items()})
    return ANY


def of_scalar(value: object) -> Type:
    """The type of a value, not looking into lists and maps."""
    return LIST if isinstance(value, list) else MAP if isinstance(value, dict) else of_value(value)


def join(types: Iterable[Type]) -> Type:
    """The narrowest type that holds all of `types`: `int` and `float` give `float`, unlike ones `any`."""
    result: Type | None = None
    for each in types:
        if result is None or result == each:
            result = each
        elif result.kind in NUMBERS and each.kind in NUMBERS:
            result = FLOAT
        elif result.kind in TEXTS and each.kind in TEXTS:
            result = STRING
        elif result.kind == each.kind == "list":
            result = LIST
        elif result.kind == each.kind == "map":
            result = MAP
        else:
            return ANY
    return result or ANY


def comparable(left: Type, right: Type) -> bool:
    """Whether `==` has a meaning. A date compares with the text of one, for that is how it is written in a literal."""
    a, b = _GROUPS.get(left.kind), _GROUPS.get(right.kind)
    if a is None or b is None or a == b:
        return True
    return {a, b} in ({"date", "text"}, {"datetime", "text"})


def orderable(value: Type) -> bool:
    """Whether `<` has a meaning for values of this type."""
    return value.kind not in ("bool", "none", "list", "map")


def fits(value: Type, wanted: Type) -> bool:
    """Whether a value of one type can be given where another is wanted, without conversion of meaning."""
    if not value.is_known or not wanted.is_known or value.kind == wanted.kind:
        return _items_fit(value, wanted)
    if wanted.kind == "float":
        return value.kind == "int"
    # a date, duration, size or path is written as text; whether the text is one shows when it is read
    if wanted.kind in ("date", "datetime", "duration", "size", "path", "string"):
        return value.kind in (*TEXTS, "date", "datetime", "duration", "size") or (
            wanted.kind == "size" and value.kind == "int"
        )
    return False


def _items_fit(value: Type, wanted: Type) -> bool:
    if value.kind == wanted.kind == "list" and value.items is not None and wanted.items is not None:
        return fits(value.items, wanted.items)
    return True
